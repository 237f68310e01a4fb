"""`derca report`: what the hardware costs, per module."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from derca_hw.family import Family
from derca_sim.errors import InputError

from . import toolchain
from .output import JsonOption, format_cell, print_json, show_table, step, write_text
from .resources import KINDS, TARGETS, Target, blocks_of, flat_cells, summarise, weigh
from .synthesis import synthesise_all


class TargetName(StrEnum):
    """Device families of `--target`."""

    ecp5 = "ecp5"
    ice40 = "ice40"
    ultrascale = "ultrascale"


#: Suffixes that `-o` knows.
_FORMATS = (".json", ".md")


def report(
    target: Annotated[TargetName, typer.Option(help="Device family to synthesise for.")],
    platform: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Platform TOML; without it the default platform.", show_default=False)] = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Also write the table: a .json or a .md file.",
        show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Synthesise the hardware with Yosys and print LUT, REG, BRAM and DSP per module.

    The modules are kept apart during synthesis, so that every cell has an owner; the rows add up to the total exactly
    (checked). The flattened design, which may optimise across modules, is shown beside it. Warnings of Yosys about
    latches, combinational loops or multiple drivers make the command fail. Results are cached in build/.

    [bold]Examples[/bold]

        derca report --target ecp5

        derca report --target ultrascale --platform sim/platforms/demo.toml -o out/resources.md
    """
    if output is not None and output.suffix not in _FORMATS:
        raise InputError(f"--output = {output}: suffix {output.suffix or '(none)'} is not known; "
                         f"allowed are {' and '.join(_FORMATS)}; give for instance -o out/resources.md")
    result = measure(TARGETS[target.value], platform)
    if output is not None:
        text = json.dumps(result, indent=2) + "\n" if output.suffix == ".json" else markdown(result)
        write_text(output, text)
    if as_json:
        print_json(result)
    else:
        rows = [list(row.values()) for row in [*result["rows"], result["flattened"]]]
        show_table(f"Resources of {result['platform']} for {result['target']}", ["module", *KINDS], rows,
                   caption=result["caption"], total=2)


def measure(target: Target, platform_file: Path | None) -> dict:
    """Synthesise the platform for the target; the object that `--json` prints.

    Keys: platform, config_hash, target, tool, command, caption, rows (module, LUT, REG, BRAM, DSP; the last is the
    total), flattened (the same keys, for the design without kept hierarchy).
    """
    platform = load_platform(platform_file)
    from derca_hw.generate import rtlil

    with step("generating the hardware"):
        design = rtlil(platform, Family(target.name))
    blocks = blocks_of(design)
    with step("preparing Yosys"):
        version = toolchain.version("yosys")
    with step(f"synthesising for {target.name}") as running:
        per_module, flat = synthesise_all(
            [{"rtlil": design, "target": target, "keep": list(blocks)}, {"rtlil": design, "target": target}],
            progress=running.update)
    command = f"derca report --target {target.name}" + (f" --platform {platform_file}" if platform_file else "")
    return {
        "platform": platform.name,
        "config_hash": f"{platform.config_hash:08x}",
        "target": target.name,
        "tool": f"Yosys {version}, {target.synthesis}",
        "command": command,
        "caption": f"{target.caption}. Yosys {version}: {target.synthesis}; before place and route. "
                   f"Rows and total with the modules kept apart, the last line with all dissolved. Again: {command}",
        "rows": summarise(per_module, blocks, target),
        "flattened": {"module": "total, flattened", **weigh(flat_cells(flat), target)},
    }


def load_platform(path: Path | None):
    """The platform of a TOML file, or the default one.

    Raises
    ------
    InputError
        For a file that is absent or not valid.
    """
    if path is None:
        from derca_sim.model.platform import Platform

        return Platform()
    from derca_sim.model.taskset import load_platform

    return load_platform(path)


def markdown(result: dict) -> str:
    """The table as Markdown, with its caption."""
    lines = [f"# Resources of {result['platform']} for {result['target']}", "",
             "| module | " + " | ".join(KINDS) + " |", "|---|" + "---:|" * len(KINDS)]
    for row in [*result["rows"], result["flattened"]]:
        lines.append("| " + " | ".join(map(format_cell, row.values())) + " |")
    return "\n".join([*lines, "", result["caption"] + ".", ""])
