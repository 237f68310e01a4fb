"""`derca build`: from a board and a task set to a bitstream."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.caching import read_json, read_text
from derca_flow.tools.files import output_directory
from derca_sim.errors import InputError
from derca_sim.planning import DEFAULT

from ..console.boards import BoardOption, PlatformOption, board_to_build
from ..console.folders import default_folder
from ..console.output import JsonOption, print_json, say_result, show_table, stdout
from ..console.overrides import PolicyOption
from ..console.verdict import StrategyOption, on, outcome, show_proof

#: The steps in their order; those from `LONG` on need --run.
STEPS = ("estimate", "analyse", "generate", "simulate", "synthesise", "route", "pack", "report")
LONG = "synthesise"
#: Steps that may be left out.
SKIPPABLE = ("estimate", "analyse", "simulate")


def build(
    taskset: Annotated[Path | None, typer.Argument(
        help="Task set TOML; without it the board's own.", show_default=False)] = None,
    board: BoardOption = ...,
    platform: PlatformOption = None,
    run: Annotated[bool, typer.Option(
        "--run", "--yes", help="Also do the long steps: synthesise, place and route, pack.")] = False,
    load: Annotated[bool, typer.Option(
        "--load", help="With --run: load the bitstream into the board. A bitstream that an earlier run made is loaded "
                       "at once.")] = False,
    seed: Annotated[int, typer.Option(min=1, help="First seed of placement.")] = 1,
    seeds: Annotated[int, typer.Option(
        min=1, max=64, metavar="N", help="Seeds to try, one after the other, until one meets the clock rate.")] = 4,
    skip: Annotated[list[str] | None, typer.Option(
        metavar="STEP", help=f"Leave out a step: {', '.join(SKIPPABLE)}; may be given again.",
        show_default=False)] = None,
    strategy: StrategyOption = DEFAULT,
    policy: PolicyOption = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for the files; by default out/build/BOARD-TASKSET-STRATEGY.",
        show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Make a board's bitstream with open tools, and the tables and memory image of a task set for it.

    A board is one that comes with derca, or a TOML file that describes yours (docs/boards.md). Its platform replaces
    the one that the task set names. Eight steps: 1 estimate whether it fits, 2 analyse the
    task set, 3 generate the hardware, 4 simulate the task set on it against the models, 5 synthesise (Yosys),
    6 place and route (nextpnr), 7 pack the bitstream, 8 report. Steps 5 to 8 take minutes and run with --run only;
    without it their expected times are shown. Results are kept (derca cache) by the content of all they depend on:
    after an interruption, or when nothing changed, finished steps are not done again.

    [bold]Examples[/bold]

        derca build --board ulx3s-85f

        derca build --board icebreaker --run

        derca build sim/tasksets/demo.toml --board ulx3s-85f --run --seeds 8 -o out/demo_board

        derca build --board ulx3s-25f --run --load

        derca build taskset.toml --board my.toml --platform platform.toml

    [bold]Exit codes[/bold]  0 done, 1 no: deadlines, results, area, clock rate, loading, 2 bad input, 3 no tool.
    """
    from derca_flow.flow.flow import Request
    from derca_flow.flow.steps import Steps
    from derca_flow.tools import loaders
    from derca_sim.planning import short_name
    from derca_sim.workload.policies import full_name

    unknown = sorted(set(skip or ()) - set(SKIPPABLE))
    if unknown:
        raise InputError(f"--skip = {unknown[0]}: allowed are {', '.join(SKIPPABLE)}")
    chosen = board_to_build(board, platform)
    if taskset is None and chosen.taskset is None:
        raise InputError(f"TASKSET: missing; the board {chosen.name} names none; give a task set, or write taskset = "
                         f'"FILE" in {chosen.files[0]}')
    if load and not run:
        raise InputError("--load: allowed with --run only, since the bitstream must be made; what earlier runs have "
                         "made is not made again")
    if load and not chosen.programs:
        raise InputError(f"--load: the board {chosen.name} names no command for it; write program = \"TOOL ... {{}}\" "
                         f"in {chosen.files[0]}")
    program = loaders.choose(chosen.programs, chosen.title) if load else None
    request = Request(chosen, taskset or chosen.taskset, short_name(strategy), full_name(policy))
    steps = Steps((*STEPS, "load") if load else STEPS, frozenset(skip or ()))
    command = shlex.join(["derca", "build", *([str(taskset)] if taskset else []), "--board", board,
                          *(["--platform", str(platform)] if platform else []), "--run",
                          *(word for s in skip or () for word in ("--skip", s)), "--seed", str(seed), "--seeds",
                          str(seeds), "--strategy", strategy, *(["--policy", policy] if policy else []),
                          *(["-o", str(output)] if output else [])])
    prepared = _prepare(request, steps)
    if not run:
        _show_plan(request, prepared, steps, command, as_json)
        return
    _make(request, prepared, steps, range(seed, seed + seeds), command,
          output or default_folder("build", chosen.name, request.tasks.name, request.strategy,
                                   policy=request.policy, platform=platform and platform.stem), as_json, program)


def _prepare(request, steps) -> dict:
    """The steps before synthesis: the estimated total with its block RAM by part, and folders of the other results."""
    from derca_flow.area.estimate import block_ram, estimate_board
    from derca_flow.flow import flow

    out = {}
    if not steps.skips("estimate"):
        with steps.run("estimate") as running:
            out["estimate"] = estimate_board(request.platform, request.board)
            out["block RAM"] = block_ram(request.platform, request.board)
            running.detail = flow.check_estimate(out["estimate"], request.board, out["block RAM"])
    if not steps.skips("analyse"):
        with steps.run("analyse") as running:
            out["analysis"] = running.used(flow.analyse(request, running.update))
            found = read_json(out["analysis"] / flow.ANALYSIS)
            running.detail = f"{found['proof']['verdict']}, load {found['utilisation']:.1%} with all charges"
    with steps.run("generate") as running:
        out["design"] = running.used(flow.generate(request, running.update))
        running.detail = f"{flow.DESIGN}, {(out['design'] / flow.DESIGN).stat().st_size / 1e6:.1f} MB"
    if not steps.skips("simulate"):
        with steps.run("simulate") as running:
            out["run"] = running.used(flow.simulate(request, running.update))
            found = read_json(out["run"] / flow.RUN)
            running.detail = (f"{found['cycles']:,} cycles, {found['jobs_checked']} jobs exact, "
                              f"cycle error {found['cycle_error']:g}")
    return out


def _show_plan(request, prepared: dict, steps, command: str, as_json: bool) -> None:
    """Show the results so far, and the expected times of the other steps."""
    from derca_flow.area.times import expected
    from derca_flow.flow.steps import Record, duration

    from ..console.build_output import step_rows, use

    board, total = request.board, prepared.get("estimate")
    times = expected(total, board) if total else {}
    planned = [Record(n, name, "planned", times[name]) for n, name in enumerate(STEPS, 1) if name in times]
    if as_json:
        print_json({"board": board.name, "taskset": request.tasks.name, "platform": request.platform.name,
                    "estimate": total, "block_ram": prepared.get("block RAM"), "available": board.available,
                    "expected_seconds": times,
                    "steps": [vars(r) for r in steps.records], "dry_run": True, "command": command,
                    "strategy": request.strategy, "policy": request.platform.scheduler.policies[0],
                    "proof": request.plan.proof.as_dict()})
        return
    what = f"{request.tasks.name}{on(request.platform.name, request.platform.scheduler.policies[0])}"
    say_result(f"dry run for {board.title} with {what}: nothing was synthesised; {outcome(request.plan.proof)}",
               request.plan.proof.proved)
    if total:
        show_table(f"Estimated for {board.title}", ["kind", "estimated", "available", "use"], use(total, board))
    show_table("Steps", ["step", "state", "time", "result"], step_rows([*steps.records, *planned]),
               caption="Times of planned steps are expected ones on an idle machine, with one seed. "
                       "What earlier runs have kept takes no time.")
    show_proof(request.plan.proof)
    more = f"About {duration(sum(times.values()))} more" if times else "All of it"
    stdout().print(f"Dry run: nothing was synthesised or written. {more} with\n  {command}", markup=False,
                   soft_wrap=True)


def _make(request, prepared: dict, steps, seeds: range, command: str, output: Path, as_json: bool,
          load_with: str | None) -> None:
    """The long steps, the files, and loading with the command `load_with`, if one is given."""
    from derca_flow.flow import flow, routing
    from derca_flow.flow.manifest import manifest
    from derca_flow.tools import loaders, nextpnr

    from ..console import build_output as summary

    board = request.board
    with steps.run("synthesise") as running:
        design = read_text(prepared["design"] / flow.DESIGN)
        synthesised = flow.synthesise_board(request, design, running.update)
        running.used(synthesised.netlist.parent)
        running.detail = ", ".join(f"{kind} {synthesised.total[kind]:,g}" for kind in synthesised.total)
    with steps.run("route") as running:
        runs = routing.route(synthesised.netlist, board, seeds, running.update)
        for one in runs:
            running.used(one.folder)
        running.detail = ", ".join(f"{c.name} {c.mhz:g} of {c.requested:g} MHz" for c in runs[-1].clocks) + (
            f", seed {runs[-1].seed}")
    with steps.run("pack") as running:
        packed = running.used(routing.pack(runs[-1], board, running.update)) / routing.bitstream_name(board)
        running.detail = f"{packed.name}, {packed.stat().st_size:,} bytes"
    bitstream = output / packed.name
    program = loaders.shown(load_with or board.programs[0], bitstream) if board.programs else None
    proof = request.plan.proof
    title = (f"{board.title}: {request.tasks.name}{on(request.platform.name, request.platform.scheduler.policies[0])}, "
             f"{proof.title}")
    with output_directory(output) as folder:
        with steps.run("report") as running:
            for source in (packed, runs[-1].folder / nextpnr.LOG):
                shutil.copyfile(source, folder / source.name)
            (folder / board.constraints).write_text(board.pins)
            shutil.copyfile(runs[-1].folder / nextpnr.REPORT, folder / "nextpnr.json")
            if "analysis" in prepared:
                for name in (flow.ANALYSIS, "host_writes.txt", "memory.bin", "tensors.json", "proof.json"):
                    shutil.copyfile(prepared["analysis"] / name, folder / name)
            running.detail = str(output / "report.md")
        text = summary.markdown(title, synthesised.rows, synthesised.total, prepared.get("estimate"), board, runs,
                                steps.records, program, command, proof)
        (folder / "report.md").write_text(text, encoding="utf-8", errors="surrogateescape")
        result = manifest(request, command, synthesised, runs, steps.records, folder)
        (folder / "manifest.json").write_text(json.dumps(result, indent=2) + "\n")
    if load_with:
        with steps.run("load") as running:
            loaders.load(load_with, bitstream)
            running.detail = program
    if as_json:
        print_json({**result, "estimate": prepared.get("estimate"), "modules": synthesised.rows, "program": program,
                    "loaded": bool(load_with), "output": str(output)})
        return
    say_result(f"bitstream for {title}: {bitstream}", proof.proved)
    show_table("Modules, kept apart", ["module", *synthesised.total],
               [list(row.values()) for row in synthesised.rows], total=1)
    show_table("Netlist, dissolved", ["kind", "used", "available", "use"], summary.use(synthesised.total, board))
    if "estimate" in prepared:
        show_table("Estimate before synthesis", ["kind", "estimated", "synthesised", "error"],
                   summary.estimated(prepared["estimate"], synthesised.total))
    show_table("Clock rates in MHz", ["seed", "clock", "reached", "requested"], summary.clock_rows(runs))
    show_table("Steps", ["step", "state", "time", "result"], summary.step_rows(steps.records))
    show_proof(proof)
    more = ". Loaded with" if load_with else ". Program the board with" if program else ""
    stdout().print(f"Written to {output}{more}" + (f"\n  {program}" if program else ""), markup=False, soft_wrap=True)
