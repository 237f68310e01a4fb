"""`derca view`: a page of folders and task sets, without anything from elsewhere."""

import json
import re
import shutil

import pytest

from derca_flow.view.page import SCRIPTS, STYLES, embedded, render
from kit.checkout import ROOT, TASKSETS
from kit.cli import derca
from kit.wrong_inputs import taskset

SET = TASKSETS / "wcets.toml"


def page_of(file) -> dict:
    """The data in a page."""
    found, = re.findall(r'<script type="application/json" id="data">(.*?)</script>', file.read_text(), re.DOTALL)
    return json.loads(found)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A folder of derca simulate."""
    found = tmp_path_factory.mktemp("view") / "run"
    done = derca("simulate", SET, "--horizon", 60_000, "-o", found)
    assert done.exit_code == 0, done.output
    return found


@pytest.fixture
def folder(simulated, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(simulated, tmp_path / "run")


def test_a_folder_and_a_task_set_give_the_same_run(folder, tmp_path):
    file, trace = tmp_path / "page.html", tmp_path / "trace.json"
    done = derca("view", folder, SET, "--horizon", 60_000, "-o", file, "--perfetto", trace, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["page"], found["perfetto"]) == (str(file), str(trace))
    read, made = page_of(file)["runs"]
    assert read == made
    assert (read["label"], read["title"], read["misses"]) == ("wcets, joint", "proved", 0)
    summary = json.loads((folder / "summary.json").read_text())
    assert [t["worst"] for t in read["tasks"]] == [t["worst_response"] for t in summary["tasks"]]
    assert sum(e["ph"] == "X" for e in json.loads(trace.read_text())["traceEvents"]) == 2 * len(read["spans"]["job"])
    again = derca("view", folder, "-o", file, "--perfetto", trace)  # both are recognised as results
    assert again.exit_code == 0 and "page" in again.stdout, again.output


def test_runs_with_every_point_are_named_so(tmp_path):
    derca("simulate", SET, "--horizon", 9_000, "--all-points", "--strategy", "ip", "-o", tmp_path / "ip")
    done = derca("view", tmp_path / "ip", SET, "--horizon", 9_000, "--strategy", "full", "--strategy", "limited", "-o",
                 tmp_path / "page.html", "--json")
    assert [run["label"] for run in json.loads(done.stdout)["runs"]] == [
        "wcets, ip, every point", "wcets, full", "wcets, joint"]


def test_a_set_of_networks_has_lanes_and_facts(tmp_path):
    (tmp_path / "t.toml").write_bytes(taskset())
    done = derca("view", tmp_path / "t.toml", "--strategy", "np", "--strategy", "lw", "-o", tmp_path / "p.html")
    assert done.exit_code == 0, done.output
    runs = page_of(tmp_path / "p.html")["runs"]
    assert [run["strategy"] for run in runs] == ["np", "lw"]
    for run in runs:
        assert set(run["lanes"]) == {"load", "store", "banks"} and run["origin"] == "golden machine"
        assert run["resources"]["ecp5"]["LUT"] > 500 and ["array", "2 x 2 elements, int8"] in run["facts"]


def test_another_policy_is_named(tmp_path):
    done = derca("view", SET, "--policy", "dm", "--horizon", 30_000, "-o", tmp_path / "p.html", "--json")
    assert json.loads(done.stdout)["runs"][0]["label"] == "wcets, joint, deadline_monotonic"


def test_a_folder_of_an_older_run_has_no_bounds(folder, tmp_path):
    (folder / "plan.json").unlink()
    assert derca("view", folder, "-o", tmp_path / "p.html").exit_code == 0
    run, = page_of(tmp_path / "p.html")["runs"]
    assert run["analysed"] is False and {task["bound"] for task in run["tasks"]} == {None}


@pytest.mark.parametrize(("file", "content", "words"), [
    ("events.jsonl", None, "is a folder: allowed is the folder of a run or"),
    ("events.jsonl", '{"cycle": 1, "kind": "release", "task": 9, "job": 0, "region": 0, "arg": 0}\n',
     "line 1: task = 9: allowed are 0 .. 2"),
    ("events.jsonl", '{"cycle": 1, "kind": "start", "task": 0, "job": 0, "region": 0, "arg": 0}\n',
     "contradicts itself: START in cycle 1"),
    ("summary.json", None, "summary.json: cannot be read"),
    ("summary.json", "[]", "is no JSON object"),
    ("summary.json", '{"tasks": [{"name": "a"}]}', "is no summary of a run (KeyError"),
    ("plan.json", '{"tasks": []}', "is of other tasks"),
])
def test_a_damaged_folder_is_bad_input(folder, tmp_path, file, content, words):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    done = derca("view", folder, "-o", tmp_path / "p.html", COLUMNS="400")
    assert done.exit_code == 2 and words in done.stderr, done.output
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize(("arguments", "words"), [
    (("--horizon", "0"), "--horizon = 0: allowed are 1 .. "),
    (("--horizon", "5"), "--horizon = 5: allowed with task sets"),
    (("--strategy", "np"), "--strategy = np: allowed with task sets"),
    (("--policy", "dm"), "--policy = dm: allowed with task sets"),
])
def test_options_that_do_not_apply_are_refused(folder, tmp_path, arguments, words):
    done = derca("view", folder, "-o", tmp_path / "p.html", *arguments, COLUMNS="400")
    assert done.exit_code == 2 and words in done.stderr, done.output


def test_a_foreign_file_is_not_replaced(folder, tmp_path):
    (tmp_path / "p.html").write_text("<p>mine</p>")
    assert derca("view", folder, "-o", tmp_path / "p.html").exit_code == 2
    assert (tmp_path / "p.html").read_text() == "<p>mine</p>"


def test_the_page_asks_nobody_for_anything(folder, tmp_path):
    derca("view", folder, "-o", tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert not re.search(r"<(script|link|img|iframe)[^>]*\s(src|href)\s*=", text)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(", text)
    assert "default-src 'none'" in text and "Permission is hereby granted" in text
    assert len(text) < 400_000


def test_data_cannot_leave_their_element():
    hostile = "</script><script>alert(1)</script><!-- & -->"
    assert json.loads(embedded({"a": hostile})) == {"a": hostile}
    assert not set("<>&") & set(embedded({"a": hostile}))
    page = render({"a": hostile}, hostile, f"Again: derca view '{hostile}@DATA@'")
    assert page.count("alert(1)") == 4  # title, comment, footer, data
    assert "<script>alert" not in page and page.count("</script>") == 1 + len(SCRIPTS)


def test_the_scripts_are_short_and_the_library_says_who_made_it():
    folder = ROOT / "derca_flow" / "view"
    own = [name for name in (*SCRIPTS, *STYLES) if not name.startswith("vendor")]
    assert sorted(own) == sorted(p.name for p in folder.iterdir() if p.suffix in (".js", ".css"))
    lines = {name: (folder / name).read_text().splitlines() for name in own}
    assert {name: len(found) for name, found in lines.items() if len(found) > 300} == {}
    assert [f"{name}: {line}" for name, found in lines.items() for line in found if len(line) > 120] == []
    assert "(v1.6.32)" in (folder / "vendor" / "uPlot.iife.min.js").read_text()[:80]
