"""The roofline: cycles that no schedule of a layer can go below, whatever the tiles and the engines.

A layer multiplies m x k by k x n. On an array of `rows` x `cols` elements it takes at least m k n / (rows cols) cycles.
It reads both operands and n biases of 4 bytes once, of an image under windows each pixel at most once, and the m x n
elements that it adds to its results, if any. It writes m x n results once. All of that goes at one beat per cycle.
Reading, computing and writing overlap, so the bound is the largest of the three. It counts the true shape, without
padding of panels or reloading of tiles.

The bounds of layers that depend on each other add up (`total`). Layers that do not may overlap and be faster, but never
below `floor`, the largest of the three sums.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from ..model.network import Layer
from ..model.platform import Platform

#: Bytes of a bias.
BIAS_BYTES = 4


@dataclass(frozen=True)
class Roofline:
    """Least cycles for computing, reading and writing of one layer."""

    macs: float
    read: float
    write: float

    @property
    def cycles(self) -> float:
        """The bound."""
        return max(self.macs, self.read, self.write)

    @property
    def limit(self) -> str:
        """The resource that makes the bound: array, read or write."""
        return max((self.macs, "array"), (self.read, "read"), (self.write, "write"))[1]


def of_shape(p: Platform, m: int, k: int, n: int, image: int | None = None, adds: bool = False) -> Roofline:
    """The roofline of a layer of this shape on a platform.

    A has `image` elements instead of m k. The layer `adds` a matrix to its outputs.
    """
    element = p.array.element_bytes
    a = m * k if image is None else image
    return Roofline(
        m * k * n / (p.array.rows * p.array.cols),
        ((a + k * n + adds * m * n) * element + BIAS_BYTES * n) / p.beat_bytes,
        m * n * element / p.beat_bytes,
    )


def of_layers(p: Platform, layers: Iterable[Layer]) -> list[Roofline]:
    """The roofline of each layer."""
    return [of_shape(p, layer.m, layer.k, layer.n, _pixels(layer), layer.add is not None) for layer in layers]


def _pixels(layer: Layer) -> int | None:
    """Elements of the image under a layer's windows that are needed at most; None without."""
    w = layer.window
    return None if w is None else min(prod(w.shape), layer.m * prod(w.kernel)) * w.channels


def total(bounds: Iterable[Roofline]) -> float:
    """Least cycles of layers one after the other."""
    return sum(bound.cycles for bound in bounds)


def floor(bounds: Iterable[Roofline]) -> float:
    """Least cycles of layers that may overlap."""
    bounds = list(bounds)
    return max(sum(getattr(b, name) for b in bounds) for name in ("macs", "read", "write"))
