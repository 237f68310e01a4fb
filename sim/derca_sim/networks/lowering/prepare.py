"""Float ONNX models before they are quantised: what belongs to one layer becomes one operator.

A quantiser gives each operator's result a range of its own. So it would quantise a product before its bias is added,
and a batch normalisation with parameters in int8. Operators that it does not know stay real.
"""

from collections.abc import Sequence

import numpy as np

from ..onnx.reading.package import package

#: Products that can take a normalisation, and activations that a quantiser joins with the operator before.
_PRODUCTS, _ACTIVATIONS = ("Conv", "Gemm", "MatMul"), ("Relu", "Clip")


def absorb_normalisations(model) -> None:
    """Change the constants of a `Conv`, `Gemm` or `MatMul` so that the BatchNormalization behind it is not needed.

    Results change by rounding only. The model, of the package `onnx`, is changed in place. A normalisation stays where
    something else reads the product, or where its parameters or those of the product are computed.
    """
    graph = model.graph
    read, makers, constants, shapes = _read(graph), _makers(graph), _constants(graph), _shapes(model)
    for node in [n for n in graph.node if n.op_type == "BatchNormalization"]:
        product = makers.get(node.input[0])
        alone = read.count(node.input[0]) == 1 and not any(node.output[1:])
        if product is None or not alone or product.op_type == "MatMul" and len(shapes.get(node.input[0], ())) != 2:
            continue
        merged = _merged(product, node, constants)
        if merged is None:
            continue
        product.input[1:] = [_stored(graph, f"{node.output[0]}:{i}", data) for i, data in enumerate(merged)]
        product.op_type = product.op_type.replace("MatMul", "Gemm")
        product.output[0] = node.output[0]
        graph.node.remove(node)
    _forget_unread(graph)


def join_biases(model) -> None:
    """Make a `Gemm` of each `MatMul` with constant weights and the constant bias that is added to it, in place.

    An input of more than two dimensions is reshaped before it, and its result behind the activation that follows.
    """
    graph = model.graph
    read, makers, constants, shapes = _read(graph), _makers(graph), _constants(graph), _shapes(model)
    for node in [n for n in graph.node if n.op_type == "Add"]:
        product = next((m for m in map(makers.get, node.input) if m is not None and m.op_type == "MatMul"), None)
        if product is None or read.count(product.output[0]) != 1:
            continue
        bias = constants.get(node.input[node.input[0] == product.output[0]])
        x, weights = shapes.get(product.input[0], ()), constants.get(product.input[1])
        if bias is None or weights is None or weights.ndim != 2 or len(x) < 2 or None in x[1:] or (
                bias.shape not in [(*[1] * i, weights.shape[1]) for i in range(len(x))]):
            continue
        chain = [product, node]
        while read.count(chain[-1].output[0]) == 1 and (behind := [
                n for n in graph.node if n.op_type in _ACTIVATIONS and n.input[0] == chain[-1].output[0]]):
            chain += behind
        _replace(graph, chain, bias.reshape(-1), (*x[1:-1], *weights.shape))
    _forget_unread(graph)


def _replace(graph, chain: Sequence, bias: np.ndarray, sizes: Sequence[int]) -> None:
    """Put a Gemm in the place of the MatMul and the Add of a chain, before its activations.

    `sizes` are the dimensions of its input but the first, and the number of outputs.
    """
    (product, add, *_), last, (*inner, k, n) = chain, chain[-1], sizes
    changed = {node.output[0] for node in chain[:-1]}
    for value in [v for v in graph.value_info if v.name in changed]:
        graph.value_info.remove(value)
    make, result = package().helper.make_node, last.output[0]
    x, end = (f"{result}:x", f"{result}:rows") if inner else (product.input[0], result)
    if last is not add:
        last.output[0] = end
    made = add.output[0] if last is not add else end
    new = [make("Gemm", [x, product.input[1], _stored(graph, f"{result}:bias", bias)], [made])]
    if inner:
        flat, whole = (_stored(graph, f"{result}:{name}", np.array(shape, np.int64)) for name, shape in (
            ("flat", [-1, k]), ("whole", [-1, *inner, n])))
        new.insert(0, make("Reshape", [product.input[0], flat], [x]))
        graph.node.insert(list(graph.node).index(last) + 1, make("Reshape", [end, whole], [result]))
    at = list(graph.node).index(add)
    for each in reversed(new):
        graph.node.insert(at, each)
    graph.node.remove(add)
    graph.node.remove(product)


def pool_means(model) -> None:
    """Make a `GlobalAveragePool`, which ONNX Runtime quantises, of each ReduceMean over an image, in place.

    So PyTorch exports AdaptiveAvgPool2d(1).
    """
    graph, constants, shapes = model.graph, _constants(model.graph), _shapes(model)
    for node in [n for n in graph.node if n.op_type == "ReduceMean" and len(shapes.get(n.input[0], ())) == 4]:
        axes = constants.get(node.input[1]) if len(node.input) > 1 else _attribute(node, "axes", None)
        if axes is None or {int(axis) % 4 for axis in axes} != {2, 3}:
            continue
        kept, result = _attribute(node, "keepdims", 1), node.output[0]
        make, at = package().helper.make_node, list(graph.node).index(node)
        pooled = result if kept else f"{result}:pooled"
        graph.node.remove(node)
        graph.node.insert(at, make("GlobalAveragePool", node.input[:1], [pooled]))
        if not kept:
            graph.node.insert(at + 1, make("Flatten", [pooled], [result]))
    _forget_unread(graph)


def _read(graph) -> list[str]:
    """Names of tensors, as often as they are read."""
    return [name for node in graph.node for name in node.input] + [value.name for value in graph.output]


def _makers(graph) -> dict:
    return {name: node for node in graph.node for name in node.output}


def _shapes(model) -> dict[str, tuple[int | None, ...]]:
    """Shapes as far as they are known; a dimension that is open is None."""
    graph = package().shape_inference.infer_shapes(model).graph
    found = {value.name: value.type.tensor_type.shape.dim for value in (*graph.value_info, *graph.input)}
    return {name: tuple(d.dim_value if d.HasField("dim_value") else None for d in shape)
            for name, shape in found.items()}


def _stored(graph, name: str, data: np.ndarray) -> str:
    graph.initializer.append(package().numpy_helper.from_array(data, name))
    return name


def _forget_unread(graph) -> None:
    """Leave out stored tensors that no node reads: ONNX Runtime warns of each."""
    unread = {proto.name for proto in graph.initializer}.difference(_read(graph))
    for held in (graph.initializer, graph.input):  # older files list stored tensors among the inputs
        for each in [e for e in held if e.name in unread]:
            held.remove(each)


def _constants(graph) -> dict[str, np.ndarray]:
    """The values of stored tensors, of `Constant` nodes, and of what only hands these on."""
    read = package().numpy_helper.to_array
    found = {proto.name: read(proto) for proto in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
        elif node.op_type == "Constant" and node.attribute[:1] and node.attribute[0].name == "value":
            found[node.output[0]] = read(node.attribute[0].t)
    return found


def _attribute(node, name: str, default):
    values = (package().helper.get_attribute_value(a) for a in node.attribute if a.name == name)
    return next(values, default)


def _merged(product, node, constants: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """float32 weights and bias of a product with the factors and offsets of a normalisation.

    None where it cannot take them.
    """
    names = [*product.input[1:3], *node.input[1:5]]
    plain = _attribute(product, "alpha", 1) == _attribute(product, "beta", 1) == 1
    if product.op_type not in _PRODUCTS or not plain or any(name not in constants for name in names):
        return None
    weights, *bias, scale, offset, mean, variance = (constants[name].astype(np.float64) for name in names)
    rows = product.op_type == "Conv" or _attribute(product, "transB", 0)
    old = bias[0].reshape(-1) if bias else np.zeros(1)
    if old.size not in (1, scale.size):
        return None
    factor = scale / np.sqrt(variance + _attribute(node, "epsilon", 1e-5))
    shape = (-1, *[1] * (weights.ndim - 1)) if rows else (1, -1)
    found = weights * factor.reshape(shape), offset + (old - mean) * factor
    return tuple(each.astype(np.float32) for each in found)
