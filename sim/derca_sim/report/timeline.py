"""The timeline picture: one lane per task with its running regions, preemptions and deadlines."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..events import Event
from ..model.tables import Strategy
from .colours import LANE_COLOURS, MISS_COLOUR, STRATEGY_COLOURS, STRATEGY_LETTERS
from .jobs import Job, Overrun, TaskInfo, rebuild

# Heights within a lane, which spans 0 .. 1 upwards from its baseline.
BAR_BOTTOM, BAR_TOP, ARROW_TOP, LETTER = 0.06, 0.50, 0.74, -0.12
#: Where ticks stand that replace arrows and marks across bars in crowded lanes.
TICKS = 0.12
INK = "#24292f"
#: Characters of a line of the title.
_TITLE = 130
#: Jobs or preemptions of a lane above which deadlines that were met, finishes and resumptions are left out, and above
#: which releases and preemptions are short ticks above the bars.
CROWDED, DENSE = 45, 120


@dataclass(frozen=True)
class _Log:
    tasks: Sequence[TaskInfo]
    horizon: int
    jobs: list[Job]
    overruns: list[Overrun]


def draw_timeline(
    path: Path | Sequence[Path],
    events: Iterable[Event],
    tasks: Sequence[TaskInfo],
    horizon: int,
    clock_mhz: float | None,
    title: str,
    zoom: tuple[int, int] | str | None = "auto",
    unit: str = "cycles",
) -> None:
    """Write the timeline of a log as SVG or PNG, by the suffix of `path`, or of each of several.

    Parameters
    ----------
    events
        Log with job numbers.
    tasks
        Tasks by index: one lane each, the first on top.
    horizon
        Cycles that were run.
    clock_mhz
        For the axis in milliseconds; None leaves it out.
    title
        First words of the title; the verdict follows.
    zoom
        A second panel below that shows cycles (first, last); "auto" shows the surroundings of the first miss, or else
        of a preemption, best one with another nested in it, if the run is much longer than that; None leaves it out.
    unit
        What times count, for the axes.

    Raises
    ------
    ValueError
        If the suffix is neither, or the log contradicts itself.
    """
    paths = [Path(one) for one in ([path] if isinstance(path, str | Path) else path)]
    for one in paths:
        if one.suffix not in (".svg", ".png"):
            raise ValueError(f"{one}: a timeline is written as .svg or .png")
    log = _Log(tasks, horizon, *rebuild(events, tasks, horizon))
    window = _interesting(log) if zoom == "auto" else zoom
    panels = 2 if window else 1
    lane = 0.95 if len(tasks) <= 6 else 0.62
    figure = Figure(figsize=(15, 1.75 + panels * (0.75 + lane * len(tasks))), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    figure.get_layout_engine().set(hspace=0.06)
    _panel(axes[0], log, (0, horizon), clock_mhz, unit)
    if window:
        _panel(axes[1], log, window, clock_mhz, unit)
        axes[1].set_title(f"{unit} {window[0]:,} to {window[1]:,}", loc="left", fontsize=9.5, color=INK)
        axes[0].axvspan(*window, color="#ffd33d", alpha=0.16, lw=0, zorder=0)
    figure.suptitle(textwrap.fill(f"{title}: {_verdict(log)}", _TITLE), x=0.01, ha="left", fontsize=13,
                    fontweight="bold", color=MISS_COLOUR if _misses(log) else INK)
    _legend(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # found once for all files
    with matplotlib.rc_context({"svg.hashsalt": "derca"}):  # the same log gives the same file
        for one in paths:
            figure.savefig(one, metadata={"Date": None} if one.suffix == ".svg" else {"Software": None})


def _misses(log: _Log) -> int:
    return sum(j.missed(log.horizon) for j in log.jobs) + len(log.overruns)


def _verdict(log: _Log) -> str:
    misses, finished = _misses(log), sum(j.finish is not None for j in log.jobs)
    preempted = sum(len(j.preemptions) for j in log.jobs)
    deadlines = f"{_count(misses, 'deadline')} missed" if misses else "every deadline met"
    if log.overruns:
        deadlines += f", {_count(len(log.overruns), 'skipped release')} among them"
    return f"{deadlines} ({_count(finished, 'job')} finished, {_count(preempted, 'preemption')})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _interesting(log: _Log) -> tuple[int, int] | None:
    """Cycles worth a closer look: the first miss, else the absence of a preempted job, best with one nested in it."""
    missed = [j for j in log.jobs if j.missed(log.horizon)]
    absences = [
        (gone.cycle, back.cycle, gone.strategy)
        for j in log.jobs for gone, back in zip(j.preemptions, j.resumptions, strict=False)
    ]
    if missed:
        first, last = missed[0].release, max(missed[0].deadline, missed[0].ended or 0)
        margin = (last - first) // 12
    elif absences:
        cycles = [cycle for cycle, _, _ in absences]
        first, last, _ = max(absences, key=lambda a: (
            sum(a[0] < c < a[1] for c in cycles), a[2] != Strategy.LAYER, a[0] - a[1], -a[0],
        ))
        margin = (last - first) * 3 // 5
    else:
        return None
    window = max(0, first - margin - 1), min(log.horizon, last + margin + 1)
    return window if window[1] - window[0] < 0.6 * log.horizon else None


def _panel(axis, log: _Log, window: tuple[int, int], clock_mhz: float | None, unit: str) -> None:
    count = len(log.tasks)
    axis.set_xlim(window[0], window[1])
    axis.set_ylim(-0.34, count - 0.02)
    axis.set_yticks([count - 1 - i + 0.28 for i in range(count)], [t.name for t in log.tasks], fontsize=10.5)
    for label, colour in zip(axis.get_yticklabels(), _colours(count), strict=True):
        label.set_color(colour)
        label.set_fontweight("bold")
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel(unit, fontsize=9, labelpad=3)
    axis.xaxis.set_major_locator(MaxNLocator("auto", steps=(1, 2, 2.5, 5, 10), integer=True, min_n_ticks=1))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.grid(axis="x", color="#e3e6ea", lw=0.7)
    axis.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    scales = [axis]
    if clock_mhz is not None:
        ms = axis.secondary_xaxis("top", functions=(lambda c: c / (1e3 * clock_mhz), lambda t: t * 1e3 * clock_mhz))
        ms.set_xlabel(f"ms at {clock_mhz:g} MHz", fontsize=9, labelpad=3)
        ms.spines["top"].set_color("#b0b6bd")
        scales.append(ms)
    for scale in scales:
        scale.tick_params(axis="x", labelsize=8.5, color="#b0b6bd")
    for index in range(count):
        _lane(axis, log, index, count - 1 - index, window)


def _colours(count: int) -> list[str]:
    return [LANE_COLOURS[i % len(LANE_COLOURS)] for i in range(count)]


def _lane(axis, log: _Log, index: int, base: float, window: tuple[int, int]) -> None:
    colour = _colours(len(log.tasks))[index]
    scale = (window[1] - window[0]) / 1250  # cycles per pixel of the panel, about
    axis.axhline(base, color="#8c959f", lw=0.8, zorder=1)
    jobs = [
        j for j in log.jobs
        if j.task == index and j.release <= window[1]
        and max(j.deadline, j.end(log.horizon)) >= window[0]
    ]
    alive, fine, late, waits = [], [], [], []
    for job in jobs:
        end, spans = job.end(log.horizon), _fused(job, scale)
        alive.append((job.release, end))
        if not job.missed(log.horizon):
            fine += spans
            continue
        fine += [(s, min(e, job.deadline)) for s, e in spans if s < job.deadline]
        late += [(max(s, job.deadline), e) for s, e in spans if e > job.deadline]
        waits.append((job.deadline, min(end, window[1])))
    edge = 0.5 if len(fine) + len(late) < 60 else 0
    for parts, bottom, top, style in (
            (alive, BAR_BOTTOM, BAR_BOTTOM + 0.05, {"color": colour, "alpha": 0.45, "lw": 0, "zorder": 2}),
            (fine, BAR_BOTTOM, BAR_TOP, {"facecolor": colour, "edgecolor": "white", "lw": edge, "zorder": 3}),
            (late, BAR_BOTTOM, BAR_TOP, {"facecolor": MISS_COLOUR, "edgecolor": "white", "lw": edge, "zorder": 3})):
        if parts:  # at least about a pixel wide
            axis.broken_barh([(s, max(e - s, scale)) for s, e in parts], (base + bottom, top - bottom), **style)
    if waits:
        axis.hlines([base + 0.62] * len(waits), *zip(*waits, strict=True), color=MISS_COLOUR, lw=2.2, zorder=5)
    crowded = max(len(jobs), sum(len(j.preemptions) for j in jobs)) > CROWDED
    _arrows(axis, [j.release for j in jobs], base, window, INK, up=True)
    if not crowded:
        in_time = [j.deadline for j in jobs if not j.missed(log.horizon)]
        _arrows(axis, in_time, base, window, "#8c959f", up=False)
    _arrows(axis, [j.deadline for j in jobs if j.missed(log.horizon)], base, window, MISS_COLOUR, up=False)
    skipped = [o.cycle for o in log.overruns if o.task == index and window[0] <= o.cycle <= window[1]]
    if skipped:
        axis.plot(skipped, [base + 0.68] * len(skipped), "x", color=MISS_COLOUR, ms=7, mew=2, zorder=7)
    if not crowded:
        _finishes(axis, jobs, log.horizon, base, window)
    _switches(axis, jobs, base, window, scale, crowded)


def _fused(job: Job, scale: float) -> list[tuple[int, int]]:
    """The job's regions; neighbours whose gap is under about a pixel become one bar, as the eye would see them."""
    out: list[tuple[int, int]] = []
    for span in sorted(job.spans, key=lambda s: s.start):
        if out and span.start - out[-1][1] <= scale:
            out[-1] = (out[-1][0], span.end)
        else:
            out.append((span.start, span.end))
    return out


def _arrows(axis, cycles: list[int], base: float, window: tuple[int, int], colour: str, up: bool) -> None:
    inside = [c for c in cycles if window[0] <= c <= window[1]]
    if not inside:
        return
    head = base + ARROW_TOP if up else base + BAR_TOP + 0.10
    if len(inside) > DENSE:
        axis.vlines(inside, base + ARROW_TOP - TICKS, base + ARROW_TOP, color=colour, lw=0.5, zorder=4)
        return
    few = len(inside) <= CROWDED
    axis.vlines(inside, base, base + ARROW_TOP, color=colour, lw=1.1 if few else 0.5, zorder=4,
                ls="-" if up else (0, (4, 1.5)))
    axis.plot(inside, [head] * len(inside), "^" if up else "v", color=colour, ms=5.5 if few else 2.5,
              mew=0, zorder=6, clip_on=False)


def _finishes(axis, jobs: list[Job], horizon: int, base: float, window: tuple[int, int]) -> None:
    for late, colour in ((False, INK), (True, MISS_COLOUR)):
        done = [j.finish for j in jobs if j.finish is not None and j.missed(horizon) == late]
        inside = [c for c in done if window[0] <= c <= window[1]]
        axis.plot(inside, [base + BAR_BOTTOM + 0.025] * len(inside), "o", mfc="white", mec=colour, mew=1.2, ms=4,
                  zorder=6)


def _switches(axis, jobs: list[Job], base: float, window: tuple[int, int], scale: float, crowded: bool) -> None:
    """Ticks where jobs are preempted, letters where there is room for them, and arrow heads where they resume."""
    taken = -1e18
    switches = sorted(
        (s.cycle, kind, s.strategy)
        for j in jobs for kind, group in (("preempt", j.preemptions), ("resume", j.resumptions)) for s in group
    )
    shown = [s for s in switches if window[0] <= s[0] <= window[1]]
    preempts = [s for s in shown if s[1] == "preempt"]
    bottom = BAR_TOP if crowded else -0.05
    for kind in dict.fromkeys(strategy for _, _, strategy in shown):
        colour = STRATEGY_COLOURS[kind]
        axis.vlines([cycle for cycle, _, strategy in preempts if strategy == kind], base + bottom,
                    base + BAR_TOP + (TICKS if crowded else 0.06), color=colour, lw=0.9 if crowded else 1.6, zorder=5)
        back = [cycle for cycle, what, strategy in shown if what == "resume" and strategy == kind]
        if not crowded:
            axis.plot(back, [base + 0.5 * (BAR_TOP + BAR_BOTTOM)] * len(back), ">", color="white", mec=colour, mew=1.2,
                      ms=6, zorder=6)
    for cycle, _, strategy in preempts:
        if cycle - taken > (30 if crowded else 11) * scale:
            axis.text(cycle, base + LETTER, STRATEGY_LETTERS[strategy], color=STRATEGY_COLOURS[strategy], fontsize=8.5,
                      fontweight="bold", ha="center", va="center", zorder=7, clip_on=True)
            taken = cycle


def _legend(figure) -> None:
    def mark(symbol, colour, line="none", **kw):
        return Line2D([], [], marker=symbol, color=colour, ls=line, **kw)

    executing = tuple(Patch(color=c) for c in LANE_COLOURS[:3])
    handles = [
        (executing, "in the array"),
        (Line2D([], [], color=LANE_COLOURS[0], alpha=0.45, lw=3), "released, not finished"),
        (mark("^", INK, ms=6), "release"),
        (mark("v", "#8c959f", ms=6), "deadline"),
        (mark("o", INK, mfc="white", ms=5), "finish"),
        (mark("v", MISS_COLOUR, "-", lw=2.2, ms=6), "deadline missed, late until"),
        (mark("x", MISS_COLOUR, mew=2, ms=6), "release skipped (overrun)"),
    ]
    for strategy in Strategy:
        letter = mark(f"${STRATEGY_LETTERS[strategy]}$", STRATEGY_COLOURS[strategy], ms=7)
        handles.append((letter, f"preempted: {strategy.name.lower()}"))
    handles.append((mark(">", "white", mec=STRATEGY_COLOURS[Strategy.RECOMPUTE], mew=1.2, ms=6), "resumed"))
    figure.legend(
        [h for h, _ in handles], [text for _, text in handles], loc="outside lower left", ncols=6, fontsize=8.8,
        frameon=False, handler_map={tuple: HandlerTuple(ndivide=None, pad=0)}, columnspacing=1.6,
    )
