"""The timeline picture: written for every kind of log, says the verdict, shows what it should."""

import matplotlib
import pytest
from matplotlib.figure import Figure

from derca_sim.events import Kind
from derca_sim.model.tables import Strategy
from derca_sim.report import timeline
from derca_sim.report.jobs import rebuild
from derca_sim.report.timeline import draw_timeline
from kit.logs import TASKS, log

PREEMPTED = [
    (0, Kind.RELEASE, 1), (10, Kind.START, 1, 0), (99, Kind.REGION_END, 1, 0), (100, Kind.RELEASE, 0),
    (104, Kind.PREEMPT, 1, 1, Strategy.PERSIST), (110, Kind.START, 0, 0), (129, Kind.REGION_END, 0, 0),
    (140, Kind.FINISH, 0), (141, Kind.RESUME, 1, 1, Strategy.PERSIST), (150, Kind.START, 1, 1),
    (199, Kind.REGION_END, 1, 1), (210, Kind.FINISH, 1),
]
LATE = [(0, Kind.RELEASE, 0), (60, Kind.START, 0, 0), (79, Kind.REGION_END, 0, 0), (90, Kind.FINISH, 0, 0, 1)]


def svg(path, rows, horizon=1000, **kw):
    file = path / "t.svg"
    draw_timeline(file, log(*rows), TASKS, horizon, 50.0, "demo", **kw)
    return file.read_text()


@pytest.mark.parametrize("suffix", ["svg", "png"])
@pytest.mark.parametrize("rows", [[], PREEMPTED, LATE], ids=["empty", "preempted", "late"])
def test_files_of_both_kinds_are_written(tmp_path, rows, suffix):
    file = tmp_path / f"t.{suffix}"
    draw_timeline(file, log(*rows), TASKS, 1000, 50.0, "demo")
    assert file.read_bytes().startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    assert file.stat().st_size > 5000


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg or \.png"):
        draw_timeline(tmp_path / "t.pdf", [], TASKS, 100, 50.0, "demo")
    assert not list(tmp_path.iterdir())


def test_the_title_says_the_verdict(tmp_path, monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    assert "demo: every deadline met (2 jobs finished, 1 preemption)" in svg(tmp_path, PREEMPTED)
    assert "demo: 1 deadline missed (1 job finished, 0 preemptions)" in svg(tmp_path, LATE)
    late = svg(tmp_path, [*LATE[:1], (100, Kind.OVERRUN, 0)])
    assert "2 deadlines missed, 1 skipped release among them" in late


def test_misses_are_red_and_only_misses(tmp_path):
    """The legend has two red marks; a miss adds arrow, line, late execution, finish and title."""
    red = timeline.MISS_COLOUR
    assert svg(tmp_path, LATE, zoom=None).count(red) > svg(tmp_path, PREEMPTED, zoom=None).count(red)


def test_the_zoom_shows_the_preemption_or_the_miss():
    def window(rows, horizon):
        return timeline._interesting(timeline._Log(TASKS, horizon, *rebuild(log(*rows), TASKS, horizon)))

    first, last = window(PREEMPTED, 1000)
    assert first < 104 and 141 < last < 250
    first, last = window(LATE, 1000)
    assert first == 0 and 90 < last < 150
    assert window([], 1000) is None
    assert window(PREEMPTED, 100) is None  # ends before the preemption


@pytest.mark.parametrize("window", [(20, 40), (0, 7), (36, 47), (18_541, 38_959), (3, 4)])
def test_ticks_stand_at_the_cycles_they_name(window):
    axis = Figure(figsize=(15, 3)).subplots()
    timeline._panel(axis, timeline._Log(TASKS, 50_000, [], []), window, None, "cycles")
    axis.figure.draw_without_rendering()
    named = [int(label.get_text().replace(",", "").replace("\N{MINUS SIGN}", "-")) for label in axis.get_xticklabels()]
    assert named == list(axis.get_xticks())
    assert len([cycle for cycle in named if window[0] <= cycle <= window[1]]) >= 2


def test_regions_closer_than_a_pixel_are_drawn_as_one_bar():
    (job, _), _ = rebuild(log(*PREEMPTED), TASKS, 1000)
    assert timeline._fused(job, 1) == [(10, 100), (150, 200)]
    assert timeline._fused(job, 50) == [(10, 200)]


def test_the_same_log_gives_the_same_file(tmp_path):
    assert svg(tmp_path, PREEMPTED) == svg(tmp_path, PREEMPTED)


def test_several_files_are_those_of_single_calls(tmp_path):
    both, one = [tmp_path / "a.svg", tmp_path / "a.png"], [tmp_path / "b.svg", tmp_path / "b.png"]
    for path in (both, *one):
        draw_timeline(path, log(*PREEMPTED), TASKS, 1000, 50.0, "demo")
    assert [path.read_bytes() for path in both] == [path.read_bytes() for path in one]


def test_a_lane_of_many_jobs_shows_its_bars():
    """Releases become ticks above the bars: no stroke in the colour of releases ends on the baseline of the lane."""
    heights = {}
    for count in (timeline.DENSE, timeline.DENSE + 1):
        axis = Figure().subplots()
        timeline._arrows(axis, [100 * i for i in range(count)], 0, (0, 100 * count), timeline.INK, up=True)
        heights[count] = min(float(path.vertices[:, 1].min()) for lines in axis.collections
                             for path in lines.get_paths())
    assert heights[timeline.DENSE] == 0 < timeline.BAR_TOP < heights[timeline.DENSE + 1]
