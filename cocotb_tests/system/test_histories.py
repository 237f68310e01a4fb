"""Runs one after the other: RTL and golden machine agree whatever the host does; nothing is left between runs."""


import functools
import re

import pytest

from campaigns import histories
from campaigns.histories import PLANES, History, Phase, draw, every_stop, plane, play
from derca_flow.rtl.build import verilog_for
from derca_flow.rtl.simulate import Step, When, simulate
from derca_sim.compile import compile_taskset
from derca_sim.events import Kind
from derca_sim.golden.history import Commit, Run, history
from derca_sim.golden.machine import run
from derca_sim.model.network import random_network
from derca_sim.model.registers import Reg, register_map
from derca_sim.model.timing import RunTiming, release_latency
from derca_sim.workload.taskset import Task, TaskSet

#: Compiled for the quick suite: each has a job release, a scheduler and tables that the others have not.
QUICK = ("heap-parallel", "scan-swept", "lean")
FULL = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.full]) for name in PLANES]


@pytest.mark.parametrize("name", FULL)
def test_random_histories(name):
    runs = jobs = 0
    for seed in range(1, 13):
        result, problems = play(draw(seed, name))
        assert not problems, f"seed {seed}: {problems}"
        runs, jobs = runs + len(result.runs), jobs + len(result.finishes)
    assert runs > 40 and jobs > 60


@pytest.mark.parametrize("name", FULL)
def test_a_stop_in_every_cycle_and_a_start_after_every_gap(name):
    runs, problems = every_stop(name, 130, range(0, 41, 10))
    assert (runs, problems) == (130 * 5 + 1, [])


@pytest.mark.full
@pytest.mark.parametrize("name", PLANES)
def test_more_random_histories(name):
    for seed in range(1000, 1100):
        _, problems = play(draw(seed, name))
        assert not problems, f"seed {seed}: {problems}"


@pytest.mark.full
@pytest.mark.parametrize("what", ["nothing is reset after a run", "requests go on after a stop"])
def test_a_planted_bug_is_found(what, monkeypatch):
    """Without the reset between runs, or without the end of requests, histories differ."""
    pattern, replacement = {
        "nothing is reset after a run": (r"(assign run_rst = \S+) \| \S+;", r"\1;"),
        "requests go on after a stop": (r"= ~ ?\w*draining;", "= 1'h1;"),
    }[what]
    text, changed = re.subn(pattern, replacement, verilog_for(plane("scan-swept")))
    assert changed, "the text to be changed is not in the Verilog"
    monkeypatch.setattr(histories, "simulate", lambda *a, **k: simulate(*a, verilog=text, **k))
    assert any(play(draw(seed, "scan-swept"))[1] for seed in range(1, 13))


# -- what the golden machine says of a history ------------------------------------------------------------------------

@functools.cache
def busy(name):
    """A history whose task sets both release and finish jobs again and again."""
    for seed in range(1, 200):
        h = draw(seed, name)
        if all(sum(e.kind == Kind.FINISH for e in run(c, 900)) > 4 for c in (h.first, h.second)):
            return h
    raise AssertionError("no seed gives busy task sets")


@pytest.mark.parametrize("name", ["heap-parallel", "scan-swept"])
def test_every_run_begins_alike(name):
    compiled = busy(name).first
    runs = history([Run(compiled, 900), Run(compiled, 300), Run(compiled, 900)])
    assert runs[0] == runs[2]
    assert set(runs[1]) <= set(runs[0]) and len(runs[1]) < len(runs[0])


@pytest.mark.parametrize("name", ["heap-parallel", "scan-swept"])
def test_a_stop_drops_what_is_not_reported_and_nothing_else(name):
    compiled = busy(name).first
    whole = [e for e in run(compiled, 900) if e.kind != Kind.COMMIT]
    release = max(e for e in whole if e.kind == Kind.RELEASE and e.cycle < 600)
    reported = release_latency(compiled.platform)
    stopped, later = history([Run(compiled, release.cycle), Run(compiled, release.cycle + reported)])
    assert set(stopped) <= set(whole) and all(e.cycle <= release.cycle for e in stopped)
    assert release not in stopped and release in later
    assert [e for e in whole if e.cycle < release.cycle - reported] == [
        e for e in stopped if e.cycle < release.cycle - reported]


def test_a_run_stopped_in_its_first_cycle_has_no_events():
    assert history([Run(busy("heap-parallel").first, 0)]) == [[]]


def test_a_commit_begins_the_other_task_set_after_an_idle_point():
    h = busy("heap-parallel")
    (events,) = history([Run(h.first, 4000, commits=(Commit(500, h.second),))])
    (commit,) = [e.cycle for e in events if e.kind == Kind.COMMIT]
    assert commit >= 500 + RunTiming(h.first.platform).COMMIT
    assert not [e for e in events if e.kind == Kind.RELEASE and 500 <= e.cycle < commit], "released while it waits"
    alone = [(e.cycle + commit, e.task) for e in run(h.second, 3900 - commit) if e.kind == Kind.RELEASE]
    found = [(e.cycle, e.task) for e in events if e.kind == Kind.RELEASE and e.cycle >= commit]
    assert found[:len(alone)] == alone and len(alone) > 3


def test_a_commit_that_the_stop_overtakes_is_reported_after_it():
    h = busy("heap-parallel")
    first, second = history([Run(h.first, 503, commits=(Commit(500, h.second),)), Run(h.second, 800)])
    assert [e.cycle for e in first if e.kind == Kind.COMMIT] == [504]
    assert not [e for e in second if e.kind == Kind.COMMIT]


def sporadic(name, phases):
    """A history of one sporadic task with a long period."""
    p = plane(name)
    network = random_network("net", [(2, 8, 4, False)], 1, p.array.dtype)
    first, second = (
        compile_taskset(TaskSet("one", None, p, 10_000, (Task("t", 0, network, 2000, deadline, 0, True, ()),)), "lw")
        for deadline in (1000, 1500))
    return History(first, second, phases)


@pytest.mark.parametrize("name", ["heap-parallel", "scan-swept"])
def test_a_deferred_trigger_releases_nothing_after_a_commit_or_a_restart(name):
    """The second trigger comes too soon, and its release is due in cycle 2060: after the commit, or after the stop."""
    soon = ((60, 0), (300, 0))
    h = sporadic(name, [Phase(50), Phase(4500, commit=500, triggers=soon), Phase(4500, triggers=soon),
                        Phase(400, triggers=soon), Phase(4500)])
    result, problems = play(h)
    assert not problems, problems
    released = [[e.cycle for e in events if e.kind == Kind.RELEASE] for events in result.runs]
    assert released[1:5] == [[60], [60, 2060], [60], []]


@pytest.mark.parametrize("name", ["heap-parallel", "scan-swept"])
def test_a_second_trigger_while_timers_start_is_early(name):
    result, problems = play(sporadic(name, [Phase(3000, triggers=((0, 0), (1, 0)))]))
    assert not problems, problems
    released = [e.cycle for e in result.runs[0] if e.kind == Kind.RELEASE]
    assert released == ([0, 2000] if name == "heap-parallel" else [0]), "the swept one counts it into the first"


# -- the hardware's own account ---------------------------------------------------------------------------------------

def test_status_after_a_stop_in_the_middle_of_a_region():
    """The bus is quiet within the latency of what was asked for, however long the region is; then nothing is idle but
    all."""
    h = busy("heap-parallel")
    p = h.first.platform
    status = register_map(p)["STATUS"]
    result = simulate(p, h.first.host_writes(), h.first.image, 1 << 31,
                      steps=[Step(When.RUNNING, 150, int(Reg.CONTROL), 0)])
    found = status.unpack(result.registers[int(Reg.STATUS)])
    assert found["quiet"] and found["idle"] and not (found["running"] or found["start_pending"] or found["safe"])
