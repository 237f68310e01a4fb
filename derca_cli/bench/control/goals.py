"""Goals of the control plane, and the published figures that are shown beside ours."""

import importlib.resources
import json

from derca_flow.tools.cells import KINDS
from derca_sim.experiments.figures import PUBLISHED_TASKS, published_resources

from .blocks import CONTROL_PLANES

#: Tasks at which the goals and totals stand.
GOAL_TASKS, MANY_TASKS = 16, 1024
#: Clock rate that each block reaches on ECP5, in MHz.
GOAL_MHZ = 125

#: (block, tasks, resource, at most) on UltraScale+.
_AREA = (
    ("scan", GOAL_TASKS, "LUT", 200),
    ("tournament", GOAL_TASKS, "LUT", 1000),
    ("swept", GOAL_TASKS, "LUT", 300),
    ("kernel", GOAL_TASKS, "LUT", 1200),
    ("scan", MANY_TASKS, "LUT", 300),
    ("scan", MANY_TASKS, "BRAM", 2),
)
#: Goals of the first control plane of `CONTROL_PLANES`.
_TOTAL = (("LUT", 2500), ("REG", 3000))


#: Rows of the published resource table for the groups of `control_blocks`.
_PUBLISHED = {"scheduler": "scheduler", "release": "job release", "kernel": "kernel management"}


def anchors() -> dict:
    """The reference's figures and those of other designs, with their sources; `reference` has its blocks and total."""
    out = json.loads(importlib.resources.files(__package__).joinpath("data/anchors.json").read_text())
    rows, kinds = {row["module"]: row for row in published_resources()}, ("LUT", "REG", "BRAM")
    blocks = {group: {kind: rows[name][kind] for kind in kinds} for group, name in _PUBLISHED.items()}
    total = {kind: sum(block[kind] for block in blocks.values()) for kind in kinds}
    return {**out, "reference": {**out["reference"], "tasks": PUBLISHED_TASKS, "blocks": blocks, "total": total}}


def totals(blocks: list[dict]) -> list[dict]:
    """Scheduler, job release and kernel management together on UltraScale+, for every combination measured."""
    area = {b["block"]: b["ultrascale"] for b in blocks if b["tasks"] == GOAL_TASKS}
    return [
        {"scheduler": scheduler, "release": release, "tasks": GOAL_TASKS,
         **{kind: sum(area[name][kind] for name in (scheduler, release, "kernel")) for kind in KINDS}}
        for scheduler, release in CONTROL_PLANES if {scheduler, release, "kernel"} <= set(area)
    ]


def goals(blocks: list[dict], planes: list[dict]) -> list[dict]:
    """Every goal with our figure; `met` is None where nothing was measured."""
    found = {(b["block"], b["tasks"]): b for b in blocks}
    out = []

    def goal(what: str, limit: str, measured, met: bool | None) -> None:
        out.append({"goal": what, "limit": limit, "measured": measured, "met": met})

    for block, tasks, kind, most in _AREA:
        row = found.get((block, tasks))
        value = row and row["ultrascale"][kind]
        goal(f"{block}, N = {tasks}, UltraScale+ {kind}", f"<= {most}", value, row and value <= most)
    first = {"scheduler": CONTROL_PLANES[0][0], "release": CONTROL_PLANES[0][1]}
    plane = next((t for t in planes if first.items() <= t.items()), None)
    for kind, most in _TOTAL:
        goal(f"{' + '.join(first.values())} + kernel, N = {GOAL_TASKS}, UltraScale+ {kind}", f"<= {most}",
             plane and plane[kind], plane and plane[kind] <= most)
    for (block, tasks), row in found.items():
        if tasks == GOAL_TASKS:
            mhz = row["fmax"]["median_mhz"]
            goal(f"{block}, N = {tasks}, ECP5 MHz, median", f">= {GOAL_MHZ}", mhz, mhz >= GOAL_MHZ)
    for (block, tasks), row in found.items():
        if "decision" in row["cycles"]:
            decision = row["cycles"]["decision"]
            goal(f"{block}, N = {tasks}, cycles from feedback to instruction", "always 1",
                 f"{decision['min']} .. {decision['max']}", decision["min"] == decision["max"] == 1)
    return out


def exceeded(cycles: dict) -> list[str]:
    """The measured cycles beyond their declared constant, one line each."""
    problems = []
    for name, found in cycles.items():
        if name == "decision" and not found["min"] == found["max"] == found["declared"]:
            problems.append(f"decision = {found['min']} .. {found['max']} cycles, declared {found['declared']}")
        elif name not in ("decision", "seed", "absorb") and found["measured"] > found["declared"]:
            problems.append(f"{name} = {found['measured']} cycles, declared {found['declared']}")
    return problems
