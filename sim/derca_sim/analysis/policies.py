"""The tests that prove charged tasks, by the policy that orders their jobs."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from ..model.platform import Policy
from .budget import UNLIMITED_STEPS, Budget
from .demand import NO_OVERHEADS, Charged, Demand, Overheads
from .fixed_priority import FixedPriority

#: Policies that the analysis proves, and that schedules are simulated under region by region.
Analysed = Literal["edf", "deadline_monotonic"]
#: Short names of policies.
SHORT = {"dm": "deadline_monotonic"}
ANALYSED: tuple[Policy, ...] = get_args(Analysed)


def in_full(name: Any) -> Any:
    """The full name of a policy, for a short one; anything else as it is."""
    return SHORT.get(name, name) if isinstance(name, str) else name


def prover(policy: Policy, tasks: Sequence[Charged], overheads: Overheads = NO_OVERHEADS,
           budget: Budget = UNLIMITED_STEPS) -> Demand | FixedPriority:
    """The test of charged tasks under a policy; that of EDF where there is none."""
    kind = FixedPriority if policy == "deadline_monotonic" else Demand
    return kind(tasks, overheads, budget)
