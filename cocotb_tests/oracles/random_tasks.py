"""Random task sets small enough for brute force, seeded, with the cases in which schedulability tests go wrong."""

from fractions import Fraction
from math import lcm
from random import Random

from derca_sim.analysis.model import Chosen, Option, Placement, System, TaskModel
from derca_sim.model.tables import Strategy

#: Periods whose multiples meet soon; some small sets have arbitrary periods instead.
FRIENDLY = (4, 5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 24, 30, 36, 40)
#: A point without a price.
FREE = Option(Strategy.LAYER, 0, 0)


def utilisation(tasks: tuple[TaskModel, ...]) -> Fraction:
    """Exact utilisation of jobs that are never preempted."""
    return sum((Fraction(t.length, t.period) for t in tasks), Fraction(0))


def parts(random: Random, total: int, most: int) -> tuple[int, ...]:
    """`total` cut at random into 1 .. `most` positive parts."""
    count = random.randint(1, min(most, total))
    cuts = [0, *sorted(random.sample(range(1, total), count - 1)), total]
    return tuple(b - a for a, b in zip(cuts, cuts[1:], strict=False))


def shares(random: Random, count: int) -> list[float]:
    """`count` positive numbers with sum 1, uniform over all such vectors."""
    cuts = [0.0, *sorted(random.random() for _ in range(count - 1)), 1.0]
    return [b - a for a, b in zip(cuts, cuts[1:], strict=False)]


def random_option(random: Random, most: int) -> Option:
    """An option with prices 0 .. `most`."""
    return Option(random.choice(list(Strategy)), random.randint(0, most), random.randint(0, most))


def random_tasks(seed: int, *, sizes: tuple[int, int] = (2, 6), jitter: bool = False, price: int = 0,
                 longest: int = 3000) -> tuple[TaskModel, ...]:
    """A task set of `sizes[0]` .. `sizes[1]` tasks whose hyperperiod is at most `longest`.

    Utilisation is near, exactly at or over 1 as often as clearly below; deadlines are implicit, constrained or equal
    to another task's. With `price` 0 all points are free, else they have 0 .. 3 options with prices up to it.
    """
    random = Random(f"tasks {seed}")
    count = random.randint(*sizes)
    periods = _periods(random, count, longest)
    target = random.choice([random.uniform(0.4, 0.8), random.uniform(0.8, 1), 1.0, 1.0, random.uniform(1, 1.15)])
    lengths = [max(1, min(p, round(s * target * p))) for s, p in zip(shares(random, count), periods, strict=True)]
    if target == 1.0:
        _fill(random, lengths, periods)
    constrained = random.random() < 0.6
    tasks = []
    for i, (period, length) in enumerate(zip(periods, lengths, strict=True)):
        deadline = period
        if constrained and random.random() < 0.7:
            deadline = max(length, round(period * random.uniform(0.5, 1)))
        if constrained and tasks and random.random() < 0.2:
            deadline = min(period, max(length, random.choice(tasks).deadline))
        blocks = parts(random, length, 4)
        points = tuple(
            tuple(random_option(random, price) for _ in range(random.randint(0, 3))) if price else (FREE,)
            for _ in blocks[1:]
        )
        late = random.randint(0, max(1, deadline // 6)) if jitter else 0
        tasks.append(TaskModel(f"t{i}", period, deadline, blocks, points, late))
    return tuple(tasks)


def everywhere(tasks: tuple[TaskModel, ...]) -> list[Placement]:
    """Every point in use that has an option, in the way of its first one."""
    return [
        Placement(tuple(Chosen(j, options[0]) for j, options in enumerate(t.points) if options)) for t in tasks
    ]


def random_placements(seed: int, tasks: tuple[TaskModel, ...]) -> list[Placement]:
    """Some of the points in use, each in the way of one of its options."""
    random = Random(f"placements {seed}")
    return [
        Placement(tuple(
            Chosen(j, random.choice(options)) for j, options in enumerate(t.points) if options and random.random() < 0.6
        ))
        for t in tasks
    ]


def random_system(seed: int, **kind) -> tuple[System, list[Placement]]:
    """`random_tasks` with some points in use."""
    tasks = random_tasks(seed, **kind)
    return System(tasks), random_placements(seed, tasks)


def _periods(random: Random, count: int, longest: int) -> list[int]:
    """Periods with a hyperperiod of at most `longest`; sometimes two are equal."""
    anything = count <= 3 and random.random() < 1 / 2
    while True:
        periods = [random.randint(3, 40) if anything else random.choice(FRIENDLY) for _ in range(count)]
        if random.random() < 0.2:
            periods[-1] = periods[0]
        if lcm(*periods) <= longest:
            return periods


def _fill(random: Random, lengths: list[int], periods: list[int]) -> None:
    """Make the utilisation exactly 1 by changing one task's length, where that is possible."""
    order = list(range(len(lengths)))
    random.shuffle(order)
    for i in order:
        others = sum((Fraction(c, p) for k, (c, p) in enumerate(zip(lengths, periods, strict=True)) if k != i),
                     Fraction(0))
        length = (1 - others) * periods[i]
        if length.denominator == 1 and 0 < length <= periods[i]:
            lengths[i] = int(length)
            return
