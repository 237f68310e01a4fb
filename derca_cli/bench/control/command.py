"""`derca bench control`: area, clock rate and cycles of the control plane, beside the reference's figures."""

import json
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed, InputError

from ...console.output import JsonOption, print_json, show_table
from .blocks import BLOCKS
from .goals import GOAL_MHZ, anchors, exceeded, goals, totals

TASKS = (4, 16, 64, 256, 1024)
#: Clock rate requested of nextpnr, in MHz. It stops trying at the requested rate, and does worse on an impossible one.
REQUESTED_MHZ = 150.0


def control(
    tasks: Annotated[str | None, typer.Option(
        metavar="N,N,..", help="Numbers of tasks. [default: 4,16,64,256,1024; with --quick 16]",
        show_default=False)] = None,
    kind: Annotated[list[str] | None, typer.Option(
        metavar="BLOCK", help=f"Measure only this block; may be given again. Of: {', '.join(BLOCKS)}.",
        show_default=False)] = None,
    seeds: Annotated[int | None, typer.Option(
        min=1, max=50, metavar="S", help="Runs of nextpnr per block; the median counts. [default: 5; with --quick 1]",
        show_default=False)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="16 tasks and one seed: minutes instead of an hour.")] = False,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Also write the result as JSON.", show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Area, clock rate and cycles of scheduler, job release and kernel management, and whether they meet their goals.

    For every block and number of tasks: LUT, REG and BRAM on UltraScale+ and ECP5 (Yosys), clock rate on an ECP5-85F
    of speed 6 (nextpnr, median over seeds), and cycles measured at the ports of the RTL beside the declared constants:
    feedback to instruction for many contents and keys, N simultaneous releases, visibility under the worst burst. Next
    to them the reference's figures (DERCA, RTSS 2025) and those of other designs. Results are kept in the build folder
    and measured again only when the hardware or a tool has changed.

    [bold]Examples[/bold]

        derca bench control --quick

        derca bench control --kind scan --kind swept --tasks 16,1024 --json

    [bold]Exit codes[/bold]  0 every measured goal is met and every cycle as declared, 1 not so, 2 bad input, 3 a tool
    is missing.
    """
    points = selected(tasks, kind, quick)
    runs = seeds or (1 if quick else 5)
    from derca_flow.tools import toolchain

    from .measure import measure

    with step("preparing the tools"):
        tools = f"Yosys {toolchain.version('yosys')}, nextpnr {toolchain.version('nextpnr-ecp5')}"
    with step(f"measuring {len(points)} blocks") as running:
        blocks = measure(points, runs, REQUESTED_MHZ, progress=running.update)
    planes = totals(blocks)
    result = {
        "tools": tools, "method": method(runs), "blocks": blocks, "control_planes": planes,
        "goals": goals(blocks, planes), **anchors(), "command": _command(tasks, kind, seeds, quick),
    }
    if output is not None:
        write_text(output, json.dumps(result, indent=2) + "\n")
    if as_json:
        print_json(result)
    else:
        _show(result)
    missed = [f"goal missed: {g['goal']}: {g['measured']}, goal {g['limit']}"
              for g in result["goals"] if g["met"] is False]
    beyond = [f"{b['block']}, N = {b['tasks']}: {problem}" for b in blocks
              for problem in exceeded(b["cycles"])]
    if missed or beyond:
        raise CheckFailed(*missed, *beyond)


def selected(tasks: str | None, kinds: list[str] | None, quick: bool) -> list[tuple[str, int]]:
    """(block, tasks) to measure: every pair that can be built.

    Raises
    ------
    InputError
        For an unknown block, a number of tasks out of range, or when nothing is left.
    """
    unknown = sorted(set(kinds or ()) - set(BLOCKS))
    if unknown:
        raise InputError(f"--kind = {unknown[0]}: allowed are {', '.join(BLOCKS)}")
    try:
        counts = sorted({int(n) for n in tasks.split(",")}) if tasks else [16] if quick else list(TASKS)
    except ValueError:
        counts = []
    if not counts or not 2 <= counts[0] <= counts[-1] <= 1024:
        raise InputError(f"--tasks = {tasks}: allowed are numbers 2 .. 1024, separated by commas")
    points = [(name, n) for name, block in BLOCKS.items() if not kinds or name in kinds
              for n in counts if n <= block.most]
    if not points:
        raise InputError(f"--tasks = {tasks}: {', '.join(kinds)} can be built for at most "
                         f"{max(BLOCKS[name].most for name in kinds)} tasks; give fewer")
    return points


def method(seeds: int) -> dict:
    """How the figures are made, as far as a reader must know it before comparing them."""
    from derca_flow.area.routed import DEVICES

    return {
        "ultrascale": "Yosys synth_xilinx -family xcup, LUT6 without pairing of LUT5, the block alone, before place "
                      "and route; the reference's are Vivado's",
        "ecp5": "Yosys synth_ecp5, LUT4 (carry cell 2, 16 x 4 RAM 6), the block alone",
        "fmax": f"{DEVICES['ecp5'].title}, nextpnr, {REQUESTED_MHZ:g} MHz requested, median of {seeds} seeds; out of "
                "context: the block alone between registers on all its ports (not counted as area)",
        "cycles": "Amaranth's simulator at the ports of the block, from the cycle of the first input to the cycle of "
                  "the output",
        "tables": "kernel management has 4,096 index rows for every number of tasks",
    }


def _command(tasks, kinds, seeds, quick) -> str:
    parts = ["derca bench control", *(["--quick"] if quick else []), *([f"--tasks {tasks}"] if tasks else []),
             *(f"--kind '{k}'" if " " in k else f"--kind {k}" for k in kinds or ()),
             *([f"--seeds {seeds}"] if seeds else [])]
    return " ".join(parts)


#: Cycles of job release and kernel management, in words.
_CYCLES = {
    "lone": "release to its offer, alone", "burst": "release of all tasks to the last offer",
    "switch": "instruction to the first entry", "next": "entry taken to the next",
}


def _show(r: dict) -> None:
    """The tables."""
    reference, how = r["reference"], r["method"]
    names = {"scheduler": "scheduler", "release": "job release", "kernel": "kernel management"}
    rows = [[f"{names[b['group']]}, {b['block']}" if b["group"] != "kernel" else names["kernel"], b["tasks"],
             *(b["ultrascale"][k] for k in ("LUT", "REG", "BRAM")), *(b["ecp5"][k] for k in ("LUT", "REG", "BRAM")),
             b["fmax"]["median_mhz"], f"{b['fmax']['min_mhz']} .. {b['fmax']['max_mhz']}"] for b in r["blocks"]]
    theirs = [[f"reference, {names[g]}", reference["tasks"], *area.values(), None, None, None, None, None]
              for g, area in reference["blocks"].items()]
    show_table("Blocks: UltraScale+, then ECP5", ["block", "N", "LUT6", "REG", "BRAM", "LUT4", "REG", "BRAM", "MHz",
               "of all seeds"], rows + theirs, total=len(theirs),
               caption=f"LUT6: {how['ultrascale']}. LUT4: {how['ecp5']}. MHz: {how['fmax']}. {how['tables']}.")
    cycles = [(b, b["cycles"]) for b in r["blocks"] if "decision" in b["cycles"]]
    if cycles:
        show_table(
            "Cycles, measured / declared",
            ["scheduler", "N", "feedback to instruction", "N releases absorbed", "visible", "visible, worst burst",
             "winner found", "winner found, worst"],
            [[b["block"], b["tasks"], f"{c['decision']['min']} .. {c['decision']['max']} / {c['decision']['declared']}",
              c["absorb"]["measured"],
              *(f"{c[k]['measured']} / {c[k]['declared']}" for k in ("visible", "visibility", "refill",
                                                                     "longest_refill"))]
             for b, c in cycles],
            caption=f"{how['cycles']}. Reference, N = {reference['tasks']}: "
                    f"{reference['cycles']['decision_worst_branches']} from feedback to instruction at worst (sum of "
                    f"its branches; its formula says {reference['cycles']['decision_formula']}), "
                    f"{reference['cycles']['release_burst']} to absorb {reference['tasks']} releases.")
    others = [[f"{names[b['group']]}, {b['block']}" if b["group"] == "release" else names["kernel"], b["tasks"],
               _CYCLES[key], found["measured"], found["declared"]]
              for b in r["blocks"] if b["group"] != "scheduler"
              for key, found in b["cycles"].items() if key in _CYCLES]
    if others:
        show_table("Cycles of the other blocks, at most", ["block", "N", "from .. to", "measured", "declared"], others)
    if r["control_planes"]:
        theirs = reference["total"]
        show_table(
            "Control plane: scheduler + job release + kernel management, UltraScale+",
            ["scheduler + job release", "N", "LUT6", "REG", "BRAM", "LUT6, times smaller", "REG, times smaller"],
            [*([f"{t['scheduler']} + {t['release']}", t["tasks"], t["LUT"], t["REG"], t["BRAM"],
                round(theirs["LUT"] / t["LUT"], 1), round(theirs["REG"] / t["REG"], 1)] for t in r["control_planes"]),
             ["reference", reference["tasks"], *theirs.values(), None, None]], total=1)
    show_table("Goals", ["goal", "limit", "measured", "met"],
               [[g["goal"], g["limit"], g["measured"], g["met"]] for g in r["goals"]],
               caption=f"MHz: at least {GOAL_MHZ}. A dash was not measured. {r['tools']}. Again: {r['command']}")
    show_table("Other designs, as published", ["design", "N", "LUT", "REG", "BRAM", "MHz", "on"],
               [[a["design"] + (f" ({a['note']})" if a["note"] else ""), a["tasks"], a["LUT"], a["REG"], a["BRAM"],
                 a["mhz"], a["device"]] for a in r["anchors"]],
               caption="Sources: " + "; ".join(dict.fromkeys(a["source"] for a in r["anchors"])) + ".")
