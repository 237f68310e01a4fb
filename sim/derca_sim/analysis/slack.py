"""How much longer jobs could be: the slack of each task, and the least relative slack of a set.

The slack of a task: the cycles by which every job of it alone could be longer, the set still proved by the same
charges. Its relative slack is that over its deadline. The least of these is what placements are compared by.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from .budget import UNLIMITED_STEPS, Budget
from .demand import Charged, Demand, Overheads

#: Deadlines that one test looks at; where more would be needed, the utilisation is too near 1 and less is tried.
TEST_STEPS = 300
#: Tests for the slack of one task.
ROUNDS = 60


def slack(charged: Sequence[Charged], overheads: Overheads, index: int, enough: int = -1,
          budget: Budget = UNLIMITED_STEPS) -> int:
    """Cycles by which jobs of task `index` could be longer, for charges that pass the test.

    Every deadline allows its own most; a test at the most found so far either passes or names a deadline that allows
    less. Ends early with a value up to `enough`. Never too large; too small only where a test gives up.
    """
    base, own = Demand(charged, overheads, budget), charged[index]

    def most(t: int) -> int:
        return (t - base.load(t)) // ((t - own.deadline) // own.period + 1)

    value = int((1 - base.utilisation()) * own.period)
    value = min(value, *(most(t.deadline) for t in charged if t.deadline >= own.deadline))
    for _ in range(ROUNDS):
        if value <= max(0, enough):
            return max(0, value)
        longer = replace(own, cost=own.cost + value)
        answer = Demand([*charged[:index], longer, *charged[index + 1:]], overheads, budget).test(TEST_STEPS)
        if answer.passed:
            return value
        value = value - 1 - value // 8 if answer.passed is None else most(answer.witness.time)
    return 0


def least_relative(deadlines: Sequence[int], charged: Sequence[Charged], overheads: Overheads,
                   beat: Fraction | None = None, budget: Budget = UNLIMITED_STEPS) -> Fraction | None:
    """The least of slack over `deadlines`, for charges that pass the test; None unless it is larger than `beat`."""
    least = None
    # Short deadlines allow least, so that those which cannot beat it end soon
    for i in sorted(range(len(charged)), key=lambda i: deadlines[i]):
        enough = -1 if beat is None else int(beat * deadlines[i])
        relative = Fraction(slack(charged, overheads, i, enough, budget), deadlines[i])
        if beat is not None and relative <= beat:
            return None
        least = relative if least is None else min(least, relative)
    return least
