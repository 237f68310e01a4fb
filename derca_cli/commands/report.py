"""`derca report`: its options, and the choice of the table that they ask for."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.area import devices
from derca_flow.area.measurement import measure, tables
from derca_flow.tools.targets import TARGETS, Target
from derca_sim.errors import InputError
from derca_sim.model.board import Board
from derca_sim.workload.taskset import load_platform

from ..console import formats
from ..console.answer import CsvOption, answer, check_csv, table_rows
from ..console.boards import ALLOWED, open_board
from ..console.output import JsonOption

TargetName = StrEnum("TargetName", [(name, name) for name in TARGETS])


class Growth(StrEnum):
    """The parameter that `--growth` varies."""

    tasks = "tasks"
    array = "array"
    bus = "bus"


def report(
    target: Annotated[TargetName | None, typer.Option(
        help="Device family to synthesise for. [default: that of --board or --device]", show_default=False)] = None,
    platform: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Platform TOML. [default: that of --board, else the default platform]",
        show_default=False)] = None,
    board_name: Annotated[str | None, typer.Option(
        "--board", metavar="BOARD", help=f"Compare the total with the device of a board: {ALLOWED}.",
        show_default=False)] = None,
    device: Annotated[str | None, typer.Option(
        metavar="DEVICE", help=f"Compare the total with a device: {', '.join(devices.DEVICES)}.",
        show_default=False)] = None,
    detail: Annotated[bool, typer.Option(
        "--detail", help="The columns of Vivado's report_utilization -hierarchical: Total LUTs, Logic LUTs, LUTRAMs, "
                         "SRLs, FFs, memory blocks, DSP; those that the family has.")] = False,
    reference: Annotated[bool, typer.Option(
        "--reference", help="Beside the published figures of DERCA on the VCK190; for --target ultrascale.")] = False,
    growth: Annotated[Growth | None, typer.Option(
        help="Every module over the number of tasks, the side of the array, or the width of the bus.",
        show_default=False)] = None,
    fmax: Annotated[bool, typer.Option(
        "--fmax", help="Clock rate of the whole system over several seeds of nextpnr, and the modules on its critical "
                       "path; for --target ecp5. Says how long it takes; needs --run to start.")] = False,
    seeds: Annotated[int, typer.Option(min=1, max=50, metavar="N", help="Seeds of --fmax.")] = 8,
    run: Annotated[bool, typer.Option("--run", help="Start the runs that --fmax announces.")] = False,
    output: Annotated[list[Path] | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Also write the table, by suffix: .md, .csv, .json, .tex; --growth also "
                                               "draws .svg and .png. May be given again.", show_default=False)] = None,
    csv: CsvOption = None,
    as_json: JsonOption = False,
):
    """Area: synthesise the hardware with Yosys and print LUT, REG, BRAM and DSP per module.

    The modules are kept apart during synthesis, so that every cell has an owner; the rows add up to the total exactly
    (checked). The flattened design, which may optimise across modules, is shown beside it. Warnings of Yosys about
    latches, combinational loops or multiple drivers make the command fail. Results are kept (derca cache).

    [bold]Examples[/bold]

        derca report --target ecp5

        derca report --target ultrascale --platform sim/platforms/demo.toml --device xcvc1902 --detail -o out/vck190.tex

        derca report --board icebreaker --csv area.csv

        derca report --target ultrascale --platform sim/platforms/reference-scale.toml --reference

        derca report --target ecp5 --growth tasks -o out/tasks.svg -o out/tasks.csv

        derca report --target ecp5 --platform sim/platforms/demo.toml --fmax --seeds 8 --run
    """
    check_csv(csv, as_json)
    _refuse_contradictions(reference, growth, fmax, run, detail, device, board_name)
    if platform is not None:
        load_platform(platform)  # a file that is absent or wrong is the first thing to say
    files = output or []
    for file in files:
        formats.check_suffix(file, (*formats.SUFFIXES, ".svg", ".png") if growth else formats.SUFFIXES)
    facts = open_board(board_name) if board_name else None
    held = devices.of_board(facts) if facts else devices.device(device) if device else None
    chosen = _target(target, held)
    platform = platform or (facts and _platform_of(facts))
    command = _command(chosen, platform, [
        ("--board", board_name), ("--device", device), ("--detail", detail), ("--reference", reference),
        ("--growth", growth), ("--fmax", fmax), ("--seeds", seeds if fmax else None), ("--run", run)])
    if growth:
        from derca_flow.area import growth as sweep

        result = sweep.measure(chosen, platform, growth.value) | {"command": command}
        shown = sweep.tables(result)
        for file in files:
            if file.suffix in (".svg", ".png"):
                sweep.draw(result, file)
    elif fmax:
        from derca_flow.area import clock

        result = clock.measure(chosen, platform, seeds, run) | {"command": command}
        shown = clock.tables(result)
    elif reference:
        from derca_flow.area import reference as published

        result = published.measure(chosen, platform) | {"command": command}
        shown = published.tables(result)
    else:
        result = measure(chosen, platform, held) | {"command": command}
        shown = tables(result, detail)
    for file in files:
        if file.suffix in formats.SUFFIXES:
            formats.write_tables(file, result, shown)
    answer(result, table_rows(shown[0]), lambda: formats.show(result, shown), as_json, csv)


def _refuse_contradictions(reference, growth, fmax, run, detail, device, board_name) -> None:
    kinds = [name for name, given in (("--reference", reference), ("--growth", growth), ("--fmax", fmax)) if given]
    if len(kinds) > 1:
        raise InputError(f"{' and '.join(kinds)}: one table at a time; give one of them")
    for name in ("--detail",) * bool(detail) + ("--device",) * bool(device):
        if kinds:
            raise InputError(f"{name}: not known to {kinds[0]}; leave one of them out")
    if device and board_name:
        raise InputError(f"--device = {device}: the board {board_name} has its own; give one of them")
    if run and not fmax:
        raise InputError("--run: only --fmax needs it; leave it out")


def _target(target: TargetName | None, held: devices.Device | None) -> Target:
    if target is None and held is None:
        raise InputError(f"--target: missing; allowed are {', '.join(TARGETS)}; or give a --board or a --device")
    if target is not None and held is not None and held.target != target:
        raise InputError(f"--target = {target.value}: {held.name} is {held.target}; leave --target out")
    return TARGETS[held.target if held else target.value]


def _platform_of(facts: Board) -> Path:
    file = facts.platform
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def _command(target: Target, platform: Path | None, options: list[tuple]) -> str:
    """The command line that gives the same result again."""
    parts = ["derca", "report"]
    if not any(value for name, value in options if name in ("--board", "--device")):
        parts += ["--target", target.name]
    if platform:
        parts += ["--platform", str(platform)]
    for name, value in options:
        parts += [name] if value is True else [name, str(value)] if value else []
    return shlex.join(parts)
