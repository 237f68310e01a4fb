"""The slack of each task, and the least relative slack of a set.

The slack of a task is the number of cycles by which every job of it alone could be longer, its regions no longer than
they are, while the same charges still prove the set. Relative slack is slack over deadline. Placements are
compared by the least relative slack.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ..model.platform import Policy
from .budget import UNLIMITED_STEPS, Budget
from .demand import Charged, Demand, Overheads
from .fixed_priority import FixedPriority

#: Deadlines that a test looks at before less is tried, and those that it then may need.
TEST_STEPS, SAFE_STEPS = 300, 1000
#: Tests for the slack of one task.
ROUNDS = 60


def slack(charged: Sequence[Charged], overheads: Overheads, index: int, enough: int = -1,
          budget: Budget = UNLIMITED_STEPS, policy: Policy = "edf") -> int:
    """Cycles by which jobs of task `index` could be longer, for charges that pass the test.

    Every deadline allows its own number of cycles. A test of the number found so far either passes or names a deadline
    that allows less. The search ends early with a value up to `enough`. The result is never too large. It is too small
    only if the missing cycles would bring the utilisation so close to 1 that the test had to look at more than
    `SAFE_STEPS` deadlines. Deadline-monotonic sets have their own search, see `FixedPriority.slack`.
    """
    if policy == "deadline_monotonic":
        return FixedPriority(charged, overheads, budget).slack(index, enough)
    base, own = Demand(charged, overheads, budget), charged[index]

    def most(t: int) -> int:
        return (t - base.load(t)) // ((t - own.deadline) // own.period + 1)

    value = int((1 - base.utilisation()) * own.period)
    value = min(value, *(most(t.deadline) for t in charged if t.deadline >= own.deadline))
    steps = TEST_STEPS
    for _ in range(ROUNDS):
        if value <= max(0, enough):
            return max(0, value)
        longer = replace(own, cost=own.cost + value)
        answer = Demand([*charged[:index], longer, *charged[index + 1:]], overheads, budget).test(steps)
        if answer.passed:
            return value
        if answer.passed is not None:
            value = most(answer.witness.time)
        elif steps == TEST_STEPS:
            steps = SAFE_STEPS + len(charged)
            value = min(value - 1, _testable(base, own))
        else:
            value -= 1 + value // 8
    return 0


def _testable(base: Demand, own: Charged) -> int:
    """The most by which `own` can be longer so that no more than `SAFE_STEPS` deadlines can be the first to be missed.

    With utilisation u these deadlines lie below constant / (1 - u), see `Demand.horizon`. Both grow with the cost of
    `own`.
    """
    reach = max(max(t.deadline for t in base.tasks), int(SAFE_STEPS / sum(1 / t.period for t in base.tasks)))
    room = 1 - base.utilisation() - base.constant() / reach
    return int(room * own.period / (1 + Fraction(own.period - own.deadline, reach)))


def least_relative(deadlines: Sequence[int], charged: Sequence[Charged], overheads: Overheads,
                   beat: Fraction | None = None, budget: Budget = UNLIMITED_STEPS,
                   policy: Policy = "edf") -> Fraction | None:
    """The least of slack over `deadlines`, for charges that pass the test; None unless it exceeds `beat`."""
    least = None
    # Short deadlines allow least: a set that cannot exceed `beat` is given up soon
    for i in sorted(range(len(charged)), key=lambda i: deadlines[i]):
        enough = -1 if beat is None else int(beat * deadlines[i])
        relative = Fraction(slack(charged, overheads, i, enough, budget, policy), deadlines[i])
        if beat is not None and relative <= beat:
            return None
        least = relative if least is None else min(least, relative)
    return least
