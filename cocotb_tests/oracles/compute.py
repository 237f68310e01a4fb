"""What the compute engine does with an iteration: when its slices run, and which sums they make."""

from dataclasses import dataclass

import numpy as np

from derca_sim.model.timing import ComputeTiming
from kit.compute_jobs import Iteration


@dataclass
class Stretch:
    """Slices of an iteration that follow one another: [(cycle of the last operands, M panel, N panel, columns)]."""

    payload: dict
    it: Iteration
    slices: list[tuple[int, int, int, int]]
    ends_region: bool
    end: int  #: the slice of the iteration after them
    whole: bool  #: the iteration is done with them


def schedule(p, it: Iteration, first: int, count: int, begin: int, previous: tuple[int, int], fresh: bool) -> list:
    """When `count` slices from `first` on have their last operands, by the declared rules.

    `previous`: the last operands of the slice before, and its columns; `fresh`: no operands before `begin`.
    """
    out, start = [], begin
    for m_panel, n_panel, columns in it.slices(p.array.cols)[first : first + count]:
        fire = max(start + it.a.shape[1], previous[0] + max(previous[1], ComputeTiming.UPDATE))
        if fresh:
            fire, fresh = max(fire, begin + ComputeTiming.SHORTEST), False
        out.append((fire, m_panel, n_panel, columns))
        start, previous = fire, (fire, columns)
    return out


def accumulate(p, it: Iteration, m_panel: int, n_panel: int, columns: int) -> None:
    """The sums of a tile after a slice, wrapped to 32 bits."""
    rows, cols = p.array.rows, p.array.cols
    a, b = it.a[m_panel * rows : (m_panel + 1) * rows], it.b[:, n_panel * cols : n_panel * cols + columns]
    old = it.bias[None, n_panel * cols : n_panel * cols + columns] if it.first else it.tile.sums[m_panel, n_panel]
    it.tile.sums[m_panel, n_panel] = (old + a.astype(np.int64) @ b.astype(np.int64) + 2**31) % 2**32 - 2**31
