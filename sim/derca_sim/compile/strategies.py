"""Where a job may be preempted, and what then happens to its partial sums.

- `np` (non-preemptive): one region per job
- `lw` (layer-wise): one region per layer
- `recompute` (`ir`), `persist` (`ip`), `flexible` (`if`): points inside layers, by default after every iteration. A
  point where an output tile is complete costs nothing; at the others the tile is redone, its sums are saved and
  reloaded, or (`flexible`) whichever of the two is cheaper.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..errors import InputError
from ..model.tables import COUNT_BITS, Strategy
from .layout import ceil_div
from .plan import LayerPlan

#: Names of the command line and what they stand for.
ALIASES = {"np": "np", "lw": "lw", "recompute": "recompute", "ir": "recompute", "persist": "persist", "ip": "persist",
           "flexible": "flexible", "if": "flexible"}
#: Most iterations an entry can hold.
MAX_COUNT = (1 << COUNT_BITS) - 1


def canonical(strategy: str) -> str:
    """The full name of a strategy.

    Raises
    ------
    InputError
        If there is no such strategy.
    """
    if strategy not in ALIASES:
        raise InputError(f'--strategy = "{strategy}": allowed are {", ".join(ALIASES)}, joint')
    return ALIASES[strategy]


@dataclass(frozen=True)
class Span:
    """An entry before it has a table row: iterations of a layer, and the point after them if `preemptive`."""

    layer: LayerPlan
    start: int
    count: int
    preemptive: bool
    strategy: Strategy


def spans(strategy: str, layers: Sequence[LayerPlan], every: int) -> Iterator[Span]:
    """The entries of a job in order, under the canonical `strategy`, with a point after `every` iterations of a layer.

    Layer boundaries are points under every strategy but `np`; the end of the job always is one.
    """
    for layer in layers:
        total = layer.iterations
        inside = strategy not in ("np", "lw")
        step = min(every if inside else total, total)
        for begin in range(0, total, step):
            end = min(begin + step, total)
            for start in range(begin, end, MAX_COUNT):
                stop = min(start + MAX_COUNT, end)
                point = stop == end and (strategy != "np" or (stop == total and layer is layers[-1]))
                how = _at(strategy, layer, stop) if point else Strategy.LAYER
                yield Span(layer, start, stop - start, point, how)


def spans_at(layers: Sequence[LayerPlan], points: dict[tuple[int, int], Strategy]) -> Iterator[Span]:
    """The entries of a job with preemption points just where `points` says: (layer, iterations before) -> strategy.

    A point after a layer's last iteration is given with that layer. The end of the job always is a point.
    """
    for layer in layers:
        total = layer.iterations
        inside = sorted(i for at, i in points if at == layer.index and 0 < i < total)
        for begin, end in pairwise([0, *inside, total]):
            for start in range(begin, end, MAX_COUNT):
                stop = min(start + MAX_COUNT, end)
                how = points.get((layer.index, stop)) if stop == end else None
                ends = stop == total and layer is layers[-1]
                yield Span(layer, start, stop - start, ends or how is not None, Strategy.LAYER if how is None else how)


def smallest_interval(strategy: str, tasks: Sequence[Sequence[LayerPlan]], regions: int, entries: int) -> list[int]:
    """Per task the smallest interval of points (iterations) with which every task has at most `regions` regions and
    all tasks together at most `entries` entries.

    An interval longer than every layer is the best there is when nothing fits; the caller checks the result.
    """
    if strategy in ("np", "lw"):
        return [1] * len(tasks)

    def count(layers: Sequence[LayerPlan], every: int) -> int:
        return sum(ceil_div(layer.iterations, every) for layer in layers)

    def smallest(fits, most: int) -> int:
        low, high = 1, most
        while low < high:  # counts only shrink as the interval grows
            middle = (low + high) // 2
            low, high = (low, middle) if fits(middle) else (middle + 1, high)
        return low

    longest = [max(layer.iterations for layer in layers) for layers in tasks]
    own = [
        smallest(lambda j, t=layers: count(t, j) <= regions, most)
        for layers, most in zip(tasks, longest, strict=True)
    ]
    common = smallest(
        lambda j: sum(count(t, max(j, o)) for t, o in zip(tasks, own, strict=True)) <= entries, max(longest)
    )
    return [max(common, o) for o in own]


def recompute_cost(layer: LayerPlan, iteration: int) -> int:
    """Cycles to redo, on resume, the iterations of the tile done before `iteration`."""
    p = layer.platform
    m, n, done = layer.coordinates(iteration)
    m_panels, n_panels, steps = layer.tile_m_panels(m), layer.tile_n_panels(n), p.tile.k
    load = m_panels * p.panel_beats(steps, p.a_lanes) + n_panels * p.panel_beats(steps, p.b_lanes)
    return done * max(load, m_panels * n_panels * steps)


def persist_cost(layer: LayerPlan, iteration: int) -> int:
    """Cycles to load the saved sums of the tile at `iteration` back, on resume."""
    p = layer.platform
    m, n, _ = layer.coordinates(iteration)
    return 2 * p.memory.read_latency + layer.tile_m_panels(m) * layer.tile_n(n) * p.bank_word_beats


def _at(strategy: str, layer: LayerPlan, iteration: int) -> Strategy:
    """Strategy of the point before `iteration` (the number of iterations of the layer when at its end)."""
    if iteration % layer.k_tiles == 0:
        return Strategy.LAYER
    if strategy == "flexible":
        cheaper = recompute_cost(layer, iteration) <= persist_cost(layer, iteration)
        return Strategy.RECOMPUTE if cheaper else Strategy.PERSIST
    return Strategy.RECOMPUTE if strategy == "recompute" else Strategy.PERSIST
