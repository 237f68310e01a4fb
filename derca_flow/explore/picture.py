"""The candidates of an exploration as a picture: area against the least clock, coloured by slack."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter


def draw(results: Sequence[dict], chosen: Sequence[int], best: int | None, title: str, clock_mhz: float,
         path: Path) -> None:
    """Write the picture; `chosen` are joined by a line, `best` has a ring."""
    canvas = Figure(figsize=(9, 5.5), layout="constrained")
    FigureCanvasAgg(canvas)
    ax = canvas.subplots()
    timed = [r for r in results if r["least_mhz"] is not None]
    late = [r for r in timed if not r["proved"]]
    if late:
        ax.scatter([r["area"]["LUT"] for r in late], [r["least_mhz"] for r in late], c="#b0b6bd", marker="x",
                   label="not proved at this clock")
    good = [r for r in timed if r["proved"]]
    points = ax.scatter([r["area"]["LUT"] for r in good], [r["least_mhz"] for r in good],
                        c=[100 * r["slack"] for r in good], cmap="viridis", label="proved")
    if good:
        canvas.colorbar(points, ax=ax, label="least relative slack, %")
    edge = sorted((results[i]["area"]["LUT"], results[i]["least_mhz"]) for i in chosen)
    lowest, stairs = float("inf"), []
    for lut, mhz in edge:
        if mhz < lowest:
            stairs.append((lut, mhz))
            lowest = mhz
    ax.step([x for x, _ in stairs], [y for _, y in stairs], where="post", color="#0b5394", lw=1)
    if hidden := len(results) - len(timed):
        ax.plot([], [], " ", label=f"{hidden} more: no clock with a proof, or too large")
    if best is not None:
        ax.scatter([results[best]["area"]["LUT"]], [results[best]["least_mhz"]], s=140, facecolor="none",
                   edgecolor="#cc4125", lw=2, label="fewest LUTs")
    ax.axhline(clock_mhz, color="#555555", lw=0.8, ls="--", label=f"{clock_mhz:g} MHz")
    ax.set(title=title, xlabel="LUT, estimated", ylabel="least clock with a proof, MHz (log axis)", yscale="log")
    for axis in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        axis(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.grid(alpha=0.3)
    canvas.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=4)
    canvas.savefig(path, dpi=110)
