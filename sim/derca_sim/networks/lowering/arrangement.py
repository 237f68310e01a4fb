"""How matrices that layers make lie together, so that every operand of a layer is a part of one matrix."""

from dataclasses import dataclass

import numpy as np

from . import elements
from .layers import UnmappedError


@dataclass(frozen=True)
class Spot:
    """Where a matrix begins in another: its first row and column there; `turned`: it lies there as its transpose."""

    row: int
    column: int
    turned: bool = False

    def moved(self, rows: int, columns: int) -> "Spot":
        """The same, further down and to the right."""
        return Spot(self.row + rows, self.column + columns, self.turned)


@dataclass(frozen=True)
class Wanted:
    """An operand: the spot of a source in it."""

    source: int
    spot: Spot


class TakenError(UnmappedError):
    """An operand that does not go with those before it; it would with other copies of the same matrices."""


class Arrangement:
    """Sources by number, each in a group of sources that share a matrix once an operand needs that.

    Parameters
    ----------
    shapes : rows and columns of each source; grows while operators are mapped.
    """

    def __init__(self, shapes: dict[int, tuple[int, int]]):
        self._shapes = shapes
        self._groups: dict[int, dict[int, Spot]] = {}  # source -> the spots of its group, which its members share

    def taken(self, source: int) -> bool:
        """Whether an operand has a source already."""
        return source in self._groups

    def operand(self, numbers: np.ndarray) -> Wanted:
        """Let a matrix of element numbers [rows, columns] be a part of one matrix.

        Raises
        ------
        TakenError
            If layers already leave its elements otherwise.
        UnmappedError
            If layers cannot leave its elements like that.
        """
        spots = self._spots(numbers)
        merged: dict[int, Spot] = {}
        origin = None  # of the operand in the merged group
        for source, spot in spots.items():
            group = self._groups.get(source, {source: spot if origin is None else spot.moved(*origin)})
            here = group[source]
            if origin is None:
                origin = here.row - spot.row, here.column - spot.column
            down, right = origin[0] + spot.row - here.row, origin[1] + spot.column - here.column
            if here.turned != spot.turned:
                raise TakenError("it takes a matrix that another layer takes transposed: allowed is one of the two")
            for member, own in group.items():
                if merged.setdefault(member, own.moved(down, right)) != own.moved(down, right):
                    raise TakenError("it takes matrices side by side that another layer takes otherwise: allowed is "
                                     "one order")
        self._check_apart(merged)
        for member in merged:
            self._groups[member] = merged
        first = next(iter(spots))
        return Wanted(first, spots[first])

    def _spots(self, numbers: np.ndarray) -> dict[int, Spot]:
        """The spot of each source in an operand."""
        of, out = elements.sources(numbers), {}
        for source in np.unique(of):
            row, column = np.nonzero(of == source)
            own = numbers[row, column]
            ways = [(row - elements.rows(own), column - elements.columns(own), False),
                    (row - elements.columns(own), column - elements.rows(own), True)]
            fitting = [Spot(int(down[0]), int(right[0]), turned) for down, right, turned in ways
                       if np.ptp(down) == 0 and np.ptp(right) == 0]
            before = self._groups.get(int(source), {}).get(int(source))
            if before is not None and before.turned:  # a single element fits both ways
                fitting.reverse()
            if not fitting:
                shape = self._shapes[int(source)]
                raise UnmappedError(
                    f"it takes {numbers.shape[0]} x {numbers.shape[1]} elements, where the layer before makes "
                    f"{shape[0]} x {shape[1]}: allowed are parts of such matrices, also transposed or side by side, "
                    "but no other order")
            out[int(source)] = fitting[0]
        return out

    def _size(self, source: int, spot: Spot) -> tuple[int, int]:
        rows, columns = self._shapes[source]
        return (columns, rows) if spot.turned else (rows, columns)

    def _check_apart(self, group: dict[int, Spot]) -> None:
        taken = []
        for source, spot in group.items():
            rows, columns = self._size(source, spot)
            for row, column, height, width in taken:
                if (spot.row < row + height and row < spot.row + rows
                        and spot.column < column + width and column < spot.column + columns):
                    raise TakenError("it takes parts of matrices side by side whose other parts lie there: allowed are "
                                     "whole matrices; cut them after they are joined")
            taken.append((spot.row, spot.column, rows, columns))

    def matrices(self) -> tuple[list[tuple[int, int]], dict[int, tuple[int, Spot]]]:
        """Shapes of the matrices; for each source its matrix and its spot there."""
        shapes: list[tuple[int, int]] = []
        places: dict[int, tuple[int, Spot]] = {}
        for source in self._shapes:
            if source in places:
                continue
            group = self._groups.get(source, {source: Spot(0, 0)})
            sizes = [(spot.row, spot.column, *self._size(member, spot)) for member, spot in group.items()]
            top, left = min(size[0] for size in sizes), min(size[1] for size in sizes)
            for member, spot in group.items():
                places[member] = len(shapes), spot.moved(-top, -left)
            shapes.append((max(row + rows for row, _, rows, _ in sizes) - top,
                           max(column + columns for _, column, _, columns in sizes) - left))
        return shapes, places
