"""Pictures of the experiments."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import StrMethodFormatter

from ..workload.policies import TITLES as POLICIES
from .figures import PUBLISHED_MOST
from .series import OUR_SERIES, PAPER_SERIES

#: Colours: ours, published, public software.
OURS, PUBLISHED, SOFTWARE = "#0b5394", "#cc4125", "#6aa84f"

#: Parameters of sweeps in words, where their key is not enough.
AXES = {"utilisation": "total utilisation of a task set", "number": "tasks in a task set",
        "every": "time between preemption points", "swap_in": "time to resume (swap_in)",
        "swap_out": "time to leave (swap_out)", "jitter": "release jitter", "periods": "period",
        "deadlines": "deadline, from 0 (execution time) to 1 (period)"}
#: Metadata without the day, by the suffix of a picture.
_UNDATED = {".svg": {"Date": None}, ".png": {"Software": None}, ".pdf": {"CreationDate": None}}


def plot_success(rows: Sequence[dict], title: str, path: Path) -> None:
    """Figure 11: a panel per strategy of the paper with the three sources, and one with what we add."""
    names = [n for n in PAPER_SERIES if any(r["series"] == n for r in rows)]
    canvas, axes = _grid(len(names) + 1)
    for ax, name in zip(axes, names, strict=False):
        own = [r for r in rows if r["series"] == name]
        _line(ax, own, "success_percent", color=OURS, label="ours, paper's rules, proved")
        _line(ax, own, "with_one_run_percent", color=OURS, ls=":", label="ours, or one run without a miss")
        _line(ax, own, "published_percent", color=PUBLISHED, marker="o", ms=3, label="published")
        _line(ax, own, "public_software_percent", color=SOFTWARE, marker="x", ls="none", label="public software")
        known = any(r["published_percent"] is not None for r in own)
        _dress(ax, f"{name}: {PAPER_SERIES[name].label}{'' if known else ' (no published curve)'}")
    ax = axes[len(names)]
    _line(ax, [r for r in rows if r["series"] == "if-ppp"], "published_percent", color=PUBLISHED, marker="o", ms=3,
          label="if-ppp, published")
    for number, (name, style) in enumerate(zip(OUR_SERIES, ("-", "--", "-.", ":"), strict=True)):
        _line(ax, [r for r in rows if r["series"] == name], "success_percent", color=("C0", "C1", "C2", "C4")[number],
              ls=style, lw=4 - 0.9 * number, label=name)  # those that coincide with a later one show beside it
    _dress(ax, "what we add to if-ppp")
    ax.legend(loc="lower left", fontsize=8, handlelength=3.5)
    canvas.suptitle(f"{title}, deadlines equal to periods")
    _legend(canvas, axes[:len(names)])
    canvas.savefig(path, dpi=110)


def plot_sweep(rows: Sequence[dict], parameter: str, title: str, paths: Sequence[Path], labels: Mapping[str, str],
               unit: str | None = None) -> None:
    """Percent of sets that are proved against the parameter, written to each of `paths` by its suffix.

    Each strategy has a colour, each policy a dash. Curves become thinner and their marks smaller from the first to the
    last, so that each shows where several coincide. `labels` are strategies in words, `unit` is that of the
    parameter. Parameters over decades have a log axis.
    """
    strategies, policies = (list(dict.fromkeys(row[key] for row in rows)) for key in ("strategy", "policy"))
    canvas = Canvas(figsize=(8 if len(policies) == 1 else 9.5, 5.5), layout="constrained")
    ax = canvas.subplots()
    names = [POLICIES[policy] for policy in policies]
    last = max(1, len(strategies) * len(policies) - 1)
    for number, (policy, name) in enumerate(product(policies, strategies)):
        own = [row for row in rows if (row["strategy"], row["policy"]) == (name, policy)]
        dash, colour, rest = policies.index(policy), strategies.index(name), 1 - number / last
        label = f"{labels[name]} ({name})" if name in labels else name
        ax.plot([row[parameter] for row in own], [row["proved_percent"] for row in own], color=f"C{colour % 10}",
                ls=("-", "--", ":", "-.")[dash], marker="osv^Dx+"[colour % 7], lw=1.2 + 2.8 * rest, ms=4 + 6 * rest,
                mfc="white" if dash else None, label=f"{POLICIES[policy]}, {label}" if len(policies) > 1 else label)
    values = [row[parameter] for row in rows]
    log = min(values) > 0 and max(values) >= 50 * min(values)
    ax.set(title=f"{title}: {rows[0]['sets']:,} task sets at each value, {' and '.join(names)}",
           xlabel=AXES.get(parameter, parameter) + (f", {unit}" if unit else "") + " (log axis)" * log,
           ylabel="task sets proved schedulable, %", ylim=(-3, 103))
    if log:
        ax.set_xscale("log")
    ax.grid(alpha=0.3)
    canvas.legend(fontsize=8, frameon=False, handlelength=4, loc="outside lower center",
                  ncols=1 if len(policies) == 1 else 2)
    with matplotlib.rc_context({"svg.hashsalt": "derca"}):  # the same rows give the same files
        for path in paths:
            canvas.savefig(path, dpi=110, metadata=_UNDATED[path.suffix])


def plot_mixed(rows: Sequence[dict], title: str, path: Path) -> None:
    """A panel per size of task set; curves become thinner, so that each shows where several coincide."""
    sizes, names = sorted({r["tasks"] for r in rows}), list(dict.fromkeys(r["series"] for r in rows))
    canvas, axes = _grid(len(sizes))
    for ax, n in zip(axes, sizes, strict=False):
        for number, name in enumerate(names):
            _line(ax, [r for r in rows if r["series"] == name and r["tasks"] == n], "success_percent", label=name,
                  lw=1.2 + 4 * (1 - (number + 1) / len(names)))
        _dress(ax, f"{n} tasks")
    canvas.suptitle(title)
    _legend(canvas, axes[:len(sizes)])
    canvas.savefig(path, dpi=110)


def plot_wcet(rows: Sequence[dict], title: str, path: Path) -> None:
    """Figure 13: mean cost of a job over its length alone; published values dashed, in the colour of their series."""
    canvas, axes = _grid(1)
    for number, name in enumerate(dict.fromkeys(r["series"] for r in rows)):
        own, color = [r for r in rows if r["series"] == name], f"C{number}"
        _line(axes[0], own, "mean_cost", marker="osv^Dx+*"[number % 8], ms=5, mfc="none", color=color, label=name)
        most = ", at most" if name in PUBLISHED_MOST else ""
        _line(axes[0], own, "published_cost", ls=(number, (4, 4)), color=color,
              label=f"{name}, published{most}")
    axes[0].set(title=f"{title}, {rows[0]['tasks']} tasks", xlabel="total utilisation",
                ylabel="cost / length alone (log axis)", yscale="log")
    for axis in (axes[0].yaxis.set_major_formatter, axes[0].yaxis.set_minor_formatter):
        axis(StrMethodFormatter("{x:g}"))
    axes[0].grid(alpha=0.3, which="both")
    _legend(canvas, axes)
    canvas.savefig(path, dpi=110)


def plot_hardware(rows: Sequence[dict], title: str, path: Path) -> None:
    """LUT per module, ours beside the published."""
    canvas, axes = _grid(1)
    ax = axes[0]
    for shift, key, color, label in ((-0.2, "LUT", OURS, "ours"), (0.2, "published_LUT", PUBLISHED, "published")):
        bars = ax.barh([i + shift for i in range(len(rows))], [r[key] or 0 for r in rows], 0.4, color=color,
                       label=label)
        ax.bar_label(bars, [f"{r[key]:,.0f}" if r[key] is not None else "none given" for r in rows], padding=3,
                     fontsize=7)
    ax.set_yticks(range(len(rows)), [r["module"] for r in rows])
    ax.invert_yaxis()
    ax.set(title=title, xlabel="LUT (logarithmic, with 0)", xscale="symlog")
    ax.margins(x=0.12)
    _legend(canvas, [ax])
    canvas.savefig(path, dpi=110)


def _grid(panels: int):
    columns = min(3, panels)
    lines = -(-panels // columns)
    canvas = Canvas(figsize=(max(8, 4.6 * columns), max(5, 3.2 * lines)), layout="constrained")
    axes = list(canvas.subplots(lines, columns, squeeze=False).flat)
    for ax in axes[panels:]:
        ax.set_visible(False)
    return canvas, axes


def _legend(canvas: Canvas, axes: Sequence) -> None:
    """One legend for all panels, beside or below them, so that it hides nothing."""
    found = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    where = {"loc": "outside right upper"} if len(axes) == 1 else {"loc": "outside lower center", "ncols": 4}
    canvas.legend(found.values(), found.keys(), fontsize=8, frameon=False, handlelength=3.5, **where)


def _line(ax, rows: Sequence[dict], key: str, **style) -> None:
    points = sorted((r["total_utilisation"], r[key]) for r in rows if r[key] is not None)
    if points:
        ax.plot(*zip(*points, strict=True), **style)


def _dress(ax, title: str) -> None:
    ax.set_title(title, fontsize=9)
    ax.set(xlabel="total utilisation", ylabel="schedulable, %", ylim=(-4, 104))
    ax.grid(alpha=0.3)
