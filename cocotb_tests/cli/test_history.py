"""The results file: growth against the last line is refused, unless a reason is recorded."""

import copy
import json

import pytest

from derca_cli.bench.history import command as history
from derca_cli.bench.history import figures as history_figures
from derca_cli.bench.history.figures import UTILISATION, changes
from kit.cli import derca

LINE = {
    "date": "2026-01-01", "commit": "abc", "tools": {"yosys": "0"}, "configurations": {},
    "resources": {"small/ecp5": {"scheduler": {"LUT": 1000, "REG": 200, "BRAM": 2, "DSP": 0},
                                 "total": {"LUT": 1000, "REG": 200, "BRAM": 2, "DSP": 0}}},
    "cycles": {"demo": {"deadline misses": 0, "worst response": 2000}, "layer": {UTILISATION: 80.0}},
}


def with_figure(path: str, value: float) -> dict:
    line = copy.deepcopy(LINE)
    *parts, last = path.split("|")
    place = line
    for part in parts:
        place = place[part]
    place[last] = value
    return line


@pytest.mark.parametrize(("path", "value", "worse", "too_much"), [
    ("resources|small/ecp5|scheduler|LUT", 1060, True, True),  # 6 %
    ("resources|small/ecp5|scheduler|LUT", 1050, True, False),
    ("resources|small/ecp5|scheduler|LUT", 1051, True, True),
    ("resources|small/ecp5|scheduler|LUT", 900, False, False),
    ("resources|small/ecp5|scheduler|BRAM", 2.5, True, True),
    ("resources|small/ecp5|scheduler|DSP", 1, True, True),  # from nothing
    ("resources|small/ecp5|total|REG", 212, True, True),
    ("cycles|demo|worst response", 2120, True, True),
    ("cycles|demo|deadline misses", 1, True, True),
    ("cycles|layer|" + UTILISATION, 75.2, True, True),
    ("cycles|layer|" + UTILISATION, 77.0, True, False),
    ("cycles|layer|" + UTILISATION, 99.0, False, False),
])
def test_growth_over_five_per_cent_is_too_much(path, value, worse, too_much):
    found, = changes(LINE, with_figure(path, value))
    assert (found["worse"], found["too_much"]) == (worse, too_much)
    assert found["figure"] == ", ".join(path.split("|")[1:]) and found["new"] == value


def test_a_few_cells_of_a_tiny_module_are_no_growth():
    old = with_figure("resources|small/ecp5|scheduler|LUT", 20)
    assert not changes(old, with_figure("resources|small/ecp5|scheduler|LUT", 28))[0]["too_much"]
    assert changes(old, with_figure("resources|small/ecp5|scheduler|LUT", 29))[0]["too_much"]


def test_equal_lines_and_figures_of_one_side_only_are_no_change():
    assert changes(LINE, copy.deepcopy(LINE)) == []
    assert changes(LINE, with_figure("resources|demo/ecp5", {"total": {"LUT": 1}})) == []


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Sets what the next measurement gives; `file` is the results file."""
    class Measured:
        file = tmp_path / "results.jsonl"
        line = LINE

        def run(self, *options):
            return derca("bench", "history", "--results", self.file, *options)

    out = Measured()
    monkeypatch.setattr(history, "line", lambda because, progress: out.line | ({"because": because} if because else {}))
    return out


def test_lines_are_appended_and_growth_needs_a_reason(measured):
    assert measured.run("--record").exit_code == 0
    measured.line = with_figure("resources|small/ecp5|total|LUT", 1060)
    refused = measured.run("--record")
    assert refused.exit_code == 1
    assert "small/ecp5, total, LUT: 1,000 -> 1,060 (+6.0 %)" in " ".join(refused.stderr.split())
    assert len(history.read(measured.file)) == 1
    assert measured.run("--record", "--because", "a second bank").exit_code == 0
    first, second = history.read(measured.file)
    assert "because" not in first and second["because"] == "a second bank"
    assert measured.run().exit_code == 0  # against the recorded line nothing grew
    assert len(history.read(measured.file)) == 2


def test_what_changed_is_told(measured):
    measured.run("--record")
    measured.line = with_figure("cycles|demo|worst response", 1900)
    answer = measured.run()
    assert answer.exit_code == 0
    assert "Smaller or faster since 2026-01-01, commit abc" in answer.stdout and "-5.0 %" in answer.stdout
    told = json.loads(measured.run("--json").stdout)
    assert [c["figure"] for c in told["changes"]] == ["demo, worst response"] and not told["recorded"]


def test_a_broken_results_file_and_a_reason_for_nothing_are_bad_input(measured):
    measured.file.write_text("{}\nno\n")
    assert "line 2 is not a JSON object" in measured.run().stderr
    assert measured.run("--because", "x").exit_code == 2


def test_the_last_line_holds_what_is_measured_today():
    last = history.read(history.RESULTS)[-1]
    assert set(last["resources"]) == set(history_figures.designs())
    assert {"date", "commit", "tools", "configurations"} <= set(last)
    for rows in last["resources"].values():
        for kind, total in rows["total"].items():
            assert sum(row[kind] for row in rows.values()) == 2 * total


@pytest.mark.full
def test_nothing_grew_by_more_than_five_per_cent_since_the_last_line():
    """The quickest of the platforms, and every cycle; `derca bench history` compares the others."""
    last = history.read(history.RESULTS)[-1]
    new = {"resources": history_figures.resources(["small/ecp5"]), "cycles": history_figures.cycles()}
    grown = [history.problem(c) for c in changes(last, new) if c["too_much"]]
    assert not grown, "derca bench history --record --because REASON: " + "; ".join(grown)
