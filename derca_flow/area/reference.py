"""Our modules and those of the reference system, as published, in one table."""

from pathlib import Path

from derca_sim.errors import InputError
from derca_sim.experiments.figures import PUBLISHED_TASKS, REAL_TIME, hardware_rows

from ..tools.cells import KINDS
from ..tools.targets import Target
from .devices import device, percent
from .measurement import load_platform
from .measurement import measure as measure_ours
from .table import Table

#: The device of the published figures.
DEVICE = "xcvc1902"


def measure(target: Target, platform_file: Path | None) -> dict:
    """Our resources with the key `reference`: the rows of `hardware_rows`.

    Raises
    ------
    InputError
        For a target whose LUTs have not the inputs of the published ones.
    """
    if target.name != "ultrascale":
        raise InputError(f"--target = {target.name}: the published figures count LUTs with six inputs; "
                         "give --target ultrascale")
    result = measure_ours(target, platform_file)
    tasks = load_platform(platform_file).scheduler.tasks
    return result | {
        "tasks": tasks, "published_tasks": PUBLISHED_TASKS, "reference": hardware_rows(result["rows"]),
        "caption": f"Ours: {tasks} tasks; {result['caption']}. Published: DERCA, RTSS 2025, VCK190, {PUBLISHED_TASKS} "
                   "tasks, Vitis HLS and Vivado, placed and routed; its accelerator has 384 URAM and 384 AI engines "
                   "beside what is shown, ours computes in DSP blocks. What compares is the real-time support: "
                   f"{', '.join(REAL_TIME)}",
    }


def tables(result: dict) -> list[Table]:
    """The modules side by side, how many times smaller ours are, and the share of the published device of each side."""
    rows = result["reference"]
    smaller = [[row["module"], *(_times(row[f"published_{kind}"], row[kind]) for kind in KINDS)] for row in rows
               if row["published_LUT"] is not None]
    held = device(DEVICE)
    named = {row["module"]: row for row in rows}
    shares = [[f"{name}, {side}", *(percent(named[name][prefix + kind], held.available[kind]) for kind in KINDS)]
              for name in ("real-time support", "total")
              for side, prefix in (("ours", ""), ("published", "published_"))]
    return [
        Table(f"{result['platform']} beside the reference", ["module", *KINDS, *(f"ref. {kind}" for kind in KINDS)],
              [list(row.values()) for row in rows], result["caption"], total=2),
        Table("Published figure over ours", ["module", *KINDS], smaller, total=2),
        Table(f"Per cent of {held.title}", ["", *KINDS], shares, f"Available: {held.source}"),
    ]


def _times(theirs: float | None, ours: float | None) -> float | None:
    return round(theirs / ours, 2) if theirs and ours else None
