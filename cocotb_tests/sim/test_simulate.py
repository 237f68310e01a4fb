"""The fast simulator against a cycle-by-cycle schedule, against examples worked out by hand, and with planted bugs."""

import inspect
import random
import sys
import types

import numpy as np
import pytest

import derca_sim.simulate.engine
from derca_sim.analysis.model import Chosen, Option, Placement, System, TaskModel
from derca_sim.events import Kind
from derca_sim.model.tables import Strategy
from derca_sim.simulate import early, random_offsets, random_visibility, simulate, sporadic, synchronous
from oracles.naive_schedule import naive_schedule
from oracles.random_tasks import FREE, everywhere, random_placements, random_tasks

PERSIST = Option(Strategy.PERSIST, 2, 3)


def two(points: tuple = (PERSIST,), **kind) -> tuple[System, list[Placement]]:
    """A short task of 3 in 20 cycles and a long one of 5 + 4 in 40, with one point."""
    tasks = (TaskModel("short", 20, 20, (3,), ()), TaskModel("long", 40, 40, (5, 4), (points,)))
    return System(tasks, **kind), [Placement(), Placement(tuple(Chosen(0, p) for p in points))]


def lines(events, *kinds):
    """(cycle, kind, task, job, region, arg) of events of these kinds."""
    return [(e.cycle, e.kind, e.task, e.job, e.region, e.arg) for e in events if e.kind in kinds]


def test_a_preemption_by_hand():
    """Released at 1, the short job waits for the end of region 0 at 5, then for the swap-out: 7 .. 10; swap-in: 13."""
    system, placements = two()
    result = simulate(system, placements, [np.array([1]), np.array([0])], 40, log=True)
    assert lines(result.events, *Kind) == [
        (0, Kind.RELEASE, 1, 0, 0, 0), (0, Kind.ISSUE, 1, 0, 0, 0), (0, Kind.START, 1, 0, 0, 0),
        (1, Kind.RELEASE, 0, 0, 0, 0),
        (4, Kind.REGION_END, 1, 0, 0, 0), (5, Kind.ISSUE, 0, 0, 0, 0), (5, Kind.PREEMPT, 1, 0, 0, Strategy.PERSIST),
        (7, Kind.START, 0, 0, 0, 0), (9, Kind.REGION_END, 0, 0, 0, 0),
        (10, Kind.FINISH, 0, 0, 0, 0), (10, Kind.ISSUE, 1, 0, 1, 0), (10, Kind.RESUME, 1, 0, 1, Strategy.PERSIST),
        (13, Kind.START, 1, 0, 1, 0), (16, Kind.REGION_END, 1, 0, 1, 0), (17, Kind.FINISH, 1, 0, 0, 0),
    ]
    assert (result.worst_response, result.preemptions, result.misses) == ((9, 17), (0, 1), (0, 0))


@pytest.mark.parametrize(("released", "preempted"), [(4, True), (5, True), (6, False)])
def test_a_release_at_the_instant_of_a_decision_is_seen_by_it(released, preempted):
    system, placements = two()
    result = simulate(system, placements, [np.array([released]), np.array([0])], 40)
    assert result.preemptions == (0, int(preempted))


@pytest.mark.parametrize(("released", "preempted"), [(1, False), (0, True)])
def test_with_equal_deadlines_the_running_job_stays(released, preempted):
    """The long job runs from 0 and is due at 20; the short one, seen at 1 + released, at 20 or 19."""
    tasks = (TaskModel("short", 19, 19, (3,), (), jitter=1), TaskModel("long", 20, 20, (5, 4), ((FREE,),)))
    placements = [Placement(), Placement((Chosen(0, FREE),))]
    result = simulate(System(tasks), placements, [np.array([released]), np.array([0])], 20)
    assert result.preemptions == (0, int(preempted))


def test_with_equal_deadlines_of_waiting_jobs_the_lower_task_goes_first():
    tasks = tuple(TaskModel(f"t{i}", 10, 10, (i + 1,), ()) for i in range(3))
    result = simulate(System(tasks), [Placement()] * 3, synchronous(System(tasks), 10), 10)
    assert result.worst_response == (1, 3, 6)


def test_a_release_costs_whoever_runs():
    """Region 0 ends at 5 + 2; the cost of the first release passes before anything is decided: 2 more."""
    system, placements = two(release_cost=2)
    result = simulate(system, placements, [np.array([3]), np.array([0])], 40, log=True)
    assert lines(result.events, Kind.PREEMPT) == [(9, Kind.PREEMPT, 1, 0, 0, Strategy.PERSIST)]
    at_the_end = simulate(system, placements, [np.array([7]), np.array([0])], 40, log=True)
    assert lines(at_the_end.events, Kind.REGION_END)[0] == (6, Kind.REGION_END, 1, 0, 0, 0)
    assert lines(at_the_end.events, Kind.PREEMPT) == [(9, Kind.PREEMPT, 1, 0, 0, Strategy.PERSIST)]


def test_a_job_due_exactly_at_its_finish_is_in_time_and_one_cycle_later_is_late():
    for length, missed in ((6, 0), (7, 1)):
        system = System((TaskModel("a", 10, 6, (length,), ()),))
        assert simulate(system, [Placement()], synchronous(system, 6), 6).misses == (missed,)


def test_jobs_due_within_the_horizon_are_drained_and_judged_others_are_not():
    """Equal periods and twice the load: a single run to the horizon finds no late completion in it, but half are."""
    system = System(tuple(TaskModel(f"t{i}", 10, 10, (10,), ()) for i in range(2)))
    assert simulate(system, [Placement()] * 2, synchronous(system, 10), 10).misses == (0, 1)
    assert simulate(system, [Placement()] * 2, synchronous(system, 9), 9).jobs == (0, 0)


def test_a_release_while_the_previous_job_lives_is_an_overrun():
    system = System((TaskModel("a", 10, 10, (14,), ()),))
    result = simulate(system, [Placement()], synchronous(system, 40), 40, log=True)
    assert lines(result.events, Kind.OVERRUN, Kind.FINISH) == [
        (10, Kind.OVERRUN, 0, 0, 0, 0), (14, Kind.FINISH, 0, 0, 0, 1),
        (30, Kind.OVERRUN, 0, 1, 0, 0), (34, Kind.FINISH, 0, 1, 0, 1),
    ]
    assert (result.jobs, result.misses, result.overruns) == ((2,), (4,), (2,))
    assert simulate(system, [Placement()], synchronous(system, 40), 40, stop_at_miss=True).jobs == (1,)


def test_one_synchronous_run_is_no_proof():
    """Non-preemptive 5 in 10 and 8 in 20: no miss when released together, a miss with offset 9."""
    system = System((TaskModel("a", 10, 10, (5,), ()), TaskModel("b", 20, 20, (8,), ())))
    assert simulate(system, [Placement()] * 2, synchronous(system, 200), 200).misses == (0, 0)
    assert simulate(system, [Placement()] * 2, synchronous(system, 200, [9, 8]), 200).misses[0] > 0


def test_the_tail_of_a_job_passes_while_others_run():
    """The first job's results are in memory at 3 + 2, the second's work began at 3."""
    system = System(tuple(TaskModel(f"t{i}", 10, 10, (3,), ()) for i in range(2)), tail=2)
    assert simulate(system, [Placement()] * 2, synchronous(system, 10), 10).worst_response == (5, 8)


def test_what_contradicts_the_model_is_refused():
    system, placements = two()
    with pytest.raises(ValueError, match="short: releases must be sorted, >= 0 and at least 20"):
        simulate(system, placements, [np.array([0, 19]), np.array([0])], 40)
    with pytest.raises(ValueError, match=r"long: a job is seen 0 \.\. 0 cycles after"):
        simulate(system, placements, [np.array([0]), np.array([0])], 40, visible=[np.array([0]), np.array([1])])
    with pytest.raises(ValueError, match=r"\[6, 4\] must be within 1 \.\. \[5, 4\]"):
        simulate(system, placements, synchronous(system, 9), 9, actual=lambda task, _: [3] if task == 0 else [6, 4])


def scenario(seed: int):
    """A random system with everything in it, releases, visibility and early completion."""
    choose, rng = random.Random(f"scenario {seed}"), np.random.default_rng(seed)
    tasks = random_tasks(seed, price=choose.choice([0, 1, 3]), jitter=choose.random() < 0.5)
    system = System(tasks, choose.choice([0, 0, 1, 2]), choose.choice([0, 0, 1, 5]))
    placements = random_placements(seed, tasks) if choose.random() < 0.5 else everywhere(tasks)
    horizon = choose.randint(50, 400)
    releases = choose.choice([
        lambda: synchronous(system, horizon), lambda: random_offsets(system, horizon, rng),
        lambda: sporadic(system, horizon, rng),
    ])()
    visible = random_visibility(system, releases, rng)
    return system, placements, releases, horizon, visible, early(system, placements, seed)


def compare(run, seed: int):
    """Differences between `run` and the naive schedule of one scenario."""
    system, placements, releases, horizon, visible, actual = scenario(seed)
    result = run(system, placements, releases, horizon, visible=visible, actual=actual, log=True)
    found = sorted((e.cycle, e.kind, e.task, e.region) for e in result.events)
    expected = naive_schedule(system, placements, releases, visible, actual)
    return sorted(set(found) ^ set(expected)) or (len(found) != len(expected) and ["repeated lines"]), result


@pytest.mark.parametrize("chunk", range(4))
def test_random_schedules_equal_the_naive_ones(chunk):
    preempted = late = 0
    for seed in range(100 * chunk, 100 * (chunk + 1)):
        differences, result = compare(simulate, seed)
        assert not differences, f"seed {seed}: {differences[:5]}"
        preempted += sum(result.preemptions)
        late += result.deadline_misses
    assert preempted > 50 and late > 50


@pytest.mark.parametrize("seed", range(40))
def test_figures_are_those_of_the_log(seed):
    system, placements, releases, horizon, visible, actual = scenario(seed)
    result = simulate(system, placements, releases, horizon, visible=visible, actual=actual, log=True)
    quiet = simulate(system, placements, releases, horizon, visible=visible, actual=actual)
    assert quiet.events is None
    assert (quiet.jobs, quiet.misses, quiet.worst_response) == (result.jobs, result.misses, result.worst_response)
    released = {(e.task, e.job): e.cycle for e in result.events if e.kind == Kind.RELEASE}
    for i, task in enumerate(system.tasks):
        responses = [
            e.cycle - released[i, e.job] for e in result.events
            if e.kind == Kind.FINISH and e.task == i and released[i, e.job] + task.deadline <= horizon
        ]
        assert (result.jobs[i], result.worst_response[i]) == (len(responses), max(responses, default=0))
        skipped = sum(e.kind == Kind.OVERRUN and e.task == i for e in result.events)
        assert result.misses[i] == skipped + sum(r > task.deadline for r in responses)
        assert result.preemptions[i] == sum(e.kind == Kind.PREEMPT and e.task == i for e in result.events)


BUGS = {
    "a waiting job with the same deadline preempts": ("ready[0] < order[task] * n:", "ready[0] // n <= order[task]:"),
    "the lower task preempts on a tie": ("ready[0] < order[task] * n:", "ready[0] < key:"),
    "who was seen during a region is forgotten at its end": ("if inside:  # who", "if False:  # who"),
    "the swap-out is free": ("start = now + swap + swap_in", "start = now + swap_in"),
    "the swap-in is free": ("swap + swap_in[task][region]", "swap"),
    "the swap-out is that of the next region": ("swap_out[task][region - 1]", "swap_out[task][region]"),
    "the swap-out is paid for ever": ("            swap = 0\n", ""),
    "a release costs nothing while a region runs": ("inside = cost > 0 and", "inside = False and"),
    "a release costs nothing at a boundary": ("base += now - before", "base += (now - before) * inside"),
    "a job released at its predecessor's finish is skipped": ("release < finished[who]", "release <= finished[who]"),
    "a job may live twice": ("release < finished[who]", "False"),
    "a finish at the deadline is late": ("misses[task] += finish > due[task]", "misses[task] += finish >= due[task]"),
    "a job ends with its last region": ("finish = finished[task] = now + tail", "finish = finished[task] = now"),
    "the tail holds up the others": (
        "finish = finished[task] = now + tail", "finish = now = finished[task] = now + tail",
    ),
    "the horizon judges nothing at its end": ("if due[task] <= horizon", "if due[task] < horizon"),
    "a release at the instant of a decision is not seen": (
        "bisect_left(work, upcoming, region)", "bisect_left(work, upcoming + 1, region)",
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug, monkeypatch):
    """Each mutation of the engine makes a random schedule differ from the naive one, or the figures from the log."""
    old, new = BUGS[bug]
    source = inspect.getsource(derca_sim.simulate.engine)
    assert source.count(old) == 1, "the mutation no longer applies"
    module = types.ModuleType("derca_sim.simulate.mutant")
    module.__package__ = "derca_sim.simulate"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(source.replace(old, new), "mutant", "exec"), module.__dict__)
    for seed in range(300):
        try:
            differences, result = compare(module.simulate, seed)
        except (IndexError, ValueError):
            return
        if differences or result.misses != compare(simulate, seed)[1].misses:
            return
    pytest.fail("not found in 300 random schedules")
