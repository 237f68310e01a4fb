"""`derca ip`: everything that Vivado needs to build the accelerator into a design, as files."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.area.measurement import load_platform
from derca_flow.package.addresses import check_addresses
from derca_flow.package.area import FAMILY_NAME, Area
from derca_flow.package.boards import BOARDS
from derca_flow.package.description import write_register_files, write_tables
from derca_flow.package.package import write_package
from derca_flow.tools.files import output_directory
from derca_flow.tools.progress import step
from derca_sim.errors import InputError
from derca_sim.planning import DEFAULT
from derca_sim.proof import varying_memory

from ..console.boards import vendor_board
from ..console.output import JsonOption, print_json, say_result, show_table
from ..console.overrides import PolicyOption, no_tasks
from ..console.verdict import (
    NOTHING_TO_PROVE,
    PlacedOption,
    RequireProofOption,
    StrategyOption,
    outcome,
    plan,
    show_proof,
)


def ip(
    taskset: Annotated[Path | None, typer.Argument(
        help="Task set TOML; without it only the hardware is written.", show_default=False)] = None,
    board: Annotated[str, typer.Option(
        metavar="BOARD", help=f"Board: {', '.join(BOARDS)}, or the TOML file of your own board.",
        show_default=False)] = ...,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the files.")] = ...,
    platform: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Platform TOML in place of the board's own.",
        show_default=False)] = None,
    base: Annotated[str | None, typer.Option(
        metavar="ADDRESS", help="Where the accelerator's memory begins in that of the board; by default as the board's "
                                "project has it.", show_default=False)] = None,
    strategy: StrategyOption = DEFAULT,
    placed: PlacedOption = True,
    policy: PolicyOption = None,
    require_proof: RequireProofOption = False,
    as_json: JsonOption = False,
):
    """Package the accelerator as an IP for Vivado, with a project for a board of AMD.

    \b
    ip/                 the IP repository: component.xml, Verilog with interface attributes, timing constraint
    package_ip.tcl      packages the Verilog with Vivado's own packager instead
    build.tcl           makes the project with its block design; reads design.tcl and settings.tcl
    run.tcl             configures a board without a processor, loads the task set and runs it, through JTAG
    board.xdc           pins of the project
    derca.dtso          with a processor: device tree overlay that shows the accelerator to Linux
    lint.vlt, ip_lint.vlt
                        lint waivers: verilator --lint-only -Wall lint.vlt ip_lint.vlt ip/hdl/derca_ip.v
    DSP48E2.v           the device's multiplier as an empty module, where it is named, for lint and the like alone
    README.md           how to use all this, with addresses and the ports
    platform.json, registers.json, registers.md, derca.h, derca.svd; and with a task set
    host_writes.txt, memory.bin, tensors.json, derca_tasks.h, proof.json
                        as derca generate writes them

    A board is one that comes with derca, or a TOML file that describes yours (docs/boards.md).
    The task set runs on the platform of the board, whatever platform it names. All files appear or none. Answer and
    README estimate LUT, REG, BRAM and DSP of the accelerator; nothing is synthesised for that.

    [bold]Examples[/bold]

        derca ip --board vck190 -o out/vck190

        derca ip sim/tasksets/demo.toml --board arty-a7-100 -o out/arty

        derca ip taskset.toml --board my.toml --platform platform.toml -o out/mine

        vivado -mode batch -source out/arty/build.tcl
    """
    target = vendor_board(board)
    system = load_platform(platform or target.platform)
    address = target.base if base is None else _number(base)
    own = target.platform_file is not None
    check_addresses(system, target, address, f"{board}: vivado.base" if own and base is None else "--base",
                    f"{board}: vivado.registers" if own else f"registers of board {target.name}")
    planned = proof = None
    if taskset is not None:
        from derca_sim.workload.policies import under_policy
        from derca_sim.workload.taskset import load_taskset

        tasks = under_policy(replace(load_taskset(taskset), platform=system), policy)
        system = tasks.platform
        planned = plan(tasks, strategy, placed, None, require_proof)
        proof = planned.proof.and_beyond(varying_memory(system, target.memory))
    elif require_proof:
        raise InputError(NOTHING_TO_PROVE)
    elif policy is not None:
        raise InputError(no_tasks(policy))
    area = Area.of(system)
    with output_directory(output) as folder:
        with step("generating the hardware"):
            write_package(folder, system, target, address, proof)
        write_register_files(folder, system)
        if planned:
            write_tables(folder, planned.compiled(), proof)
        files = {str(f.relative_to(folder)): f.stat().st_size for f in sorted(folder.rglob("*")) if f.is_file()}
    if as_json:
        print_json({"board": target.name, "part": target.part, "platform": system.name,
                    "config_hash": f"{system.config_hash:08x}", "base": address, "output": str(output),
                    "estimate": area.total, "block_ram": area.parts, "available": target.available,
                    "proof": proof.as_dict() if proof else None, "files": files})
        return
    say_result(f"IP and project for {target.title} in {output}" + (f"; {outcome(proof)}" if proof else ""),
               proof and proof.proved)
    show_table(f"Written to {output}" + (f", {proof.title}" if proof else ""), ["file", "bytes"],
               [list(f) for f in files.items()],
               caption=f"{target.title}, platform {system.name}, configuration {system.config_hash:08x}; next: "
                       f"vivado -mode batch -source {shlex.quote(str(output / 'build.tcl'))}")
    show_table("Estimated before any synthesis", ["kind", "estimated", "available", "use"], area.rows(target),
               caption=f"The accelerator alone, from figures for {FAMILY_NAME}; Vivado's utilization.rpt has the last "
                       f"word.{area.main_memory(system, target)} README.md says what the block RAM holds.")
    if proof:
        show_proof(proof)


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError as e:
        raise InputError(f"--base = {text}: allowed are addresses, as 0x40000000") from e
