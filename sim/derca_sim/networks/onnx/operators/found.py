"""A node of the file with its tensors, as the rules see it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ... import operators as op
from ...graph import Tensor
from ...interpreter.values import dequantised
from ...passes.fold import MOST_ELEMENTS
from ..reading.builder import Builder, UnsupportedError
from ..reading.file import Call


@dataclass(frozen=True)
class Found:
    """A node of the file.

    `declared` are its outputs as the file declares them or as they are inferred, None where neither is known.
    """

    call: Call
    builder: Builder
    inputs: tuple[Tensor | None, ...]
    declared: tuple[Tensor | None, ...]

    def attribute(self, name: str, default=None, kind: type | None = None):
        """An attribute; without a default it has to be there, of a kind that is int, float, str or tuple (of int)."""
        value, kind = self.call.attributes.get(name, default), kind or type(default)
        if value is None:
            raise UnsupportedError(f"it has no attribute {name}")
        value = tuple(value) if isinstance(value, list) else value
        if not isinstance(value, kind) or kind is tuple and not all(isinstance(v, int) for v in value):
            raise UnsupportedError(f"its attribute {name} is a {type(value).__name__}: allowed is {kind.__name__}"
                                   f"{' of int' if kind is tuple else ''}")
        return value

    def input(self, index: int) -> Tensor | None:
        """An input, or None if it is absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def needed(self, index: int) -> Tensor:
        """An input that has to be there."""
        tensor = self.input(index)
        if tensor is None:
            raise UnsupportedError(f"it has no input {index}")
        return tensor

    def real(self, index: int) -> Tensor:
        """An input of type float32 that has to be there."""
        tensor = self.needed(index)
        if tensor.dtype != np.float32:
            raise UnsupportedError(f"its input {index} has type {tensor.dtype}: allowed is float32")
        return tensor

    def data(self, index: int, what: str) -> np.ndarray:
        """The value of an input that has to be constant; its real value, if it is stored quantised."""
        tensor = self.needed(index)
        source = self.builder.source(tensor)
        if source is None:
            raise UnsupportedError(f"its {what} are computed: allowed are constants")
        if tensor.elements > MOST_ELEMENTS:
            raise UnsupportedError(f"its {what} have {tensor.elements:,} elements: allowed are {MOST_ELEMENTS:,}")
        return tensor.data if source is tensor else dequantised(source.data, source)

    def single(self, index: int, what: str):
        """The only element of an input that has to be constant."""
        data = self.data(index, what)
        if data.size != 1:
            raise UnsupportedError(f"its {what} have shape {list(data.shape)}: allowed is one value")
        return data.ravel()[0]

    def numbers(self, index: int, what: str) -> tuple[int, ...]:
        """The whole numbers of an input that has to be constant."""
        return tuple(int(v) for v in self.data(index, what).ravel())

    def given(self, index: int) -> bool:
        """Whether an input is present."""
        return self.input(index) is not None

    def axis(self, value: int, rank: int) -> int:
        """A dimension, counted from the end if negative."""
        if not -rank <= value < rank:
            raise UnsupportedError(f"axis {value} is no dimension of {rank}")
        return value % rank

    def emit(self, operator: op.Operator, *inputs: Tensor | None, like: Tensor | None = None) -> Tensor:
        """The result of a new node of the graph; see `Builder.emit`."""
        return self.builder.emit(operator, inputs, like=like)

    def reshaped(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """x in another shape, or x itself if it has it."""
        return x if x.shape == tuple(shape) else self.builder.emit(op.Reshape(), [x], tuple(shape))

    def transposed(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """x with its dimensions in another order; the real values of a constant stay such."""
        source = self.builder.source(x)
        if source is None or source is x:
            return self.emit(op.Transpose(tuple(order)), x)
        moved = self.emit(op.Transpose(tuple(order)), source)
        return self.emit(op.Dequantise(), moved, like=Tensor("", moved.shape, x.dtype))
