"""`--csv`: the rows of the main table, read by Python's own reader, beside the JSON of the same call."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from kit.cli import derca
from kit.documents import DOCUMENTS

SAMPLES = Path(__file__).parents[2] / "sim"
SET = SAMPLES / "tasksets" / "wcets.toml"
TINY = SAMPLES / "tasksets" / "digits_tiny.toml"
FORMATS = next(document for document in DOCUMENTS if document.name == "formats.md").read_text()


def both(tmp_path, *arguments) -> tuple[list[dict], dict, int]:
    """Rows of the CSV file and the JSON of one call."""
    file = tmp_path / "rows.csv"
    answer = derca(*arguments, "--csv", file, "--json")
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream)), json.loads(answer.stdout), answer.exit_code


def cell(value) -> str:
    """A value of JSON as a cell."""
    return "" if value is None else str(value)


@pytest.mark.parametrize(("file", "policy", "verdict"), [
    (SET, "edf", "proved"), (TINY, "deadline_monotonic", "proved")], ids=["times", "networks"])
def test_an_analysis(tmp_path, file, policy, verdict):
    rows, found, code = both(tmp_path, "analyze", file, "--policy", policy)
    assert code == 0 and len(rows) == len(found["tasks"]) == 3
    for row, task in zip(rows, found["tasks"], strict=True):
        assert [row[key] for key in ("taskset", "policy", "strategy", "verdict")] == [
            found["taskset"], policy, "joint", verdict]
        assert row["clock_mhz"] == cell(found["clock_mhz"]) == ("" if file is SET else "12.0")
        assert [row[key] for key in ("task", "period_cycles", "deadline_cycles", "unpreempted_cycles", "charged_cycles",
                                     "longest_region_cycles", "response_bound_cycles", "slack_cycles", "points",
                                     "candidate_points")] == [cell(task[key]) for key in (
            "task", "period", "deadline", "unpreempted", "charged", "longest_region", "response_bound", "slack",
            "points", "candidate_points")]
        assert float(row["relative_slack"]) == task["relative_slack"]


def test_what_is_not_proved_has_empty_cells(tmp_path):
    rows, found, code = both(tmp_path, "analyze", SET, "--strategy", "np")
    assert (code, found["tasks"][0]["response_bound"]) == (1, None)
    assert {(row["verdict"], row["response_bound_cycles"], row["slack_cycles"]) for row in rows} == {
        ("disproved", "", "")}


@pytest.mark.parametrize("file", [SET, TINY], ids=["times", "networks"])
def test_a_run(tmp_path, file):
    rows, found, code = both(tmp_path, "simulate", file, "--horizon", 260_000, "-o", tmp_path / "out")
    assert code == 0
    for row, task in zip(rows, found["tasks"], strict=True):
        assert [row[key] for key in ("task", "released", "finished", "deadline_misses", "worst_response_cycles",
                                     "mean_response_cycles", "horizon_cycles", "accuracy")] == [
            task["name"], *(cell(task[key]) for key in ("released", "finished", "misses", "worst_response",
                                                        "mean_response")), "260000", ""]
        assert {kind: int(row[f"preemptions_{kind}"]) for kind in task["preemptions"]} == task["preemptions"]


def test_a_comparison_has_a_row_for_each_strategy_and_task(tmp_path):
    rows, found, _ = both(tmp_path, "compare", SET)
    assert len(rows) == len(found["strategies"]) * len(found["tasks"])
    values = iter(rows)
    for strategy in found["strategies"]:
        for task, worst, points in zip(found["tasks"], strategy["worst_response"], strategy["points"], strict=True):
            row = next(values)
            assert [row[key] for key in ("strategy", "verdict", "task", "worst_response_cycles", "points",
                                         "deadline_misses", "least_relative_slack")] == [
                strategy["strategy"], strategy["verdict"], task, cell(worst), cell(points),
                cell(strategy["deadline_misses"]), cell(strategy["least_relative_slack"])]


def test_a_sweep_and_its_file_have_the_same_rows(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text('name = "s"\nsets = 2\nstrategies = ["np"]\n[x]\nparameter = "utilisation"\nvalues = [0.5, 0.6]\n'
                    "[tasks]\n")
    rows, found, _ = both(tmp_path, "sweep", file, "--jobs", 1, "-o", tmp_path / "out")
    assert [[cell(value) for value in row.values()] for row in found["rows"]] == [list(row.values()) for row in rows]
    assert (tmp_path / "out" / "s.csv").read_text() == (tmp_path / "rows.csv").read_text()


def test_a_report(tmp_path, toy_hardware):
    rows, found, _ = both(tmp_path, "report", "--target", "ecp5")
    assert [list(row) for row in rows] == [["module", "lut", "reg", "bram", "dsp"]] * len(rows)
    listed = [*found["rows"], found["flattened"]]
    assert [[row["module"], *(float(row[kind]) for kind in ("lut", "reg", "bram", "dsp"))] for row in rows] == [
        [row["module"], *(float(row[kind]) for kind in ("LUT", "REG", "BRAM", "DSP"))] for row in listed]


@pytest.mark.parametrize("command", ["analyze", "compare"])
def test_rows_alone_on_stdout(command):
    answer = derca(command, SET, "--csv", "-")
    rows = list(csv.reader(io.StringIO(answer.stdout)))
    assert len({len(row) for row in rows}) == 1 and rows[0][0] == "taskset"
    refused = derca(command, SET, "--csv", "-", "--json")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--csv = -: --json prints on stdout, too" in refused.stderr


def test_a_file_of_somebody_else_stays(tmp_path):
    (tmp_path / "mine.csv").write_text("mine\n")
    assert derca("analyze", SET, "--csv", tmp_path / "mine.csv").exit_code == 2
    assert (tmp_path / "mine.csv").read_text() == "mine\n"
    for command in ("analyze", "analyze", "compare"):  # but not one that such a call left
        assert derca(command, SET, "--csv", tmp_path / "rows.csv").exit_code == 0
    assert "worst_response_cycles" in (tmp_path / "rows.csv").read_text()


@pytest.mark.parametrize(("file", "more", "schedulable", "verdict"), [
    (SET, (), True, "proved"), (TINY, (), True, "proved"), (SET, ("--strategy", "np"), False, "disproved"),
    (None, (), None, "not proved")])
def test_the_json_of_an_analysis_has_one_verdict_and_all_its_keys_are_described(tmp_path, file, more, schedulable,
                                                                               verdict):
    if file is None:  # prices that the test charges, and that no schedule pays
        file = tmp_path / "set.toml"
        file.write_text('name = "s"\n[[task]]\nname = "a"\nperiod = 10\ndeadline = 8\nwcet = 3\n[[task]]\nname = "b"\n'
                        'period = 40\nwcet = 15\nevery = 2\nswap_in = 2\nswap_out = 1\n')
    found = json.loads(derca("analyze", file, *more, "--json").stdout)
    assert (found["schedulable"], found["verdict"], found["proof"]["verdict"]) == (schedulable, verdict, verdict)
    text = FORMATS[FORMATS.index("## Answers of derca analyze"):].partition("\n## ")[0]
    described = set(re.findall(r"`([a-z_]+)`", text))
    keys = {*found, *(key for task in found["tasks"] for key in task),
            *(key for task in found["tasks"] for point in task["chosen"] for key in point),
            *(found["witness"] or {}), *(found["miss"] or {})}
    assert keys <= described


def test_every_column_is_described(tmp_path):
    columns = set()
    for arguments in (("analyze", SET), ("simulate", SET, "--horizon", 30_000, "-o", tmp_path / "out"),
                      ("compare", SET)):
        columns |= set(both(tmp_path, *arguments)[0][0])
    described = set(re.findall(r"`([a-z_]+)`", FORMATS[FORMATS.index("## Tables as CSV"):].partition("\n## ")[0]))
    assert columns <= described
    assert all(re.fullmatch(r"[a-z][a-z_]*", column) for column in columns)
