"""Is a task set schedulable under a strategy, with which points, and if not, why?

Strategies: `np` (no points), `lw` (the ends of layers), `ir`, `ip`, `park` (those, the ends of output tiles, and points
inside tiles that recompute, persist or park), `if` (flexible: the better of two heuristics, all recompute or each
point's cheapest swap-in), `joint` (points and strategies chosen together). All but `np` exist without placement (every
candidate point in use) and with it (the cheapest that tolerate the blocking of earlier deadlines).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations_with_replacement

from ..model.tables import Strategy
from .accounting import Accounting, can_preempt, charge, most_preemptions, point_cost, without_prices
from .demand import UNLIMITED, Answer, Charged, Demand, Overheads, Witness
from .memo import by_identity
from .model import Chosen, Option, Placement, System, TaskModel, by_deadline
from .placement import CHARGE_PREEMPTED, CHARGE_PREEMPTOR, cheapest, fewest_under_cap

SCHEDULABLE, NOT_SCHEDULABLE, UNKNOWN = "schedulable", "not schedulable", "unknown"

#: Strategies and what they may do at a point.
KINDS: dict[str, frozenset[Strategy]] = {
    "np": frozenset(),
    "lw": frozenset({Strategy.LAYER}),
    "ir": frozenset({Strategy.LAYER, Strategy.RECOMPUTE}),
    "ip": frozenset({Strategy.LAYER, Strategy.PERSIST}),
    "park": frozenset({Strategy.LAYER, Strategy.PARK}),
    "if": frozenset(Strategy),
    "joint": frozenset(Strategy),
}
#: Most combinations of swap-out levels the joint search tries.
MAX_LEVEL_CHOICES = 4000


@dataclass(frozen=True)
class Verdict:
    """The answer for one system and strategy; placements and charged tasks are in the order of the system's tasks.

    `status` is SCHEDULABLE (proved, by `accounting`), NOT_SCHEDULABLE (a legal arrival pattern misses a deadline even
    if preemption were free: `witness`; only for systems whose lengths are exact), or UNKNOWN (`reason`; `witness` is
    where the nearest proof fails).
    """

    status: str
    reason: str
    placements: tuple[Placement, ...]
    charged: tuple[Charged, ...]
    accounting: Accounting | None = None
    witness: Witness | None = None

    @property
    def schedulable(self) -> bool:
        """Proved."""
        return self.status == SCHEDULABLE


def overheads_of(system: System) -> Overheads:
    """What the system adds to every window."""
    return Overheads(system.release_cost, tuple((t.period, t.jitter) for t in system.tasks), system.tail)


def options_of(task: TaskModel, kinds: frozenset[Strategy], within_layers: bool = True) -> TaskModel:
    """The task with only the options a strategy allows, only at the ends of layers unless `within_layers`."""
    return replace(task, points=_only(task.points, kinds, None if within_layers else task.layer_ends))


@by_identity(256)
def _only(points: tuple, kinds: frozenset[Strategy], ends: frozenset[int] | None) -> tuple:
    return tuple(
        tuple(o for o in at if o.strategy in kinds) if ends is None or j in ends else ()
        for j, at in enumerate(points)
    )


@by_identity(256)
def _cheapest_everywhere(points: tuple) -> tuple:
    """Points with only the option of the cheapest swap-in."""
    return tuple((min(at, key=lambda o: (o.swap_in, o.swap_out)),) if at else () for at in points)


@by_identity(256)
def _all_in_use(points: tuple) -> Placement:
    """Every point, in the way of its cheapest swap-in."""
    return Placement(tuple(Chosen(j, at[0]) for j, at in enumerate(_cheapest_everywhere(points)) if at))


def analyse(system: System, strategy: str, placed: bool = True,
            accountings: Sequence[Accounting] = tuple(Accounting)) -> Verdict:
    """Decide schedulability.

    Parameters
    ----------
    strategy : a key of `KINDS`; `joint` is always placed.
    placed : choose the points; otherwise every candidate point is in use.
    accountings : the ways of charging that may be used; a set that passes under any of them is schedulable.
    """
    tasks = [options_of(t, KINDS[strategy], within_layers=strategy != "lw") for t in system.tasks]
    limited = replace(system, tasks=tuple(tasks))
    if strategy == "joint":
        # With jitter the caps are not exact, so what the other strategies would do is tried, too.
        own = _placed(limited, accountings)
        modes = ((s, p) for s in KINDS if s != "joint" for p in (True, False))
        others = (c for s, p in modes for c in _candidates(system, s, p, accountings))
        return _first_proof(system, chain(own, others), accountings, _ideal(limited))
    ideal = _ideal(limited) if placed or strategy == "np" else None
    return _first_proof(system, _candidates(system, strategy, placed, accountings), accountings, ideal)


def _candidates(system: System, strategy: str, placed: bool, accountings: Sequence[Accounting]
                ) -> Iterator[list[Placement]]:
    """The placements a strategy other than `joint` tries."""
    tasks = [options_of(t, KINDS[strategy], within_layers=strategy != "lw") for t in system.tasks]
    if strategy == "if":
        # Two heuristics, each of them tried: everything recomputed, or the cheaper swap-in at each point
        recompute = [options_of(t, KINDS["ir"]) for t in tasks]
        inclusive = [replace(t, points=_cheapest_everywhere(t.points)) for t in tasks]
        variants = [recompute, inclusive]
    else:
        variants = [tasks]

    for variant in variants:
        if placed and strategy != "np":
            yield from _placed(replace(system, tasks=tuple(variant)), accountings)
        else:
            yield [_all_in_use(t.points) for t in variant]


def _ideal(system: System) -> list[Placement]:
    """Every candidate point: with free preemption nothing is better."""
    return [_all_in_use(t.points) for t in system.tasks]


def prove(system: System, placements: Sequence[Placement], accountings: Sequence[Accounting] = tuple(Accounting)
          ) -> tuple[Accounting | None, list[Charged], Answer]:
    """Test given placements: the accounting that proves them, or the last one tried and where it fails."""
    answer, charged = None, []
    for accounting in accountings:
        charged = charge(system.tasks, placements, accounting)
        answer = Demand(charged, overheads_of(system)).test()
        if answer.passed:
            return accounting, charged, answer
    return None, charged, answer


def _first_proof(system: System, candidates: Iterator[list[Placement]], accountings: Sequence[Accounting],
                 ideal: list[Placement] | None) -> Verdict:
    last = None
    for placements in candidates:
        accounting, charged, answer = prove(system, placements, accountings)
        if accounting is not None:
            return Verdict(
                SCHEDULABLE, f"demand and blocking fit at every deadline ({accounting.value} pays)",
                tuple(placements), tuple(charged), accounting,
            )
        last = placements, charged, answer
    bare = Demand(without_prices(system.tasks, ideal if ideal is not None else last[0])).test()
    if last is None:
        last = ideal, without_prices(system.tasks, ideal), bare
    placements, charged, answer = last
    if bare.passed is False and system.exact:
        return Verdict(NOT_SCHEDULABLE, f"even if preemption were free: {bare.reason}", tuple(placements),
                       tuple(charged), None, bare.witness)
    if bare.passed is False:
        return Verdict(UNKNOWN, f"no proof: with the bounds of all lengths, {bare.reason}", tuple(placements),
                       tuple(charged), None, bare.witness)
    if bare.passed is None:
        return Verdict(UNKNOWN, bare.reason, tuple(placements), tuple(charged))
    reason = answer.reason if answer.passed is None else (
        "no proof: jobs alone would fit, with preemption, releases and the way to memory charged they do not")
    return Verdict(UNKNOWN, reason, tuple(placements), tuple(charged), None, answer.witness)


# -- placement over a set --------------------------------------------------------------------------------------------


def _levels(system: System) -> list[int]:
    """The distinct swap-out prices of all options, ascending, 0 included."""
    return sorted({0, *(o.swap_out for t in system.tasks for at in t.points for o in at)})


def _level_choices(system: System) -> Iterator[list[int]]:
    """Caps on the swap-outs the start of each task may cause, in order of deadline less jitter: non-increasing.

    A job's start pays for the dearest swap-out of the tasks it can preempt: the later its deadline, the fewer.
    """
    levels = _levels(system)
    n = len(system.tasks) + any(t.jitter for t in system.tasks)  # without jitter, the last can preempt nobody
    while True:
        count = 1
        for i in range(n - 1):
            count = count * (len(levels) + i) // (i + 1)
        if count <= MAX_LEVEL_CHOICES or len(levels) <= 2:
            break
        levels = levels[::2] + ([levels[-1]] if len(levels) % 2 == 0 else [])  # coarser caps stay sound
    for ascending in combinations_with_replacement(levels, n - 1):
        yield [*reversed(ascending), 0][:len(system.tasks)]


def _placed(system: System, accountings: Sequence[Accounting]) -> Iterator[list[Placement]]:
    """Placements of a set, for each way of charging and each choice of caps; first those most likely to pass."""
    for caps in _level_choices(system):
        for accounting in accountings:
            found = _place_all(system, caps, accounting)
            if found is not None:
                yield found


def _place_all(system: System, caps: list[int], accounting: Accounting) -> list[Placement] | None:
    """Place in order of deadlines, each task against the tolerance of those before it; None if one cannot be."""
    tasks = system.tasks
    order = by_deadline(tasks)
    heads = dict(zip(sorted(order, key=lambda i: tasks[i].deadline - tasks[i].jitter), caps, strict=True))
    overheads = overheads_of(system)
    placements: list[Placement | None] = [None] * len(order)
    charged: list[Charged] = []
    demand = Demand((), overheads)
    for i in order:
        task = tasks[i]
        longest = UNLIMITED
        if charged:
            longest = demand.tolerance(task.deadline - task.jitter)[0] + 1
            if longest < 1:
                return None
        head = heads[i]
        allowed_out = min((heads[k] for k in order if k != i and can_preempt(tasks[k], task)), default=UNLIMITED)
        preemptions = most_preemptions(tasks, i)
        placement = _place_one(task, longest, head, allowed_out, accounting, preemptions)
        if placement is None:
            return None
        placements[i] = placement
        cost = task.length + point_cost(task, placement, accounting, preemptions)
        if accounting is Accounting.PREEMPTOR:
            cost += head
        charged.append(Charged(task.name, task.period, task.deadline - task.jitter, cost, 1))
        demand = Demand(charged, overheads)
        if demand.overloaded() > 0:
            return None
    return placements


def _place_one(task: TaskModel, longest: int, head: int, allowed_out: int, accounting: Accounting,
               preemptions: int) -> Placement | None:
    def allowed(option: Option) -> bool:
        return option.swap_out <= allowed_out

    pricing = CHARGE_PREEMPTOR if accounting is Accounting.PREEMPTOR else CHARGE_PREEMPTED
    found = cheapest(task, longest, pricing, head, allowed)
    if found is None:
        return None
    best, placement = found
    if accounting is Accounting.COUNT:
        prices = sorted({o.swap_in + o.swap_out for at in task.points for o in at})
        low, high = 0, len(prices) - 1
        while low < high:  # the smallest dearest point with which the regions are short enough
            middle = (low + high) // 2
            if fewest_under_cap(task, longest, head, prices[middle], allowed) is None:
                low = middle + 1
            else:
                high = middle
        if prices and preemptions * prices[low] < best:
            capped = fewest_under_cap(task, longest, head, prices[low], allowed)
            if capped is not None:
                return capped
    return placement
