"""`derca generate`: the hardware and everything a host needs to start it, as files."""

from pathlib import Path
from typing import Annotated

import typer

from derca_flow.area.measurement import load_platform
from derca_flow.package.description import write_register_files, write_tables
from derca_flow.tools.files import output_directory
from derca_flow.tools.progress import step
from derca_hw.families.family import Family
from derca_sim.errors import InputError
from derca_sim.planning import DEFAULT

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


def generate(
    taskset: Annotated[Path | None, typer.Argument(
        help="Task set TOML; without it only the hardware is written.", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the files.")] = ...,
    platform: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Platform TOML, when no task set is given.", show_default=False)] = None,
    target: Annotated[Family, typer.Option(
        help="Device family whose DSP blocks to use; portable Verilog leaves the choice to the synthesis tool. "
             "Behaviour is the same.")] = Family.PORTABLE,
    split: Annotated[bool, typer.Option(
        "--split", help="A file for each block of the hardware, and their list derca.f, in place of the one file.",
    )] = False,
    strategy: StrategyOption = DEFAULT,
    placed: PlacedOption = True,
    policy: PolicyOption = None,
    require_proof: RequireProofOption = False,
    as_json: JsonOption = False,
):
    """Write the Verilog of the hardware, its register map, and for a task set the tables and the memory image.

    \b
    derca.v            the hardware, top module `derca`; with --split, that module alone
    derca_BLOCK.v      with --split, each block with the modules within it; derca_shared.v has those of several blocks
    derca.f            with --split, the list of these files, as in: verilator -f derca.f
    derca.vlt          its lint waivers: verilator --lint-only -Wall derca.vlt derca.v
    CELL.v             with --target, each cell of the device as an empty module, for lint and the like alone
    platform.json      the resolved configuration and its hash
    registers.json     the AXI4-Lite register map and the table rows
    registers.md       the same to read
    derca.h            the same for C, with a check that the hardware matches
    derca.svd          the same for debuggers (CMSIS-SVD)
    host_writes.txt    AXI4-Lite writes that load all tables and task registers: address and value in hex, one a line
    memory.bin         initial memory from address 0: weights, biases, inputs
    tensors.json       where in memory the inputs and outputs of each task lie
    derca_tasks.h      the same for C, and derca_infer, a function for one inference (docs/linux.md)
    proof.json         verdict on these tables, its assumptions, their hash; also at the end of registers.md

    The Verilog is read by every tool that knows Verilog-2001. Modules are called after their place in the hardware, or,
    if there are several instances of one, after the class of the component in Python. No memory needs a content at
    power-up and no register a value before the reset: `initial` statements are for simulators of four states.

    The files from host_writes.txt on need a task set. After the writes, 5 written to CONTROL (1 without
    tables.shadow) starts the run. All files appear or none.

    [bold]Examples[/bold]

        derca generate -o out/hw

        derca generate sim/tasksets/demo.toml --strategy if --target ecp5 -o out/demo_hw
    """
    if taskset is not None and platform is not None:
        raise InputError(f"--platform = {platform}: the task set {taskset} names its platform already; "
                         "allowed is one of the two; leave out --platform")
    from derca_hw import LINT_WAIVERS
    from derca_hw.generate import cells, verilog
    from derca_hw.verilog.files import in_files

    planned = None
    if taskset is not None:
        from derca_sim.workload.policies import under_policy
        from derca_sim.workload.taskset import load_taskset

        planned = plan(under_policy(load_taskset(taskset), policy), strategy, placed, None, require_proof)
    elif require_proof:
        raise InputError(NOTHING_TO_PROVE)
    elif policy is not None:
        raise InputError(no_tasks(policy))
    system = planned.candidates.platform if planned else load_platform(platform)
    with output_directory(output) as folder:
        with step("generating the hardware"):
            text = verilog(system, target)
            for name, content in (in_files(text, "derca") if split else {"derca.v": text}).items():
                (folder / name).write_text(content)
            (folder / "derca.vlt").write_text(LINT_WAIVERS.read_text())
            for cell, text in cells(system, target).items():
                (folder / f"{cell}.v").write_text(text)
        write_register_files(folder, system)
        if planned:
            write_tables(folder, planned.compiled(), planned.proof)
        files = {f.name: f.stat().st_size for f in sorted(folder.iterdir())}
    if as_json:
        print_json({"platform": system.name, "config_hash": f"{system.config_hash:08x}", "output": str(output),
                    "proof": planned.proof.as_dict() if planned else None, "files": files})
        return
    say_result(f"{len(files)} files of platform {system.name} in {output}"
               + (f"; {outcome(planned.proof)}" if planned else ""), planned and planned.proof.proved)
    show_table(f"Written to {output}" + (f", {planned.proof.title}" if planned else ""), ["file", "bytes"],
               [list(f) for f in files.items()],
               caption=f"platform {system.name}, configuration {system.config_hash:08x}")
    if planned:
        show_proof(planned.proof)
