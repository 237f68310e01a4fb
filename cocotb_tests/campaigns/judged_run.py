"""A run of the RTL with all judgements on it: results, golden model, and the hardware's own complaints."""

from dataclasses import dataclass

from derca_flow.rtl.simulate import Jitter, RtlError, RtlResult
from derca_flow.sessions.system import check_results, compare_with_model, hardware_complaints, run_rtl
from derca_sim.compile import Compiled
from derca_sim.events import Kind


@dataclass(frozen=True)
class Judged:
    """A run and its problems in words; `result` is None when the design broke a rule.

    `error` is the largest difference from the golden model in cycles, None when it was not compared. `jobs` is the
    number of compared jobs.
    """

    result: RtlResult | None
    jobs: int
    error: float | None
    problems: list[str]

    def count(self, kind: Kind) -> int:
        """Events of a kind."""
        return sum(e.kind == kind for e in self.result.events) if self.result else 0


def judged_run(compiled: Compiled, horizon: int, jitter: Jitter | None = None) -> Judged:
    """Run and compare: results always, events with the golden model unless the memory has jitter."""
    try:
        result = run_rtl(compiled, horizon, jitter)
    except RtlError as e:
        return Judged(None, 0, None, [str(e)])
    results = check_results(compiled, result.finishes)
    problems = [*results.differences, *hardware_complaints(result)]
    error = None
    if jitter is None:
        error, differences = compare_with_model(compiled, result.events, horizon)
        problems += differences
    return Judged(result, results.checked, error, problems)
