"""ResNet-18, MobileNetV2 and SqueezeNet 1.1 as int8 TensorFlow Lite models with random weights.

Shapes of layers: He et al., arXiv 1512.03385, table 1; Sandler et al., arXiv 1801.04381, table 2; Iandola et al., arXiv
1602.07360, and version 1.1 of its authors' published definition. Strides and pools pad as TensorFlow's SAME does.

Weights of a filter have no mean. Scales are such that values keep their spread from layer to layer, and that about one
of a hundred saturates.
"""

from collections.abc import Callable

import numpy as np

from kit.graph_models import Net
from kit.tflite_model import Op, T

SAME, VALID = 0, 1
NONE, RELU, RELU6 = 0, 1, 3
#: Standard deviation of what layers make, in real units, and how many of them a tensor holds.
SIGMA, _HELD = 2.4, 2.5
#: Root of the mean square of a rectified tensor, over that standard deviation.
_RECTIFIED = 0.5 ** 0.5
#: By how much weights are larger than for independent inputs: pixels are alike, and filters have no mean.
_GAIN = 1.2


class Images(Net):
    """A model over one image [1, size, size, 3]; methods take and return numbers of tensors.

    `rms[t]` is the root of the mean square of tensor t, in real units.
    """

    def __init__(self, seed: int, size: int):
        super().__init__(seed)
        self.rms: dict[int, float] = {}
        self.input = self._image((1, size, size, 3), SIGMA, NONE)

    def conv(self, x: int, outputs: int, kernel: int, stride: int = 1, activation: int = RELU,
             padding: int = SAME) -> int:
        """A convolution with a scale for each output channel."""
        c = self.shape(x)[3]
        return self._conv(x, (outputs, kernel, kernel, c), 0, stride, padding, "CONV_2D", "Conv2DOptions", activation)

    def depthwise(self, x: int, kernel: int, stride: int, activation: int) -> int:
        """A depthwise convolution."""
        c = self.shape(x)[3]
        return self._conv(x, (1, kernel, kernel, c), 3, stride, SAME, "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions",
                          activation, DepthMultiplier=1)

    def maximum(self, x: int, kernel: int, stride: int, padding: int) -> int:
        """Max pooling."""
        return self._pool("MAX_POOL_2D", x, kernel, stride, padding)

    def whole_average(self, x: int) -> int:
        """The average over the whole image."""
        return self._pool("AVERAGE_POOL_2D", x, self.shape(x)[1], 1, VALID)

    def sum(self, a: int, b: int, activation: int = NONE) -> int:
        """A residual connection."""
        sigma = float(np.hypot(self.rms[a], self.rms[b]))
        y = self._image(self.shape(a), sigma, activation)
        return self._add("ADD", [a, b], [y], "AddOptions", FusedActivationFunction=activation)

    def joined(self, *xs: int) -> int:
        """Channels of images side by side."""
        y = self.concat(list(xs), 3)
        self.rms[y] = self.rms[xs[0]]
        return y

    def dense(self, x: int, outputs: int) -> int:
        """A fully connected layer over the channels of one pixel."""
        k = self.shape(x)[3]
        x, rms = self.reshape(x, 1, k), self.rms[x]
        weights, bias = self._weights((outputs, k), 0, k, rms, self.tensors[x].scales[0])
        y = self._image((1, outputs), SIGMA, NONE)
        return self._add("FULLY_CONNECTED", [x, weights, bias], [y], "FullyConnectedOptions")

    def _image(self, shape, sigma: float, activation: int) -> int:
        """A tensor for values of standard deviation `sigma` before an activation."""
        held = 2 * _HELD * sigma if activation == NONE else _HELD * sigma
        y = self.tensor(*shape, scale=held / 255, point=-128 if activation else int(self.rng.integers(-9, 9)))
        self.rms[y] = sigma * (_RECTIFIED if activation else 1)
        return y

    def _weights(self, shape, axis: int, taps: int, rms: float, scale: float) -> tuple[int, int]:
        """Weights and biases behind a tensor of this root of mean square and scale."""
        drawn = self.rng.uniform(-100, 100, shape)
        drawn -= drawn.mean(axis=tuple(i for i in range(len(shape)) if i != axis), keepdims=True)
        data = np.clip(np.round(drawn), -127, 127).astype(np.int8)
        n = shape[axis]
        scales = (_GAIN * SIGMA / (rms * np.sqrt(taps) * 100 / 3 ** 0.5) * self.rng.uniform(0.7, 1.3, n)).tolist()
        biases = self.rng.normal(0, SIGMA / 4, n) / (scale * np.array(scales))
        self.tensors.append(T(f"t{len(self.tensors)}", shape, "int8", scales, [0] * n, axis, data))
        self.tensors.append(T(f"t{len(self.tensors)}", (n,), "int32", [scale * s for s in scales], [0] * n, 0,
                              np.round(biases).astype(np.int32)))
        return len(self.tensors) - 2, len(self.tensors) - 1

    def _conv(self, x: int, shape, axis: int, stride: int, padding: int, name: str, options: str, activation: int,
              **more) -> int:
        kernel, taps = shape[1], int(np.prod(shape)) // shape[axis]
        weights, bias = self._weights(shape, axis, taps, self.rms[x], self.tensors[x].scales[0])
        side = _extent(self.shape(x)[1], kernel, stride, padding)
        y = self._image((1, side, side, shape[axis]), SIGMA, activation)
        self._operators.append(Op(name, [x, weights, bias], [y], options, {
            "StrideH": stride, "StrideW": stride, "Padding": padding, "FusedActivationFunction": activation, **more}))
        return y

    def _pool(self, name: str, x: int, kernel: int, stride: int, padding: int) -> int:
        side, channels = self.shape(x)[1], self.shape(x)[3]
        side = _extent(side, kernel, stride, padding)
        y = self._like(x, (1, side, side, channels))
        self.rms[y] = self.rms[x]
        return self._add(name, [x], [y], "Pool2DOptions", FilterHeight=kernel, FilterWidth=kernel, StrideH=stride,
                         StrideW=stride, Padding=padding)


def _extent(side: int, kernel: int, stride: int, padding: int) -> int:
    return -(-side // stride) if padding == SAME else (side - kernel) // stride + 1


def resnet18(size: int = 224, seed: int = 1, classes: int = 1000, pool: bool = True) -> bytes:
    """ResNet-18; without `pool` its first convolution strides twice as far instead."""
    net = Images(seed, size)
    x = net.conv(net.input, 64, 7, 2)
    x = net.maximum(x, 3, 2, SAME) if pool else net.conv(x, 64, 3, 2)
    for stage, channels in enumerate((64, 128, 256, 512)):
        for block in range(2):
            stride = 2 if stage and not block else 1
            y = net.conv(net.conv(x, channels, 3, stride), channels, 3, 1, NONE)
            x = net.sum(y, net.conv(x, channels, 1, stride, NONE) if stride == 2 else x, RELU)
    return net.model([net.input], [net.dense(net.whole_average(x), classes)])


def mobilenet_v2(size: int = 224, seed: int = 2, classes: int = 1000) -> bytes:
    """MobileNetV2 of width 1."""
    net = Images(seed, size)
    x = net.conv(net.input, 32, 3, 2, RELU6)
    for t, channels, count, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                      (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(count):
            stride, before = 1 if block else first, net.shape(x)[3]
            y = net.conv(x, t * before, 1, 1, RELU6) if t > 1 else x
            y = net.conv(net.depthwise(y, 3, stride, RELU6), channels, 1, 1, NONE)
            x = net.sum(x, y) if stride == 1 and before == channels else y
    x = net.whole_average(net.conv(x, 1280, 1, 1, RELU6))
    return net.model([net.input], [net.dense(x, classes)])


def squeezenet(size: int = 224, seed: int = 3, classes: int = 1000) -> bytes:
    """SqueezeNet 1.1."""
    net = Images(seed, size)
    x = net.conv(net.input, 64, 3, 2, padding=VALID)
    for pool, squeezed, outputs in ((True, 16, 64), (False, 16, 64), (True, 32, 128), (False, 32, 128),
                                    (True, 48, 192), (False, 48, 192), (False, 64, 256), (False, 64, 256)):
        x = net.conv(net.maximum(x, 3, 2, VALID) if pool else x, squeezed, 1)
        x = net.joined(net.conv(x, outputs, 1), net.conv(x, outputs, 3))
    x = net.whole_average(net.conv(x, classes, 1))
    return net.model([net.input], [net.reshape(x, 1, classes)])


#: The networks by name.
NETWORKS: dict[str, Callable[..., bytes]] = {
    "resnet18": resnet18, "mobilenet_v2": mobilenet_v2, "squeezenet": squeezenet}
