"""Measuring the blocks of the control plane: area, clock rate and cycles, two processes at a time, kept by content."""

import importlib.metadata
import json
import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from derca_flow.area import routed as fmax
from derca_flow.tools.caching import read_json
from derca_flow.tools.cells import flat_cells, weigh
from derca_flow.tools.targets import TARGETS
from derca_flow.tools.yosys import cached, synthesise
from derca_hw.families.family import Family

from . import cycles as control_cycles
from . import release_cycles as control_release_cycles
from .blocks import BLOCKS

PROCESSES = 2
#: Targets whose areas are compared with those of others.
_AREAS = ("ecp5", "ultrascale")
#: Group of blocks -> the function that measures their cycles.
MEASUREMENTS = {
    "scheduler": control_cycles.scheduler_cycles,
    "release": control_release_cycles.release_cycles,
    "kernel": control_release_cycles.kernel_cycles,
}


def measure(points: list[tuple[str, int]], seeds: int, mhz: float, processes: int = PROCESSES,
            progress: Callable[[str], None] = lambda detail: None) -> list[dict]:
    """Area, clock rate and cycles of every (block, tasks); one row each, in their order.

    Raises
    ------
    CheckFailed, MissingToolError
        As `yosys.synthesise` and `routed.route`.
    """
    first = [(kind, name, tasks, argument) for name, tasks in points for kind, argument in (
        ("cycles", None), *(("area", target) for target in _AREAS), ("netlist", None))]
    # Large and slow ones first, so that no process is left alone with them.
    done = dict(_run(sorted(first, key=lambda unit: -unit[2]), processes, progress, "of 2: "))
    routes = [("route", name, tasks, (seed, mhz)) for name, tasks in points for seed in range(1, seeds + 1)]
    done |= _run(routes, processes, progress, "of 2: ", first=2)
    return [
        {
            "block": name, "group": BLOCKS[name].group, "tasks": tasks, "time_width": 32,
            **{target: done["area", name, tasks, target] for target in _AREAS},
            "fmax": fmax.summary([done[unit] for unit in routes if unit[1:3] == (name, tasks)], mhz),
            "cycles": done["cycles", name, tasks, None],
        }
        for name, tasks in points
    ]


def unit(kind: str, name: str, tasks: int, argument):
    """One piece of work: `area`, `netlist`, `route` or `cycles` of a block."""
    block = BLOCKS[name]
    if kind == "area":
        target = TARGETS[argument]
        design = fmax.bare_rtlil(block.build(tasks), Family(argument))
        return weigh(flat_cells(synthesise(design, target, top="block")), target)
    if kind == "netlist":
        fmax.netlist(fmax.wrapped_rtlil(block.build(tasks), block.held))
        return None
    if kind == "route":
        return fmax.route(fmax.netlist(fmax.wrapped_rtlil(block.build(tasks), block.held)), *argument)
    return _cycles(block, tasks)


def _cycles(block, tasks: int) -> dict:
    """The cycles of a block, from the cache when neither it nor the measurement changed."""
    measurement = MEASUREMENTS[block.group]

    def fill(work: Path) -> None:
        (work / "cycles.json").write_text(json.dumps(measurement(block.platform(tasks))))

    from derca_sim.model import timing

    sources = [Path(module.__file__).read_text() for module in (control_cycles, control_release_cycles, timing)]
    inputs = [importlib.metadata.version("amaranth"), *sources, block.platform(tasks).model_dump_json(),
              fmax.bare_rtlil(block.build(tasks), Family.PORTABLE)]
    return read_json(cached("bench", inputs, fill) / "cycles.json")


def _run(units: list[tuple], processes: int, progress, title: str, first: int = 1) -> Iterable[tuple[tuple, object]]:
    """Work on `units`; yield each with its result."""
    results = []

    def report(finished: tuple) -> None:
        kind, name, tasks, _ = finished
        progress(f"part {first} {title}{len(results)} of {len(units)}; last: {kind} of {name}, N = {tasks}")

    if processes == 1:
        for todo in units:
            results.append((todo, unit(*todo)))
            report(todo)
        return results
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(unit, *todo): todo for todo in units}
        try:
            for future in as_completed(futures):
                results.append((futures[future], future.result()))
                report(futures[future])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results
