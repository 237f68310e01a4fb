"""Commands on task sets of execution times alone, and `derca compare`."""

import json
from pathlib import Path

import matplotlib
import pytest
from typer.testing import CliRunner

from derca_cli import main
from derca_sim.analysis.model import Placement
from derca_sim.events import Kind
from derca_sim.priced_plan import analyse_priced
from derca_sim.report.jobs import TaskInfo, rebuild
from derca_sim.simulate import simulate, synchronous
from derca_sim.workload.priced import load_priced

SET = Path(__file__).parents[2] / "sim" / "tasksets" / "wcets.toml"


def derca(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line."""
    found = CliRunner().invoke(main.app, [str(a) for a in arguments], env={"COLUMNS": "120"})
    return found.exit_code, found.stdout, found.stderr


def test_a_proof_needs_no_network_and_no_platform():
    code, text, _ = derca("analyze", SET, "--json")
    found = json.loads(text)
    assert (code, found["proof"]["verdict"], found["platform"]) == (0, "proved", None)
    assert [task["points"] for task in found["tasks"]] == [0, 49, 2]
    code, text, error = derca("analyze", SET, "--strategy", "np")
    assert (code, "wcets: strategy np" in text) == (1, True)
    assert "failed: disproved" in error


def test_more_candidate_points_may_leave_joint_with_less_slack(tmp_path):
    """Points after every 4 are also those after every 8; the search finds less among them, and the answer says so."""
    tasks, slack, file = ((40, 39, 8, 0, 2), (40, 38, 8, 2, 1), (200, 161, 40, 3, 3)), {}, tmp_path / "set.toml"
    for every in (8, 4):
        text = 'name = "s"\n'
        for i, (period, deadline, wcet, swap_in, swap_out) in enumerate(tasks):
            text += (f'[[task]]\nname = "t{i}"\nperiod = {period}\ndeadline = {deadline}\nwcet = {wcet}\n'
                     f"every = {every}\nswap_in = {swap_in}\nswap_out = {swap_out}\n")
        file.write_text(text)
        slack[every] = json.loads(derca("analyze", file, "--json")[1])["least_relative_slack"]
    assert slack[4] < slack[8]
    words = "search     joint does not try every placement: with fewer candidate points it may find more slack\n"
    assert words in derca("analyze", file)[1]
    assert words not in derca("analyze", file, "--strategy", "ip")[1] + derca("analyze", file, "--strategy", "np")[1]


def test_a_miss_is_drawn_and_its_releases_are_told(tmp_path):
    code, text, _ = derca("analyze", SET, "--strategy", "np", "--picture", tmp_path / "miss.svg", "--json")
    miss = json.loads(text)["miss"]
    assert (code, miss["offsets"], miss["task"]) == (1, {"control": 0, "obstacles": 0, "map": 0}, "control")
    drawn = (tmp_path / "miss.svg").read_text()
    assert "all tasks released together" in drawn
    code, text, _ = derca("analyze", SET, "--picture", tmp_path / "none.svg")
    assert (code, "picture    none: no run was found" in text, (tmp_path / "none.svg").exists()) == (0, True, False)


def test_the_picture_of_a_miss_goes_on_until_the_late_job_ends(tmp_path):
    """By hand: `long` runs from 7 to 27, then the late `short`, whose second release is at 10, from 27 to 29."""
    file = tmp_path / "set.toml"
    file.write_text('name = "set"\n[[task]]\nname = "short"\nperiod = 10\nwcet = 2\n'
                    '[[task]]\nname = "middle"\nperiod = 40\nwcet = 5\n'
                    '[[task]]\nname = "long"\nperiod = 100\nwcet = 20\n')
    miss = analyse_priced(load_priced(file), "np").miss
    assert (miss.task, miss.job, miss.cycle, miss.until) == (0, 1, 20, 30)
    tasks = [TaskInfo(name, period, period) for name, period in (("short", 10), ("middle", 40), ("long", 100))]
    late, = (job for job in rebuild(miss.events, tasks, miss.until)[0] if job.missed(miss.until))
    assert ([(span.start, span.end) for span in late.spans], late.finish) == ([(27, 29)], 29)


def test_the_picture_of_a_miss_waits_for_a_job_that_is_late_by_periods(tmp_path):
    """By hand: `short` waits from 10 to 107; its releases at 20, 30, .. 100 are skipped."""
    file = tmp_path / "set.toml"
    file.write_text('name = "set"\n[[task]]\nname = "short"\nperiod = 10\nwcet = 2\n'
                    '[[task]]\nname = "long"\nperiod = 200\nwcet = 105\n')
    miss = analyse_priced(load_priced(file), "np").miss
    ends = [e.cycle for e in miss.events if e.kind == Kind.FINISH and (e.task, e.job) == (miss.task, miss.job)]
    assert (miss.cycle, ends) == (20, [109])
    assert max(e.cycle for e in miss.events) < miss.until
    whole = simulate(load_priced(file).system, [Placement(())] * 2,
                     synchronous(load_priced(file).system, 400, [0, 0]), 400, log=True).events
    assert list(miss.events) == [e for e in whole if e.cycle < miss.until]


def test_titles_name_another_policy_than_edf(tmp_path):
    for policy, words in (("edf", "wcets, np, all"), ("dm", "wcets, np, DM, all")):
        with matplotlib.rc_context({"svg.fonttype": "none"}):
            derca("analyze", SET, "--strategy", "np", "--policy", policy, "--picture", tmp_path / f"{policy}.svg")
        assert words in (tmp_path / f"{policy}.svg").read_text()


def test_a_schedule_is_simulated_and_drawn(tmp_path):
    code, text, _ = derca("simulate", SET, "--horizon", 30_000, "--runs", 4, "-o", tmp_path / "out", "--json")
    found = json.loads(text)
    assert (code, found["deadline_misses"], found["runs"]["deadline_misses"]) == (0, 0, 0)
    assert [task["released"] for task in found["tasks"]] == [15, 2, 1]
    assert "MHz" not in (tmp_path / "out" / "timeline.svg").read_text()
    events = (tmp_path / "out" / "events.jsonl").read_text().splitlines()
    assert len(events) == found["events"]
    code, text, error = derca("simulate", SET, "--strategy", "np", "--horizon", 30_000, "--from", 3_000, "--to", 5_000,
                              "-o", tmp_path / "np")
    assert code == 1
    named = "".join(text.partition("\nfiles ")[2].split())
    assert set(named.split(",")) == {str(path) for path in (tmp_path / "np").iterdir() if path.name[0] != "."}
    assert "cycles 3,000 to 5,000" in (tmp_path / "np" / "timeline.svg").read_text()
    assert "failed: deadlines missed: " in error


@pytest.mark.parametrize(("arguments", "words"), [
    (("analyze", SET, "--every", 3), "--every = 3: allowed with networks alone"),
    (("simulate", SET, "--scheduler", "heap"), "--scheduler = heap: allowed with networks on a platform alone"),
    (("run", SET), "is a task set of execution times alone"),
    (("simulate", SET, "--from", 500, "--to", 100), "--from, --to = 500, 100: allowed are cycles in order, within"),
    (("analyze", SET, "--picture", "miss.pdf"), "--picture = miss.pdf: allowed are names that end in .svg or .png"),
    (("compare", SET, "--horizon", 0), "--horizon = 0: allowed are 1 .. "),
])
def test_what_does_not_apply_is_refused(arguments, words):
    code, text, error = derca(*arguments)
    assert (code, text) == (2, "")
    assert words in error


def test_strategies_are_compared_in_one_table(tmp_path):
    file = tmp_path / "found.json"
    code, text, _ = derca("compare", SET, "-o", file)
    assert code == 0
    assert text.startswith("result     wcets: deadlines are proved under ip, if, joint\n")
    rows = {row["strategy"]: row for row in json.loads(file.read_text())["strategies"]}
    assert list(rows) == ["np", "lw", "ir", "ip", "park", "if", "joint"]
    for strategy, row in rows.items():
        alone = json.loads(derca("analyze", SET, "--strategy", strategy, "--json")[1])
        assert row["verdict"] == alone["proof"]["verdict"]
        assert row["least_relative_slack"] == alone["least_relative_slack"]
        assert (row["deadline_misses"] == 0) == (row["verdict"] == "proved")
    assert rows["np"]["preemptions"] == 0 < rows["joint"]["preemptions"]


def test_a_strategy_that_the_platform_does_not_allow_is_a_row_with_its_reason(tmp_path):
    platform, tables = tmp_path / "platform.toml", "[tables]\nslices = 16\n"
    platform.write_text(tables)
    (tmp_path / "set.toml").write_text(f'''name = "set"
platform = "{platform}"
network = [{{ name = "a", layers = [{{ m = 64, k = 64, n = 32 }}] }}]
task = [{{ name = "a", network = "a", period = 40_000 }}]
''')
    code, text, _ = derca("compare", tmp_path / "set.toml", "--json")
    rows = {row["strategy"]: row for row in json.loads(text)["strategies"]}
    assert code == 0 and len(rows) == 7
    assert {name: row["reason"].partition(": ")[2].partition(":")[0] for name, row in rows.items()
            if row["verdict"] == "impossible"} == {
        "np": "tables.slices = 16", "lw": "tables.slices = 16", "park": "buffers.spare = 0"}
    assert "park       impossible: " in derca("compare", tmp_path / "set.toml")[1]
    platform.write_text(tables.replace("16", "1"))
    code, _, error = derca("compare", tmp_path / "set.toml")
    assert code == 2 and "slices = 1: allowed" in error


@pytest.mark.full
def test_networks_are_compared_on_the_golden_machine():
    code, text, _ = derca("compare", SET.with_name("demo.toml"), "--json")
    rows = {row["strategy"]: row for row in json.loads(text)["strategies"]}
    assert code == 0
    assert {name for name, row in rows.items() if row["deadline_misses"]} == {"np", "lw"}
    assert {name for name, row in rows.items() if row["verdict"] == "proved"} == {"ir", "ip", "park", "if", "joint"}
