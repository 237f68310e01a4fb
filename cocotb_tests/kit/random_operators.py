"""Random TensorFlow Lite models of one operator: shapes, strides, pads, zero points and scales up to their extremes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kit.tflite_model import Op, T, tflite_model

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3


@dataclass(frozen=True)
class Case:
    """A model with inputs for it."""

    model: bytes
    inputs: tuple[np.ndarray, ...]
    text: str


class _Draw:
    """Random choices for one model."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)

    def size(self, most: int, least: int = 1) -> int:
        return int(self.rng.integers(least, most + 1))

    def one(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def scale(self) -> float:
        """Mostly like those of trained networks; powers of two now and then, where ties occur."""
        if self.rng.random() < 0.25:
            return float(2.0 ** self.rng.integers(-9, 2))
        return float(np.float32(np.exp(self.rng.uniform(np.log(1e-3), np.log(0.5)))))

    def point(self) -> int:
        return self.one(-128, 127, 0, int(self.rng.integers(-128, 128)))

    def q(self, name: str, shape, **fixed) -> T:
        return T(name, shape, "int8", [fixed.get("scale", self.scale())], [fixed.get("point", self.point())])

    def values(self, shape) -> np.ndarray:
        kind = self.rng.random()
        if kind < 0.1:
            return np.full(shape, self.one(-128, 127, 0), np.int8)
        if kind < 0.3:
            return self.rng.choice(np.array([-128, 127, 0, 1, -1], np.int8), shape)
        return self.rng.integers(-128, 128, shape).astype(np.int8)

    def image(self, channels: int | None = None):
        return (self.size(2), self.size(9), self.size(9), channels or self.size(6))


def _output_scale(d: _Draw, x: float, w: float, k: int) -> float:
    """So that outputs spread over the range, clip, or vanish."""
    return float(np.float32(x * w * 74 * 74 * np.sqrt(k) / 50 * np.exp(d.rng.uniform(-3, 2))))


def _weights(d: _Draw, shape, channel: int, per_channel: bool) -> T:
    n = shape[channel] if per_channel else 1
    data = d.rng.integers(-127, 128, shape).astype(np.int8)
    return T("weights", shape, "int8", [d.scale() for _ in range(n)], [0] * n, channel if per_channel else 0, data)


def _bias(d: _Draw, x: T, w: T, n: int) -> T:
    scales = [x.scales[0] * s for s in w.scales]
    return T("bias", (n,), "int32", scales, [0] * len(scales), 0, d.rng.integers(-20000, 20001, n).astype(np.int32))


def _extent(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    return -(-size // stride) if padding == SAME else (size - (kernel - 1) * dilation - 1) // stride + 1


def _conv(d: _Draw, depthwise: bool):
    n, h, w, c = d.image()
    padding, strides = d.one(SAME, VALID), (d.size(3), d.size(3))
    kernel = (d.size(5), d.size(5))
    dilations = (d.size(2), d.size(2)) if strides == (1, 1) or not depthwise else (1, 1)
    if padding == VALID:
        h, w = (max(s, (k - 1) * e + 1) for s, k, e in zip((h, w), kernel, dilations, strict=True))
    groups = d.one(1, 1, c) if not depthwise else 1
    m = c * d.size(3) if depthwise else groups * d.size(5)
    x = d.q("x", (n, h, w, c))
    shape = (1, *kernel, m) if depthwise else (m, *kernel, c // groups)
    weights = _weights(d, shape, 3 if depthwise else 0, d.rng.random() < 0.8)
    out = [_extent(*v, padding) for v in zip((h, w), kernel, strides, dilations, strict=True)]
    k = kernel[0] * kernel[1] * (1 if depthwise else c // groups)
    y = d.q("y", (n, *out, m), scale=_output_scale(d, x.scales[0], float(np.median(weights.scales)), k))
    fields = {"Padding": padding, "StrideH": strides[0], "StrideW": strides[1], "DilationHFactor": dilations[0],
              "DilationWFactor": dilations[1], "FusedActivationFunction": d.one(NONE, RELU, RELU6, RELU_N1_TO_1)}
    name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    if depthwise:
        fields["DepthMultiplier"] = m // c
    options = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
    return [x, weights, _bias(d, x, weights, m), y], Op(name, [0, 1, 2], [3], options, fields)


def _fully_connected(d: _Draw):
    k, n, rows = d.size(40), d.size(9), d.size(5)
    x = d.q("x", (rows, k))
    w = _weights(d, (n, k), 0, d.rng.random() < 0.3)
    keep = d.rng.random() < 0.3
    if keep:
        x = T("x", (d.size(2), rows, k), "int8", x.scales, x.zero_points)
    y = d.q("y", (*x.shape[:-1], n), scale=_output_scale(d, x.scales[0], float(np.median(w.scales)), k))
    fields = {"FusedActivationFunction": d.one(NONE, RELU, RELU6), "KeepNumDims": keep}
    if d.rng.random() < 0.2:
        return [x, w, y], Op("FULLY_CONNECTED", [0, 1, -1], [2], "FullyConnectedOptions", fields)
    return [x, w, _bias(d, x, w, n), y], Op("FULLY_CONNECTED", [0, 1, 2], [3], "FullyConnectedOptions", fields)


def _matmul(d: _Draw):
    m, k, n, batch = d.size(6), d.size(20), d.size(6), d.size(3)
    ta, tb = d.one(False, True), d.one(False, True)
    a = d.q("a", (batch, *((k, m) if ta else (m, k))))
    b = d.q("b", (d.one(batch, 1), *((n, k) if tb else (k, n))))
    y = d.q("y", (batch, m, n), scale=_output_scale(d, a.scales[0], b.scales[0], k))
    return [a, b, y], Op("BATCH_MATMUL", [0, 1], [2], "BatchMatMulOptions", {"AdjX": ta, "AdjY": tb})


def _binary(name: str):
    def make(d: _Draw):
        shape = d.image()
        other = d.one(shape, shape, tuple(d.one(s, 1) for s in shape), (shape[-1],))
        a, b = d.q("a", shape), d.q("b", other)
        span = a.scales[0] + b.scales[0] if name != "MUL" else 128 * a.scales[0] * b.scales[0]
        y = d.q("y", shape, scale=float(np.float32(span * np.exp(d.rng.uniform(-2, 2)))))
        fields = {"FusedActivationFunction": d.one(NONE, RELU, RELU6)}
        return [a, b, y], Op(name, [0, 1], [2], f"{name.capitalize()}Options", fields)

    return make


def _pool(name: str):
    def make(d: _Draw):
        x = d.q("x", d.image())
        padding, strides, kernel = d.one(SAME, VALID), (d.size(3), d.size(3)), (d.size(5), d.size(5))
        if padding == VALID:
            kernel = tuple(min(k, s) for k, s in zip(kernel, x.shape[1:3], strict=True))
        out = [_extent(s, k, t, 1, padding) for s, k, t in zip(x.shape[1:3], kernel, strides, strict=True)]
        y = T("y", (x.shape[0], *out, x.shape[3]), "int8", x.scales, x.zero_points)
        fields = {"Padding": padding, "StrideH": strides[0], "StrideW": strides[1], "FilterHeight": kernel[0],
                  "FilterWidth": kernel[1], "FusedActivationFunction": d.one(NONE, RELU, RELU6)}
        return [x, y], Op(name, [0], [1], "Pool2DOptions", fields)

    return make


def _mean(d: _Draw):
    x = d.q("x", d.image())
    axes = d.one((1, 2), (2, 1), (1,), (3,), (1, 2, 3))
    keep = d.one(False, True)
    shape = [1 if i in axes else s for i, s in enumerate(x.shape) if keep or i not in axes]
    same = d.rng.random() < 0.3
    y = T("y", shape, "int8", x.scales, x.zero_points) if same else d.q(
        "y", shape, scale=float(np.float32(x.scales[0] * np.exp(d.rng.uniform(-2, 1)))))
    return [x, T("axes", (len(axes),), "int32", data=np.array(axes, np.int32)), y], Op(
        "MEAN", [0, 1], [2], "ReducerOptions", {"KeepDims": keep})


def _map(name: str):
    def make(d: _Draw):
        x = d.q("x", d.image())
        fixed = {"LOGISTIC": {"scale": 1 / 256, "point": -128}, "TANH": {"scale": 1 / 128, "point": 0}}.get(name)
        least = {"HARD_SWISH": x.scales[0] / 127}.get(name, 0.0)
        scale = max(least, float(np.float32(x.scales[0] * np.exp(d.rng.uniform(-3, 2)))))
        y = d.q("y", x.shape, **(fixed or {"scale": scale}))
        options = {"LEAKY_RELU": ("LeakyReluOptions", {"Alpha": float(np.float32(d.rng.uniform(-0.5, 1.5)))}),
                   "GELU": ("GeluOptions", {"Approximate": d.one(False, True)})}.get(name, (None, {}))
        return [x, y], Op(name, [0], [1], *options)

    return make


def _softmax(d: _Draw):
    x = d.q("x", (d.size(3), d.size(20)))
    y = T("y", x.shape, "int8", [1 / 256], [-128])
    return [x, y], Op("SOFTMAX", [0], [1], "SoftmaxOptions", {"Beta": d.one(1.0, 1.0, 0.5, 2.0)})


def _quantise(d: _Draw):
    x, y = d.q("x", d.image()), d.q("y", ())
    y = T("y", x.shape, "int8", y.scales, y.zero_points)
    if d.rng.random() < 0.5:
        x = T("x", x.shape, "float32")
    return [x, y], Op("QUANTIZE", [0], [1], "QuantizeOptions")


def _dequantise(d: _Draw):
    x = d.q("x", d.image())
    return [x, T("y", x.shape, "float32")], Op("DEQUANTIZE", [0], [1], "DequantizeOptions")


def _pad(d: _Draw):
    x = d.q("x", d.image())
    widths = d.rng.integers(0, 4, (4, 2)).astype(np.int32)
    shape = [int(s + w.sum()) for s, w in zip(x.shape, widths, strict=True)]
    return [x, T("pads", (4, 2), "int32", data=widths), T("y", shape, "int8", x.scales, x.zero_points)], Op(
        "PAD", [0, 1], [2], "PadOptions")


def _concat(d: _Draw):
    shape, axis = d.image(), d.size(3, 0)
    parts = [d.q("p0", shape)]
    for i in range(d.size(3)):
        parts.append(T(f"p{i + 1}", [d.size(5) if j == axis else s for j, s in enumerate(shape)], "int8",
                       parts[0].scales, parts[0].zero_points))
    whole = [sum(p.shape[axis] for p in parts) if j == axis else s for j, s in enumerate(shape)]
    fields = {"Axis": d.one(axis, axis - 4), "FusedActivationFunction": NONE}
    return [*parts, T("y", whole, "int8", parts[0].scales, parts[0].zero_points)], Op(
        "CONCATENATION", range(len(parts)), [len(parts)], "ConcatenationOptions", fields)


def _strided_slice(d: _Draw):
    x = d.q("x", d.image())
    steps = [d.one(1, 1, 2, -1) for _ in x.shape]
    begins = [d.size(s - 1, 0) for s in x.shape]
    ends = [d.size(s, b + 1) if t > 0 else d.size(b, 0) - 1 for b, s, t in zip(begins, x.shape, steps, strict=True)]
    masks = [sum(int(d.rng.random() < 0.2) << i for i in range(4)) for _ in range(3)]
    shape = []
    for i, (b, e, t, s) in enumerate(zip(begins, ends, steps, x.shape, strict=True)):
        if masks[2] >> i & 1:
            steps[i] = 1
            continue
        if e < 0:
            ends[i] = -s - 1  # below element 0
        whole = slice(None if masks[0] >> i & 1 else b, None if masks[1] >> i & 1 else ends[i], t)
        shape.append(len(range(*whole.indices(s))))
    constants = [T(name, (4,), "int32", data=np.array(values, np.int32))
                 for name, values in (("begin", begins), ("end", ends), ("strides", steps))]
    y = T("y", shape, "int8", x.scales, x.zero_points)
    fields = {"BeginMask": masks[0] & ~masks[2], "EndMask": masks[1] & ~masks[2], "ShrinkAxisMask": masks[2]}
    return [x, *constants, y], Op("STRIDED_SLICE", [0, 1, 2, 3], [4], "StridedSliceOptions", fields)


def _slice(d: _Draw):
    x = d.q("x", d.image())
    begins = [d.size(s - 1, 0) for s in x.shape]
    sizes = [d.one(-1, d.size(s - b)) for b, s in zip(begins, x.shape, strict=True)]
    shape = [s - b if z == -1 else z for b, z, s in zip(begins, sizes, x.shape, strict=True)]
    constants = [T(name, (4,), "int32", data=np.array(values, np.int32))
                 for name, values in (("begin", begins), ("size", sizes))]
    return [x, *constants, T("y", shape, "int8", x.scales, x.zero_points)], Op(
        "SLICE", [0, 1, 2], [3], "SliceOptions")


def _split(d: _Draw):
    shape, axis, parts = list(d.image()), d.size(3, 0), d.size(3)
    shape[axis] *= parts
    x = d.q("x", shape)
    part = [s // parts if i == axis else s for i, s in enumerate(shape)]
    outputs = [T(f"y{i}", part, "int8", x.scales, x.zero_points) for i in range(parts)]
    return [T("axis", (), "int32", data=np.array(axis, np.int32)), x, *outputs], Op(
        "SPLIT", [0, 1], range(2, 2 + parts), "SplitOptions", {"NumSplits": parts})


def _transpose(d: _Draw):
    x = d.q("x", d.image())
    order = d.rng.permutation(4).astype(np.int32)
    shape = [x.shape[i] for i in order]
    return [x, T("order", (4,), "int32", data=order), T("y", shape, "int8", x.scales, x.zero_points)], Op(
        "TRANSPOSE", [0, 1], [2], "TransposeOptions")


def _pack(d: _Draw):
    shape, axis, count = d.image()[:3], d.size(3, 0), d.size(3)
    parts = [d.q("p0", shape)]
    parts += [T(f"p{i}", shape, "int8", parts[0].scales, parts[0].zero_points) for i in range(1, count)]
    whole = [*shape[:axis], count, *shape[axis:]]
    return [*parts, T("y", whole, "int8", parts[0].scales, parts[0].zero_points)], Op(
        "PACK", range(count), [count], "PackOptions", {"ValuesCount": count, "Axis": axis})


def _reshape(d: _Draw):
    x = d.q("x", d.image())
    flat = int(np.prod(x.shape))
    shape = d.one((flat,), (1, flat), (x.shape[0], flat // x.shape[0]))
    return [x, T("shape", (len(shape),), "int32", data=np.array(shape, np.int32)),
            T("y", shape, "int8", x.scales, x.zero_points)], Op("RESHAPE", [0, 1], [2], "ReshapeOptions")


#: The operators, by TensorFlow Lite's names.
OPERATORS: dict[str, Callable] = {
    "CONV_2D": lambda d: _conv(d, False), "DEPTHWISE_CONV_2D": lambda d: _conv(d, True),
    "FULLY_CONNECTED": _fully_connected, "BATCH_MATMUL": _matmul,
    **{name: _binary(name) for name in ("ADD", "SUB", "MUL")},
    **{name: _pool(name) for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D")}, "MEAN": _mean,
    **{name: _map(name) for name in ("RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "LOGISTIC", "TANH", "HARD_SWISH",
                                     "GELU", "ELU")},
    "SOFTMAX": _softmax, "QUANTIZE": _quantise, "DEQUANTIZE": _dequantise, "PAD": _pad, "CONCATENATION": _concat,
    "STRIDED_SLICE": _strided_slice, "SLICE": _slice, "SPLIT": _split, "TRANSPOSE": _transpose, "PACK": _pack,
    "RESHAPE": _reshape,
}


def random_operator(name: str, seed: int) -> Case:
    """A model of one operator and inputs for it; the same seed gives the same."""
    d = _Draw(seed)
    tensors, op = OPERATORS[name](d)
    free = [i for i in dict.fromkeys(op.inputs) if i >= 0 and tensors[i].data is None]
    inputs = []
    for i in free:
        x = tensors[i]
        if x.dtype == "float32":
            edges = d.rng.integers(-200, 200, x.shape) * d.one(0.5, 0.25, 0.013, 1e4)
            inputs.append(edges.astype(np.float32))
        else:
            inputs.append(d.values(x.shape))
    text = f"{name} seed {seed}: " + ", ".join(f"{t.name} {list(t.shape)}" for t in tensors) + f" {op.fields}"
    return Case(tflite_model(tensors, [op], free, list(op.outputs)), tuple(inputs), text)
