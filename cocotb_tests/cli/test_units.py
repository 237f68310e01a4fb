"""The unit of a set of execution times: it changes no figure, and no answer or picture speaks of cycles."""

import csv
import io
import json
import re

import matplotlib
import pytest

import derca
from derca_sim.errors import InputError
from kit import chromium
from kit.checkout import TASKSETS
from kit.cli import derca as command

SET = TASKSETS / "wcets.toml"


@pytest.fixture
def microseconds(tmp_path):
    """The sample with times in microseconds."""
    file = tmp_path / "us.toml"
    file.write_text(re.sub('^name = .*', 'name = "wcets"\nunit = "us"', SET.read_text(), count=1, flags=re.MULTILINE))
    return file


@pytest.fixture(autouse=True)
def text_in_pictures(monkeypatch):
    """Pictures keep their words as text."""
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")


def same(a: object, b: object) -> bool:
    """Whether two answers differ in names of files, units and words alone."""
    numbers = [re.findall(r"(?<![\w.])\d[\d.,]*", json.dumps({k: v for k, v in each.items() if k != "files"}))
               for each in (a, b)]
    return numbers[0] == numbers[1]


@pytest.mark.parametrize("more", [(), ("--strategy", "np"), ("--strategy", "np", "--policy", "dm"), ("--points",)],
                         ids=" ".join)
def test_an_analysis_names_the_unit(tmp_path, microseconds, more):
    found = command("analyze", microseconds, *more, "--picture", tmp_path / "miss.svg").stdout
    assert "Times in us. alone" in found and "cycle" not in found
    cycles = command("analyze", SET, *more).stdout
    assert found.count(" us") > 0 and "Cycles. alone" in cycles
    if "np" in more:
        assert re.search(r"\d us of demand by control .* within [\d,]+ us", " ".join(found.split()))
        drawn = (tmp_path / "miss.svg").read_text()
        assert ">us<" in drawn and ">cycles<" not in drawn
    theirs, ours = (json.loads(command("analyze", file, *more, "--json").stdout) for file in (SET, microseconds))
    assert (theirs["unit"], ours["unit"]) == ("cycles", "us") and same(theirs, ours)
    head, *rows = csv.reader(io.StringIO(command("analyze", microseconds, *more, "--csv", "-").stdout))
    assert "period_us" in head and not [name for name in head if "cycles" in name] and len(rows) == 3


def test_a_miss_names_the_unit(tmp_path):
    file = tmp_path / "late.toml"
    file.write_text('name = "s"\nunit = "ms"\n[[task]]\nname = "short"\nperiod = 20\ndeadline = 9\nwcet = 3\n'
                    '[[task]]\nname = "long"\nperiod = 100\nwcet = 12\nevery = 6\nswap_in = 2\nswap_out = 4\n')
    found = command("analyze", file, "--strategy", "ip")
    assert re.search(r"job \d of short ends late, at \d+ ms\n", found.stderr)


def test_a_simulation_names_the_unit(tmp_path, microseconds):
    found = command("simulate", microseconds, "--runs", 2, "-o", tmp_path / "out").stdout
    assert "wcets: strategy joint, 200,000 us, proved" in found and "Times in us, at the lengths" in found
    assert "cycle" not in found
    drawn = (tmp_path / "out" / "timeline.svg").read_text()
    assert ">us<" in drawn and "us 0 to " not in drawn and ">cycles<" not in drawn
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["unit"] == "us"


def test_a_comparison_names_the_unit(microseconds):
    found = command("compare", microseconds).stdout
    assert "every strategy, 200,000 us" in found and "response in it, in us." in found and "cycle" not in found
    assert "horizon_us" in command("compare", microseconds, "--csv", "-").stdout.partition("\n")[0]


def test_a_page_has_one_unit(tmp_path, microseconds):
    wrong = command("view", microseconds, SET, "-o", tmp_path / "p.html")
    assert wrong.exit_code == 2 and "times in us, cycles: allowed on one page are runs with" in wrong.stderr
    done = command("view", microseconds, "--horizon", 9_000, "-o", tmp_path / "p.html", "--perfetto", tmp_path / "t")
    assert "9,000 us" in " ".join(done.stdout.split()) and "cycle" not in done.stdout
    assert max(event.get("ts", 0) for event in json.loads((tmp_path / "t").read_text())["traceEvents"]) <= 9_000


@pytest.mark.skipif(chromium.found() is None, reason="no Chromium: apt-get install chromium")
def test_a_page_shows_the_unit(tmp_path, microseconds):
    command("view", microseconds, "--strategy", "np", "-o", tmp_path / "p.html")
    with chromium.browser(tmp_path) as page:
        page.open(tmp_path / "p.html", 1200, 900)
        page.settle()
        text = page.value("document.body.innerText")
        box = page.value("aboutJob(PAGE.runs[0], 0, null).rows.map(row => row[1]).join()")
        traced = page.value("Math.max(...traceEvents(PAGE).traceEvents.map(event => event.ts ?? 0))")
        assert page.complaints == []
    assert "us 0 … 200,000" in text and "· 200,000 us" in text and "cycle" not in text.partition("Again:")[0]
    assert "300 us" in box and traced <= 200_000


def test_simso_and_job_sets_know_the_unit(tmp_path, microseconds):
    assert command("convert", microseconds, "-o", tmp_path / "s.xml").exit_code == 0
    text = (tmp_path / "s.xml").read_text()
    assert 'cycles_per_ms="1000"' in text and 'period="2.0"' in text  # 2,000 us
    command("convert", tmp_path / "s.xml", "-o", tmp_path / "again.toml")
    assert 'unit = "us"' in (tmp_path / "again.toml").read_text()
    command("convert", tmp_path / "s.xml", "--cycles-per-ms", 250, "-o", tmp_path / "quarters.toml")
    assert 'unit = "cycles"' in (tmp_path / "quarters.toml").read_text()
    wrong = command("convert", microseconds, "--cycles-per-ms", 7, "-o", tmp_path / "w.xml")
    assert wrong.exit_code == 2 and '--cycles-per-ms = 7: allowed is 1000 with unit = "us"' in wrong.stderr
    assert "; unit" in " ".join(command("convert", microseconds, "-o", tmp_path / "jobs.csv").stdout.split())


def test_the_axis_of_a_sweep_over_a_time_names_the_unit(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text('name = "s"\nsets = 1\nunit = "us"\nstrategies = ["np"]\n[x]\nparameter = "swap_in"\n'
                    'values = [0, 5]\n[tasks]\nevery = 1_000\n')
    found = command("sweep", file, "-o", tmp_path / "out")
    assert "by swap_in (us)" in found.stdout
    assert "time to resume (swap_in), us" in (tmp_path / "out" / "s.svg").read_text()
    file.write_text(file.read_text().replace("swap_in", "number").replace("0, 5", "1, 2"))
    assert "by number\n" in command("sweep", file, "-o", tmp_path / "numbers").stdout


def test_python_names_the_unit(tmp_path, microseconds):
    tasks = derca.task_set([derca.Task("a", period=9, wcet=2)], unit="ms")
    assert (derca.analyze(tasks).unit, derca.analyze(derca.load(SET)).unit) == ("ms", "cycles")
    schedule = derca.simulate(derca.load(microseconds), horizon=9_000)
    schedule.timeline(tmp_path / "t.svg")
    assert schedule.unit == "us" and ">us<" in (tmp_path / "t.svg").read_text()
    with pytest.raises(InputError, match='unit = "s": allowed are one of "cycles", "ns", "us", "ms"'):
        derca.task_set([derca.Task("a", period=9, wcet=2)], unit="s")
