"""Random TensorFlow Lite models of convolutions and pools, one after the other: with pads, strides and groups."""

from math import ceil

import numpy as np

from kit.tflite_model import Op, T, tflite_model

#: Padding of the schema.
SAME, VALID = 0, 1


class ConvNet:
    """A model that grows by one convolution after the other, over int8 images; `last` is the newest tensor.

    Outputs spread over the range of int8.
    """

    def __init__(self, rng: np.random.Generator, height: int, width: int, channels: int):
        self.rng = rng
        self.tensors = [T("x", (1, height, width, channels), "int8", [0.04], [int(rng.integers(-128, 128))])]
        self._operators: list[Op] = []
        self.last = 0

    def model(self) -> bytes:
        """The bytes of the model, whose output is the newest tensor."""
        return tflite_model(self.tensors, self._operators, [0], [self.last])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the newest tensor."""
        return tuple(self.tensors[self.last].shape)

    def pad(self, *around: int) -> None:
        """Pad rows and columns with the zero point: top, left, bottom, right."""
        top, left, bottom, right = around
        n, h, w, c = self.shape
        widths = self._constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
        x = self.tensors[self.last]
        shape = n, h + top + bottom, w + left + right, c
        self._add("PAD", [self.last, widths], shape, x.zero_points[0], "PadOptions")

    def conv(self, outputs: int, kernel, strides=(1, 1), dilations=(1, 1), padding: int = SAME, groups: int = 1,
             activation: int = 0) -> None:
        """A convolution; with as many groups as channels, a depthwise one."""
        n, h, w, c = self.shape
        depthwise = groups == c > 1
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        out = [ceil(side / s) if padding == SAME else (side - r) // s + 1
               for side, s, r in zip((h, w), strides, reach, strict=True)]
        shape = (1, *kernel, outputs) if depthwise else (outputs, *kernel, c // groups)
        taps = kernel[0] * kernel[1] * c // groups
        scales = (self.rng.uniform(0.7, 1.3, outputs) * 50 / (74 * 74 * np.sqrt(taps))).tolist()
        weights = self._constant(self.rng.integers(-127, 128, shape).astype(np.int8), scales, 3 if depthwise else 0)
        bias = self._constant(self.rng.integers(-3000, 3000, outputs).astype(np.int32),
                              [scale * 0.04 for scale in scales])
        name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        more = {"DepthMultiplier": outputs // c} if depthwise else {}
        self._add(name, [self.last, weights, bias], (n, *out, outputs), int(self.rng.integers(-30, 30)),
                  "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
                  StrideH=strides[0], StrideW=strides[1], DilationHFactor=dilations[0], DilationWFactor=dilations[1],
                  Padding=padding, FusedActivationFunction=activation, **more)

    def pool(self, name: str, kernel, strides=(1, 1), padding: int = VALID, activation: int = 0) -> None:
        """A pool: `name` is "MAX" or "AVERAGE"."""
        n, h, w, c = self.shape
        out = [ceil(side / s) if padding == SAME else (side - k) // s + 1
               for side, s, k in zip((h, w), strides, kernel, strict=True)]
        self._add(f"{name}_POOL_2D", [self.last], (n, *out, c), self.tensors[self.last].zero_points[0],
                  "Pool2DOptions", StrideH=strides[0], StrideW=strides[1], FilterHeight=kernel[0],
                  FilterWidth=kernel[1], Padding=padding, FusedActivationFunction=activation)

    def dense(self, outputs: int) -> None:
        """A fully connected layer over all elements."""
        k = int(np.prod(self.shape))
        scale = 50 / (74 * 74 * np.sqrt(k))
        flat = T(f"t{len(self.tensors)}", (1, k), "int8", [0.04], self.tensors[self.last].zero_points)
        self.tensors.append(flat)
        at = len(self.tensors) - 1
        self._operators.append(Op("RESHAPE", [self.last, self._constant(np.array([1, k], np.int32))], [at]))
        weights = self._constant(self.rng.integers(-127, 128, (outputs, k)).astype(np.int8), [scale])
        bias = self._constant(self.rng.integers(-3000, 3000, outputs).astype(np.int32), [scale * 0.04])
        self._add("FULLY_CONNECTED", [at, weights, bias], (1, outputs), 3, "FullyConnectedOptions")

    def _constant(self, data: np.ndarray, scales=(), axis: int = 0) -> int:
        self.tensors.append(T(f"t{len(self.tensors)}", data.shape, data.dtype.name, scales, [0] * len(scales), axis,
                              data))
        return len(self.tensors) - 1

    def _add(self, name: str, inputs, shape, point: int, options: str, **fields) -> None:
        self.tensors.append(T(f"t{len(self.tensors)}", shape, "int8", [0.04], [point]))
        self.last = len(self.tensors) - 1
        self._operators.append(Op(name, inputs, [self.last], options, fields))


def random_convolutions(seed: int) -> ConvNet:
    """A few random convolutions over a small image; the first may have strides that only the host can rearrange."""
    rng = np.random.default_rng([41, seed])
    net = ConvNet(rng, int(rng.integers(3, 15)), int(rng.integers(3, 15)), int(rng.integers(1, 7)))
    for i in range(int(rng.integers(1, 4))):
        _, h, w, c = net.shape
        if rng.random() < 0.3:
            net.pad(*(int(p) for p in rng.integers(0, 3, 4)))
        kernel = tuple(int(min(k, side)) for k, side in zip(rng.choice([1, 2, 3, 3, 5], 2), (h, w), strict=True))
        strides = (1, 1) if rng.random() < 0.5 else (2, 2) if i else tuple(int(s) for s in rng.integers(1, 5, 2))
        dilations = (2, 1) if rng.random() < 0.2 and strides == (1, 1) and 2 * kernel[0] - 1 <= h else (1, 1)
        groups, outputs = 1, int(rng.integers(1, 13))
        if rng.random() < 0.4 and c > 1:
            groups = int(rng.choice([g for g in range(2, c + 1) if c % g == 0]))
            outputs = groups * int(rng.choice([1, 1, 2, 3, 9]))
        if groups == c and strides[0] != strides[1]:  # LiteRT has no others
            strides = strides[0], strides[0]
        net.conv(outputs, kernel, strides, dilations, int(rng.integers(2)), groups, int(rng.integers(2)))
    return net


def random_pools(seed: int) -> ConvNet:
    """Convolutions of stride 1 and pools over a small image, in turn; rows of a pool may be any distance apart."""
    rng = np.random.default_rng([43, seed])
    net = ConvNet(rng, int(rng.integers(4, 20)), int(rng.integers(1, 14)), int(rng.integers(1, 12)))
    for i in range(int(rng.integers(1, 5))):
        _, h, w, _ = net.shape
        kernel = tuple(int(min(k, side)) for k, side in zip(rng.choice([1, 2, 3, 3, 5], 2), (h, w), strict=True))
        if i % 2 == 0 and rng.random() < 0.8:
            net.conv(int(rng.integers(1, 13)), kernel)
            continue
        padding, strides = int(rng.integers(2)), tuple(int(s) for s in rng.integers(1, 3, 2))
        if rng.random() < 0.25:  # all of a row, or a column of it; rows far apart
            kernel, padding = (int(rng.integers(1, min(h, 5) + 1)), int(rng.choice([1, w]))), VALID
            fitting = [s for s in range(1, h + 1) if s <= 2 or kernel[0] <= s and ((h - kernel[0]) // s + 1) * s <= h]
            strides = int(rng.choice(fitting)), 1
        largest = rng.random() < 0.7
        net.pool("MAX" if largest else "AVERAGE", kernel, strides, padding if largest else VALID,
                 int(rng.choice([0, 0, 1, 3])))
    return net
