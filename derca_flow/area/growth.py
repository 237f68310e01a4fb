"""The growth of every module with the number of tasks, the side of the array, or the width of the bus."""

import io
from pathlib import Path

from derca_sim.model.loading import validate
from derca_sim.model.platform import Platform

from ..tools import toolchain
from ..tools.cells import KINDS, TOP_ROW
from ..tools.files import write_bytes
from ..tools.progress import step
from ..tools.targets import Target
from .measurement import load_platform, modules_of
from .table import Table

#: What is varied -> its values, and how the axis is named.
SWEEPS = {
    "tasks": ((4, 8, 16, 32, 64), "tasks"),
    "array": ((2, 4, 8, 12, 16), "side of the array"),
    "bus": ((32, 64, 128, 256), "bits of the bus"),
}


def at(base: Platform, sweep: str, value: int) -> Platform:
    """The base platform with one parameter changed, and with the parameters that depend on it.

    A larger array gets tiles of two panels in each direction, of at least 16 rows and columns. Event buffers hold the
    releases of all tasks at once.

    Raises
    ------
    InputError
        If the rest of the platform does not allow it.
    """
    config = base.model_dump()
    if sweep == "tasks":
        config["scheduler"]["tasks"] = value
        config["trace"]["depth"] = max(base.trace.depth, value // 4)
    elif sweep == "array":
        side = max(2 * value, 16)
        config["array"] |= {"rows": value, "cols": value}
        config["tile"] |= {"m": side, "n": side}
    else:
        config["bus"]["data_width"] = value
    return validate(config, Platform, f"--growth {sweep}, {value} of {base.name}")


def measure(target: Target, platform_file: Path | None, sweep: str) -> dict:
    """Synthesise the platform at every value of a sweep.

    Keys: platform, target, tool, caption, sweep, axis, points (value, rows as in `measurement.measure`).

    Raises
    ------
    InputError, CheckFailed, MissingToolError
        As `measurement.measure`.
    """
    base = load_platform(platform_file)
    values, axis = SWEEPS[sweep]
    designs = [(at(base, sweep, value), target) for value in values]
    version = toolchain.version("yosys")
    with step(f"synthesising {len(designs)} platforms for {target.name}") as running:
        found = modules_of(designs, running.update)
    return {
        "platform": base.name, "target": target.name, "tool": f"Yosys {version}, {target.synthesis}",
        "caption": f"{target.caption}. Before place and route, modules kept apart", "sweep": sweep, "axis": axis,
        "points": [{"value": value, "rows": rows} for value, rows in zip(values, found, strict=True)],
    }


def tables(result: dict) -> list[Table]:
    """A table per kind of resource that any point takes: modules over values."""
    values = [point["value"] for point in result["points"]]
    out = []
    for kind in kinds_of(result):
        rows = [[name, *counts] for name, counts in series(result, kind).items()]
        out.append(Table(f"{kind} of {result['platform']} for {result['target']} over {result['axis']}",
                         [result["axis"], *map(str, values)], rows, total=1))
    return [*out[:-1], Table(out[-1].title, out[-1].columns, out[-1].rows, result["caption"], total=1)]


def kinds_of(result: dict) -> list[str]:
    """The kinds of resources that any point uses."""
    return [kind for kind in KINDS if any(point["rows"][-1][kind] for point in result["points"])]


def series(result: dict, kind: str) -> dict[str, list[float]]:
    """Module -> its figures, point by point; the total comes last."""
    names = [row["module"] for row in result["points"][0]["rows"]]
    return {name: [next(row[kind] for row in point["rows"] if row["module"] == name) for point in result["points"]]
            for name in names}


def draw(result: dict, path: Path) -> None:
    """A panel per kind of resource, a line per module, as SVG or PNG by the suffix of `path`; both axes logarithmic."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    kinds, values = kinds_of(result), [point["value"] for point in result["points"]]
    figure = Figure(figsize=(4.4 * len(kinds) + 1.8, 4.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axis, kind in zip(axes, kinds, strict=True):
        for (name, counts), colour in zip(series(result, kind).items(), _COLOURS, strict=True):
            if any(counts) and name != TOP_ROW:
                shown = [count or None for count in counts]  # a logarithm has no zero
                whole = name == "total"  # below the others: one of them may be all of it
                axis.plot(values, shown, marker="o", ms=4, color=colour, label=name, lw=4 if whole else 1.4,
                          alpha=0.5 if whole else 1, zorder=2 if whole else 3)
        axis.set(title=kind, xlabel=result["axis"], xscale="log", yscale="log")
        axis.set_xticks(values, [str(value) for value in values])
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.minorticks_off()
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axis.grid(alpha=0.3)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle(f"{result['platform']} for {result['target']}", x=0.01, ha="left", fontsize=11)
    figure.supxlabel(f"{result['tool']}. Again: {result['command']}", x=0.01, ha="left", fontsize=8)
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    picture = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "derca"}):  # the same figures give the same file
        figure.savefig(picture, format=path.suffix[1:], metadata=metadata)
    write_bytes(path, picture.getvalue())


#: Colours of the rows, in the order of the table; the total is black.
_COLOURS = ("#4477aa", "#228833", "#aa7733", "#887799", "#cc4125", "#66aabb", "#8c959f", "#24292f")
