"""`derca bench data`: utilisation beside the roofline, and the cost of preemption."""

import json
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_text
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed, InputError

from ...console.output import JsonOption, print_json, show_table
from ..cases import ARRAYS, LATENCY, QUICK
from .goals import anchors, goals

#: The measurements.
SECTIONS = ("utilisation", "preemption", "wcet", "model", "simulation")
#: Random runs, in short and in full.
RUNS = (10, 500)


def data(
    full: Annotated[bool, typer.Option(
        "--full", help="All arrays, larger layers, more preemptions and 500 random runs: an hour or more.")] = False,
    only: Annotated[list[str] | None, typer.Option(
        metavar="SECTION", help=f"Section to measure; may be given again. Of: {', '.join(SECTIONS)}.",
        show_default=False)] = None,
    array: Annotated[list[int] | None, typer.Option(
        metavar="N", help="Arrays of N x N for the utilisation; may be given again. Of: "
                          f"{', '.join(map(str, ARRAYS))}. [default: {QUICK}; with --full all]",
        show_default=False)] = None,
    runs: Annotated[int | None, typer.Option(
        min=1, metavar="N", help=f"Random runs beside the golden model. [default: {RUNS[0]}; with --full {RUNS[1]}]",
        show_default=False)] = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Also write the result as JSON.", show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Utilisation beside the roofline, cost of preemptions, exactness of the model, speed of the simulation.

    All on the RTL in the compiled simulation, on a memory with fixed latencies, every result compared with the integer
    model: layers alone and one after the other, beside the roofline of their true shape; idle cycles, bytes and the
    longest step of a preemption, by strategy; what every point of a job adds to its worst case; random task sets
    beside the golden model, cycle by cycle; and the same task set under cocotb. Next to them the reference's figures
    (DERCA, RTSS 2025) and those of other designs.

    [bold]Examples[/bold]

        derca bench data

        derca bench data --only preemption --json

        derca bench data --full -o out/data.json

    [bold]Exit codes[/bold]  0 every measured goal is met, 1 not so, 2 bad input, 3 a tool is missing.
    """
    sections, sides = _selected(only, array, full)
    result: dict = {"memory": f"fixed latency, {LATENCY} cycles", "full": full}
    with step("measuring") as running:
        for name in sections:
            result[name] = _measure(name, sides, full, runs or RUNS[full], running.update)
    result |= {"goals": goals(result), **anchors()}
    if output is not None:
        write_text(output, json.dumps(result, indent=2) + "\n")
    if as_json:
        print_json(result)
    else:
        _show(result)
    missed = [f"goal missed: {g['goal']}: {g['measured']}, goal {g['limit']}" for g in result["goals"] if not g["met"]]
    if missed:
        raise CheckFailed(*missed, *result.get("model", {}).get("differences", ()))


def _selected(only: list[str] | None, arrays: list[int] | None, full: bool) -> tuple[list[str], list[int]]:
    unknown = sorted(set(only or ()) - set(SECTIONS))
    if unknown:
        raise InputError(f"--only = {unknown[0]}: allowed are {', '.join(SECTIONS)}")
    wrong = sorted(set(arrays or ()) - set(ARRAYS))
    if wrong:
        raise InputError(f"--array = {wrong[0]}: allowed are {', '.join(map(str, ARRAYS))}")
    return [s for s in SECTIONS if not only or s in only], arrays or (list(ARRAYS) if full else [QUICK])


def _measure(name: str, sides: list[int], full: bool, runs: int, progress):
    if name == "utilisation":
        from .utilisation import utilisation

        return [row for side in sides for row in utilisation(side, full, progress)]
    if name == "preemption":
        from .preemption import preemption

        return preemption(full, progress)
    if name == "wcet":
        from .wcet import wcet

        return wcet(progress)
    if name == "model":
        from .model import model

        return model(runs, progress)
    from .speed import speed

    return speed(full, progress)


def _show(r: dict) -> None:
    """The tables."""
    reference, peers = r["reference"], r["peers"]
    if "utilisation" in r:
        low, high = reference["utilisation_percent"]
        show_table(
            "Layers", ["array, layer", "m x k x n", "limit", "roofline", "alone", "multiply", "times roofline",
                       "together, times roofline"],
            [[f"{u['array']}, {u['group']}", " x ".join(map(str, u["shape"])), u["limit"], u["roofline_cycles"],
              u["cold_cycles"], f"{u['cold_utilisation']:.2%}", u["cold_times_roofline"], u["together_times_roofline"]]
             for u in r["utilisation"]],
            caption=f"Cycles; memory: {r['memory']}. Alone: from release to the last result in memory. Together: in "
                    "one job, between last operands. Multiply: elements of the array that do. Reference: "
                    f"{low} .. {high} %; on DeiT-T {reference['small_useful_percent']} % useful. "
                    + "; ".join(f"{p['design']}: {p['figure']} ({p['note']})" for p in peers["utilisation"]) + ".")
    if "preemption" in r:
        show_table(
            "Preemption at a random slice, every slice a point",
            ["strategy", "preemptions", "idle cycles", "beyond both loads", "cycles redone", "bytes written",
             "bytes read again", "release to preemption", "longest step"],
            [[p["strategy"], p["preemptions"], *(_span(p[k]) for k in (
                "idle_cycles", "idle_beyond_loads", "redone_cycles", "bytes_written", "bytes_read",
                "release_to_preemption")), p["longest_step"]] for p in r["preemption"]],
            caption="Idle: cycles without operands over swap-out and resume together, beyond the preempting job's "
                    "first load, and beyond that of the preempted job, too. Bytes read again: persisted sums and "
                    "inputs that were dropped. Reference, persist: "
                    f"{reference['persisted_preemption_cycles']:,} cycles and "
                    f"{reference['persisted_preemption_bytes']:,} bytes; longest step "
                    f"{reference['longest_step_cycles']:,}. "
                    + "; ".join(f"{p['design']}: {p['figure']} ({p['note']})" for p in peers["preemption"]) + ".")
    if "wcet" in r:
        show_table(
            "Worst case with points after every slice, or as many as the tables hold",
            ["job", "strategy", "points", "WCET", "cut", "preempted once", "preempted everywhere", "dearest point",
             "longest step"],
            [[w["job"], w["strategy"], w["points"], w["wcet"], f"+{w['growth_cut']:.2%}",
              f"+{w['growth_preempted']:.2%}", f"+{w['growth_everywhere']:.2%}", w["dearest_point"], w["later_blocks"]]
             for w in r["wcet"]],
            caption="Longest step: after the first, which holds a first load behind whatever others left behind. "
                    f"Reference: +{reference['wcet_growth_percent']} % after placement; 1.29 to 4.03 times with every "
                    "point.")
    if "model" in r:
        m = r["model"]
        show_table("RTL beside golden model",
                   ["", "runs", "jobs", "preemptions", "largest difference in cycles", "results exact"],
                   [["fixed latency", m["runs"], m["jobs"], m["preemptions"], m["model_cycle_error"], m["bit_exact"]],
                    ["random delays", m["jitter"]["runs"], m["jitter"]["jobs"], None, None, m["jitter"]["bit_exact"]]],
                   caption="Reference: its model is 0.01 to 0.76 % above what it measured.")
    if "simulation" in r:
        s = r["simulation"]
        show_table("Simulation of the 8 x 8 system", ["simulator", "cycles", "cycles per second"],
                   [["compiled", s["compiled"]["cycles"], s["compiled"]["cycles_per_second"]],
                    ["cocotb", s["cocotb"]["cycles"], s["cocotb"]["cycles_per_second"]]],
                   caption=f"Ratio {s['ratio']}; {s['events_compared']} events compared, "
                           f"{'equal' if s['events_equal'] else 'NOT equal'}.")
    show_table("Goals", ["goal", "limit", "measured", "met", "others"],
               [[g["goal"], g["limit"], g["measured"], g["met"], g["others"]] for g in r["goals"]],
               caption="Sources: " + "; ".join([reference["source"], *(
                   p["source"] for group in peers.values() for p in group)]) + ".")


def _span(found: dict | None) -> str | None:
    """The range of figures as a cell."""
    if found is None:
        return None
    return f"{found['min']:,}" if found["min"] == found["max"] else f"{found['min']:,} .. {found['max']:,}"
