"""What each strategy may do at a preemption point, and a task reduced to the points and options of a strategy."""

from collections.abc import Callable
from dataclasses import replace

from ..model.tables import Strategy
from .memo import by_identity
from .model import Chosen, Option, Placement, System, TaskModel

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
#: Names of the literature for strategies.
FIELD_NAMES = {"limited": "joint"}
#: Every candidate point in use, each with its cheapest kind: full preemption, as far as jobs can be divided.
FULL = "full"
#: Strategies in legends.
TITLES = {
    "np": "non-preemptive",
    "limited": "limited preemption, chosen points",
    "full": "preemption at every point",
    "lw": "limited preemption, between layers",
    "ir": "limited preemption, recompute",
    "ip": "limited preemption, persist",
    "park": "limited preemption, park",
    "if": "limited preemption, cheapest kind",
    "joint": "limited preemption, joint placement",
}
#: The options at one boundary.
Options = tuple[Option, ...]


def options_of(task: TaskModel, kinds: frozenset[Strategy], within_layers: bool = True) -> TaskModel:
    """The task with only the options a strategy allows, only at the ends of layers unless `within_layers`."""
    if within_layers and kinds == frozenset(Strategy):
        return task
    return replace(task, points=_only(task.points, kinds, None if within_layers else task.layer_ends))


def limited(system: System, strategy: str) -> System:
    """The system with only the options of a strategy, a key of `KINDS`; all of them for `FULL`."""
    return system if strategy == FULL else replace(system, tasks=tuple(
        options_of(t, KINDS[strategy], within_layers=strategy != "lw") for t in system.tasks))


def cheapest_everywhere(task: TaskModel) -> TaskModel:
    """The task with only the option of the cheapest swap-in at each point."""
    return replace(task, points=_cheapest_everywhere(task.points))


def all_in_use(task: TaskModel) -> Placement:
    """The placement with every point in use, each with its cheapest swap-in."""
    return _all_in_use(task.points)


def longest_part(task: TaskModel) -> int:
    """Cycles of the longest part of a job without a candidate point."""
    return _longest_part(task.points, task.blocks)


def _each(points: tuple[Options, ...], change: Callable[[Options], Options]) -> tuple[Options, ...]:
    """The points with every boundary changed. Boundaries that shared their options still do."""
    changed = {id(options): change(options) for options in points}
    return tuple(changed[id(options)] for options in points)


@by_identity(1024)
def _only(points: tuple[Options, ...], kinds: frozenset[Strategy], ends: frozenset[int] | None) -> tuple[Options, ...]:
    found = _each(points, lambda options: tuple(o for o in options if o.strategy in kinds))
    return found if ends is None else tuple(options if j in ends else () for j, options in enumerate(found))


@by_identity(1024)
def _cheapest_everywhere(points: tuple[Options, ...]) -> tuple[Options, ...]:
    return _each(points, lambda options: (min(options, key=lambda o: (o.swap_in, o.swap_out)),) if options else ())


@by_identity(1024)
def _all_in_use(points: tuple[Options, ...]) -> Placement:
    return Placement(tuple(Chosen(j, options[0]) for j, options in enumerate(_cheapest_everywhere(points)) if options))


@by_identity(1024)
def _longest_part(points: tuple[Options, ...], blocks: tuple[int, ...]) -> int:
    longest = length = 0
    for block, options in zip(blocks, (*points, ()), strict=True):
        length += block
        longest = max(longest, length)
        if options:
            length = 0
    return longest
