"""Tensors with their values while a graph is interpreted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ..graph import Arithmetic, Graph, Node, Tensor
from ..operators import Activation
from .arithmetic import half_away


@dataclass(frozen=True)
class Call:
    """A node with the values of its inputs and the tensors it makes."""

    graph: Graph
    node: Node
    values: tuple[np.ndarray | None, ...]

    @property
    def operator(self):
        """The node's operator."""
        return self.node.operator

    @property
    def arithmetic(self) -> Arithmetic:
        """Whose arithmetic holds."""
        return self.graph.arithmetic

    def input(self, index: int) -> Tensor:
        """An input's tensor."""
        return self.graph.tensors[self.node.inputs[index]]

    def output(self, index: int = 0) -> Tensor:
        """An output's tensor."""
        return self.graph.tensors[self.node.outputs[index]]

    def value(self, index: int) -> np.ndarray | None:
        """An input's value; None if it is absent."""
        return self.values[index] if index < len(self.values) else None

    def real(self, index: int) -> np.ndarray | None:
        """An input's real value: float32 of a quantised one, itself otherwise."""
        value = self.value(index)
        return value if value is None or self.input(index).quantisation is None else dequantised(
            value, self.input(index))

    @property
    def quantised(self) -> bool:
        """Whether the result is computed in integers, from quantised inputs."""
        return self.output().quantisation is not None and self.input(0).quantisation is not None

    def refuse(self, why: str) -> InputError:
        """The error for parameters that have no defined result."""
        return InputError(f"{self.graph.name}: {self.node.name}: {why}")


def limits(tensor: Tensor) -> tuple[int, int]:
    """Least and largest value of a quantised tensor's type."""
    kind = np.iinfo(tensor.dtype)
    return int(kind.min), int(kind.max)


def bounds(tensor: Tensor, activation: Activation, rounded: Callable = half_away) -> tuple[int, int]:
    """Least and largest stored value of a quantised tensor after an activation, whose limits are rounded."""
    least, most = limits(tensor)
    low, high = activation.bounds

    def stored(real: float) -> int:
        return int(rounded(np.float32(real) / tensor.quantisation.scale)) + tensor.quantisation.zero_point

    if low is not None:
        least = max(least, stored(low))
    if high is not None:
        most = min(most, stored(high))
    return least, most


def finish(values: np.ndarray, tensor: Tensor, activation: Activation = Activation.NONE) -> np.ndarray:
    """Whole numbers without their zero point as stored values: offset, clamped, in the type of the tensor."""
    least, most = bounds(tensor, activation)
    return np.clip(values + tensor.quantisation.zero_point, least, most).astype(tensor.dtype)


def clamped(values: np.ndarray, activation: Activation) -> np.ndarray:
    """Real values after an activation."""
    low, high = activation.bounds
    return values if low is None and high is None else np.clip(values, low, high)


def along(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Scales or zero points, shaped to go with the tensor's elements."""
    if len(values) == 1:
        return values[0]
    shape = [1] * len(tensor.shape)
    shape[tensor.quantisation.axis] = len(values)
    return values.reshape(shape)


def centred(value: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Stored values minus their zero point, int64."""
    return value.astype(np.int64) - along(tensor.quantisation.zero_points, tensor)


def dequantised(value: np.ndarray, tensor: Tensor) -> np.ndarray:
    """float32 values of stored ones."""
    scales = along(tensor.quantisation.scales, tensor)
    return (scales * centred(value, tensor).astype(np.float32)).astype(np.float32)
