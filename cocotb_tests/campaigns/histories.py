"""Random histories of runs on every control plane: starts, stops, commits, triggers and resets at any cycle.

The RTL plays a history; the golden machine plays it again with the cycles in which the host's writes took effect. Every
event must be equal and every result of a finished job bit-exact; nothing but results and save areas may change.

    PYTHONPATH=.:sim:cocotb_tests python -m campaigns.histories --count 2000 --seed 1
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace

import numpy as np

from campaigns.random_sets import RELEASES, SCHEDULERS, random_shape
from derca_flow.rtl.simulate import Effect, Output, RtlError, RtlResult, Step, When, simulate
from derca_flow.sessions.system import check_results, hardware_complaints
from derca_sim.compile import Compiled, compile_taskset
from derca_sim.errors import InputError
from derca_sim.events import Event, Kind, number_jobs
from derca_sim.golden.history import Commit, Run, history
from derca_sim.model.network import random_network
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Reg, register_map, start_value
from derca_sim.workload.taskset import Task, TaskSet
from kit.memory import changed_outside

#: Further control planes beside every scheduler with every job release.
VARIANTS = {
    "one-page": {"scheduler": {"kind": "scan"}, "release": {"kind": "swept"}, "tables": {"shadow": False}},
    "lean": {"scheduler": {"kind": "heap"}, "release": {"kind": "parallel"}, "tables": {"shadow": False},
             "supervision": {"windows": False, "watchdog": False}, "trace": {"statistics": False}},
}
PLANES = (*(f"{kind}-{release}" for kind in SCHEDULERS for release in RELEASES), *VARIANTS)
STRATEGIES = ("lw", "recompute", "persist", "park")


def plane(name: str) -> Platform:
    """A small platform with one of the `PLANES`."""
    base = {
        "array": {"rows": 2, "cols": 2}, "tile": {"m": 4, "k": 8, "n": 4}, "buffers": {"banks": 3, "spare": 1},
        "bus": {"data_width": 32, "outstanding": 4, "burst_beats": 8}, "store": {"requant_lanes": 1},
        "memory": {"read_latency": 9, "write_latency": 4, "size": 1 << 16},
        "scheduler": {"tasks": 4}, "tables": {"layers": 16, "entries": 128, "regions": 64},
        "supervision": {"budgets": True}, "trace": {"depth": 32},
    }
    if name in VARIANTS:
        sections = VARIANTS[name]
    else:
        kind, release = name.split("-")
        overrun = ["skip"] if release == "parallel" else ["skip", "queue"] + ["abort"] * (kind != "heap")
        sections = {"scheduler": {"kind": kind}, "release": {"kind": release, "overrun": overrun}}
    merged = {**base, **{key: {**base.get(key, {}), **value} for key, value in sections.items()}}
    return Platform.model_validate({**merged, "name": f"history-{name}"})


@dataclass
class Phase:
    """A run and the time after it."""

    stop: int  #: cycle of the run in which it is stopped, or reset
    reset: bool = False
    commit: int | None = None  #: cycle of a commit within the run
    triggers: tuple[tuple[int, int], ...] = ()
    gap: int = 0  #: cycles without a run before what follows
    commits_between: bool = False
    withdrawn: bool = False  #: a start that is taken back comes before the start


def task_sets(rng: np.random.Generator, p: Platform) -> tuple[Compiled, Compiled]:
    """Two task sets with the same networks, and so the same memory, but other times and points."""
    count = int(rng.integers(1, p.scheduler.tasks + 1))
    networks = [random_network(f"net{i}", [
        (*random_shape(rng, p, 6), bool(rng.random() < 0.4)) for _ in range(rng.integers(1, 3))
    ], int(rng.integers(1 << 30)), p.array.dtype) for i in range(count)]
    strategy = str(rng.choice(STRATEGIES))
    shortest = 2 * p.scheduler.tasks + 3 if p.release.kind == "parallel" else 120

    def one(name: str, every: int | None) -> Compiled:
        tasks = []
        for i, network in enumerate(networks):
            period = int(rng.integers(shortest, rng.choice([400, 1500, 4000])))
            deadline = int(rng.integers(max(1, period // 4), period + 1))
            sporadic = bool(rng.random() < 0.35)
            tasks.append(Task(f"t{i}", i, network, period, deadline, 0 if sporadic else int(rng.integers(0, 300)),
                              sporadic, (), str(rng.choice(p.release.overrun)),
                              **({"region_budget": 40, "job_budget": 300} if rng.random() < 0.3 else {})))
        return compile_taskset(TaskSet(name, None, p, 10_000, tuple(tasks)), strategy, every)

    while True:
        try:
            return one("first", None), one("second", int(rng.integers(1, 4)))
        except InputError:  # more regions than there are rows
            strategy = "lw"


def phases(rng: np.random.Generator, compiled: Compiled) -> list[Phase]:
    """The phases of a history: mostly short runs, stopped at any cycle, with short gaps."""
    p, out = compiled.platform, []
    sporadic = [t.index for t in compiled.tasks]
    for _ in range(rng.integers(2, 7)):
        stop = int(rng.integers(0, rng.choice([30, 300, 1200, 4000])))
        cycles = sorted(set(rng.integers(0, stop + 60, rng.integers(0, 8)).tolist()))
        out.append(Phase(
            stop, reset=bool(rng.random() < 0.1),
            commit=int(rng.integers(0, stop + 1)) if p.tables.shadow and rng.random() < 0.4 else None,
            triggers=tuple((cycle, int(rng.choice(sporadic))) for cycle in cycles),
            gap=int(rng.choice([0, 0, 1, 2, 5, 9, 40])),
            commits_between=bool(p.tables.shadow and rng.random() < 0.2), withdrawn=bool(rng.random() < 0.15)))
    return out


@dataclass(frozen=True)
class History:
    """The host's steps of a history, and the purpose of each."""

    first: Compiled
    second: Compiled
    phases: list[Phase]

    def steps(self) -> list[tuple[str, Step]]:
        """(purpose, step) after the first start."""
        p = self.first.platform
        run, commit = register_map(p)["CONTROL"].pack(run=1), start_value(p) & ~1
        control, out = int(Reg.CONTROL), []

        def load(compiled: Compiled) -> None:
            out.extend(("load", Step(When.STOPPED, 600, address, value)) for address, value in compiled.host_writes())

        loaded = False  # the other page holds the second task set
        for phase in self.phases:
            if phase.commit is not None and loaded and not phase.reset:
                out.append(("commit", Step(When.RUNNING, phase.commit, control, run | commit)))
            if phase.reset:
                out.append(("reset", Step(When.RESET, phase.stop)))
                load(self.first)
                loaded = False
                out.append(("first", Step(When.STOPPED, 0, control, run | commit)))
                continue
            out.append(("stop", Step(When.RUNNING, phase.stop, control, 0)))
            if not loaded and p.tables.shadow:
                load(self.second)
                loaded = True
            elif phase.commits_between and phase.commit is None and loaded:
                out.append(("commit", Step(When.STOPPED, phase.gap, control, commit)))
            if phase.withdrawn:
                out.append(("start", Step(When.STOPPED, phase.gap, control, run)))
                out.append(("stop", Step(When.STOPPED, 0, control, 0)))
            out.append(("start", Step(When.STOPPED, phase.gap, control, run)))
        out.append(("stop", Step(When.RUNNING, 500, control, 0)))
        return out


def draw(seed: int, name: str) -> History:
    """The history of a seed on a control plane."""
    rng = np.random.default_rng([12, seed])
    first, second = task_sets(rng, plane(name))
    if not np.array_equal(first.image, second.image):
        raise AssertionError("equal networks have unequal images")
    return History(first, second, phases(rng, first))


def expected(h: History, effects: list[Effect], purposes: list[str]) -> tuple[list[Run], list[bool]]:
    """The runs for the golden machine, from the cycles in which writes took effect; which of them a reset ended."""
    tables, other = h.first, h.second
    runs, resets, commits, between = [], [], [], 0
    triggers = [phase.triggers for phase in h.phases] + [()]
    first_committed = h.first.platform.tables.shadow
    between = int(first_committed)
    for purpose, effect in zip(purposes, effects, strict=True):
        if purpose == "commit":
            if effect.running:
                commits.append(Commit(effect.now, other))
            else:
                between += 1
                tables, other = other, tables
        elif purpose in ("stop", "reset") and effect.running:
            stop = effect.now
            runs.append(Run(
                tables, stop, triggers[effect.run] if effect.run < len(triggers) else (), tuple(commits), between))
            resets.append(purpose == "reset")
            if commits:
                tables, other = other, tables
            commits, between = [], 0
        elif purpose == "first":
            tables, other, between = h.first, h.second, int(first_committed)
    return runs, resets


def play(h: History, steps: list[tuple[str, Step]] | None = None) -> tuple[RtlResult, list[str]]:
    """Run the RTL with the history's own steps, unless others are given; return the differences in words."""
    steps = steps or h.steps()
    compiled, purposes = h.first, [purpose for purpose, _ in steps]
    outputs = [Output(t.index, address, length) for t in compiled.tasks
               for address, length in compiled.output_ranges(t.index)]
    try:
        result = simulate(
            compiled.platform, compiled.host_writes(), compiled.image, 1 << 31,
            [(cycle, task, run) for run, phase in enumerate(h.phases) for cycle, task in phase.triggers],
            outputs=outputs, steps=[step for _, step in steps])
    except RtlError as e:
        return None, [str(e)]
    problems = hardware_complaints(result)
    check = check_results(compiled, result.finishes)
    problems += check.differences + _changed(compiled, result.memory)
    runs, resets = expected(h, result.effects, purposes)
    golden = _golden(runs, resets)
    for number, reset in enumerate(resets):  # the commit before the first start after a reset is that run's
        if reset and result.runs[number + 1:] and result.runs[number] and result.runs[number][-1].kind == Kind.COMMIT:
            result.runs[number + 1].insert(0, result.runs[number].pop())
    found = [number_jobs(events) for events in result.runs]
    if len(found) > len(golden):
        problems.append(f"{len(found)} runs, expected {len(golden)}")
    for number, (want, reset) in enumerate(zip(golden, resets, strict=True)):
        have = found[number] if number < len(found) else []
        problems += _compare(number, have, want, reset)
    finished = sum(e.kind == Kind.FINISH for events in found for e in events)
    if finished != len(result.finishes):
        problems.append(f"{finished} jobs finished, {len(result.finishes)} results")
    return result, problems


def _golden(runs: list[Run], resets: list[bool]) -> list[list[Event]]:
    """The events of each run. After a reset the hardware knows of no earlier run."""
    out, part = [], []
    for run, reset in zip(runs, resets, strict=True):
        part.append(run)
        if reset:
            out += history(part)
            part = []
    return out + history(part)


def _compare(number: int, have: list[Event], want: list[Event], reset: bool) -> list[str]:
    def key(e: Event) -> tuple:  # job numbers depend on releases, which a reset may lose
        return e.cycle, e.kind, e.task, 0 if reset else e.job, e.region, e.arg

    have, want = sorted(map(key, have)), sorted(map(key, want))
    if reset:  # events that had not left the hardware are lost
        late = want[len(have):]
        have_set = set(have)
        want = [w for w in want if w in have_set]
        if late and late[-1][0] - (have[-1][0] if have else 0) > 4000:
            return [f"run {number}: events stop long before the reset"]
    if have == want:
        return []
    extra = [x for x in have if x not in set(want)][:3]
    missing = [x for x in want if x not in set(have)][:3]
    return [(f"run {number}: only the RTL has {[_name(x) for x in extra]}, only the golden machine "
             f"{[_name(x) for x in missing]}; {len(have)} and {len(want)} events")]


def _name(x: tuple) -> str:
    return f"{x[0]} {Kind(x[1]).name} task {x[2]} job {x[3]} region {x[4]} arg {x[5]}"


def _changed(compiled: Compiled, memory: np.ndarray) -> list[str]:
    """Changed bytes among those that no job may write."""
    wrong = changed_outside(compiled, memory[: compiled.used])
    return [f"{len(wrong)} bytes changed outside outputs and save areas, first at {wrong[0]:#x}"] if len(wrong) else []


def every_stop(name: str, last: int, gaps: range, seed: int = 1) -> tuple[int, list[str]]:
    """Stop a run in every cycle up to `last`, and start again after every gap; the number of runs and differences."""
    h = draw(seed, name)
    stops = [(stop, gap) for stop in range(last) for gap in gaps]
    h = replace(h, phases=[Phase(stop, gap=gap) for stop, gap in stops])
    control, run = int(Reg.CONTROL), register_map(h.first.platform)["CONTROL"].pack(run=1)
    steps = []
    for stop, gap in stops:
        steps += [("stop", Step(When.RUNNING, stop, control, 0)), ("start", Step(When.STOPPED, gap, control, run))]
    steps.append(("stop", Step(When.RUNNING, last, control, 0)))
    result, problems = play(h, steps)
    return len(result.runs) if result else 0, problems


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="random histories over all control planes")
    parser.add_argument("--seed", type=int, default=1, help="of the first")
    parser.add_argument("--plane", choices=PLANES, help="on this control plane alone")
    parser.add_argument("--every-stop", type=int, metavar="CYCLES",
                        help="instead: stop in every one of so many cycles, with every gap of 0 to 40 cycles")
    options = parser.parse_args()
    planes = [options.plane] if options.plane else list(PLANES)
    started, failed, runs, jobs = time.monotonic(), 0, 0, 0
    if options.every_stop:
        for name in planes:
            count, problems = every_stop(name, options.every_stop, range(41), options.seed)
            print(f"{name}: {count} runs, {problems[:3] or 'as the golden machine'}", flush=True)
            failed += bool(problems)
        return int(failed > 0)
    for number in range(options.count):
        name, seed = planes[number % len(planes)], options.seed + number
        result, problems = play(draw(seed, name))
        if problems:
            failed += 1
            print(f"{name} seed {seed}: {problems[:4]}", flush=True)
        if result:
            runs, jobs = runs + len(result.runs), jobs + len(result.finishes)
        if (number + 1) % 100 == 0:
            print(f"{number + 1} of {options.count}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(f"{options.count} histories on {len(planes)} control planes, {runs} runs, {jobs} jobs: {failed} differ "
          f"(seeds {options.seed} to {options.seed + options.count - 1})")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
