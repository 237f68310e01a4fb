"""Small ONNX models: any from a few nodes, and random quantised networks that read scikit-learn's digits."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime.quantization as quantization
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

from oracles.onnx_runtime import OnnxRuntime


@dataclass
class Draft:
    """A model under construction: nodes and constants."""

    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)

    def constant(self, name: str, data: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(data), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), output.split(), **attributes))
        return output

    def model(self, inputs: Sequence, outputs: Sequence, opset: int = 17, **options) -> onnx.ModelProto:
        """The model; inputs and outputs are tuples of name, shape and optionally a type."""
        graph = helper.make_graph(self.nodes, "graph", [_value(*v) for v in inputs], [_value(*v) for v in outputs],
                                  self.constants)
        imports = [helper.make_opsetid("", opset), *options.get("domains", ())]
        return helper.make_model(graph, opset_imports=imports, ir_version=9)


def _value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pictures [n, 1, 8, 8] of 0 .. 1, and their labels."""
    found = load_digits()
    return (found.images[:, None] / 16).astype(np.float32), found.target


def small_network(seed: int) -> onnx.ModelProto:
    """A random float network of a picture [1, 1, 8, 8], whose last layer is fitted to the digits by least squares."""
    rng = np.random.default_rng(seed)
    draft, channels = Draft(), int(rng.integers(3, 9))
    y = _conv(draft, rng, "x", (1, channels), 3)
    y = draft.node("Clip", [y, _limit(draft, 0), _limit(draft, 6)], "first") if seed % 2 else draft.node(
        "Relu", [y], "first")
    if seed % 3 == 0:
        y = draft.node("MaxPool", [y], "pooled", kernel_shape=[2, 2], strides=[1, 1])
    elif seed % 3 == 1:
        y = draft.node("AveragePool", [y], "pooled", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 0, 0])
    branch = draft.node("Relu", [_conv(draft, rng, y, (channels, channels), 3, channels if seed % 4 else 1)], "branch")
    y = draft.node("Add", [y, branch], "sum") if seed % 5 else draft.node("Concat", [y, branch], "sum", axis=1)
    if seed % 3 == 2:
        y = draft.node("Sigmoid", [y], "curved")
    if seed % 7 == 6:
        y = draft.node("GlobalAveragePool", [y], "mean")
    features = draft.node("Flatten", [y], "features")
    pictures, labels = digits()
    probe = OnnxRuntime(draft.model([("x", [1, 1, 8, 8])], [(features, None)]))
    values = np.concatenate([probe.run({"x": p[None]})[features] for p in pictures[:400]])
    values = np.concatenate([values, np.ones((len(values), 1), np.float32)], axis=1)
    wanted = np.eye(10)[labels[:400]]
    fitted = np.linalg.solve(values.T @ values + 0.1 * np.eye(values.shape[1]), values.T @ wanted).astype(np.float32)
    weights = draft.constant("w_last", fitted[:-1].T if seed % 2 else fitted[:-1])
    y = draft.node("Gemm", [features, weights, draft.constant("b_last", fitted[-1])], "y", transB=seed % 2)
    return draft.model([("x", [1, 1, 8, 8])], [(y, [1, 10])])


def _limit(draft: Draft, value: float) -> str:
    return draft.constant(f"limit{value}", np.float32(value))


def _conv(draft: Draft, rng, x: str, channels: tuple[int, int], kernel: int, groups: int = 1) -> str:
    name = f"conv{len(draft.nodes)}"
    shape = (channels[1], channels[0] // groups, kernel, kernel)
    w = draft.constant(f"w_{name}", rng.normal(0, 1.5 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32))
    b = draft.constant(f"b_{name}", rng.normal(0, 0.1, channels[1]).astype(np.float32))
    return draft.node("Conv", [x, w, b], name, pads=[1, 1, 1, 1], group=groups)


class _Pictures(quantization.CalibrationDataReader):
    def __init__(self, shape: tuple[int, ...] = (1, 1, 8, 8)):
        self._left = [{"x": picture.reshape(shape)} for picture in digits()[0][400:440]]

    def get_next(self):
        return self._left.pop() if self._left else None


def _no_advice(record: logging.LogRecord) -> bool:
    """ONNX Runtime's quantiser gives advice that these models do not need."""
    return "pre-processing" not in record.getMessage() and "bad performance" not in record.getMessage()


def dense_network(seed: int, function: str = "Relu") -> onnx.ModelProto:
    """A float classifier of a picture [1, 64]: random features, a function of these, and a fitted layer."""
    rng = np.random.default_rng(seed)
    pictures, labels = digits()
    draft, x = Draft(), pictures.reshape(-1, 64)
    first = rng.normal(0, 0.3, (64, 48)).astype(np.float32)
    probe = Draft()
    probe.node(function, [probe.node("MatMul", ["x", probe.constant("first", first)], "h")], "y")
    hidden = OnnxRuntime(probe.model([("x", x.shape)], [("y", (len(x), 48))])).run({"x": x})["y"]
    second = np.linalg.lstsq(hidden, np.eye(10, dtype=np.float32)[labels], rcond=None)[0].astype(np.float32)
    h = draft.node("Gemm", ["x", draft.constant("first", first)], "h")
    h = draft.node(function, [h], "features")
    draft.node("Gemm", [h, draft.constant("second", second.T.copy())], "y", transB=1)
    return draft.model([("x", (1, 64))], [("y", (1, 10))])


def quantised_residual(seed: int, folder: Path) -> Path:
    """The file of a quantised network of 1 x 1 convolutions: a residual block, a mean over the picture, a layer."""
    rng, draft, y = np.random.default_rng(seed), Draft(), "x"

    def weights(*shape):
        name = f"w{len(draft.constants)}"
        return draft.constant(name, rng.normal(0, 1.5 / np.sqrt(shape[1]), shape).astype(np.float32))

    first = draft.node("Relu", [draft.node("Conv", ["x", weights(8, 1, 1, 1)], "first")], "features")
    inner = draft.node("Relu", [draft.node("Conv", [first, weights(12, 8, 1, 1)], "second")], "inner")
    y = draft.node("Add", [draft.node("Conv", [inner, weights(8, 12, 1, 1)], "third"), first], "sum")
    y = draft.node("Flatten", [draft.node("GlobalAveragePool", [draft.node("Relu", [y], "block")], "mean")], "flat")
    draft.node("Gemm", [y, weights(10, 8)], "y", transB=1)
    onnx.save(draft.model([("x", (1, 1, 8, 8))], [("y", (1, 10))]), folder / "float.onnx")
    kind = (quantization.QuantType.QInt8, quantization.QuantType.QUInt8)[seed % 2]
    _quantise(folder / "float.onnx", folder / "residual.onnx", _Pictures(), activation_type=kind,
              weight_type=quantization.QuantType.QInt8)
    return folder / "residual.onnx"


def quantised_dense(seed: int, folder: Path, function: str = "Relu") -> Path:
    """The file of a `dense_network`, quantised by ONNX Runtime: activations uint8 if the seed is odd, else int8."""
    onnx.save(dense_network(seed, function), folder / "float.onnx")
    kinds = quantization.QuantType
    _quantise(folder / "float.onnx", folder / "dense.onnx", _Pictures((1, 64)),
              activation_type=kinds.QUInt8 if seed % 2 else kinds.QInt8, weight_type=kinds.QInt8)
    return folder / "dense.onnx"


def quantised_network(seed: int, folder: Path, kind: str = "QDQ") -> onnx.ModelProto:
    """The network of a seed, quantised by ONNX Runtime: per tensor or channel, int8 and uint8 mixed."""
    kinds = quantization.QuantType
    source, target = folder / f"{seed}.onnx", folder / f"{seed}-{kind}.onnx"
    onnx.save(small_network(seed), source)
    _quantise(source, target, _Pictures(), quant_format=quantization.QuantFormat[kind], per_channel=seed % 4 > 1,
              activation_type=(kinds.QUInt8, kinds.QInt8)[seed // 2 % 2], weight_type=kinds.QInt8)
    return onnx.load(target)


def _quantise(source: Path, target: Path, pictures, **options) -> None:
    logging.getLogger().addFilter(_no_advice)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.quantize_static(source, target, pictures, **options)
    logging.getLogger().removeFilter(_no_advice)
