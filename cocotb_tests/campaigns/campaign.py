"""The campaign of random task sets on the RTL: `./scripts/campaign --help`; the tests run a part of it."""

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from campaigns.job_alone import late_alone
from campaigns.judged_run import judged_run
from campaigns.overload_sets import KINDS, overload_case
from campaigns.random_sets import IMAGE_PLATFORMS, PIPELINES, PLATFORM_NAMES, RELEASES, SCHEDULERS, random_case
from derca_flow.rtl.handshake import random_handshake
from derca_flow.rtl.simulate import Jitter
from derca_flow.tools.files import write_text
from derca_sim.errors import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_MISSING_TOOL, EXIT_OK, InputError, MissingToolError
from derca_sim.events import Event, Kind

#: Memories to run on, and what the summary calls them.
MEMORIES = {"fixed": "fixed latency", "jitter": "random", "handshake": "random, with random handshakes"}


@dataclass(frozen=True)
class Trial:
    """The result of a seed. `problems` is empty if everything is right.

    `error` is the largest difference from the golden model in cycles, None on a memory other than the golden model's.
    """

    seed: int
    platform: str
    strategy: str
    jobs: int
    preemptions: int
    overruns: int
    misses: int
    cycles: int
    error: float | None
    problems: tuple[str, ...]
    again: str

    def __str__(self) -> str:
        return "\n    ".join([f"seed {self.seed} ({self.platform}, {self.strategy}) failed; {self.again}",
                              *self.problems])


def random_memory(seed: int, handshake: bool) -> Jitter:
    """The delays and stalls of a seed; with `handshake` also the conditions of the memory's readies."""
    if handshake:
        cycles, stall = (seed * 7 % 90, seed * 13 % 60 / 100) if seed % 2 else (0, 0.0)
        return Jitter(cycles, stall, 1 + seed, random_handshake(seed))
    return Jitter(cycles=1 + seed * 7 % 90, stall=seed * 13 % 60 / 100, seed=1 + seed)


def trial(seed: int, platform: str | None = None, pipeline: str | None = None, memory: str = "fixed",
          scheduler: str | None = None, release: str | None = None, overload: str | None = None) -> Trial:
    """Run the task set of a seed (on the platform and pipeline given, or on those it draws) and judge it.

    `memory` is one of `MEMORIES`. On a memory with handshakes no run may get stuck, and a job alone may be later than
    on the golden model's memory only by the cycles in which the memory withheld something. With `overload` the set is
    one of `overload_sets`, which has platforms of its own.
    """
    case = overload_case(seed, overload) if overload else random_case(seed, platform, pipeline, scheduler, release)
    noise = None if memory == "fixed" else random_memory(seed, memory == "handshake")
    judged = judged_run(case.compiled, case.horizon, noise)
    problems = list(judged.problems)
    if judged.error is not None and judged.error > 0:
        problems.insert(0, f"largest difference from the golden model: {judged.error} cycles")
    if memory == "handshake" and judged.result:
        problems += [*stuck(judged.result.events, case.horizon), *late_alone(case.compiled.taskset, seed, noise)]
    if problems:
        problems += [str(case), str(noise)]
    again = f"./scripts/campaign --count 1 --seed {seed}"
    again += f" --platform {platform}" if platform else ""
    for name, value in (("pipeline", pipeline), ("scheduler", scheduler), ("release", release), ("overload", overload)):
        again += f" --{name} {value}" if value else ""
    return Trial(
        seed, case.compiled.platform.name, case.compiled.strategy, judged.jobs, judged.count(Kind.PREEMPT),
        judged.count(Kind.OVERRUN), judged.count(Kind.MISS), case.horizon, judged.error, tuple(problems),
        again + ("" if memory == "fixed" else f" --{memory}"),
    )


def stuck(events: list[Event], horizon: int) -> list[str]:
    """A complaint if jobs live and none of them has done anything for half of the run."""
    live = sum(e.kind == Kind.RELEASE for e in events) - sum(e.kind in (Kind.FINISH, Kind.FAIL) for e in events)
    moves = [e.cycle for e in events if e.kind in (Kind.ISSUE, Kind.START, Kind.ITERATION, Kind.FINISH, Kind.SAVED)]
    last = max(moves, default=0)
    return [f"{live} jobs live, and nothing has moved since cycle {last} of {horizon}"] if (
        live and last < horizon // 2) else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./scripts/campaign", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Random task sets on the RTL: every result bit-exact, every event in the golden model's cycle.",
        epilog="examples:\n  ./scripts/campaign --count 200 --seed 1\n  ./scripts/campaign --count 100 --jitter\n"
               "  ./scripts/campaign --count 500 --overload queue\n  ./scripts/campaign --count 500 --handshake\n\n"
               "exit codes: 0 all as they should be, 1 a task set failed, 2 bad input, 3 a tool is missing",
    )

    def positive(text: str) -> int:
        value = int(text)
        if value < 1:
            raise argparse.ArgumentTypeError(f"{value}: allowed are whole numbers from 1")
        return value

    parser.add_argument("--count", type=positive, default=200, metavar="N", help="task sets to run (default 200)")
    parser.add_argument("--seed", type=positive, default=1, metavar="S", help="first seed; the next are S + 1, ...")
    parser.add_argument("--platform", choices=PLATFORM_NAMES + IMAGE_PLATFORMS,
                        help="run all on this platform; else the seed chooses")
    parser.add_argument("--pipeline", choices=PIPELINES, help="run all in this pipeline; else the seed chooses")
    parser.add_argument("--scheduler", choices=SCHEDULERS, help="run all with this scheduler; else by platform")
    parser.add_argument("--release", choices=RELEASES, help="run all with this job release; else by platform")
    parser.add_argument("--overload", choices=KINDS, help="task sets that ask for too much, of this kind, on "
                                                         "platforms of their own; the options before do not apply")
    parser.add_argument("--jitter", action="store_const", dest="memory", const="jitter", default="fixed",
                        help="memory with random delays and stalls: results are compared, cycles are not")
    parser.add_argument("--handshake", action="store_const", dest="memory", const="handshake",
                        help="memory that also handshakes in every way that AXI4 allows: results are compared, no run "
                             "gets stuck, a job alone is late by no more than the memory withheld")
    parser.add_argument("--processes", type=positive, default=2, metavar="N", help="runs side by side (default 2)")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/campaign/summary.json"), metavar="FILE",
                        help="summary (default out/campaign/summary.json)")
    parser.add_argument("--json", action="store_true", help="print the summary instead of text")
    return parser.parse_args()


def _summary(trials: list[Trial], seconds: float, memory: str) -> dict:
    by_platform: dict[str, int] = {}
    for t in trials:
        by_platform[t.platform] = by_platform.get(t.platform, 0) + 1
    errors = [t.error for t in trials if t.error is not None]
    worst = max(errors, default=None)
    return {
        "task_sets": len(trials), "failed": sum(bool(t.problems) for t in trials),
        "memory": MEMORIES[memory],
        "model_cycle_error": "unequal events" if worst == float("inf") else None if worst is None else int(worst),
        **{key: sum(getattr(t, key) for t in trials)
           for key in ("jobs", "preemptions", "overruns", "misses", "cycles")},
        "platforms": dict(sorted(by_platform.items())), "seconds": round(seconds, 1),
        "failures": [{**asdict(t), "error": "unequal events" if t.error == float("inf") else t.error}
                     for t in trials if t.problems],
    }


def main() -> int:
    """The command; returns its exit code."""
    options = _arguments()
    started, trials = time.monotonic(), []
    seeds = range(options.seed, options.seed + options.count)
    with ProcessPoolExecutor(options.processes) as pool:
        runs = [pool.submit(trial, s, options.platform, options.pipeline, options.memory,
                            options.scheduler, options.release, options.overload) for s in seeds]
        for run in as_completed(runs):
            try:
                trials.append(run.result())
            except (InputError, MissingToolError) as e:
                pool.shutdown(cancel_futures=True)
                print(e, file=sys.stderr)
                return EXIT_MISSING_TOOL if isinstance(e, MissingToolError) else EXIT_BAD_INPUT
            if trials[-1].problems:
                print(trials[-1], file=sys.stderr)
            if len(trials) % max(1, options.count // 20) == 0:
                print(f"{len(trials)} of {options.count} task sets, {time.monotonic() - started:.0f} s",
                      file=sys.stderr, flush=True)
    summary = _summary(sorted(trials, key=lambda t: t.seed), time.monotonic() - started, options.memory)
    text = json.dumps(summary, indent=2) + "\n"
    try:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.output, text)
    except (InputError, OSError) as e:
        print(e, file=sys.stderr)
        return EXIT_BAD_INPUT
    if options.json:
        print(text, end="")
    else:
        error = summary["model_cycle_error"]
        print(f"{summary['task_sets']} task sets, {summary['failed']} failed; {summary['jobs']} jobs compared, "
              f"{summary['preemptions']} preemptions, {summary['overruns']} overruns, {summary['misses']} misses; "
              f"largest difference from the golden model: {'not compared' if error is None else error}; "
              f"{options.output}")
    return EXIT_FAILED if summary["failed"] else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
