"""The campaign of random networks on the RTL: `python -m campaigns.networks --help`; the tests run a part of it."""

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from campaigns.network_platforms import NETWORK_PLATFORMS
from campaigns.network_sets import NETWORKS
from campaigns.network_trials import MEMORIES, NetworkTrial, network_trial
from derca_flow.tools.files import write_text
from derca_sim.errors import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_MISSING_TOOL, EXIT_OK, InputError, MissingToolError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m campaigns.networks", formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Task sets of {NETWORKS} random networks each on the RTL: every output LiteRT's, every event in "
                    "the golden model's cycle, no response over its bound.",
        epilog="examples:\n  python -m campaigns.networks --count 20 --seed 1\n"
               "  python -m campaigns.networks --memory stalls --platform square\n\n"
               "exit codes: 0 all as they should be, 1 a task set failed, 2 bad input, 3 a tool is missing",
    )

    def positive(text: str) -> int:
        value = int(text)
        if value < 1:
            raise argparse.ArgumentTypeError(f"{value}: allowed are whole numbers from 1")
        return value

    parser.add_argument("--count", type=positive, default=21, metavar="N",
                        help="task sets to run on each platform (default 21)")
    parser.add_argument("--seed", type=positive, default=1, metavar="S", help="first seed; the next are S + 1, ...")
    parser.add_argument("--platform", choices=NETWORK_PLATFORMS, action="append",
                        help="run on this platform, which may be given again; else on all")
    parser.add_argument("--memory", choices=MEMORIES, default="fixed",
                        help="; ".join(f"{name}: {what}" for name, what in MEMORIES.items()) + " (default fixed)")
    parser.add_argument("--processes", type=positive, default=2, metavar="N", help="runs side by side (default 2)")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/networks/summary.json"), metavar="FILE",
                        help="summary (default out/networks/summary.json)")
    return parser.parse_args()


def summary(trials: list[NetworkTrial], seconds: float, memory: str) -> dict:
    """The figures of a campaign."""
    errors = [t.error for t in trials if t.error is not None]
    worst, closest = max(errors, default=None), [t.closest for t in trials if t.closest is not None]
    return {
        "task_sets": len(trials), "failed": sum(bool(t.problems) for t in trials), "memory": MEMORIES[memory],
        "model_cycle_error": "unequal events" if worst == float("inf") else None if worst is None else int(worst),
        "closest_to_bound": round(max(closest), 3) if closest else None,
        **{key: sum(getattr(t, key) for t in trials)
           for key in ("networks", "jobs", "preemptions", "events", "cycles")},
        "operators": dict(sum((t.operators for t in trials), Counter())),
        "platforms": dict(Counter(t.platform for t in trials)),
        "strategies": dict(Counter(t.strategy for t in trials)),
        "drawn_again": dict(sum((t.skipped for t in trials), Counter()).most_common(8)), "seconds": round(seconds, 1),
        "failures": [{"seed": t.seed, "platform": t.platform, "problems": t.problems, "again": t.again}
                     for t in trials if t.problems],
    }


def main() -> int:
    """The command; returns its exit code."""
    options = _arguments()
    started, trials = time.monotonic(), []
    platforms = options.platform or NETWORK_PLATFORMS
    with ProcessPoolExecutor(options.processes) as pool:
        runs = [pool.submit(network_trial, seed, platform, options.memory) for platform in platforms
                for seed in range(options.seed, options.seed + options.count)]
        for run in as_completed(runs):
            try:
                trials.append(run.result())
            except (InputError, MissingToolError) as e:
                pool.shutdown(cancel_futures=True)
                print(e, file=sys.stderr)
                return EXIT_MISSING_TOOL if isinstance(e, MissingToolError) else EXIT_BAD_INPUT
            if trials[-1].problems:
                print(trials[-1], file=sys.stderr, flush=True)
            if len(trials) % max(1, len(runs) // 20) == 0:
                print(f"{len(trials)} of {len(runs)} task sets, {time.monotonic() - started:.0f} s",
                      file=sys.stderr, flush=True)
    trials.sort(key=lambda t: (t.platform, t.seed))
    found = summary(trials, time.monotonic() - started, options.memory)
    try:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.output, json.dumps(found, indent=2) + "\n")
    except (InputError, OSError) as e:
        print(e, file=sys.stderr)
        return EXIT_BAD_INPUT
    error, bound = found["model_cycle_error"], found["closest_to_bound"]
    print(f"{found['networks']} networks in {found['task_sets']} task sets, {found['failed']} sets failed; "
          f"{found['jobs']} jobs and {found['events']} events compared, {found['preemptions']} preemptions; "
          f"largest difference from the golden model: {'not compared' if error is None else error}; "
          + ("" if bound is None else f"longest response {bound:.1%} of its bound; ") + str(options.output))
    return EXIT_FAILED if found["failed"] else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
