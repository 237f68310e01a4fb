"""The operators of a graph and their parameters.

Activations and images are stored channels last, [n, height, width, channels]. An operator's inputs are listed with it,
in order; those in parentheses may be absent.
"""

from dataclasses import dataclass
from enum import Enum


class Activation(Enum):
    """A clamp of the real result, as part of the operator that makes it."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"
    RELU_N1_TO_1 = "relu_n1_to_1"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Least and largest real value; None without a limit."""
        return {"none": (None, None), "relu": (0.0, None), "relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}[self.value]


@dataclass(frozen=True)
class Operator:
    """What a node does."""

    @property
    def kind(self) -> str:
        """Its name."""
        return type(self).__name__


@dataclass(frozen=True)
class Window:
    """Kernel positions over an image: strides and dilations (vertical, horizontal), pads (top, left, bottom, right)."""

    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class Conv(Operator):
    """Convolution of x [n, h, w, c] with weights [m, kh, kw, c / groups] plus (bias [m]) to [n, h', w', m].

    Outputs m / groups (i) .. m / groups (i + 1) - 1 see the i-th part of the channels. Depthwise: groups = c.
    """

    window: Window = Window()
    groups: int = 1
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class FullyConnected(Operator):
    """x [..., k] as rows of k, times the transposed weights [n, k], plus (bias [n])."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class MatMul(Operator):
    """a [..., m, k] times b [..., k, n], either transposed in its last two dimensions; leading dimensions broadcast."""

    transpose_a: bool = False
    transpose_b: bool = False


@dataclass(frozen=True)
class Add(Operator):
    """a + b, broadcast."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Sub(Operator):
    """a - b, broadcast."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Mul(Operator):
    """a b, element by element, broadcast."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class AveragePool(Operator):
    """The mean of the elements of x [n, h, w, c] under a kernel (height, width) that lie inside the image."""

    kernel: tuple[int, int]
    window: Window = Window()
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class MaxPool(Operator):
    """The largest of the elements of x [n, h, w, c] under a kernel (height, width) that lie inside the image."""

    kernel: tuple[int, int]
    window: Window = Window()
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Mean(Operator):
    """The mean of x along `axes`, which remain with size 1 if `keep`."""

    axes: tuple[int, ...]
    keep: bool


@dataclass(frozen=True)
class Pad(Operator):
    """x with `before` and `after` elements of the value 0 (the zero point) around it in each dimension."""

    before: tuple[int, ...]
    after: tuple[int, ...]


class Function(Enum):
    """A function of one element."""

    RELU = "relu"
    RELU6 = "relu6"
    RELU_N1_TO_1 = "relu_n1_to_1"
    LEAKY_RELU = "leaky_relu"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    HARD_SWISH = "hard_swish"
    ELU = "elu"
    GELU = "gelu"
    GELU_TANH = "gelu_tanh"


@dataclass(frozen=True)
class Map(Operator):
    """A function of each element of x; `alpha` is the slope of LEAKY_RELU below 0, or minus the limit of ELU."""

    function: Function
    alpha: float = 0.0


@dataclass(frozen=True)
class Softmax(Operator):
    """exp(beta x) divided by the sum of these along `axis`, or the natural logarithm of that.

    The logarithm is of real values only.
    """

    beta: float = 1.0
    axis: int = -1
    logarithm: bool = False


@dataclass(frozen=True)
class Quantise(Operator):
    """x in the type and quantisation of the output; from float32 or from another quantisation."""


@dataclass(frozen=True)
class Dequantise(Operator):
    """The float32 values of a quantised x."""


@dataclass(frozen=True)
class Reshape(Operator):
    """The elements of x, in their order, in the shape (shape)."""


@dataclass(frozen=True)
class Transpose(Operator):
    """Dimension i of the result is dimension `order[i]` of x."""

    order: tuple[int, ...]


@dataclass(frozen=True)
class Concat(Operator):
    """The inputs one after the other along `axis`."""

    axis: int
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Slice(Operator):
    """x[begin:end:step] in each dimension, without the dimensions in `dropped`.

    `begin` lies within the dimension; an `end` of -1 with a negative step includes element 0.
    """

    begin: tuple[int, ...]
    end: tuple[int, ...]
    step: tuple[int, ...]
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Split(Operator):
    """x in parts of equal size along `axis`, one for each output."""

    axis: int


@dataclass(frozen=True)
class Shape(Operator):
    """The shape of x as integers."""


@dataclass(frozen=True)
class Stack(Operator):
    """The inputs, of equal shape, along a new dimension `axis`."""

    axis: int


@dataclass(frozen=True)
class Unknown(Operator):
    """An operator that is not implemented: the front end's name for it, and the reason."""

    name: str
    reason: str

    @property
    def kind(self) -> str:
        """The front end's name."""
        return self.name
