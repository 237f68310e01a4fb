"""`derca explore`: which platform does a task set need?"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import output_directory
from derca_flow.tools.progress import step
from derca_sim.errors import CheckFailed, InputError

from ..console.answer import CsvOption, answer, check_csv, csv_of
from ..console.cells import AddressOption, Engine, EngineOption, JobsOption, bar, check_engine
from ..console.folders import default_folder, other_policy
from ..console.output import JsonOption, say_result, show_table
from ..console.overrides import PolicyOption
from ..console.verdict import on

#: Columns of the area in tables.
KINDS = ("LUT", "REG", "BRAM", "DSP")


def explore(
    taskset: Annotated[Path, typer.Argument(help="Task set (TOML).")],
    device: Annotated[str | None, typer.Option(help="Device that it must fit.", show_default=False)] = None,
    board: Annotated[str | None, typer.Option(help="Board whose device it must fit.", show_default=False)] = None,
    clock: Annotated[float | None, typer.Option(
        metavar="MHZ", help="Clock to prove the deadlines at; by default the platform's.", show_default=False)] = None,
    space: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Values to try (TOML); by default arrays, tiles, buffers and buses.",
        show_default=False)] = None,
    policy: PolicyOption = None,
    synthesise: Annotated[int, typer.Option(min=0, metavar="N", help="Check the area of the N smallest.")] = 0,
    jobs: JobsOption = 2,
    engine: EngineOption = Engine.local,
    scheduler: AddressOption = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="DIR", help="Folder of the results; without it out/explore/NAME-DEVICE.",
        show_default=False)] = None,
    csv: CsvOption = None,
    as_json: JsonOption = False,
):
    """Search for platforms on which every deadline is proved, with the least area, the lowest clock, the most slack.

    Candidates change the platform that the task set names: array, tiles, buffers and bus, or what --space says. Area is
    estimated (`derca bench estimate`), lengths and prices come from the exact timing, deadlines are proved by the
    analysis. Periods and deadlines are times: at a lower clock they have fewer cycles. The memory's latency stays at
    its number of cycles. Finished candidates are kept in DIR/cells.jsonl: an interrupted search goes on where it
    stopped. candidates.csv has all, explore.png shows them, platform.toml is the proved one with the fewest LUTs.

    [bold]Examples[/bold]

        derca explore sim/tasksets/demo.toml --device lfe5u-85f

        derca explore sim/tasksets/demo.toml --board ulx3s-85f --clock 25 --synthesise 2

        derca explore sim/tasksets/demo.toml --device lfe5u-85f --policy dm

    [bold]Exit codes[/bold]  0 a platform was found, 1 none is proved, 2 bad input.
    """
    from derca_flow.explore.evaluate import evaluate
    from derca_flow.explore.pareto import best, front
    from derca_flow.explore.picture import draw
    from derca_flow.explore.space import candidates, changed, default_space, load_space
    from derca_sim.experiments import sweep as cells
    from derca_sim.workload.policies import full_name, proved_policy, under_policy
    from derca_sim.workload.taskset import load_taskset

    check_csv(csv, as_json)
    check_engine(engine, scheduler)
    target = _device(device, board)
    policy = full_name(policy)
    tasks = under_policy(load_taskset(taskset), policy)
    order = proved_policy(tasks.platform.scheduler.policies[0],
                          "--policy" if policy else f"{taskset}: platform.scheduler.policies[0]")
    mhz = tasks.platform.clock_mhz if clock is None else clock
    if not 0 < mhz <= 2000:
        raise InputError(f"--clock = {clock}: allowed are numbers above 0 .. 2000")
    values = default_space() if space is None else load_space(space)
    todo = [{"taskset": str(taskset.resolve()), "changes": changes, "family": target.target, "clock_mhz": mhz,
             "available": target.available, **({"policy": policy} if policy else {})}
            for changes in candidates(tasks.platform, values)]
    output = output or default_folder("explore", tasks.name, target.name, clock=clock, policy=other_policy(order),
                                      space=space.stem if space else None)
    if output.exists() and not output.is_dir():
        raise InputError(f"--output = {output}: is a file; give a folder")
    identity = json.dumps([cells.source_digest(), hashlib.sha256(taskset.read_bytes()).hexdigest(),
                           tasks.platform.model_dump(mode="json")])
    with bar(f"exploring {tasks.name}, {len(todo):,} platforms") as progress:
        results = cells.run(todo, evaluate, output / "cells.jsonl", jobs=jobs, engine=engine.value,
                            scheduler=scheduler, identity=identity, progress=progress)
    chosen, winner = front(results), best(results)
    keys = list(dict.fromkeys(key for cell in todo for key in cell["changes"]))
    rows = [{**cell["changes"], **{kind: r["area"][kind] for kind in KINDS}, "fits": r["fits"], "proved": r["proved"],
             "least_mhz": r["least_mhz"], "slack": r["slack"], "pareto": i in chosen, "reason": r["reason"]}
            for i, (cell, r) in enumerate(zip(todo, results, strict=True))]
    measured = _synthesised(tasks.platform, todo, results, target, synthesise) if synthesise else []
    with output_directory(output) as folder:
        (folder / "candidates.csv").write_text(csv_of(rows), encoding="utf-8")
        title = f"{tasks.name}{on(target.title, order)}, {mhz:g} MHz"
        with step("drawing"):
            draw(results, chosen, winner, title, mhz, folder / "explore.png")
        if winner is not None:
            from derca_sim.describe.platform import as_toml

            platform = changed(tasks.platform, todo[winner]["changes"]).model_copy(update={"clock_mhz": mhz})
            (folder / "platform.toml").write_text(as_toml(platform), encoding="utf-8")
    proved = sum(r["proved"] for r in results)
    facts = {"taskset": tasks.name, "device": target.name, "policy": order, "clock_mhz": mhz,
             "candidates": len(rows), "proved": proved,
             "best": None if winner is None else rows[winner], "pareto": [rows[i] for i in chosen],
             "synthesised": measured, "folder": str(output)}
    answer(facts, rows, lambda: _show(facts, keys), as_json, csv)
    if winner is None:
        raise CheckFailed(f"no platform of {len(rows)} is proved at {mhz:g} MHz; see {output / 'candidates.csv'}")


def _device(device: str | None, board: str | None):
    """The device that candidates must fit.

    Raises
    ------
    InputError
        Unless exactly one of the two names it.
    """
    from derca_flow.area.devices import device as by_name
    from derca_flow.area.devices import of_board

    from ..console.boards import open_board

    if (device is None) == (board is None):
        raise InputError("--device, --board: allowed is exactly one of them; see derca report --help for the devices")
    return by_name(device) if board is None else of_board(open_board(board))


def _synthesised(base, todo: list[dict], results: list[dict], target, count: int) -> list[dict]:
    """The area of the smallest proved candidates, estimated and by synthesis."""
    from derca_flow.area.measurement import modules_of
    from derca_flow.explore.space import changed
    from derca_flow.tools.targets import TARGETS

    order = sorted((i for i, r in enumerate(results) if r["proved"]), key=lambda i: results[i]["area"]["LUT"])[:count]
    with step(f"synthesising {len(order)} platforms") as progress:
        designs = [(changed(base, todo[i]["changes"]), TARGETS[target.target]) for i in order]
        found = modules_of(designs, progress.update)
    return [{**todo[i]["changes"], **{f"{kind}_estimated": results[i]["area"][kind] for kind in KINDS},
             **{kind: found[n][-1][kind] for kind in KINDS}} for n, i in enumerate(order)]


def _show(facts: dict, keys: list[str]) -> None:
    best = facts["best"]
    say_result(f"no platform of {facts['candidates']} is proved" if best is None else
               f"{best['LUT']:,} LUTs suffice: {', '.join(f'{key} = {best[key]}' for key in keys)}", best is not None)
    show_table(
        f"{facts['taskset']}{on(facts['device'], facts['policy'])} at {facts['clock_mhz']:g} MHz: {facts['proved']} of "
        f"{facts['candidates']} platforms are proved, {len(facts['pareto'])} of them best in some way",
        [*(key.split(".")[-1] for key in keys), *KINDS, "least clock, MHz", "least slack"],
        [[*(row[key] for key in keys), *(row[kind] for kind in KINDS), row["least_mhz"],
          f"{100 * row['slack']:.1f} %"] for row in sorted(facts["pareto"], key=lambda row: row["LUT"])],
        caption="Area is estimated. least clock: the lowest with a proof; least slack: the smallest of slack "
                f"over deadline among the tasks, at {facts['clock_mhz']:g} MHz. Results: {facts['folder']}",
    )
    if facts["synthesised"]:
        show_table("Synthesised", [*(key.split(".")[-1] for key in keys), "LUT", "estimated", "REG", "BRAM", "DSP"], [
            [*(row[key] for key in keys), row["LUT"], row["LUT_estimated"], row["REG"], row["BRAM"], row["DSP"]]
            for row in facts["synthesised"]])
