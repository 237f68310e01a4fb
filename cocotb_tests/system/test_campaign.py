"""Random task sets on the RTL: bit-exact, every event in the golden model's cycle; with random memory, bit-exact."""

import subprocess
import sys
from dataclasses import replace

import pytest

from campaigns import campaign, judged_run
from campaigns.campaign import trial
from campaigns.random_sets import PIPELINES, PLATFORM_NAMES, QUICK, random_case
from derca_flow.rtl.handshake import HABITS, parse_handshake
from derca_flow.rtl.simulate import Jitter
from derca_sim.events import Event, Kind
from derca_sim.model.tile import platform_tile

BATCHES = {"quick": range(1, 9), "more": range(100, 140)}
JITTER_BATCHES = {"more": range(100, 120)}
HANDSHAKE_BATCHES = {"quick": range(1, 3), "more": range(100, 150)}


def batches(seeds):
    return [
        pytest.param(platform, pipeline, part, id=f"{platform}-{pipeline}-{name}",
                     marks=[] if name == "quick" and (platform, pipeline) in QUICK else [pytest.mark.full])
        for platform in PLATFORM_NAMES for pipeline in PIPELINES for name, part in seeds.items()
    ]


@pytest.mark.parametrize(("platform", "pipeline", "seeds"), batches(BATCHES))
def test_random_task_sets(platform, pipeline, seeds):
    trials = [trial(seed, platform, pipeline) for seed in seeds]
    assert not any(t.problems for t in trials), "\n".join(str(t) for t in trials if t.problems)
    assert all(t.error == 0 for t in trials)
    assert sum(t.jobs for t in trials) > 5 * len(trials) and sum(t.preemptions for t in trials) > len(trials) // 2
    assert sum(t.overruns for t in trials) > 0 and sum(t.misses for t in trials) > 0  # overload occurs


@pytest.mark.parametrize(("platform", "pipeline", "seeds"), batches(JITTER_BATCHES))
def test_random_task_sets_on_a_memory_that_stalls_at_random(platform, pipeline, seeds):
    trials = [trial(seed, platform, pipeline, "jitter") for seed in seeds]
    assert not any(t.problems for t in trials), "\n".join(str(t) for t in trials if t.problems)
    assert all(t.error is None for t in trials) and sum(t.jobs for t in trials) > 2 * len(trials)


@pytest.mark.parametrize(("platform", "pipeline", "seeds"), batches(HANDSHAKE_BATCHES))
def test_random_task_sets_on_a_memory_with_random_handshakes(platform, pipeline, seeds):
    trials = [trial(seed, platform, pipeline, "handshake") for seed in seeds]
    assert not any(t.problems for t in trials), "\n".join(str(t) for t in trials if t.problems)
    assert sum(t.jobs for t in trials) > 0


@pytest.mark.parametrize("habit", [*HABITS, "aw-with-w,w-after-aw", "aw-after-w,w-with-aw"])
def test_no_habit_of_a_memory_keeps_jobs_from_their_end(habit):
    case = random_case(12, "narrow", "decoupled")
    calm = judged_run.judged_run(case.compiled, case.horizon)
    judged = judged_run.judged_run(case.compiled, case.horizon, Jitter(handshake=parse_handshake(habit, 1)))
    assert not judged.problems and judged.jobs > calm.jobs // 2 > 10, f"{habit}: {judged.jobs} of {calm.jobs} jobs"


def test_a_run_that_stands_still_is_noticed():
    released = Event(10, Kind.RELEASE, 0)
    moves = [released, Event(11, Kind.READY, 0), Event(12, Kind.ISSUE, 0)]
    assert campaign.stuck(moves, 1000) and not campaign.stuck([*moves, Event(700, Kind.ITERATION, 0)], 1000)
    assert not campaign.stuck([*moves, Event(40, Kind.FINISH, 0)], 1000)


def test_a_seed_repeats_and_another_differs():
    assert str(random_case(5)) == str(random_case(5)) != str(random_case(6))


def test_the_sets_cover_what_they_should():
    cases = [random_case(seed) for seed in range(1, 201)]
    tasks = [t for c in cases for t in c.compiled.tasks]
    layers = [(c.compiled.platform, layer.layer) for c in cases for t in c.compiled.tasks for layer in t.layers]
    assert {c.compiled.strategy for c in cases} == {"np", "lw", "recompute", "persist", "park", "mixed", "flexible"}
    assert len({c.compiled.platform.name for c in cases}) == len(PLATFORM_NAMES) * len(PIPELINES)
    assert {len(c.compiled.tasks) for c in cases} == set(range(1, 7))
    assert any(layer.k == 1 for _, layer in layers) and any(layer.m == 1 and layer.n == 1 for _, layer in layers)
    assert any(layer.k > 10 * p.tile.k for p, layer in layers)
    assert all(any(getattr(layer, kind) for _, layer in layers) for kind in ("b", "transposed"))
    plans = [(c.compiled.platform, layer) for c in cases for t in c.compiled.tasks for layer in t.layers]
    assert {x.ahead for _, x in plans} == {0, 1, 2, 3} and {x.a_vector for _, x in plans} == {True, False}
    assert any(x.tile != platform_tile(p) for p, x in plans)
    waits = [x.wait for t in tasks for x in t.layers]
    assert {bool(wait.prev_n_tiles) for wait in waits if wait.a} == {True, False} and not all(w.a for w in waits)
    assert {bool(wait.prev_n_tiles) for wait in waits if wait.d} == {True, False}
    assert {x.wait.d for _, x in plans if x.d is not None} == {True, False}
    assert any(x.layer.transposed and x.d is not None for _, x in plans)
    shared = [
        set(a.triggers) & set(b.triggers)
        for c in cases for a in c.compiled.tasks for b in c.compiled.tasks if a.index < b.index
    ]
    assert any(shared) and any(t.sporadic for t in tasks)
    assert any(
        a.period == b.period and a.offset < b.offset and a.offset + a.deadline == b.offset + b.deadline
        for c in cases for a in c.compiled.tasks for b in c.compiled.tasks
    )  # equal absolute deadlines, released at different times


def test_a_difference_is_reported_with_the_command_that_repeats_it(monkeypatch):
    real = judged_run.compare_with_model
    monkeypatch.setattr(judged_run, "compare_with_model", lambda compiled, events, horizon: real(
        compiled, [replace(e, cycle=e.cycle + (i == 10)) for i, e in enumerate(events)], horizon))
    failed = trial(1, "demo", "decoupled")
    assert failed.error == 1 and failed.problems
    assert "./scripts/campaign --count 1 --seed 1 --platform demo --pipeline decoupled" in str(failed)


def test_bad_options_exit_2():
    done = subprocess.run([sys.executable, "-m", "campaigns.campaign", "--count", "0"], capture_output=True, text=True,
                          env={"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 2 and "--count" in done.stderr
