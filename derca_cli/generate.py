"""`derca generate`: the hardware and everything a host needs to start it, as files."""

import json
from pathlib import Path
from typing import Annotated

import typer

from derca_hw.family import Family
from derca_sim.csr.header import header
from derca_sim.csr.markdown import markdown
from derca_sim.csr.svd import svd
from derca_sim.errors import InputError
from derca_sim.model.platform import Platform
from derca_sim.model.registers import ID_VALUE, VERSION_VALUE, register_map, table_layouts
from derca_sim.planning import DEFAULT
from derca_sim.proof import Proof

from .output import JsonOption, output_directory, print_json, show_table, step
from .planned import PlacedOption, RequireProofOption, StrategyOption, plan, show_proof
from .report import load_platform

#: Why --require-proof needs a task set.
NOTHING_TO_PROVE = "--require-proof: allowed with a task set only; without one there is nothing to prove"
#: Name of the top module, and of the files for hosts.
TOP = "derca"


def generate(
    taskset: Annotated[Path | None, typer.Argument(
        help="Task set TOML; without it only the hardware is written.", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the files.")] = ...,
    platform: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Platform TOML, when no task set is given.", show_default=False)] = None,
    target: Annotated[Family, typer.Option(
        help="Device family whose DSP blocks to use; portable Verilog leaves the choice to the synthesis tool. "
             "Behaviour is the same.")] = Family.PORTABLE,
    strategy: StrategyOption = DEFAULT,
    placed: PlacedOption = True,
    require_proof: RequireProofOption = False,
    as_json: JsonOption = False,
):
    """Write the Verilog of the hardware, its register map, and for a task set the tables and the memory image.

    \b
    derca.v            the hardware, top module `derca`
    derca.vlt          its lint waivers: verilator --lint-only -Wall derca.vlt derca.v
    CELL.v             with --target, each cell of the device as an empty module, for lint and the like alone
    platform.json      the resolved configuration and its hash
    registers.json     the AXI4-Lite register map and the table rows
    registers.md       the same to read
    derca.h            the same for C, with a check that the hardware matches
    derca.svd          the same for debuggers (CMSIS-SVD)
    host_writes.txt    AXI4-Lite writes that load all tables and task registers: address and value in hex, one a line
    memory.bin         initial memory from address 0: weights, biases, inputs
    proof.json         verdict on these tables, its assumptions, their hash; also at the end of registers.md

    The Verilog is read by every tool that knows Verilog-2001. No memory needs a content at power-up and no register a
    value before the reset: `initial` statements are for simulators of four states.

    host_writes.txt, memory.bin and proof.json need a task set. After the writes, 5 written to CONTROL (1 without
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

    planned = None
    if taskset is not None:
        from derca_sim.model.taskset import load_taskset

        planned = plan(load_taskset(taskset), strategy, placed, None, require_proof)
    elif require_proof:
        raise InputError(NOTHING_TO_PROVE)
    system = planned.candidates.platform if planned else load_platform(platform)
    with output_directory(output) as folder:
        with step("generating the hardware"):
            (folder / "derca.v").write_text(verilog(system, target))
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
    show_table(f"Written to {output}" + (f", {planned.proof.title}" if planned else ""), ["file", "bytes"],
               [list(f) for f in files.items()],
               caption=f"platform {system.name}, configuration {system.config_hash:08x}")
    if planned:
        show_proof(planned.proof)


def write_register_files(folder: Path, system: Platform) -> None:
    """The platform, and its registers for hosts in every form."""
    _write_json(folder / "platform.json", {**system.model_dump(mode="json"), "config_hash": system.config_hash})
    _write_json(folder / "registers.json", register_json(system))
    (folder / "registers.md").write_text(markdown(system))
    (folder / f"{TOP}.h").write_text(header(system, TOP))
    (folder / f"{TOP}.svd").write_text(svd(system, TOP))


def write_tables(folder: Path, compiled, proof: Proof) -> None:
    """What a host needs to start a compiled task set: its register writes and the memory image; what is proved."""
    (folder / "host_writes.txt").write_text(compiled.tables_text)
    (folder / "memory.bin").write_bytes(compiled.image.tobytes())
    _write_json(folder / "proof.json", {
        "taskset": compiled.taskset.name, "platform": compiled.platform.name,
        "config_hash": f"{compiled.platform.config_hash:08x}", **proof.as_dict()})
    registers = folder / "registers.md"
    if registers.exists():
        registers.write_text(f"{registers.read_text()}\n{proof.markdown()}")


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def register_json(platform) -> dict:
    """The register map and the layouts of the table rows, for hosts in any language.

    Fields of a row stand from the least significant bit up, as `tables.RowLayout` packs them.
    """
    described = register_map(platform)
    array = described.tasks
    return {
        "id": ID_VALUE,
        "version": VERSION_VALUE,
        "registers": {r.name: r.offset for r in described.registers},
        "task_registers": {
            "base": array.base, "stride": array.stride, "tasks": array.count,
            **{r.name: r.offset for r in array.registers},
        },
        "fields": {
            r.name: {f.name: {"low": f.low, "width": f.width} for f in r.fields}
            for r in (*described.registers, *array.registers) if r.fields
        },
        "tables": {
            table.name: {
                "number": table.value,
                "rows": rows,
                "words": layout.words,
                "fields": [{"name": f.name, "width": f.width, "doc": f.doc} for f in layout.fields],
            }
            for table, (layout, rows) in table_layouts(platform).items()
        },
    }
