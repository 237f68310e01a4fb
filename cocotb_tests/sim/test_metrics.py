"""Figures from hand-made logs: responses, strict misses, preemptions by kind, utilisation."""

import pytest

from campaigns.overload_sets import overload_case
from derca_flow.sessions import session
from derca_sim.events import Event, Kind
from derca_sim.golden.machine import run
from derca_sim.model.tables import Strategy
from derca_sim.report.jobs import Span, TaskInfo, rebuild
from derca_sim.report.metrics import measure
from kit.logs import TASKS, log


def test_responses_are_finish_minus_release():
    events = log(
        (0, Kind.RELEASE, 0), (30, Kind.FINISH, 0), (100, Kind.RELEASE, 0), (140, Kind.FINISH, 0), (0, Kind.RELEASE, 1),
    )
    m = measure(events, TASKS, 200, 64)
    assert (m.tasks[0].worst_response, m.tasks[0].mean_response) == (40, 35)
    assert (m.tasks[0].released, m.tasks[0].finished, m.tasks[0].misses) == (2, 2, 0)
    assert (m.tasks[1].released, m.tasks[1].finished, m.tasks[1].worst_response) == (1, 0, None)


@pytest.mark.parametrize(("finish", "horizon", "misses"), [
    (50, 1000, 0),  # in the cycle of the deadline
    (51, 1000, 1),  # one later
    (None, 1000, 1),  # never
    (None, 50, 1),  # the deadline is the end of the run: strict
    (None, 49, 0),  # the deadline lies beyond the run
    (51, 51, 1),  # finish outside of the run
])
def test_a_miss_is_judged_strictly(finish, horizon, misses):
    rows = [(0, Kind.RELEASE, 0)] + ([(finish, Kind.FINISH, 0)] if finish is not None else [])
    assert measure(log(*rows), TASKS, horizon, 64).deadline_misses == misses


def test_overruns_count_as_misses_and_do_not_shift_job_numbers():
    events = log(
        (0, Kind.RELEASE, 0), (100, Kind.OVERRUN, 0), (120, Kind.FINISH, 0),
        (200, Kind.RELEASE, 0), (230, Kind.FINISH, 0),
    )
    m = measure(events, TASKS, 300, 64)
    assert (m.tasks[0].released, m.tasks[0].finished, m.tasks[0].overruns) == (2, 2, 1)
    assert m.deadline_misses == 2  # the late job and the release that was skipped
    assert m.tasks[0].worst_response == 120


QUEUED = (
    (0, Kind.RELEASE, 0), (51, Kind.MISS, 0, 0, 1), (100, Kind.OVERRUN, 0, 0, 1), (151, Kind.MISS, 0, 0, 1),
    (200, Kind.OVERRUN, 0), (230, Kind.FINISH, 0, 0, 1), (230, Kind.RELEASE, 0, 0, 1),
)


def test_a_kept_release_is_a_job_from_when_it_came():
    """It misses its deadline while it is kept, and its response counts from its release."""
    events = log(*QUEUED, (340, Kind.FINISH, 0, 0, 1), (400, Kind.RELEASE, 0), (440, Kind.FINISH, 0))
    assert [e.job for e in events if e.kind == Kind.MISS] == [0, 1]
    jobs, skipped = rebuild(events, TASKS, 500)
    assert [(j.number, j.release, j.deadline, j.finish, j.kept) for j in jobs] == [
        (0, 0, 50, 230, False), (1, 100, 150, 340, True), (2, 400, 450, 440, False)]
    assert [o.cycle for o in skipped] == [200]
    task = measure(events, TASKS, 500, 64).tasks[0]
    assert (task.released, task.kept, task.overruns, task.misses, task.worst_response) == (3, 1, 1, 3, 240)


def test_a_host_that_counts_events_itself_counts_the_same():
    """What `derca host` shows where the hardware has no statistics."""
    rows = [*QUEUED, (340, Kind.FINISH, 0, 0, 1)]
    assert session._counted([Event(row[0], row[1], row[2], -1, *row[3:]) for row in rows], 0) == {
        "RELEASES": 2, "FINISHES": 2, "OVERRUNS": 1, "MISSES": 2, "FAILURES": 0, "WORST_RESPONSE": 240}


@pytest.mark.parametrize(("horizon", "released", "overruns", "misses"), [
    (100, 1, 0, 1), (101, 2, 0, 1), (149, 2, 0, 1), (150, 2, 0, 2), (200, 2, 0, 2), (201, 2, 1, 3),
    (230, 2, 1, 3), (231, 2, 1, 3)])
def test_a_log_that_ends_while_a_release_is_kept(horizon, released, overruns, misses):
    """Every release counts once, from the cycle after it; a kept one may be late before it has become a job."""
    events = log(*(row for row in QUEUED if row[0] < horizon))
    task = measure(events, TASKS, horizon, 64).tasks[0]
    assert (task.released, task.overruns, task.misses) == (released, overruns, misses)


def test_an_aborted_job_ends_and_a_failed_one_too():
    events = log(
        (0, Kind.RELEASE, 0), (51, Kind.MISS, 0, 0, 1), (100, Kind.OVERRUN, 0, 0, 1), (103, Kind.ABORT, 0),
        (103, Kind.RELEASE, 0, 0, 1), (140, Kind.FINISH, 0), (200, Kind.RELEASE, 0), (220, Kind.FAIL, 0),
    )
    jobs, skipped = rebuild(events, TASKS, 300)
    assert [(j.release, j.finish, j.ended, j.aborted) for j in jobs] == [
        (0, None, 103, True), (100, 140, 140, False), (200, None, 220, False)]
    assert [j.end(300) for j in jobs] == [103, 140, 220] and not skipped
    task = measure(events, TASKS, 300, 64).tasks[0]
    assert (task.released, task.finished, task.kept, task.aborted, task.overruns, task.misses) == (3, 1, 1, 1, 0, 2)


@pytest.mark.parametrize("kind", ["queue", "abort"])
def test_every_release_counts_once_in_overload(kind):
    """The golden machine's log: jobs and skipped releases are the periodic releases there were, misses no more."""
    lateness = 0
    for seed in range(6):
        print(f"seed {seed}")
        compiled = overload_case(seed, kind).compiled
        infos = [TaskInfo(t.name, t.period, t.deadline) for t in compiled.tasks]
        figures = measure(run(compiled, 20_000), infos, 20_000, 4).tasks
        for plan, task in zip(compiled.tasks, figures, strict=True):
            assert task.misses <= task.released + task.overruns
            if not plan.sporadic:
                assert task.released + task.overruns == len(range(plan.offset, 20_000, plan.period)), (seed, plan.name)
            lateness += task.kept + task.aborted
    assert lateness > 50


def test_preemptions_are_counted_by_kind_and_task():
    rows = [(0, Kind.RELEASE, 1)]
    for cycle, strategy in ((10, Strategy.LAYER), (20, Strategy.PERSIST), (30, Strategy.PERSIST)):
        rows += [(cycle, Kind.PREEMPT, 1, 3, strategy), (cycle + 5, Kind.RESUME, 1, 3, strategy)]
    m = measure(log(*rows), TASKS, 300, 64)
    assert m.preemptions == {"layer": 1, "recompute": 0, "persist": 2, "park": 0}
    assert m.tasks[1].preemptions == m.preemptions
    assert m.tasks[0].preemptions == {"layer": 0, "recompute": 0, "persist": 0, "park": 0}


def test_utilisation_counts_useful_work_of_finished_jobs():
    events = log(
        (0, Kind.RELEASE, 0), (10, Kind.FINISH, 0), (100, Kind.RELEASE, 0), (110, Kind.FINISH, 0), (5, Kind.RELEASE, 1),
    )
    assert measure(events, TASKS, 200, 16).pe_utilisation == pytest.approx(2 * 640 / (16 * 200))


def test_events_from_the_horizon_on_do_not_count():
    events = log((0, Kind.RELEASE, 0), (40, Kind.FINISH, 0), (100, Kind.RELEASE, 0))
    m = measure(events, TASKS, 40, 64)
    assert (m.tasks[0].released, m.tasks[0].finished) == (1, 0)


def test_regions_become_spans_and_an_open_one_ends_at_the_horizon():
    events = log(
        (0, Kind.RELEASE, 1), (10, Kind.START, 1, 0), (19, Kind.REGION_END, 1, 0), (20, Kind.START, 1, 1),
        (20, Kind.REGION_END, 1, 1), (30, Kind.START, 1, 2),
    )
    (job,), _ = rebuild(events, TASKS, 100)
    assert job.spans == [Span(10, 20, 0), Span(20, 21, 1), Span(30, 100, 2, open=True)]


def test_a_release_in_the_cycle_of_the_finish_opens_the_next_job():
    events = log((0, Kind.RELEASE, 0), (100, Kind.RELEASE, 0), (100, Kind.FINISH, 0))
    jobs, _ = rebuild(events, TASKS, 200)
    assert [(j.release, j.finish) for j in jobs] == [(0, 100), (100, None)]


@pytest.mark.parametrize("rows", [
    [(5, Kind.FINISH, 0)],
    [(0, Kind.RELEASE, 0), (5, Kind.REGION_END, 0)],
])
def test_a_log_that_contradicts_itself_is_refused(rows):
    with pytest.raises(ValueError, match="released|without a START"):
        measure(log(*rows), TASKS, 100, 64)
