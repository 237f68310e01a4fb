"""Random ONNX models of one operator: attributes, shapes, scales and zero points up to their extremes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from kit.onnx_models import Draft

_REAL = ("Conv", "MaxPool", "AveragePool", "Gemm", "MatMul", "DequantizeLinear")
_MICROSOFT = helper.make_opsetid("com.microsoft", 1)


@dataclass(frozen=True)
class Case:
    """A model that makes y of x, with a value of x."""

    model: onnx.ModelProto
    x: np.ndarray
    text: str


class _Draw:
    """A model under construction, and random choices for it."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.draft = Draft()
        self.type = self.one(np.uint8, np.int8)

    def size(self, most: int, least: int = 1) -> int:
        return int(self.rng.integers(least, most + 1))

    def one(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def stored(self, shape, kind=None) -> np.ndarray:
        info = np.iinfo(kind or self.type)
        return self.rng.integers(info.min, info.max + 1, shape).astype(kind or self.type)

    def real(self, shape) -> np.ndarray:
        return self.rng.normal(0, self.one(0.3, 2, 9), shape).astype(np.float32)

    def constant(self, value) -> str:
        return self.draft.constant(f"c{len(self.draft.constants)}", value)

    def quantisation(self, kind=None, count: int = 0, centre: float = 0.02) -> list[str]:
        """Names of scales and zero points, for a tensor or for each slice."""
        shape = (count,) if count else ()
        scales = np.exp(self.rng.normal(np.log(centre), 1, shape)).astype(np.float32)
        points = np.zeros(shape, np.int8) if count and kind == np.int8 else self.stored(shape, kind)
        return [self.constant(scales), self.constant(points.astype(kind or self.type))]

    def image(self) -> tuple[int, int, int, int]:
        return self.size(2), self.size(6), self.size(9, 3), self.size(9, 3)

    def window(self, x, kernel, dilated: bool) -> dict:
        """Strides, dilations and pads of kinds that go together."""
        found = {"strides": [self.size(3), self.size(3)], "kernel_shape": list(kernel)}
        if dilated and self.one(True, False):
            found["dilations"] = [d if (k - 1) * d < s else 1 for k, s, d in zip(
                kernel, x[2:], (self.size(2), self.size(2)), strict=True)]
        mode = self.one("pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET")
        if mode == "pads":
            found["pads"] = [self.size(k - 1, 0) for k in (*kernel, *kernel)]
        elif not mode.startswith("SAME") or ("dilations" not in found and max(found["strides"]) <= min(kernel)):
            found["auto_pad"] = mode  # ONNX Runtime pads by negative numbers where a stride is longer than its kernel
        return found

    def finish(self, name: str, inputs: list[str], x: np.ndarray, **attributes) -> Case:
        domain = "com.microsoft" if name in _CONTRIB else ""
        self.draft.node(name, inputs, "y", domain=domain, **attributes)
        kind = helper.np_dtype_to_tensor_dtype(x.dtype)
        made = helper.np_dtype_to_tensor_dtype(np.dtype(np.float32 if name in _REAL else self.type))
        model = self.draft.model([("x", x.shape, kind)], [("y", None, made)], 22, domains=[_MICROSOFT])
        return Case(model, x, f"{name} of {x.dtype} {list(x.shape)} {attributes}")


def _conv_shapes(d: _Draw):
    x, kernel = d.image(), (d.size(3), d.size(3))
    groups = d.one(1, 1, x[1])
    weights = (groups * d.size(4), x[1] // groups, *kernel)
    return x, weights, {"group": groups, **d.window(x, kernel, True)}


def _conv(d: _Draw) -> Case:
    x, weights, attributes = _conv_shapes(d)
    names = ["x", d.constant(d.real(weights)), *d.one([], [d.constant(d.real(weights[:1]))])]
    return d.finish("Conv", names, d.real(x), **attributes)


def _qlinear_conv(d: _Draw) -> Case:
    x, weights, attributes = _conv_shapes(d)
    kind = d.one(np.int8, np.uint8) if d.type is np.uint8 else np.int8  # ONNX Runtime has no int8 by uint8
    count = d.one(0, weights[0]) if kind == np.int8 else 0
    names = ["x", *d.quantisation(), d.constant(d.stored(weights, kind)), *d.quantisation(kind, count, 0.005),
             *d.quantisation(centre=0.3)]
    bias = [d.constant(d.rng.integers(-9999, 9999, weights[0]).astype(np.int32))]
    return d.finish("QLinearConv", [*names, *d.one([], bias)], d.stored(x), **attributes)


def _pool(name: str):
    def make(d: _Draw) -> Case:
        x, kernel = d.image(), (d.size(3), d.size(3))
        attributes = d.window(x, kernel, False)
        if "auto_pad" not in attributes:
            attributes["ceil_mode"] = d.one(0, 1)
        if name != "MaxPool" and not (name in _CONTRIB and attributes.get("ceil_mode")):
            attributes["count_include_pad"] = d.one(0, 1)
        if name != "QLinearAveragePool":
            return d.finish(name, ["x"], d.real(x), **attributes)
        return d.finish(name, ["x", *d.quantisation(), *d.quantisation()], d.stored(x), **attributes)

    return make


def _gemm(d: _Draw) -> Case:
    m, k, n, ta, tb = d.size(5), d.size(20), d.size(6), d.one(0, 1), d.one(0, 1)
    b = d.constant(d.real((n, k) if tb else (k, n)))
    c = d.one([], [d.constant(d.real(d.one((n,), (1, n), (m, n), (m, 1), ())))])
    return d.finish("Gemm", ["x", b, *c], d.real((k, m) if ta else (m, k)), transA=ta, transB=tb,
                    alpha=d.one(1.0, 0.5), beta=d.one(1.0, 2.0))


def _qgemm(d: _Draw) -> Case:
    m, k, n, tb = d.size(5), d.size(30), d.size(6), d.one(0, 1)
    b = d.constant(d.stored((n, k) if tb else (k, n), np.int8))
    c = d.one("", d.constant(d.rng.integers(-9999, 9999, n).astype(np.int32)))
    names = ["x", *d.quantisation(), b, *d.quantisation(np.int8, d.one(0, n), 0.005), c, *d.quantisation(centre=0.3)]
    return d.finish("QGemm", names, d.stored((m, k)), transB=tb)


def _qlinear_matmul(d: _Draw) -> Case:
    m, k, n = d.size(5), d.size(30), d.size(6)
    b, count = d.constant(d.stored(d.one((k, n), (2, k, n)), np.int8)), d.one(0, 0)
    names = ["x", *d.quantisation(), b, *d.quantisation(np.int8, count, 0.005), *d.quantisation(centre=0.3)]
    return d.finish("QLinearMatMul", names, d.stored((2, m, k)))


def _matmul(d: _Draw) -> Case:
    k = d.size(9)
    a, b = d.one((k,), (4, k), (2, 3, k)), d.one((k,), (k, 5), (2, k, 5))
    return d.finish("MatMul", ["x", d.constant(d.real(b))], d.real(a))


def _quantise(d: _Draw) -> Case:
    x = d.image()
    axis = d.one(None, *range(4))
    attributes = {} if axis is None else {"axis": axis}
    names = d.quantisation(count=0 if axis is None else x[axis])
    return d.finish("QuantizeLinear", ["x", *names], d.real(x), **attributes)


def _dequantise(d: _Draw) -> Case:
    x = d.image()
    axis = d.one(None, *range(4))
    attributes = {} if axis is None else {"axis": axis - d.one(0, 4)}
    return d.finish("DequantizeLinear", ["x", *d.quantisation(count=0 if axis is None else x[axis])], d.stored(x),
                    **attributes)


def _binary(name: str):
    def make(d: _Draw) -> Case:
        x = d.image()
        b = d.constant(d.stored(d.one(x, x, (x[1], 1, 1), (x[3],))))
        return d.finish(name, ["x", *d.quantisation(), b, *d.quantisation(), *d.quantisation(centre=0.05)], d.stored(x))

    return make


def _unary(name: str, attributes: Callable = lambda d: {}):
    def make(d: _Draw) -> Case:
        return d.finish(name, ["x", *d.quantisation(), *d.quantisation(centre=0.01)], d.stored(d.image()),
                        **attributes(d))

    return make


def _concat(d: _Draw) -> Case:
    x, q = d.image(), d.quantisation()
    other = d.constant(d.stored(x))
    return d.finish("QLinearConcat", [*q, "x", *d.one(q, d.quantisation()), other, *d.quantisation()], d.stored(x),
                    axis=d.one(1, -1))


#: Operators of ONNX, and those of ONNX Runtime, whose kernels may differ by one step.
_EXACT = {"Conv": _conv, "MaxPool": _pool("MaxPool"), "AveragePool": _pool("AveragePool"), "Gemm": _gemm,
          "MatMul": _matmul, "QLinearConv": _qlinear_conv, "QLinearMatMul": _qlinear_matmul,
          "QuantizeLinear": _quantise, "DequantizeLinear": _dequantise}
_CONTRIB = {"QGemm": _qgemm, "QLinearAdd": _binary("QLinearAdd"), "QLinearMul": _binary("QLinearMul"),
            "QLinearAveragePool": _pool("QLinearAveragePool"), "QLinearConcat": _concat,
            "QLinearGlobalAveragePool": _unary("QLinearGlobalAveragePool", lambda d: {"channels_last": 0}),
            "QLinearSigmoid": _unary("QLinearSigmoid"),
            "QLinearLeakyRelu": _unary("QLinearLeakyRelu", lambda d: {"alpha": float(np.float32(d.rng.uniform(0, 1)))}),
            "QLinearSoftmax": _unary("QLinearSoftmax", lambda d: {"axis": d.one(1, -1), "opset": 13})}
OPERATORS = (*_EXACT, *_CONTRIB)
#: Steps that a result may be apart from that of ONNX Runtime.
STEPS = dict.fromkeys(_EXACT, 0) | dict.fromkeys(_CONTRIB, 1)


def random_case(name: str, seed: int) -> Case:
    """A model of one operator and an input for it; the same seed gives the same."""
    return (_EXACT | _CONTRIB)[name](_Draw(seed))
