"""ONNX models with random damage to their structure: attributes, operators, edges, dimensions and types."""

import numpy as np
import onnx

_NUMBERS = (-5, 0, 1, 3, 1000, 1 << 40)
_KINDS = ("Relu", "Conv", "Add", "Concat", "Reshape", "MaxPool", "Split", "Gemm", "MatMul", "Softmax", "QuantizeLinear",
          "DequantizeLinear", "Flatten", "Transpose", "Squeeze", "Gather", "Slice", "Pad", "Shape", "Clip",
          "BatchNormalization", "QLinearConv", "Constant", "Dropout")


def damaged(model: onnx.ModelProto, seed: int) -> bytes:
    """The bytes of a model with one to three things changed."""
    rng = np.random.default_rng(seed)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for _ in range(int(rng.integers(1, 4))):
        _damage(copy.graph, rng)
    return copy.SerializeToString()


def _damage(graph, rng) -> None:
    node, tensor = _one(rng, graph.node), _one(rng, graph.initializer)
    what = int(rng.integers(7))
    if what == 0 and node.attribute:
        attribute = _one(rng, node.attribute)
        if attribute.ints:
            attribute.ints[int(rng.integers(len(attribute.ints)))] = int(rng.choice(_NUMBERS))
        else:
            attribute.i = int(rng.choice(_NUMBERS))
    elif what == 1 and node.input:
        names = ["", _one(rng, graph.node).output[0], tensor.name]
        node.input[int(rng.integers(len(node.input)))] = _one(rng, names)
    elif what == 2:
        node.op_type = str(rng.choice(_KINDS))
    elif what == 3 and tensor.dims:
        tensor.dims[int(rng.integers(len(tensor.dims)))] = int(rng.choice((0, 1, 2, 7, -1, 1 << 40)))
    elif what == 4:
        tensor.data_type = int(rng.integers(25))
    elif what == 5 and node.attribute:
        _one(rng, node.attribute).type = int(rng.integers(1, 8))
    elif what == 6:
        del node.input[-1:]


def _one(rng, items):
    return items[int(rng.integers(len(items)))]
