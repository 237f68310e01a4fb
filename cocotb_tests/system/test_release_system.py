"""Job release and policies in overload, in the whole accelerator: the same cycles as the golden model."""

import pytest

from campaigns.campaign import trial
from campaigns.overload_sets import KINDS, overload_case
from derca_sim.compile.plan import one_per_cycle
from derca_sim.golden.machine import run
from derca_sim.report.jobs import TaskInfo, rebuild

#: Control planes that are compiled in every run of the tests: seeds of a kind that choose them.
QUICK = [("queue", 9), ("abort", 1), ("deadline_monotonic", 2), ("least_slack", 2)]


@pytest.mark.parametrize(("kind", "first", "count"), [
    *(pytest.param(kind, first, 2, id=kind, marks=[pytest.mark.full] * (kind == "least_slack"))
      for kind, first in QUICK),
    *(pytest.param(kind, 1000, 60, id=f"{kind}-more", marks=pytest.mark.full) for kind in KINDS),
])
def test_overload(kind, first, count):
    """Releases that are kept or abort, and other policies, in the whole accelerator: the golden model's cycles."""
    step = len(KINDS[kind]) if count < 10 else 1  # the same control plane
    trials = [trial(seed, overload=kind) for seed in range(first, first + count * step, step)]
    assert not any(t.problems for t in trials), "\n".join(str(t) for t in trials if t.problems)
    assert all(t.error == 0 for t in trials)
    print({name: sum(getattr(t, name) for t in trials) for name in ("jobs", "preemptions", "overruns", "misses")})
    assert sum(t.jobs for t in trials) > 100 and sum(t.overruns for t in trials) > 100


@pytest.mark.full
def test_a_trigger_while_a_kept_release_becomes_a_job_in_the_same_visit():
    """The release that was due has used the trigger before it; the model once counted the new one into that."""
    found = trial(40, overload="abort")
    assert not found.problems and found.error == 0, str(found)


def test_the_sets_cover_what_they_should():
    """All control planes, kept and aborted jobs, and jobs that end later than half the range of 16 bits."""
    latest = 0
    for kind, controls in KINDS.items():
        cases = [overload_case(seed, kind) for seed in range(len(controls))]
        assert len({c.compiled.platform.name for c in cases}) == len(controls)
        assert sum(c.compiled.platform.scheduler.time_width == 16 for c in cases) >= len(cases) // 2
        tasks = [t for c in cases for t in c.compiled.tasks]
        assert {t.sporadic for t in tasks} == {True, False}
        assert kind not in ("queue", "abort") or sum(t.overrun == kind for t in tasks) > len(tasks) // 2
    for seed in range(6):
        compiled = overload_case(seed, "deadline_monotonic").compiled
        infos = [TaskInfo(t.name, t.period, t.deadline) for t in compiled.tasks]
        jobs, _ = rebuild(run(compiled, compiled.taskset.horizon), infos, compiled.taskset.horizon)
        latest = max(latest, *(job.finish - job.deadline for job in jobs if job.finish is not None))
    assert latest > 1 << 15


def test_one_trigger_per_cycle():
    assert one_per_cycle([[5, 6], [5], [], [4, 6]]) == [(5, 7), (6,), (), (4, 8)]
    assert one_per_cycle([[], []]) == [(), ()]
