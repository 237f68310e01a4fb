"""The candidates of an exploration as a picture: area against the least clock, coloured by slack."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw(results: Sequence[dict], chosen: Sequence[int], best: int | None, title: str, clock_mhz: float,
         path: Path) -> None:
    """Write the picture; `chosen` are joined by a line, `best` has a ring."""
    canvas = Figure(figsize=(9, 5.5), layout="constrained")
    FigureCanvasAgg(canvas)
    ax = canvas.subplots()
    timed = [r for r in results if r["least_mhz"] is not None]
    late = [r for r in timed if not r["proved"]]
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
    if best is not None:
        ax.scatter([results[best]["area"]["LUT"]], [results[best]["least_mhz"]], s=140, facecolor="none",
                   edgecolor="#cc4125", lw=2, label="fewest LUTs")
    ax.axhline(clock_mhz, color="#555555", lw=0.8, ls="--")
    ax.set(title=title, xlabel="LUT, estimated", ylabel="least clock with a proof, MHz (log axis)", yscale="log")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    canvas.savefig(path, dpi=110)
