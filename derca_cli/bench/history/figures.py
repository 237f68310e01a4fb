"""The content of a line of the results file, and the comparison of two lines."""

import importlib.metadata
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from derca_flow.area.measurement import modules_of
from derca_flow.tools import toolchain
from derca_flow.tools.cells import KINDS
from derca_flow.tools.checkout import sample
from derca_flow.tools.targets import TARGETS
from derca_sim.workload.taskset import load_platform, load_taskset

from .. import cases

ROOT = Path(__file__).resolve().parents[3]
#: The synthesised designs: file in `sim/platforms/`, targets; the slowest come first.
PLATFORMS = {"demo": ("ultrascale", "ecp5"), "small": ("ultrascale", "ecp5", "ice40")}
#: Task set whose run gives the cycles, strategies it is run with, and the layer that is run alone on its platform.
TASKSET, STRATEGIES, LAYER = "demo", ("np", "flexible"), (256, 256, 256)
#: Growth of a figure that needs a reason, and a difference that counts as none in tables of any size.
GROWTH, SLACK = 0.05, {"LUT": 8, "REG": 8}
#: The figure that is better when larger.
UTILISATION = "utilisation, per cent"


def designs() -> list[str]:
    """Names of what is synthesised, as `demo/ecp5`."""
    return [f"{platform}/{target}" for platform, targets in PLATFORMS.items() for target in targets]


def platform_file(name: str) -> Path:
    """The platform of a name of `designs`."""
    return sample("platforms", f"{name.partition('/')[0]}.toml")


def resources(names: list[str], progress: Callable[[str], None] = lambda detail: None) -> dict:
    """Name of `designs` -> module -> kind -> figure.

    Raises
    ------
    CheckFailed, MissingToolError
        As `yosys.synthesise`.
    """
    found = modules_of([(load_platform(platform_file(name)), TARGETS[name.partition("/")[2]]) for name in names],
                       progress)
    return {name: {row["module"]: {kind: row[kind] for kind in KINDS} for row in rows}
            for name, rows in zip(names, found, strict=True)}


def cycles() -> dict:
    """Responses and misses of the demo task set on the golden machine, and the cycles of a layer that runs alone.

    The golden machine has the cycles of the RTL; tests assert that.
    """
    from derca_flow.sessions.system import task_infos
    from derca_sim.compile import compile_taskset
    from derca_sim.golden.machine import run
    from derca_sim.report.metrics import measure

    tasks, out = load_taskset(sample("tasksets", f"{TASKSET}.toml")), {}
    for strategy in STRATEGIES:
        compiled = compile_taskset(tasks, strategy)  # every point, so that only the hardware makes a difference
        elements = compiled.platform.array.rows * compiled.platform.array.cols
        found = measure(run(compiled, tasks.horizon), task_infos(compiled), tasks.horizon, elements)
        out[f"{TASKSET}, {strategy}"] = {
            "deadline misses": found.deadline_misses,
            **{f"worst response of {task.name}": task.worst_response for task in found.tasks},
        }
    platform, horizon = compiled.platform, 1 << 24
    alone = cases.compiled(platform, [cases.task(0, "layer", [LAYER], horizon)], horizon, "np")
    found = measure(run(alone, horizon), task_infos(alone), horizon, elements)
    response = found.tasks[0].worst_response
    macs = LAYER[0] * LAYER[1] * LAYER[2]
    out[f"layer {' x '.join(map(str, LAYER))}, {platform.name}"] = {
        "cycles": response, UTILISATION: round(100 * macs / (elements * response), 2),
    }
    return out


def line(because: str | None, progress: Callable[[str], None] = lambda detail: None) -> dict:
    """A line of the results file: all figures, and their origin."""
    names = designs()
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _commit(),
        "tools": {"yosys": toolchain.version("yosys"), "amaranth": importlib.metadata.version("amaranth")},
        "configurations": {name: f"{load_platform(platform_file(name)).config_hash:08x}" for name in PLATFORMS},
        **({"because": because} if because else {}),
        "resources": resources(names, progress),
        "cycles": cycles(),
    }


def _commit() -> str:
    """The commit that is checked out, with a plus where files differ from it."""
    def git(*args: str) -> str:
        return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def changes(old: dict, new: dict) -> list[dict]:
    """Figures that differ between two lines: name, old, new, percent, and whether that is worse, and too much worse.

    Figures that only one side has are left out.
    """
    before = dict(_figures(old))
    return [_change(name, before[name], value) for name, value in _figures(new)
            if name in before and value != before[name]]


def _figures(measured: dict) -> Iterator[tuple[tuple[str, ...], float]]:
    for part in ("resources", "cycles"):
        for group, rows in measured.get(part, {}).items():
            for name, value in rows.items():
                if isinstance(value, dict):
                    yield from (((group, name, kind), figure) for kind, figure in value.items())
                elif value is not None:
                    yield (group, name), value


def _change(name: tuple[str, ...], old: float, new: float) -> dict:
    more = old - new if name[-1] == UTILISATION else new - old
    return {
        "figure": ", ".join(name), "old": old, "new": new,
        "percent": round(100 * (new - old) / old, 1) if old else None,
        "worse": more > 0, "too_much": more > max(GROWTH * old, SLACK.get(name[-1], 0)),
    }
