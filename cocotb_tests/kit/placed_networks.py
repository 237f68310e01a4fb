"""Random networks whose operands are parts of matrices: cut, joined side by side and one below the other."""

from dataclasses import dataclass, field, replace

import numpy as np

from derca_sim.model.network import Network, Place, random_network
from derca_sim.model.placing import column_step
from derca_sim.model.platform import Platform


@dataclass
class _Matrix:
    """A matrix with its parts: (row, column, rows, columns), each with whether it is written or given."""

    rows: int
    columns: int
    parts: dict[tuple[int, int, int, int], bool] = field(default_factory=dict)


class _Draw:
    def __init__(self, rng: np.random.Generator, p: Platform, longest: int):
        self.rng, self.p, self.longest = rng, p, longest
        self.matrices: list[_Matrix] = []
        self.inputs: list[np.ndarray | None] = []

    def size(self) -> int:
        return int(self.rng.integers(1, self.longest + 1))

    def upto(self, most: int, step: int = 1) -> int:
        """A multiple of `step`, 0 .. most."""
        return step * int(self.rng.integers(most // step + 1))

    def given(self, rows: int, columns: int) -> None:
        limits = np.iinfo(self.p.array.dtype)
        self.matrices.append(_Matrix(rows, columns, {(0, 0, rows, columns): True}))
        self.inputs.append(self.rng.integers(limits.min, limits.max, (rows, columns), self.p.array.dtype, True))

    def part(self, columns: int | None = None) -> tuple[Place, int, int] | None:
        """A place, rows and columns of elements that exist, perhaps with so many columns."""
        found = [(i, part) for i, matrix in enumerate(self.matrices) for part in _readable(matrix)
                 if columns is None or part[3] >= columns]
        if not found:
            return None
        weight = np.arange(1, len(found) + 1, dtype=float) ** 2  # mostly what was written last
        i, (row, column, rows, width) = found[self.rng.choice(len(found), p=weight / weight.sum())]
        down = self.upto(rows - 1, self.p.array.rows)
        right = self.upto(width - (columns or 1), column_step(self.p))
        height = rows - down if self.rng.random() < 0.6 else int(self.rng.integers(1, rows - down + 1))
        most = width - right
        return Place(i, row + down, column + right), height, columns or (
            most if self.rng.random() < 0.6 else int(self.rng.integers(1, most + 1)))

    def target(self, rows: int, columns: int) -> Place:
        """A place for an output, in a matrix that has room or in a new one."""
        free = [(i, part) for i, matrix in enumerate(self.matrices) for part, done in matrix.parts.items()
                if not done and part[2] >= rows and part[3] >= columns]
        if not free:
            self.matrices.append(self._grid(rows, columns))
            self.inputs.append(None)
            i = len(self.matrices) - 1
            free = [(i, part) for part in self.matrices[i].parts]
        i, (row, column, height, width) = free[int(self.rng.integers(len(free)))]
        del self.matrices[i].parts[row, column, height, width]
        self.matrices[i].parts[row, column, rows, columns] = True
        return Place(i, row, column)

    def _grid(self, rows: int, columns: int) -> _Matrix:
        """A matrix for up to four outputs of this size, with gaps where alignment needs them."""
        down, right = (-(-size // step) * step for size, step in
                       ((rows, self.p.array.rows), (columns, column_step(self.p))))
        matrix = _Matrix(rows + down * self.upto(1), columns + right * self.upto(1))
        matrix.parts = {(row, column, rows, columns): False for row in range(0, matrix.rows, down)
                        for column in range(0, matrix.columns, right)}
        return matrix


def _readable(matrix: _Matrix) -> list[tuple[int, int, int, int]]:
    """The parts that exist, and pairs of them that touch."""
    done = [part for part, is_done in matrix.parts.items() if is_done]
    beside = [(r, c, h, w + w2) for r, c, h, w in done for r2, c2, h2, w2 in done if (r2, c2, h2) == (r, c + w, h)]
    below = [(r, c, h + h2, w) for r, c, h, w in done for r2, c2, h2, w2 in done if (r2, c2, w2) == (r + h, c, w)]
    return done + beside + below


def placed_network(name: str, rng: np.random.Generator, p: Platform, count: int, longest: int) -> Network:
    """`count` random layers with dimensions up to `longest`.

    If the platform can, some multiply two matrices, and some are stored transposed.
    """
    draw, layers = _Draw(rng, p, longest), []
    for _ in range(int(rng.integers(1, 3))):
        draw.given(draw.size(), draw.size())
    for _ in range(count):
        a, m, k = draw.part()
        second = draw.part(k) if p.operators.matmul and rng.random() < 0.5 else None
        n = draw.size() if second is None else second[1]
        layer, = random_network(name, [(m, k, n, bool(rng.integers(2)))], int(rng.integers(1 << 30)),
                                p.array.dtype).layers
        if second is not None:  # of the same spread as weights
            layer = replace(layer, weights=None, b=second[0])
        if rng.random() < 0.15:
            draw.given(draw.size(), draw.size())
        layer = replace(layer, a=a, transposed=p.operators.transpose and bool(rng.random() < 0.3))
        layers.append(replace(layer, c=draw.target(*layer.c_shape)))
    return Network(name, tuple(layers), tuple((x.rows, x.columns) for x in draw.matrices), tuple(draw.inputs))
