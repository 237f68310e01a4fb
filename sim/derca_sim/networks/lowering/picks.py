"""Layers that are not placed yet, and which elements of tensors their operands are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...model.network import Layer


@dataclass(frozen=True, eq=False)
class Product:
    """A layer that is not placed yet. `a`, `b` pick its operands from the element numbers of the node's inputs.

    They are [m, k] and [n, k], the second None where B are weights.
    """

    layer: Layer
    a: Callable[[np.ndarray], np.ndarray]
    b: "Pick | None"


@dataclass(frozen=True)
class Pick:
    """A matrix of a tensor: that at `index` of its leading dimensions, in a `shape` if it has another.

    Of it the `columns` from the first to the one before the last, all by default; perhaps transposed.
    """

    index: tuple[int, ...] = ()
    shape: tuple[int, int] | None = None
    transposed: bool = False
    columns: tuple[int | None, int | None] = (None, None)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The matrix in the values of a tensor."""
        matrix = values[self.index]
        matrix = (matrix if self.shape is None else matrix.reshape(self.shape))[:, slice(*self.columns)]
        return matrix.T if self.transposed else matrix
