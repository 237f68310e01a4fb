"""The verdict: is a task set schedulable under a strategy, with which points, and if not, why?

Strategies: `np` has no points. `lw` has the ends of layers. `ir`, `ip` and `park` add the ends of output tiles, and
points inside tiles that recompute, persist or park. `if` (flexible) is the better of two heuristics: all points
recompute, or each has its cheapest swap-in. `joint` chooses points and strategies together. All but `np` exist without
placement (every candidate point in use) and with it (the cheapest points that tolerate the blocking of earlier
deadlines).

The necessary conditions of every proof are tested first. Then placements are searched within a budget of steps. `joint`
takes the placement with the largest least relative slack, among its own and those of all other strategies.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from .accounting import Accounting, charge, without_prices
from .budget import UNLIMITED_STEPS, Budget, BudgetSpent
from .demand import Answer, Charged, Demand, Witness
from .kinds import FULL, KINDS, all_in_use, cheapest_everywhere, limited, longest_part, options_of
from .model import Placement, System
from .policies import ANALYSED, prover
from .search import Search, Sought, overheads_of
from .slack import least_relative

SCHEDULABLE, NOT_SCHEDULABLE, UNKNOWN = "schedulable", "not schedulable", "unknown"
#: Steps of the search of one strategy, and of `joint` besides the searches of the others.
STEPS, JOINT_STEPS = 150_000, 200_000
#: Why a search ended without a proof.
_SPENT = "no proof within the budget of steps: jobs alone would fit, and not all placements were tried"
#: The same for the policy whose search does not try all placements.
_NOT_ALL = "no proof was found: jobs alone would fit, and the search under deadline_monotonic leaves placements out"
#: Halvings of the interval in which `joint` seeks the largest least relative slack.
HALVINGS = 5


@dataclass(frozen=True)
class Verdict:
    """The answer for one system and strategy. Placements and charged tasks are in the order of the system's tasks.

    `status` is one of three. SCHEDULABLE: proved, by `accounting`. NOT_SCHEDULABLE: the legal arrival pattern `witness`
    misses a deadline even if preemptions cost nothing; only for systems whose lengths are exact. UNKNOWN: for `reason`;
    `witness` is where the proof of the given points fails.

    Without a proof the placements contain every candidate point of the strategy, each with its cheapest swap-in.
    `open`: not every placement was tried, so a proof may exist.
    """

    status: str
    reason: str
    placements: tuple[Placement, ...]
    charged: tuple[Charged, ...]
    accounting: Accounting | None = None
    witness: Witness | None = None
    open: bool = False

    @property
    def schedulable(self) -> bool:
        """Whether the set is proved schedulable."""
        return self.status == SCHEDULABLE

    @property
    def word(self) -> str:
        """One of `proved`, `disproved`, `not proved` (no proof of this kind exists) and `unknown`."""
        if self.status == UNKNOWN:
            return "unknown" if self.open else "not proved"
        return "proved" if self.schedulable else "disproved"


def least_relative_slack(system: System, verdict: Verdict) -> Fraction | None:
    """The smallest of slack over deadline among the tasks; None without a proof."""
    if not verdict.schedulable:
        return None
    return least_relative([t.deadline for t in system.tasks], verdict.charged, overheads_of(system),
                          policy=system.policy)


#: Whether placements may be used, as far as that is not a question of time.
Fits = Callable[[Sequence[Placement]], bool]


def anything(placements: Sequence[Placement]) -> bool:
    """Allow every placement."""
    return True


def analyse(system: System, strategy: str, placed: bool = True, accountings: Sequence[Accounting] = tuple(Accounting),
            fits: Fits = anything, first: bool = False) -> Verdict:
    """Decide schedulability.

    Parameters
    ----------
    strategy : a key of `KINDS`, or `FULL`; `joint` always chooses the points, `FULL` never.
    placed : choose the points; otherwise every candidate point is in use.
    accountings : the ways of charging that may be used; a set that passes under any of them is schedulable.
    fits : false for placements that may not be used, such as those that the hardware's tables cannot hold.
    first : `joint` takes the first proof that it finds, for callers that need the answer alone.

    Raises
    ------
    ValueError
        If there is no such strategy, no accounting or no task, or the policy of the system is not one of `ANALYSED`.
    """
    if strategy not in (*KINDS, FULL):
        raise ValueError(f'strategy = "{strategy}": allowed are {", ".join((*KINDS, FULL))}')
    if system.policy not in ANALYSED:
        raise ValueError(f'system.policy = "{system.policy}": allowed are {", ".join(ANALYSED)}')
    if not system.tasks:
        raise ValueError("system.tasks is empty: allowed are systems of at least one task")
    if not accountings:
        raise ValueError(f"accountings is empty: allowed are any of {', '.join(a.value for a in Accounting)}")
    own = limited(system, strategy)
    bare = Demand(without_prices(own.tasks, [longest_part(t) for t in own.tasks])).test()
    if bare.passed is False:
        return _refused(own, bare, accountings)
    if strategy == "joint":
        return _joint(own, accountings, fits, first)
    if not placed or strategy in ("np", FULL):
        for placements in _unplaced(own, strategy):
            found = _first(own, placements, accountings, fits)
            if found is not None:
                return found
        return unproved(own, accountings)
    found, spent = _placed(own, strategy, accountings, fits)
    return found or unproved(own, accountings, _why(own, spent))


def prove(system: System, placements: Sequence[Placement], accountings: Sequence[Accounting] = tuple(Accounting)
          ) -> tuple[Accounting | None, list[Charged], Answer]:
    """Test given placements. Returns the accounting that proves them, or the last one tried and where it fails."""
    answer, charged = None, []
    for accounting in accountings:
        charged = charge(system.tasks, placements, accounting, system.policy)
        answer = prover(system.policy, charged, overheads_of(system)).test()
        if answer.passed:
            return accounting, charged, answer
    return None, charged, answer


def _proved(system: System, placements: Sequence[Placement], charged: Sequence[Charged],
            accounting: Accounting) -> Verdict:
    fixed = system.policy == "deadline_monotonic"
    what = f"no response bound under {system.policy} exceeds its deadline" if fixed else (
        "demand and blocking fit at every deadline")
    return Verdict(SCHEDULABLE, f"{what} ({accounting.value} pays)", tuple(placements), tuple(charged), accounting)


def _first(system: System, placements: Sequence[Placement], accountings: Sequence[Accounting],
           fits: Fits) -> Verdict | None:
    """The verdict on placements if they are proved."""
    accounting, charged, _ = prove(system, placements, accountings)
    return None if accounting is None or not fits(placements) else _proved(
        system, placements, charged, accounting)


def _fallback(system: System) -> list[Placement]:
    """The placements of a set without a proof."""
    return [all_in_use(t) for t in system.tasks]


def _refused(system: System, bare: Answer, accountings: Sequence[Accounting]) -> Verdict:
    """The verdict on a set that cannot be scheduled even if preemptions cost nothing."""
    placements = _fallback(system)
    status, how = (NOT_SCHEDULABLE, "even with free preemption at these points:") if system.exact else (
        UNKNOWN, "no proof: with the bounds of all lengths,")
    return Verdict(status, f"{how} {bare.reason}", tuple(placements),
                   tuple(charge(system.tasks, placements, accountings[-1], system.policy)), None, bare.witness)


def unproved(system: System, accountings: Sequence[Accounting] = tuple(Accounting), why: str | None = None) -> Verdict:
    """The verdict without a proof: every candidate point in use. `why` says why not all placements were tried."""
    placements = _fallback(system)
    _, charged, answer = prove(system, placements, accountings)
    if why is None and answer.passed is None:
        why = answer.reason
    reason = why or ("no proof: jobs alone would fit, with preemption, releases and the way to memory charged they do "
                     "not")
    return Verdict(UNKNOWN, reason, tuple(placements), tuple(charged), None, answer.witness, why is not None)


def _unplaced(system: System, strategy: str) -> Iterator[list[Placement]]:
    """The placements with every candidate point in use; `if` has two."""
    if strategy == "if":
        yield [all_in_use(options_of(t, KINDS["ir"])) for t in system.tasks]
    yield _fallback(system)


def _variants(system: System, strategy: str) -> list[System]:
    """The systems in which a strategy places points, tried in turn; `if` has two heuristics."""
    if strategy != "if":
        return [system]
    return [limited(system, "ir"), replace(system, tasks=tuple(cheapest_everywhere(t) for t in system.tasks))]


def _placed(system: System, strategy: str, accountings: Sequence[Accounting], fits: Fits
            ) -> tuple[Verdict | None, bool]:
    """The first proof of a strategy other than `joint`, and whether the budget was spent without one."""
    variants, spent = _variants(system, strategy), False
    for variant in variants:
        search = Search(variant, Budget(STEPS // len(variants)))
        try:
            for _, _, placements in search.placements(search.sought(accountings)):
                found = _first(system, placements, accountings, fits)
                if found is not None:
                    return found, False
        except BudgetSpent:
            spent = True
    return None, spent


def _why(system: System, spent: bool) -> str | None:
    """Why a search that found no proof has left placements out; None if it has not."""
    if spent:
        return _SPENT
    return _NOT_ALL if system.policy == "deadline_monotonic" else None


class _Best:
    """The proof with the largest least relative slack so far."""

    def __init__(self, system: System, accountings: Sequence[Accounting], fits: Fits):
        self._system, self._accountings, self._fits = system, accountings, fits
        self._overheads = overheads_of(system)
        self._deadlines = [t.deadline for t in system.tasks]
        self.slack: Fraction | None = None
        self.verdict: Verdict | None = None

    def offer(self, placements: Sequence[Placement], budget: Budget = UNLIMITED_STEPS) -> None:
        """Take the placements if they are proved with more slack than the best so far."""
        budget.spend(sum(len(p.chosen) for p in placements))
        for accounting in self._accountings:
            policy = self._system.policy
            charged = charge(self._system.tasks, placements, accounting, policy)
            if not prover(policy, charged, self._overheads, budget).test().passed:
                continue
            least = least_relative(self._deadlines, charged, self._overheads, self.slack, budget, policy)
            if least is not None:
                if not self._fits(placements):
                    return
                self.slack = least
                self.verdict = _proved(self._system, placements, charged, accounting)


def _joint(system: System, accountings: Sequence[Accounting], fits: Fits, first: bool) -> Verdict:
    search, best, spent = Search(system, Budget(JOINT_STEPS)), _Best(system, accountings, fits), False
    try:
        sought = search.sought(accountings)
        if not sought:
            return unproved(system, accountings)
        if first:
            for _, _, placements in search.placements(sought):
                found = _first(system, placements, accountings, fits)
                if found is not None:
                    return found
    except BudgetSpent:
        sought, spent = [], True
    for placements in _of_others(system, accountings, fits):
        best.offer(placements)
        if first and best.verdict is not None:
            return best.verdict
    try:
        _improve(search, sought, best)
    except BudgetSpent:
        spent = True
    return best.verdict or unproved(system, accountings, _why(system, spent))


def _of_others(system: System, accountings: Sequence[Accounting], fits: Fits) -> Iterator[Sequence[Placement]]:
    """The placements of every other strategy: all of its points, and those with which it finds its proof."""
    for strategy in KINDS:
        if strategy != "joint":
            own = limited(system, strategy)
            yield from _unplaced(own, strategy)
            found = _placed(own, strategy, accountings, fits)[0] if strategy != "np" else None
            if found is not None:
                yield found.placements


def _improve(search: Search, sought: Sequence[Sought], best: _Best) -> None:
    """Offer placements of the search. After each proof, offer those that leave more slack than the best so far.

    Raises
    ------
    BudgetSpent
        When the budget is spent; the best so far stands.
    """
    most = {one.accounting: search.most_slack(one) for one in sought}
    for heads, one, placements in search.placements(sought):
        best.offer(placements, search.budget)
        middle, high = best.slack, most[one.accounting]
        for _ in range(1 + HALVINGS if best.slack is not None else 0):
            if middle >= high or (found := search.with_slack(heads, one, middle)) is None:
                high = min(high, middle)
            else:
                best.offer(found, search.budget)
            middle = (best.slack + high) / 2
            if high <= best.slack:
                break
