"""Where a job may be preempted, and what then happens to its partial sums.

- `np` (non-preemptive): one region per job
- `lw` (layer-wise): one region per layer
- `recompute` (`ir`), `persist` (`ip`), `park`, `flexible` (`if`): points inside layers, by default after every slice. A
  point where an output tile is complete costs nothing; at the others the tile is redone, its sums are saved and
  reloaded, its sums stay in their bank, or (`flexible`) whichever of these is cheapest.
"""

from collections.abc import Iterator, Sequence

from ..errors import InputError
from ..model.platform import Platform
from ..model.tables import Strategy
from ..model.timing import SchedulerTiming, release_latency
from .layers import LayerPlan
from .layout import ceil_div
from .plan import Point

#: Names of the command line and what they stand for.
ALIASES = {"np": "np", "lw": "lw", "recompute": "recompute", "ir": "recompute", "persist": "persist", "ip": "persist",
           "park": "park", "flexible": "flexible", "if": "flexible"}


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


def points_every(strategy: str, layers: Sequence[LayerPlan], every: int, parked: bool) -> Iterator[Point]:
    """The points of a job in order, under the canonical `strategy`, one after `every` slices of a layer.

    Layer boundaries are points under every strategy but `np`. `parked`: sums that are parked are certain to stay.
    """
    if strategy == "np":
        return
    for layer in layers:
        if strategy != "lw":
            for at in range(every, layer.slices, every):
                yield Point(layer, at, _at(strategy, layer, at, parked))
        if layer is not layers[-1]:
            yield Point(layer, layer.slices, Strategy.LAYER)


def points_at(layers: Sequence[LayerPlan], chosen: dict[tuple[int, int], Strategy]) -> list[Point]:
    """The points of a job at exactly the places that `chosen` names: (layer, slices before) -> strategy.

    A point after a layer's last slice is given with that layer. The end of the job is no point.
    """
    end = len(layers) - 1, layers[-1].slices
    return [Point(layers[layer], at, chosen[layer, at]) for layer, at in sorted(chosen) if (layer, at) != end]


def smallest_interval(strategy: str, tasks: Sequence[Sequence[LayerPlan]], regions: int, entries: int) -> list[int]:
    """Per task, the smallest interval of points (slices) for which the tables suffice.

    Every task then has at most `regions` regions, and all tasks together have at most `entries` entries. When nothing
    fits, the result is an interval longer than every layer; the caller checks it.
    """
    if strategy in ("np", "lw"):
        return [1] * len(tasks)

    def count(layers: Sequence[LayerPlan], every: int) -> int:
        return sum(ceil_div(layer.slices, every) for layer in layers)

    def smallest(fits, most: int) -> int:
        low, high = 1, most
        while low < high:  # counts only shrink as the interval grows
            middle = (low + high) // 2
            low, high = (low, middle) if fits(middle) else (middle + 1, high)
        return low

    longest = [max(layer.slices for layer in layers) for layers in tasks]
    own = [
        smallest(lambda j, t=layers: count(t, j) <= regions, most)
        for layers, most in zip(tasks, longest, strict=True)
    ]
    common = smallest(
        lambda j: sum(count(t, max(j, o)) for t, o in zip(tasks, own, strict=True)) <= entries, max(longest)
    )
    return [max(common, o) for o in own]


def stays_parked(p: Platform, deadlines: Sequence[int], keeps: Sequence[bool], task: int) -> bool:
    """Whether sums that `task` parks are certain to be in their bank when it resumes, whoever preempts it.

    `deadlines` are relative; `keeps` says which tasks have points that can leave sums in a bank (persisted or parked).

    Sums go to memory only from the oldest of `buffers.spare` entries of the table, when one more job is preempted with
    sums to keep. The younger entries and that job belong to `spare` other tasks. Each of them ran while this job
    waited, and was then preempted by a third task. A job runs while another waits only if its absolute deadline is no
    later although it became visible later: so its relative deadline, less the jitter of releases, is shorter.
    """
    jitter = release_latency(p) + SchedulerTiming(p).VISIBILITY

    def may_preempt(other: int, index: int) -> bool:
        return other != index and deadlines[other] - jitter < deadlines[index]

    everyone = range(len(deadlines))
    pushing = sum(
        keeps[k] and may_preempt(k, task) and any(may_preempt(other, k) for other in everyone if other != task)
        for k in everyone
    )
    return pushing < p.buffers.spare


def recompute_cost(layer: LayerPlan, slice_: int) -> int:
    """Cycles to redo, on resume, the slices of the tile before slice `slice_`."""
    p = layer.platform
    iteration, within = layer.position(slice_)
    m, n, done = layer.coordinates(iteration)
    m_panels, n_panels = layer.tile_m_panels(m), layer.tile_n_panels(n)
    load = layer.patch.requests(m) * p.panel_beats(layer.patch.channels, p.a_lanes)
    load += n_panels * p.panel_beats(layer.tile.k, p.b_lanes)
    return done * max(load, m_panels * n_panels * layer.steps(0)) + within * layer.steps(done)


def persist_cost(layer: LayerPlan, slice_: int) -> int:
    """Cycles to load, on resume, the saved sums of the tile at slice `slice_`."""
    p = layer.platform
    m, n, _ = layer.coordinates(layer.position(slice_)[0])
    return 2 * p.memory.read_latency + layer.tile_m_panels(m) * layer.tile_n(n) * p.bank_word_beats


def _at(strategy: str, layer: LayerPlan, slice_: int, parked: bool) -> Strategy:
    """Strategy of the point before slice `slice_`, which is not the end of the layer."""
    if not layer.redo(slice_):
        return Strategy.LAYER
    if strategy != "flexible":
        return Strategy[strategy.upper()]
    keep = Strategy.PARK if layer.platform.buffers.spare else Strategy.PERSIST
    cost = 0 if parked else persist_cost(layer, slice_)  # parked sums may have to go to memory as well
    return Strategy.RECOMPUTE if recompute_cost(layer, slice_) <= cost else keep
