"""`derca host`: runs a task set on an accelerator, on a board, beside a processor, or simulated."""

import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import output_directory
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed
from derca_sim.planning import DEFAULT

from ..console.boards import ALLOWED
from ..console.folders import default_folder, other_policy
from ..console.host_target import Target, host_target
from ..console.output import JsonOption, print_json, say, say_result, show_table
from ..console.overrides import DEFAULT_HORIZON, PolicyOption
from ..console.run_output import met, result_of
from ..console.verdict import EveryOption, PlacedOption, RequireProofOption, StrategyOption, on, plan, show_proof

#: Files that a run leaves in its folder.
FILES = {"events": "events.jsonl", "summary": "summary.json"}


def host(
    taskset: Annotated[Path, typer.Argument(help="Task set TOML; a board's platform replaces the one it names.",
                                            show_default=False)],
    board: Annotated[str | None, typer.Option(metavar="BOARD", help=f"Board: {ALLOWED}.", show_default=False)] = None,
    port: Annotated[str | None, typer.Option(metavar="DEV", help="Serial port of the board, such as /dev/ttyUSB0.",
                                             show_default=False)] = None,
    uio: Annotated[str | None, typer.Option(
        metavar="DEV", help="UIO device of an accelerator on the bus of this computer: its file, or its name.",
        show_default=False)] = None,
    memory: Annotated[str | None, typer.Option(
        metavar="DEV", help="With --uio: buffer of u-dma-buf with the accelerator's memory; by default udmabuf0.",
        show_default=False)] = None,
    base: Annotated[str | None, typer.Option(
        metavar="ADDRESS", help="With --uio: where the accelerator's memory begins; by default what the device tree "
                                "says.", show_default=False)] = None,
    platform: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Platform TOML in place of that of the board, or of the task set.",
        show_default=False)] = None,
    sim: Annotated[bool, typer.Option("--sim", help="Simulate the board's RTL, down to the bits of its UART; without "
                                                    "--board, the accelerator as a processor sees it.")] = False,
    netlist: Annotated[bool, typer.Option(
        "--netlist", help="With --sim: simulate the synthesised netlist, cell by cell (iCE40).")] = False,
    strategy: StrategyOption = DEFAULT,
    placed: PlacedOption = True,
    every: EveryOption = None,
    policy: PolicyOption = None,
    require_proof: RequireProofOption = False,
    cycles: Annotated[int | None, typer.Option(
        "--horizon", metavar="N", min=1, max=(1 << 31) - 1, show_default=False,
        help=f"Cycles to run at least; {DEFAULT_HORIZON}.")] = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for event log and summary; by default below out/host/.",
        show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Load a task set into an accelerator, run it, and compare events, counts and results with the models.

    The command first checks that the hardware was made for this platform; after derca build --policy it needs the same
    --policy. Results of every task must equal those of the integer model. Sporadic tasks are not triggered.

    The line to a board is slower than events can come, so the hardware drops some and counts them. Every event that
    arrives must be one of the golden model's, in the same cycle. Through Linux no events arrive, and memory may be
    slower or faster than the model's: the number of releases must be what the task set says.

    [bold]Examples[/bold]

        derca host sim/tasksets/digits_tiny.toml --board icebreaker --port /dev/ttyUSB1

        derca host sim/tasksets/digits_tiny.toml --board icebreaker --sim

        derca host sim/tasksets/digits_tiny.toml --board icebreaker --sim --netlist

        derca host taskset.toml --board my.toml --sim

        derca host sim/tasksets/demo.toml --platform sim/platforms/zcu104.toml --uio derca --memory udmabuf0

    [bold]Exit codes[/bold]  0 deadlines met and all comparisons equal, 1 not so, 2 bad input, 3 a tool is missing.
    """
    from derca_flow.sessions.session import judge, load, run
    from derca_sim.events import write_log
    from derca_sim.host.driver import Driver, WrongHardware
    from derca_sim.host.transport import AccessRefused, LinkError
    from derca_sim.workload.policies import under_policy
    from derca_sim.workload.taskset import load_taskset

    target = host_target(board, port, uio, memory, base, platform, sim, netlist)
    tasks = under_policy(load_taskset(taskset, target.platform), policy)
    target.check(tasks.platform)
    tasks = replace(tasks, tasks=tuple(replace(t, triggers=()) for t in tasks.tasks))
    planned = plan(tasks, strategy, placed, every, require_proof)
    compiled, proof = planned.compiled(), target.proof(planned.proof, tasks.platform)
    horizon = cycles or tasks.horizon
    folder = output or default_folder(
        "host", tasks.name, target.name, compiled.strategy, all_points=not planned.placed, every=every, horizon=cycles,
        netlist=netlist, board=target.simulated is None, platform=platform and platform.stem,
        policy=other_policy(compiled.platform.scheduler.policies[0]))
    with output_directory(folder) as work:
        try:
            with contextlib.ExitStack() as stack:
                with step(target.opening) as progress:
                    link = target.connect(stack, compiled.platform, progress.update)
                    driver = Driver.open(link, compiled.platform)
                started, begun = time.monotonic(), link.clock()
                with step("loading") as progress:
                    load(link, driver, compiled, lambda done, total: progress.update(_bar(
                        done, total, link.clock() - begun)))
                loaded, seconds = link.bytes, link.clock() - begun
                with step(f"running {horizon:,} cycles") as progress:
                    session = run(link, driver, compiled, horizon, lambda now: progress.update(f"cycle {now:,}"))
        except (LinkError, AccessRefused, WrongHardware, TimeoutError) as e:
            raise CheckFailed(*str(e).splitlines()) from e
        with step("comparing with the golden model"):
            problems, compared = judge(compiled, session)
        problems += [f"the hardware reports {text}" for text in session.faults if not text.startswith("EVENTS_LOST")]
        misses = sum(s["MISSES"] + s["OVERRUNS"] for s in session.statistics)
        summary = {
            "taskset": tasks.name, "board": target.board, "uio": target.uio, "platform": compiled.platform.name,
            "simulated": target.simulated, "policy": compiled.platform.scheduler.policies[0],
            "strategy": compiled.strategy, "proof": proof.as_dict(), "cycles": session.cycles,
            "deadline_misses": misses,
            "bit_exact": compared["bit_exact"], "events": len(session.events or []),
            "events_compared": compared["events"], "events_dropped": session.dropped, "differences": problems,
            "link": {"bytes_loaded": loaded, "bytes_per_second": round(loaded / seconds), "bytes": link.bytes,
                     "repeats": link.repeats, "seconds": round(time.monotonic() - started, 3)},
            "tasks": [{"name": t.name, "period": t.period, "deadline": t.deadline,
                       **{name.lower(): value for name, value in s.items()}}
                      for t, s in zip(compiled.tasks, session.statistics, strict=True)],
            "files": {key: str(folder / name) for key, name in FILES.items()},
        }
        write_log(work / FILES["events"], session.events or [])
        (work / FILES["summary"]).write_text(json.dumps(summary, indent=2) + "\n")
    if as_json:
        print_json(summary)
    else:
        _show(summary, proof, target)
    if misses:
        problems.insert(0, f"deadlines missed: {misses}, skipped releases included")
    if problems:
        raise CheckFailed(*problems)


def _bar(done: int, total: int, seconds: float) -> str:
    """Progress of loading as text."""
    full = round(30 * done / total)
    rate = f", {done / seconds / 1000:.1f} kB/s" if seconds else ""
    return f"[{'#' * full}{'.' * (30 - full)}] {done:,} of {total:,} bytes{rate}"


def _show(s: dict, proof, target: Target) -> None:
    """Print a run: a row per task, what is proved, then what was compared."""
    late = s["deadline_misses"]
    say_result(f"{result_of(late, sum(t['finishes'] for t in s['tasks']))}; "
               f"{'everything compared is equal' if not s['differences'] else 'differences from the models'}; "
               f"{proof.title}", not late and not s["differences"])
    simulated = f" (simulated {s['simulated']})" if s["simulated"] else ""
    show_table(
        f"{s['taskset']}{on(target.title, s['policy'])}{simulated}: strategy {s['strategy']}, "
        f"{s['cycles']:,} cycles, {proof.title}",
        ["task", "period", "deadline", "jobs", "done", "worst", "missed", "overruns", "preempted"],
        [[t["name"], t["period"], t["deadline"], t["releases"], t["finishes"], t["worst_response"], t["misses"],
          t["overruns"], t.get("preemptions")] for t in s["tasks"]],
        caption="Cycles and counts, of the hardware's own registers or, where it has no statistics, of its events.",
    )
    show_proof(proof)
    exact = {True: "bit-exact", False: "WRONG", None: "none to compare"}[s["bit_exact"]]
    lost = f"; {s['events_dropped']:,} did not fit the line" if s["events_dropped"] else ""
    link = s["link"]
    speed = f"{link['bytes_per_second']:,} bytes per second while loading"
    for name, text in (
        ("deadlines", met(s["deadline_misses"], sum(t["finishes"] for t in s["tasks"]))),
        ("results", f"{exact} (the last job of every task, against the integer model)"),
        ("events", f"{s['events']:,}{lost}; {s['events_compared']:,} compared with the golden model"
         if target.traced else "none reach the host; releases are as many as the task set says"),
        *([("link", f"{speed}, {link['repeats']} requests repeated")] if target.traced else
          [("memory", speed)] if target.uio else []),
        ("files", s["files"]["events"] + ", " + s["files"]["summary"]),
    ):
        say(name, text)
