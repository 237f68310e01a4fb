"""The series that are compared on every task set: each has a timing model, a strategy and the proofs it may use."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..analysis.accounting import Accounting
from ..analysis.verdict import Verdict, analyse
from ..timing.interface import TaskSpec, system
from ..timing.vck190 import Improvements, Vck190, preset

#: The paper's only accounting: swap-outs are charged to the job that preempts.
PAPER_RULES = (Accounting.PREEMPTOR,)
#: Every accounting we can prove.
OUR_RULES = tuple(Accounting)

PLAIN = preset("paper")
IMPROVED = preset("paper", improvements=Improvements.every())
DECOUPLED = preset("paper", pipeline="decoupled", improvements=Improvements.every())
CEILING = preset("paper", overhead_free=True)
#: Costs of the public software: with computes of the right length, and as it has them, with all its omissions.
SOFTWARE_COSTS = preset("paper", costs=preset("artifact").costs)
SOFTWARE = preset("artifact")


@dataclass(frozen=True)
class Series:
    """One curve: `label` for people, `strategy` and `placed` as in `analyse`."""

    label: str
    model: Vck190
    strategy: str
    placed: bool
    rules: tuple[Accounting, ...] = OUR_RULES

    def verdict(self, tasks: Sequence[TaskSpec]) -> Verdict:
        """The answer for a task set; any proof suffices."""
        return analyse(system(self.model, tasks), self.strategy, self.placed, self.rules, first=True)


#: Strategies of the paper, under its rules and its cost model.
PAPER_SERIES = {
    "np": Series("non-preemptive", PLAIN, "np", False, PAPER_RULES),
    "lw": Series("layer-wise", PLAIN, "lw", False, PAPER_RULES),
    "ir": Series("recompute", PLAIN, "ir", False, PAPER_RULES),
    "ip": Series("persist", PLAIN, "ip", False, PAPER_RULES),
    "if": Series("flexible", PLAIN, "if", False, PAPER_RULES),
    "ir-ppp": Series("recompute, placed", PLAIN, "ir", True, PAPER_RULES),
    "ip-ppp": Series("persist, placed", PLAIN, "ip", True, PAPER_RULES),
    "if-ppp": Series("flexible, placed", PLAIN, "if", True, PAPER_RULES),
}
#: What we add to them.
OUR_SERIES = {
    "joint": Series("placement and strategy together, on the reference's hardware", PLAIN, "joint", True),
    "improved": Series("joint, with our accelerator's improvements (sums dropped in no time, persisted in the "
                       "background, reloaded at the read bandwidth; finished tiles stored as outputs; stores divided "
                       "at bursts)", IMPROVED, "joint", True),
    "improved-decoupled": Series("joint, with the improvements and decoupled engines, whose jobs can be shorter",
                                 DECOUPLED, "joint", True),
    "ceiling": Series("if preemption and scheduling took no time, in lock-step", CEILING, "joint", True),
}
#: Where a difference comes from: one cause at a time.
CAUSES = {
    "software-costs": Series("flexible, placed, with the costs of the public software", SOFTWARE_COSTS, "if", True,
                             PAPER_RULES),
    "software-omissions": Series("flexible, placed, with its costs and its omissions", SOFTWARE, "if", True,
                                 PAPER_RULES),
}
ALL_SERIES = PAPER_SERIES | OUR_SERIES | CAUSES
