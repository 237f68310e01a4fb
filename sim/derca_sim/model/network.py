"""Networks: GEMM layers between matrices, built by hand or drawn at random; `network_files` reads them.

All weights, inputs and outputs of a network have the type of the platform's `array.dtype`, int8 or int16, here called
T.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .rounding import Rounding
from .tile import Mapping

#: Allowed requantisation multipliers and shifts, inclusive.
MULTIPLIER_RANGE, SHIFT_RANGE = (0, (1 << 31) - 1), (1, 62)
#: The least int8 value: what lies outside the image of a layer with `maximum`.
LEAST = -128
#: Bits by which the operands of a quantised sum are widened before they are scaled.
WIDEN = 20
#: Allowed shifts of the scaled operand and of the sum, inclusive.
FACTOR_SHIFTS, SUM_SHIFTS = (0, 15), (32, 62)


@dataclass(frozen=True)
class Place:
    """Where a part of a matrix begins: the matrix's number in the network, the part's first row and column."""

    matrix: int
    row: int = 0
    column: int = 0


@dataclass(frozen=True)
class Add:
    """The quantised sum of a layer's outputs and of the part [m, n] at `d`, as TensorFlow Lite defines it.

    From each operand its zero point in `zero_points`, (own outputs, D), is taken. The one with the larger scale is
    halved. The other is D if `scales_d`, else the own outputs; it is multiplied by `factor` 2^-(31 + `factor_shift`),
    which is at most one half. Both have `WIDEN` more bits by then, and are rounded in two steps. Their sum is
    multiplied by `multiplier` 2^-`shift`, rounded in two steps, offset by `zero_point` and clamped to `bounds`.

    Source: TensorFlow Lite's reference kernel of ADD for int8.

    Raises
    ------
    ValueError
        For values that the hardware does not hold.
    """

    d: Place
    zero_points: tuple[int, int]
    scales_d: bool
    factor: int
    factor_shift: int
    multiplier: int
    shift: int
    zero_point: int
    bounds: tuple[int, int]

    def __post_init__(self):
        for name, value, low, high in (
            *(("zero point", value, -128, 127) for value in (*self.zero_points, self.zero_point, *self.bounds)),
            ("factor", self.factor, *MULTIPLIER_RANGE), ("factor_shift", self.factor_shift, *FACTOR_SHIFTS),
            ("multiplier", self.multiplier, 1, MULTIPLIER_RANGE[1]), ("shift", self.shift, *SUM_SHIFTS),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} = {value} of a sum: allowed are {low} .. {high}")
        if self.factor_shift == 0 and self.factor > 1 << 30:
            raise ValueError(f"factor = {self.factor} of a sum without a shift: allowed is one half, 2^30, at most")


@dataclass(frozen=True)
class Window:
    """A kernel over an image: A [m, k] of a layer are what lies under its places, for each output pixel.

    The image has `shape` (height, width) pixels of `channels`, stored as a matrix [height * row, channels]: `row` is
    `pitch`, or the width if that is 0, and what lies behind an image's rows does not count. Outputs are `out` (height,
    width). Pads are the rows above and the columns before the image at the kernel's first place;
    outside the image is the value `pad`. Row m of A is output pixel m; column k goes over kernel rows, kernel columns
    and channels, the last fastest. Kernel, strides, dilations and pads are vertical and horizontal.

    With `groups`, outputs and channels are divided into so many parts: each part of the outputs sees its part of the
    channels alone, and weights have rows for the channels of one.
    """

    shape: tuple[int, int]
    channels: int
    kernel: tuple[int, int]
    out: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int] = (0, 0)
    pad: int = 0
    groups: int = 1
    pitch: int = 0

    @property
    def row(self) -> int:
        """Pixels from one row of the stored image to the next."""
        return self.pitch or self.shape[1]

    @property
    def pixels(self) -> int:
        """Pixels of the stored image."""
        return self.shape[0] * self.row


@dataclass(frozen=True, eq=False)
class Layer:
    """One GEMM: A [m, k] times B [k, n] plus `bias` int32 [n], requantised to C [m, n], all of one type.

    A is the part of a matrix at `a`, C becomes the part at `c`. B are the constant `weights` [k, n]. Without weights,
    B is the transpose of the part [n, k] at `b`. With `transposed`, the part at `c` is [n, m] and becomes the transpose
    of C. `dtype` is the type; that of the weights where there are any.

    Outputs are clamped to `bounds`, the least and largest; without, to their type, and to the zero point on with
    `relu`. `table`, int8 [256], has the output for each requantised and clamped value, from the least on; without, that
    value is the output. Multiplier, shift and rounding may be arrays, int64 [n], with a value for each output channel.
    With `add` a matrix is added to all that, and C is the sum.
    `mapping` says how the layer runs; the compiler estimates which is best where it is None.

    With a `window` the part at `a` is an image, and A are its windows. With `maximum` too, an output is the largest
    value of its channel under the kernel's places, or the bias if that is larger, requantised. Then the window has as
    many groups as channels and outputs, its pad is `LEAST`, and weights are ones.
    """

    m: int
    k: int
    n: int
    weights: np.ndarray | None
    bias: np.ndarray
    multiplier: int | np.ndarray
    shift: int | np.ndarray
    zero_point: int
    relu: bool
    rounding: Rounding | np.ndarray = Rounding.AWAY
    bounds: tuple[int, int] | None = None
    mapping: Mapping | None = None
    a: Place = Place(0)
    b: Place | None = None
    c: Place = Place(1)
    transposed: bool = False
    table: np.ndarray | None = None
    add: Add | None = None
    window: Window | None = None
    maximum: bool = False
    dtype: str = "int8"

    def __post_init__(self):
        if (self.weights is None) == (self.b is None):
            raise ValueError("B is given as weights or as a place: exactly one of them")
        if self.weights is not None:
            object.__setattr__(self, "dtype", self.weights.dtype.name)

    @property
    def c_shape(self) -> tuple[int, int]:
        """Rows and columns of the part at `c`."""
        return (self.n, self.m) if self.transposed else (self.m, self.n)

    @property
    def scales(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Multiplier, shift and rounding of each output channel, int64 [n]."""
        return tuple(np.broadcast_to(np.asarray(value, np.int64), (self.n,))
                     for value in (self.multiplier, self.shift, self.rounding))

    @property
    def per_channel(self) -> bool:
        """Whether output channels have scales of their own."""
        return any(np.ndim(value) for value in (self.multiplier, self.shift, self.rounding))

    @property
    def limits(self) -> tuple[int, int]:
        """Least and largest output: `bounds`, else those of the type, from the zero point on with `relu`."""
        if self.bounds is not None:
            return self.bounds
        kind = np.iinfo(self.dtype)
        return max(self.zero_point, kind.min) if self.relu else kind.min, kind.max


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in order, and the matrices that they read and write.

    `matrices` are their shapes (rows, columns). `inputs[i]` are the elements of matrix i if they are given; None where
    layers write it, each element at most once in a job. `labels` (int64 [m] or None) are the classes of the rows of the
    first input. `model` takes samples to inputs and the layers' outputs to results (`networks.lowering.batch.Batch`);
    None if nothing was quantised.
    """

    name: str
    layers: tuple[Layer, ...]
    matrices: tuple[tuple[int, int], ...]
    inputs: tuple[np.ndarray | None, ...]
    labels: np.ndarray | None = None
    metadata: dict = field(default_factory=dict)
    model: Any = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates one pass over the network needs."""
        return sum(layer.m * layer.k * layer.n for layer in self.layers if not layer.maximum)


def chain(name: str, layers: Sequence[Layer], inputs: Sequence[np.ndarray | None], **more) -> Network:
    """A network of layers one after the other: where `inputs[i]` is None, layer i takes the output of the one before.

    Every other layer takes its own `inputs[i]` [m, k]. Matrices are numbered as layers read and write them. `more` are
    further fields of the network.
    """
    placed, shapes, given = [], [], []
    for layer, own in zip(layers, inputs, strict=True):
        if own is not None:
            shapes.append((layer.m, layer.k))
            given.append(own)
        placed.append(replace(layer, a=Place(len(shapes) - 1), c=Place(len(shapes))))
        shapes.append(layer.c_shape)
        given.append(None)
    return Network(name, tuple(placed), tuple(shapes), tuple(given), **more)


def random_network(name: str, shapes: list[tuple[int, int, int, bool]], seed: int, dtype: str = "int8",
                   transposed: Sequence[bool] = ()) -> Network:
    """A network of the given (m, k, n, relu) with random weights, biases, requantisation and inputs of `dtype`.

    A layer takes the output of the layer before if its m and k are the rows and columns of that output as it is stored.
    `transposed` says which layers store theirs transposed; default: none. The same seed gives the same network. The
    scale is chosen so that outputs spread over the range of the type and sometimes saturate. Weights of int16 stay
    within 11 bits, so that sums seldom wrap.
    """
    layers, inputs = [], []
    limit = np.iinfo(dtype).max + 1
    weight, bias, unit = (128, 4096, 1) if dtype == "int8" else (1024, 1 << 20, 256)
    for i, (m, k, n, relu) in enumerate(shapes):
        rng = np.random.default_rng([seed, i])
        chained = i > 0 and layers[-1].c_shape == (m, k)
        # Standard deviation of a sum of k products of uniform values: 74 for int8, of inputs and weights
        spread = 74.0 * (limit / 128) * 74.0 * (weight / 128) * np.sqrt(k)
        multiplier = int(rng.integers(1 << 30, 1 << 31))
        shift = int(np.clip(np.round(np.log2(multiplier * spread / (50 * unit))), *SHIFT_RANGE))
        layers.append(Layer(
            m, k, n, rng.integers(-weight, weight, (k, n)).astype(dtype),
            rng.integers(-bias, bias + 1, n).astype(np.int32), multiplier, shift,
            unit * int(rng.integers(-16, 17)), relu, transposed=bool(transposed and transposed[i]),
        ))
        inputs.append(None if chained else rng.integers(-limit, limit, (m, k)).astype(dtype))
    return chain(name, layers, inputs)
