"""`derca bench estimate`: the error of the area estimate against synthesis, and its weights."""

import datetime
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.area import estimate as model
from derca_flow.boards.known import BOARDS
from derca_flow.flow.sources import package_hash
from derca_flow.tools import small_sums, toolchain
from derca_flow.tools.cells import KINDS
from derca_flow.tools.files import write_text
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed
from derca_sim.model.platform import Platform
from derca_sim.workload.taskset import load_platform

from ...console.output import JsonOption, print_json, show_table
from .platforms import SEED, platforms

#: Families with an estimate.
FAMILIES = ("ecp5", "ice40", "ice40hx", "ultrascale")
#: So many of the fitted platforms, with so many elements at most, are also synthesised with all blocks dissolved.
_DISSOLVED, _ELEMENTS = 1, 16
#: Family whose boards show how much smaller a netlist with small sums is: the HX8K's is too much for Yosys 0.70.
_DENSE = "ice40"


def estimate(
    fit: Annotated[bool, typer.Option(
        "--fit", help="Fit new weights and write them into derca_flow/area/data.")] = False,
    family: Annotated[list[str] | None, typer.Option(
        metavar="FAMILY", help="Only this device family; may be given again.", show_default=False)] = None,
    processes: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Syntheses at a time.")] = 2,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Also write the result as JSON.", show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Compare the estimate of area with the synthesis of many platforms, some of which it was not fitted to.

    Every block of every platform is synthesised by Yosys, about an hour of one core the first time; what has not
    changed since an earlier call is kept. With --fit the weights are determined anew and written with the
    errors found.

    [bold]Examples[/bold]

        derca bench estimate --family ecp5

        derca bench estimate --fit

    [bold]Exit codes[/bold]  0 every total is within 15 %, 1 not so, 2 bad input, 3 a tool is missing.
    """
    from .fit import errors, synthesised
    from .fit import fit as fit_weights

    families = [f for f in FAMILIES if not family or f in family]
    known = {name: platforms(name) for name in families}
    with step("preparing Yosys"):
        version = toolchain.version("yosys")
    with step(f"measuring {sum(len(some) for pair in known.values() for some in pair)} platforms") as running:
        measured = _measure(known, fit, processes, running.update)
        boards = _boards(families) if fit else {}
    weights, rows, totals = {}, [], []
    for name, (fitted, held_out) in known.items():
        if fit:
            apart = [(p, measured[name, p.name]) for p in fitted]
            weights[name] = fit_weights(
                apart, [(p, measured[name, p.name], measured[name, p.name, "flattened"]) for p in _dissolved(fitted)],
                boards[name], name)
            if name in small_sums.TARGETS and name != _DENSE:
                weights[name]["built"] = (weights.get(_DENSE) or model.weights_of(_DENSE))["built"]
        else:
            weights[name] = model.weights_of(name)
        for p in [*fitted, *held_out]:
            found = errors(p, measured[name, p.name], weights[name], name)
            rows.append({"family": name, "platform": p.name, "held_out": p in held_out, **found})
            totals.append({"family": name, "platform": p.name, "held_out": p in held_out,
                           **synthesised(measured[name, p.name], weights[name])})
    result = {
        "made": {"command": "derca bench estimate --fit", "date": datetime.date.today().isoformat(),
                 "yosys": version, "seed": SEED, "hardware": package_hash("derca_hw", "derca_sim.model")},
        "errors": rows, "platforms": totals, "weights": weights,
    }
    if fit:
        before = model.fitted() if len(families) < len(FAMILIES) else {}
        for key in ("errors", "platforms"):
            result[key] = [row for row in before.get(key, []) if row["family"] not in families] + result[key]
        result["weights"] = {**before.get("weights", {}), **weights}
        write_text(Path(model.__file__).parent / "data" / model.COEFFICIENTS, json.dumps(result, indent=1) + "\n")
    if output is not None:
        write_text(output, json.dumps(result, indent=2) + "\n")
    if as_json:
        print_json(result)
    else:
        _show(rows)
    wrong = [f"{row['family']}, {row['platform']}: {kind} off by {row[kind]:+.0%}" for row in rows for kind in KINDS
             if row[kind] is not None and abs(row[kind]) > model.TOLERANCE]
    if wrong:
        raise CheckFailed(*wrong)


def _measure(known: dict[str, tuple], fit: bool, processes: int, progress) -> dict:
    """Areas by (family, platform); for a fit those of flattened designs by (family, platform, "flattened")."""
    from .pieces import areas, flattened

    out = {}
    with ProcessPoolExecutor(processes) as pool:
        units = {pool.submit(areas, p, name): (name, p.name)
                 for name, (fitted, held_out) in known.items() for p in [*fitted, *held_out]}
        units |= {pool.submit(flattened, p, name): (name, p.name, "flattened")
                  for name, (fitted, _) in known.items() if fit for p in _dissolved(fitted)}
        try:
            for number, done in enumerate(as_completed(units), 1):
                out[units[done]] = done.result()
                progress(f"{number} of {len(units)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return out


def _dissolved(fitted: list[Platform]) -> list[Platform]:
    return [p for p in fitted if p.array.rows * p.array.cols <= _ELEMENTS][:_DISSOLVED]


def _boards(families: list[str]) -> dict[str, list]:
    """By family: boards, platforms, areas around the accelerator, and of everything as built on `_DENSE`."""
    from .pieces import around, built

    out = {name: [] for name in families}
    for board in BOARDS.values():
        if (name := board.target) in families:
            p = load_platform(board.platform)
            out[name].append((board, p, around(board, p), built(board, p) if name == _DENSE else {}))
    return out


def _show(rows: list[dict]) -> None:
    table = []
    for name in dict.fromkeys(row["family"] for row in rows):
        for held_out, title in ((False, "fitted"), (True, "held out")):
            found = [row for row in rows if row["family"] == name and row["held_out"] == held_out]
            worst = [max((row[kind] for row in found if row[kind] is not None), key=abs, default=None)
                     for kind in KINDS]
            table.append([f"{name}, {len(found)} {title}", *(None if w is None else f"{w:+.1%}" for w in worst)])
    show_table("Worst error of the estimate", ["platforms", *KINDS], table)
