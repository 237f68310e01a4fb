"""Random TensorFlow Lite models of every operator that is mapped over images, as graphs: branches, sums and joins."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, prod

import numpy as np

from derca_sim.model.platform import Platform
from derca_sim.networks.lowering.walk import Walk
from derca_sim.networks.tflite import graph_of
from kit.graph_models import SCALE, Net
from kit.tflite_model import T

#: Padding of the schema.
SAME, VALID = 0, 1
#: Most multiply-accumulates of an operator, and of a model.
_MACS, _ALL_MACS = 40_000, 80_000


class ImageNet(Net):
    """A model over images [1, h, w, c] that grows operator by operator, and can take the last ones back."""

    def mark(self) -> tuple[int, int]:
        """What `back` takes the model back to."""
        return len(self.tensors), len(self._operators)

    def back(self, mark: tuple[int, int]) -> None:
        """Forget what was added since a mark."""
        del self.tensors[mark[0]:], self._operators[mark[1]:]

    def conv(self, x: int, outputs: int, kernel, strides=(1, 1), dilations=(1, 1), padding: int = SAME,
             groups: int = 1, point: int = 0, activation: int = 0) -> int:
        """A convolution with a scale for each output; with as many groups as channels a depthwise one."""
        _, h, w, c = self.shape(x)
        depthwise = groups == c > 1
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        out = [ceil(side / s) if padding == SAME else (side - r) // s + 1
               for side, s, r in zip((h, w), strides, reach, strict=True)]
        shape = (1, *kernel, outputs) if depthwise else (outputs, *kernel, c // groups)
        own = self.tensors[x].scales[0]
        spread = 50 / (74 * 74 * np.sqrt(prod(kernel) * c // groups)) * SCALE / own
        scales = self.rng.uniform(0.7, 1.3, outputs) * spread
        weights = self._scaled(self.rng.integers(-127, 128, shape).astype(np.int8), scales, 3 if depthwise else 0)
        bias = self._scaled(self.rng.integers(-3000, 3000, outputs).astype(np.int32), scales * own, 0)
        y = self.tensor(1, *out, outputs, point=point)
        return self._add(
            "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", [x, weights, bias], [y],
            "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", StrideH=strides[0], StrideW=strides[1],
            DilationHFactor=dilations[0], DilationWFactor=dilations[1], Padding=padding,
            FusedActivationFunction=activation, **({"DepthMultiplier": outputs // c} if depthwise else {}))

    def pad(self, x: int, top: int, left: int, bottom: int, right: int) -> int:
        """Rows and columns of the zero point around images."""
        _, h, w, c = self.shape(x)
        widths = self._constant([[0, 0], [top, bottom], [left, right], [0, 0]])
        return self._add("PAD", [x, widths], [self._like(x, (1, h + top + bottom, w + left + right, c))], "PadOptions")

    def pool(self, x: int, name: str, kernel, strides, padding: int = VALID, activation: int = 0) -> int:
        """MAX_POOL_2D or AVERAGE_POOL_2D."""
        _, h, w, c = self.shape(x)
        out = [ceil(side / s) if padding == SAME else (side - k) // s + 1
               for side, s, k in zip((h, w), strides, kernel, strict=True)]
        return self._add(name, [x], [self._like(x, (1, *out, c))], "Pool2DOptions", FilterHeight=kernel[0],
                         FilterWidth=kernel[1], StrideH=strides[0], StrideW=strides[1], Padding=padding,
                         FusedActivationFunction=activation)

    def function(self, x: int, name: str) -> int:
        """A function of one element."""
        scale, point = {"TANH": (1 / 128, 0), "LOGISTIC": (1 / 256, -128)}.get(name, (SCALE, 3))
        return self._add(name, [x], [self.tensor(*self.shape(x), scale=scale, point=point)])

    def _scaled(self, data: np.ndarray, scales, axis: int) -> int:
        self.tensors.append(T(f"t{len(self.tensors)}", data.shape, data.dtype.name, list(scales), [0] * len(scales),
                              axis, data))
        return len(self.tensors) - 1

    @property
    def macs(self) -> list[int]:
        """The multiply-accumulates of every operator with weights."""
        out = []
        for op in self._operators:
            if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
                weights = self.tensors[op.inputs[1]].shape
                made = prod(self.tensors[op.outputs[0]].shape)
                out.append(made * prod(weights) // weights[3 if op.name.startswith("DEPTH") else 0])
        return out

    @property
    def unread(self) -> list[int]:
        """The computed tensors that no operator takes."""
        read = {i for op in self._operators for i in op.inputs}
        return [i for op in self._operators for i in op.outputs if i not in read]


@dataclass
class Drawn:
    """A model, the kinds of its operators, and why operators that were drawn as well could not be mapped."""

    model: bytes
    kinds: Counter
    refused: Counter


@dataclass
class _Draw:
    """A model that grows at random. `images` are tensors [1, h, w, c] that operators may take, `input` is the first."""

    p: Platform
    rng: np.random.Generator
    net: ImageNet
    images: list[int] = field(default_factory=list)
    point: int = 0

    def size(self, most: int, least: int = 1) -> int:
        return int(self.rng.integers(least, most + 1))

    def one(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def image(self) -> int:
        """Mostly one of the newest images."""
        return self.images[max(0, len(self.images) - self.one(1, 1, 1, 2, 3))]

    def zero(self) -> int:
        """A zero point; half of them are alike, so that tensors can be joined."""
        return self.point if self.rng.random() < 0.6 else self.one(-128, 127, self.size(127, -128))

    # -- operators: each returns the new tensor, or None where there is no fitting one --------------------------------

    def conv(self) -> int | None:
        x = self.image()
        _, h, w, c = self.net.shape(x)
        padding = self.one(SAME, VALID)
        kernel = [int(k) for k in self.rng.choice([1, 2, 3, 3, 3, 5, 7, 11], 2)]
        if self.rng.random() < 0.5:
            kernel[1] = kernel[0]
        dilations = [self.one(1, 1, 1, 2, 3), self.one(1, 1, 1, 2)]
        first = len(self.images) == 1
        strides = [self.size(4), self.size(4)] if first and self.rng.random() < 0.2 else [self.size(2), self.size(2)]
        if self.rng.random() < 0.7:
            strides[1] = strides[0]
        if max(strides) > 1:
            dilations = [1, 1]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        if padding == VALID and (reach[0] > h or reach[1] > w):
            padding = SAME
        groups, outputs = 1, self.size(3 * self.p.array.cols)
        if self.rng.random() < 0.45 and c > 1:
            groups = self.one(*(g for g in range(2, c + 1) if c % g == 0), c, c, c)
            outputs = groups * self.one(1, 1, 1, 2, 3, 4)
        if groups == c:  # LiteRT's depthwise convolutions have one stride
            strides[1] = strides[0]
        return self.net.conv(x, outputs, kernel, strides, dilations, padding, groups, self.zero(), self.one(0, 0, 1, 3))

    def pixels(self) -> int:
        return self.net.conv(self.image(), self.size(3 * self.p.array.cols), (1, 1), point=self.zero(),
                             activation=self.one(0, 1, 3))

    def padded(self) -> int:
        x = self.net.pad(self.image(), *(int(n) for n in self.rng.integers(0, 3, 4)))
        _, h, w, _ = self.net.shape(x)
        kernel = self.size(min(5, h)), self.size(min(5, w))
        stride = self.size(2)
        return self.net.conv(x, self.size(2 * self.p.array.cols), kernel, (stride, stride), padding=VALID,
                             point=self.zero())

    def residual(self) -> int | None:
        """A sum of an image and of what a layer makes of another, of the same shape."""
        if not self.p.operators.add:
            return None
        x = self.image()
        c = self.net.shape(x)[3]
        kernel = self.one(1, 3)
        y = self.net.conv(x, c, (kernel, kernel), point=self.zero())
        return self.net.add(*self.one((x, y), (y, x)), scale=SCALE * self.one(1.0, 1.3, 0.7), point=self.zero(),
                            activation=self.one(0, 1))

    def join(self) -> int | None:
        """Channels of two layers' outputs side by side."""
        x, own = self.image(), self.point
        kernel = self.one((1, 1), (3, 3), (3, 1), (1, 5))
        parts = [self.net.conv(x, self.size(2 * self.p.array.cols), kernel, point=own),
                 self.net.conv(x, self.size(2 * self.p.array.cols), (1, 1), point=own)]
        alike = [y for y in self.images[1:] if self._joins(y, parts[0])]
        if alike and self.rng.random() < 0.5:
            parts[1] = self.one(*alike)
        return self.net.concat(parts, 3)

    def _joins(self, y: int, x: int) -> bool:
        one, other = self.net.tensors[y], self.net.tensors[x]
        return (one.shape[1:3], one.scales, one.zero_points) == (other.shape[1:3], other.scales, other.zero_points)

    def function(self) -> int | None:
        if not self.p.requant.tables:
            return None
        return self.net.function(self.net.conv(self.image(), self.size(2 * self.p.array.cols), (1, 1)),
                                 self.one("TANH", "LOGISTIC", "HARD_SWISH"))

    def part(self) -> int | None:
        """The largest values, or the averages, of parts of an image."""
        x = self.image()
        _, h, w, _ = self.net.shape(x)
        largest = self.p.operators.maximum and self.rng.random() < 0.75
        kernel = self.size(min(4, h)), self.size(min(4, w))
        padding = self.one(SAME, VALID) if largest else VALID  # averages over the border are refused
        strides = [self.size(2), self.size(2)]
        return self.net.pool(x, "MAX_POOL_2D" if largest else "AVERAGE_POOL_2D", kernel, strides, padding,
                             self.one(0, 1, 3))

    def pooled(self) -> int | None:
        """An average or mean of a whole image, and a fully connected layer behind it."""
        if not self.p.operators.transpose:
            return None
        x = self.image()
        c = self.net.shape(x)[3]
        averaged = self.rng.random() < 0.5
        y = self.net.average(x, self.one(0, 1)) if averaged else self.net.mean(x, 1, 2, point=self.zero())
        return self.net.fc(self.net.reshape(y, 1, c), self.size(12), self.zero())

    def dense(self) -> int:
        x = self.image()
        return self.net.fc(self.net.reshape(x, 1, prod(self.net.shape(x))), self.size(12), self.zero(), self.one(0, 1))


#: How operators are drawn, and how often.
_KINDS: dict[str, int] = {"conv": 9, "pixels": 2, "padded": 2, "residual": 3, "join": 2, "function": 1, "pooled": 2,
                          "part": 2, "dense": 1}


def random_image_graph(p: Platform, rng: np.random.Generator, most: int = 12) -> Drawn:
    """A model of up to 6 operators over an image with sides and channels up to `most`, all of which can be mapped.

    Which operators are drawn depends on the options of the platform.
    """
    net = ImageNet(int(rng.integers(1 << 30)))
    d = _Draw(p, rng, net, point=int(rng.integers(-128, 128)))
    shape = d.size(most), d.size(most), d.size(d.one(1, 4, most))
    if rng.random() < 0.1:  # a signal
        shape = 1, d.size(4 * most), shape[2]
    d.images.append(net.tensor(1, *shape, point=d.zero()))
    kinds, refused, wanted = Counter(), Counter(), d.size(6)
    names = list(_KINDS)
    for _ in range(4 * wanted):
        if kinds.total() == wanted:
            break
        name = names[rng.choice(len(names), p=np.array(list(_KINDS.values())) / sum(_KINDS.values()))]
        mark = net.mark()
        problem = _problem(net, d, getattr(d, name))
        if problem:
            net.back(mark)
            refused[problem] += problem != "not here"
            continue
        kinds[name] += 1
    outputs = net.unread
    more = [x for x in d.images[1:] if x not in outputs]
    if more and rng.random() < 0.2 and not Walk(graph_of("net", net.model([0], [*outputs, more[-1]]))).problems:
        outputs.append(more[-1])
    return Drawn(net.model([0], outputs), kinds, +refused)


def _problem(net: ImageNet, d: _Draw, operator: Callable[[], int | None]) -> str | None:
    """Draw an operator; why the model with it cannot run, in short, or None."""
    x = operator()
    if x is None or max(net.macs, default=0) > _MACS or sum(net.macs) > _ALL_MACS or 0 in net.shape(x):
        return "not here"
    walk = Walk(graph_of("net", net.model([0], net.unread)))
    why = [reason for where, reason in walk.places.values() if reason] + walk.problems
    if why:
        return why[0]
    if len(net.shape(x)) == 4:
        d.images.append(x)
    return None
