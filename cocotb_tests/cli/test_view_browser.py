"""The page in a real browser: it shows, zooms and hovers, and nothing complains.

After a change of its looks, this takes the picture of the manual anew:

    PYTHONPATH=.:sim:cocotb_tests .venv/bin/python cocotb_tests/cli/test_view_browser.py
"""

import json
import re
import tempfile
from pathlib import Path

import pytest

from kit import chromium
from kit.checkout import ROOT, TASKSETS
from kit.cli import derca
from kit.wrong_inputs import taskset

pytestmark = pytest.mark.skipif(chromium.found() is None, reason="no Chromium: apt-get install chromium")
#: Defines in JavaScript: the pixels of a row of a canvas, as [red, green, blue, opacity].
PIXELS = """const pixels = (canvas, y) => {
    const copy = new OffscreenCanvas(canvas.width, 1).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, -y);
    const data = copy.getImageData(0, 0, canvas.width, 1).data, at = [...Array(canvas.width).keys()];
    return at.map(x => [...data.slice(4 * x, 4 * x + 4)]);
};"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page with a run that misses deadlines and one that does not, and the trace of both."""
    folder = tmp_path_factory.mktemp("view")
    done = derca("view", TASKSETS / "wcets.toml", "--strategy", "np", "--strategy", "joint", "-o", folder / "p.html",
                 "--perfetto", folder / "trace.json")
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def page(made):
    with chromium.browser(made) as found:
        yield found


@pytest.fixture
def fresh(page, made):
    """The page as it opens."""
    page.complaints.clear()
    page.open(made / "p.html", 1200, 900)
    yield page
    assert page.complaints == []
    assert {url.split("#")[0] for url in page.requests} <= {"about:blank", (made / "p.html").resolve().as_uri()}


def place(page, timeline: int, cycle: float, lane: str) -> tuple[float, float]:
    """The pixel in the middle of a lane of a timeline, at a cycle."""
    return tuple(page.value(f"""(() => {{
        const t = TIMELINES[{timeline}], frame = t.canvas.getBoundingClientRect();
        const lane = t.lanes.find(lane => lane.name === "{lane}");
        return [frame.left + t.scale.x({cycle}), frame.top + lane.top + lane.height * 0.6];
    }})()"""))


def colours(page, timeline: int, lane: str) -> list[str]:
    """The opaque colours along the middle of a lane, from left to right."""
    return list(page.value(f"""(() => {{ {PIXELS}
        const t = TIMELINES[{timeline}], lane = t.lanes.find(lane => lane.name === "{lane}");
        const y = Math.round((lane.top + lane.height * 0.6) * devicePixelRatio);
        return pixels(t.canvas, y).filter(([, , , opacity]) => opacity === 255).map(
            rgb => "#" + rgb.slice(0, 3).map(value => value.toString(16).padStart(2, "0")).join(""));
    }})()"""))


def test_it_shows_verdicts_bounds_and_regions(fresh):
    text = fresh.value("document.body.innerText")
    assert "NOT PROVED (disproved)" in text and "proved" in text and "deadlines missed" in text
    runs = fresh.value("PAGE.runs.map(run => run.tasks.map(task => [task.worst, task.bound]))")
    for worst, bound in runs[1]:
        assert f"{worst:,}" in text and f"{bound:,}" in text
    assert "#4477aa" in colours(fresh, 0, "control") and "#d1242f" not in colours(fresh, 1, "control")
    assert "#228833" in colours(fresh, 1, "obstacles")
    assert fresh.value("document.querySelectorAll('.charts canvas').length") == 6
    assert fresh.value("(() => {" + PIXELS + """
        return [...document.querySelectorAll('.charts canvas')].every(canvas => // the zero line of every histogram
            [...Array(canvas.height).keys()].some(y => pixels(canvas, y).some(([, , , opacity]) => opacity)));
    })()""")


def test_what_is_late_is_red_and_what_is_not_has_the_colour_of_its_task(fresh):
    release, deadline, finish = fresh.value("""(() => {
        const { jobs } = PAGE.runs[0], i = jobs.missed.findIndex((missed, i) => missed && jobs.task[i] === 0);
        return [jobs.release[i], jobs.deadline[i], jobs.finish[i]];
    })()""")
    assert deadline + 50 < finish
    start = fresh.value(f"PAGE.runs[0].spans.start.find(start => start >= {release})")
    fresh.value(f"setView({deadline}, {finish})")  # the deadline at the left edge, the end at the right one
    fresh.settle()
    scale = fresh.value("[TIMELINES[0].scale.left, TIMELINES[0].scale.pitch]")
    red = colours(fresh, 0, "control").count("#d1242f")
    assert red > 0.9 * (finish - max(start, deadline)) * scale[1]
    assert "#4477aa" not in colours(fresh, 0, "control")[int(scale[0]):]


def test_the_wheel_zooms_around_the_pointer(fresh):
    x, y = map(round, place(fresh, 1, 40_000, "obstacles"))
    left = fresh.value("TIMELINES[1].canvas.getBoundingClientRect().left")
    cycle = fresh.value(f"TIMELINES[1].scale.cycle({x - left})")
    for _ in range(5):
        fresh.mouse("mouseWheel", x, y, deltaX=0, deltaY=-200)
    view = fresh.value("VIEW")
    assert view["to"] - view["from"] == pytest.approx(fresh.value("HORIZON") * 1.0018 ** -1000, rel=1e-6)
    assert place(fresh, 1, cycle, "obstacles")[0] == pytest.approx(x, abs=0.1)
    assert place(fresh, 0, cycle, "obstacles")[0] == pytest.approx(x, abs=0.1)  # all runs share the window
    fresh.mouse("mousePressed", x, y, buttons=1)
    fresh.mouse("mouseMoved", x + 50, y, buttons=1)
    fresh.mouse("mouseReleased", x + 50, y)
    assert place(fresh, 1, cycle, "obstacles")[0] == pytest.approx(x + 50, abs=0.1)
    fresh.mouse("mouseWheel", left + 20, y, deltaX=0, deltaY=-200)  # over the names: no zoom
    assert fresh.value("VIEW.to - VIEW.from") == pytest.approx(view["to"] - view["from"])


def test_keys_and_buttons_move_the_window(fresh):
    whole = fresh.value("HORIZON")
    fresh.key("+")
    fresh.until(f"VIEW.to - VIEW.from === {whole / 2} && goal === null")
    fresh.key("ArrowRight")
    fresh.until(f"VIEW.from === {whole / 4 + 0.2 * whole} && goal === null")
    fresh.key("0")
    fresh.until(f"VIEW.to - VIEW.from === {whole} && goal === null")
    seen = []
    for _ in range(3):
        fresh.value("document.querySelector('[data-do=preemption]').click()")
        fresh.until("goal === null && VIEW.to - VIEW.from < HORIZON / 11")
        seen.append(fresh.value("latest.preemption.cycle"))
    assert seen == fresh.value("PAGE.runs[1].switches.cycle.filter((_, i) => !PAGE.runs[1].switches.resumes[i])"
                               ".sort((a, b) => a - b).slice(0, 3)")
    fresh.key("m")
    fresh.until("goal === null && latest.miss && VIEW.from <= latest.miss.cycle && latest.miss.cycle <= VIEW.to")


def test_the_box_names_job_region_price_and_bound(fresh):
    at = fresh.value("""(() => {
        const run = PAGE.runs[1], taskOf = i => run.jobs.task[run.spans.job[i]];
        const i = run.spans.region.findIndex((region, i) => region > 0 && taskOf(i) === 1);
        return [run.spans.start[i], run.spans.end[i], run.spans.region[i], run.jobs.number[run.spans.job[i]]];
    })()""")
    fresh.value(f"setView({at[0] - 500}, {at[1] + 500})")
    fresh.settle()
    fresh.mouse("mouseMoved", *place(fresh, 1, (at[0] + at[1]) / 2, "obstacles"))
    box = fresh.value("BOX.hidden ? '' : BOX.innerText")
    assert f"obstacles, job {at[3]}" in box and re.search(rf"region\s+{at[2]} of 0", box)
    assert f"{at[0]:,} … {at[1]:,}" in box and "swap-in of at most 40 cycles" in box
    bound = fresh.value("PAGE.runs[1].tasks[1].bound")
    assert f"{bound:,} cycles" in box
    fresh.mouse("mouseMoved", 5, 5)
    assert fresh.value("BOX.hidden")


def test_the_keyboard_reaches_every_job(fresh):
    fresh.value("TIMELINES[1].canvas.focus()")
    fresh.key("n")
    first = fresh.value("BOX.innerText")
    fresh.key("n")
    second = fresh.value("BOX.innerText")
    fresh.key("PageDown")
    assert "control, job" in first and "control, job" in second and first != second
    assert "obstacles, job" in fresh.value("BOX.innerText")
    fresh.key("Escape")
    assert fresh.value("BOX.hidden")


def test_the_trace_of_the_page_is_that_of_the_command(fresh, made):
    assert fresh.value("traceEvents(PAGE)") == json.loads((made / "trace.json").read_text())
    fresh.value("document.querySelector('[data-do=perfetto]').click()")
    saved = made / "derca-trace.json"
    fresh.wait(lambda: saved.exists() and saved.stat().st_size)
    assert json.loads(saved.read_text()) == json.loads((made / "trace.json").read_text())


def test_dark_and_narrow(fresh):
    light = fresh.value("getComputedStyle(document.body).backgroundColor")
    fresh.value("document.querySelector('[data-do=theme]').click()")
    assert fresh.value("getComputedStyle(document.body).backgroundColor") != light
    fresh.call("Emulation.setDeviceMetricsOverride", width=420, height=800, deviceScaleFactor=2, mobile=False)
    fresh.until("TIMELINES[0].canvas.width === 2 * TIMELINES[0].canvas.clientWidth")
    assert fresh.value("document.documentElement.scrollWidth") <= 420


def test_lanes_of_loads_stores_and_banks(page, tmp_path):
    (tmp_path / "t.toml").write_bytes(taskset())
    assert derca("view", tmp_path / "t.toml", "-o", tmp_path / "p.html").exit_code == 0
    page.complaints.clear()
    page.open(tmp_path / "p.html", 1200, 700)
    start, end = page.value("[PAGE.runs[0].lanes.load.start[0], PAGE.runs[0].lanes.load.end[0]]")
    page.value(f"setView({start - 50}, {end + 200})")
    page.settle()
    for lane, words in (("load", f"load for a.*{start:,} … {end:,}"), ("banks", "in use")):
        page.mouse("mouseMoved", *place(page, 0, (start + end) / 2, lane))
        assert re.search(words, page.value("BOX.innerText"), re.DOTALL)
    assert page.complaints == []


def picture(page, folder: Path, file: Path) -> str:
    """Take the picture of the manual: the demo under two strategies, pointing at a region. The text of the box."""
    done = derca("view", TASKSETS / "demo.toml", "--strategy", "lw", "--strategy", "joint", "-o", folder / "p.html")
    assert done.exit_code == 0, done.output
    page.open(folder / "p.html", 1440, 960)
    page.value("setView(0, 62000)")
    page.settle()
    page.mouse("mouseMoved", *place(page, 1, 33_000, "slow"))
    page.screenshot(file)
    return page.value("BOX.innerText")


@pytest.mark.full
def test_the_demo_and_the_picture_of_the_manual(page, tmp_path):
    page.complaints.clear()
    box = picture(page, tmp_path, tmp_path / "view.png")
    assert re.search(r"slow, job 0\s.*region\s+59 of.*swap-in of at most \d+ cycles.*bound\s+78,619 cycles", box,
                     re.DOTALL)
    text = page.value("document.body.innerText")
    assert "6 deadlines missed" in text and "every deadline met" in text
    assert 30_000 < (tmp_path / "view.png").stat().st_size < 300_000
    assert 30_000 < (ROOT / "docs" / "view.png").stat().st_size < 300_000
    assert page.complaints == []


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, chromium.browser(Path(made)) as tab:
        picture(tab, Path(made), ROOT / "docs" / "view.png")
