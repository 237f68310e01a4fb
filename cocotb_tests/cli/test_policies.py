"""`--policy`: task sets under another policy than that of their files, in commands and in the library."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import derca
from derca_sim.errors import InputError
from derca_sim.events import Kind
from derca_sim.experiments.sweeps import load_sweep
from derca_sim.workload.policies import NAMES, under_policy
from derca_sim.workload.taskset import load_taskset
from kit.cli import derca as command

SAMPLES = Path(__file__).parents[2] / "sim" / "tasksets"
#: Proved under EDF; under deadline-monotonic priorities c waits for both jobs of a and b.
SET = """
name = "abc"
[[task]]
name = "a"
period = 5
blocks = [1, 1]
[[task]]
name = "b"
period = 7
blocks = [1, 1, 1]
[[task]]
name = "c"
period = 8
wcet = 1
"""


@pytest.fixture
def abc(tmp_path):
    file = tmp_path / "abc.toml"
    file.write_text(SET)
    return file


@pytest.mark.parametrize(("policy", "verdict", "title"), [
    (None, "proved", "abc: strategy joint"), ("edf", "proved", "abc: strategy joint"),
    ("deadline_monotonic", "disproved", "abc under deadline_monotonic: strategy joint"),
    ("dm", "disproved", "abc under deadline_monotonic: strategy joint"),
])
def test_the_verdict_is_that_of_the_policy(abc, policy, verdict, title):
    words = () if policy is None else ("--policy", policy)
    found = json.loads(command("analyze", abc, *words, "--json").stdout)
    assert found["proof"]["verdict"] == verdict
    assert found["policy"] == ("edf" if policy in (None, "edf") else "deadline_monotonic")
    assert title in command("analyze", abc, *words).stdout
    assert derca.analyze(derca.load(abc, policy=policy)).verdict == verdict
    rows = json.loads(command("compare", abc, *words, "--json").stdout)["strategies"]
    assert {row["strategy"]: row["verdict"] for row in rows}["joint"] == verdict
    assert rows == derca.compare(abc, policy=policy)


def test_a_proof_names_the_policy_and_its_bounds_hold(tmp_path):
    found = json.loads(command("analyze", SAMPLES / "wcets.toml", "--policy", "dm", "--json").stdout)
    assert found["proof"]["reason"].startswith("no response bound under deadline_monotonic exceeds its deadline")
    assert min(task["relative_slack"] for task in found["tasks"]) == pytest.approx(found["least_relative_slack"])
    ran = json.loads(command("simulate", SAMPLES / "wcets.toml", "--policy", "dm", "--runs", 6, "-o", tmp_path / "out",
                             "--json").stdout)
    assert (ran["policy"], ran["deadline_misses"], ran["runs"]["deadline_misses"]) == ("deadline_monotonic", 0, 0)
    for task, bound in zip(ran["runs"]["tasks"], found["tasks"], strict=True):
        assert 0 < task["worst_response"] <= bound["response_bound"] <= bound["deadline"]


def test_without_a_proof_each_task_has_its_bound_and_says_how_late_it_may_be(abc):
    """b waits for a twice, c for all; under EDF there are no bounds without a proof."""
    found = command("analyze", SAMPLES / "wcets.toml", "--policy", "dm", "--strategy", "np", "--json")
    tasks = json.loads(found.stdout)["tasks"]
    assert [(t["response_bound"], t["late_by"]) for t in tasks] == [
        (4_999 + 300, 3_299), (2_699 + 2 * 300 + 5_000, 0), (2_700 + 5_000 + 3 * 300, 0)]
    shown = command("analyze", SAMPLES / "wcets.toml", "--policy", "dm", "--strategy", "np")
    assert "late       control: its response bound exceeds its deadline by 3,299 cycles\n" in shown.stdout
    edf = json.loads(command("analyze", SAMPLES / "wcets.toml", "--strategy", "np", "--json").stdout)
    assert {(t["response_bound"], t["late_by"]) for t in edf["tasks"]} == {(None, None)}
    late, = [t for t in derca.analyze(derca.load(abc, policy="dm")).tasks if t.late_by]
    assert (late.name, late.response_bound, late.late_by) == ("c", 13, 5)


def test_the_schedule_is_that_of_the_policy(abc):
    """In cycle 5 the second job of a has the shorter relative deadline, that of c the earlier absolute one."""
    for policy, chosen in (("edf", 2), ("dm", 0)):
        schedule = derca.simulate(derca.load(abc, policy=policy), "lw", placed=False, horizon=40)
        assert [e.task for e in schedule.events if e.kind == Kind.ISSUE and e.cycle == 5] == [chosen], policy


def test_networks_are_proved_and_run_under_the_policy(tmp_path):
    """On the golden machine, whose scheduler takes the first policy of the platform."""
    file = SAMPLES / "digits_tiny.toml"
    found = json.loads(command("analyze", file, "--policy", "dm", "--json").stdout)
    assert (found["policy"], found["proof"]["verdict"]) == ("deadline_monotonic", "proved")
    ran = command("simulate", file, "--policy", "dm", "--runs", 4, "-o", tmp_path / "out", "--json")
    summary = json.loads(ran.stdout)
    assert (ran.exit_code, summary["policy"], summary["deadline_misses"]) == (0, "deadline_monotonic", 0)
    for task, bound in zip(summary["tasks"], found["tasks"], strict=True):
        assert task["worst_response"] <= bound["response_bound"]
    placed = command("tables", file, "--policy", "dm", "-o", tmp_path / "tables", "--json")
    assert json.loads(placed.stdout)["proof"] == found["proof"]


def test_the_policy_comes_before_those_of_the_platform():
    tasks = load_taskset(SAMPLES / "digits_tiny.toml")
    assert under_policy(tasks, None) is tasks
    assert under_policy(tasks, "edf").platform == tasks.platform
    both = under_policy(tasks, "dm")
    assert both.platform.scheduler.policies == ("deadline_monotonic", "edf")
    assert under_policy(both, "edf").platform.scheduler.policies == ("edf", "deadline_monotonic")
    with pytest.raises(InputError, match=f"--policy = rm: allowed are {', '.join(NAMES)}"):
        under_policy(tasks, "rm")


def test_execution_times_know_the_policies_of_the_analysis_alone(abc):
    with pytest.raises(InputError, match="--policy = fifo: allowed are edf, deadline_monotonic, dm with execution"):
        derca.load(abc, policy="fifo")
    with pytest.raises(InputError, match="--policy = rm: allowed are edf"):
        derca.task_set([derca.Task("a", period=9, wcet=2)], policy="rm")
    assert derca.task_set([derca.Task("a", period=9, wcet=2)], policy="dm").system.policy == "deadline_monotonic"


def test_runs_region_by_region_know_no_other_policy(tmp_path):
    answer = command("simulate", SAMPLES / "digits_tiny.toml", "--policy", "fifo", "--runs", 2, "-o", tmp_path / "out")
    assert answer.exit_code == 2
    assert "policies[0] = fifo: allowed are edf, deadline_monotonic with --runs = 2; leave --runs out" in answer.stderr
    found = json.loads(command("analyze", SAMPLES / "digits_tiny.toml", "--policy", "fifo", "--json").stdout)
    assert found["proof"]["verdict"] in ("unknown", "disproved") and found["policy"] == "fifo"


@pytest.mark.parametrize(("policy", "verdict"), [("edf", "proved"), ("deadline_monotonic", "disproved")])
def test_a_file_of_execution_times_says_its_policy(abc, policy, verdict):
    abc.write_text(SET.replace('name = "abc"', f'name = "abc"\npolicy = "{policy}"'))
    assert derca.load(abc).system.policy == policy
    assert json.loads(command("analyze", abc, "--json").stdout)["proof"]["verdict"] == verdict
    assert derca.load(abc, policy="edf").system.policy == "edf"  # the option wins
    abc.write_text(SET.replace('name = "abc"', 'name = "abc"\npolicy = "fifo"'))
    answer = command("analyze", abc)
    assert (answer.exit_code, 'policy = "fifo": allowed are one of "edf", "deadline_monotonic"' in answer.stderr) == (
        2, True)


def test_the_hardware_of_a_project_has_the_policy(tmp_path, monkeypatch):
    """The platform in the folder, the proof of the tables, and the refusal where there are no tasks."""
    from derca_cli.commands import ip

    made = []
    monkeypatch.setattr(ip, "write_package", lambda folder, system, *_: made.append(system))  # its Verilog takes long
    answer = command("ip", SAMPLES / "digits_tiny.toml", "--board", "arty-a7-100", "--policy", "dm", "-o",
                     tmp_path / "ip", "--json")
    assert answer.exit_code == 0, answer.stderr
    assert "under deadline_monotonic" in json.loads(answer.stdout)["proof"]["reason"]
    assert [system.scheduler.policies for system in made] == [("deadline_monotonic", "edf")]
    assert "DEADLINE_MONOTONIC" in (tmp_path / "ip" / "derca.h").read_text().upper()
    refused = command("ip", "--board", "vck190", "--policy", "dm", "-o", tmp_path / "bare")
    assert (refused.exit_code, "--policy = dm: allowed with a task set only" in refused.stderr) == (2, True)


def test_a_board_is_built_and_run_under_the_policy(tmp_path):
    from derca_flow.boards.known import BOARDS
    from derca_flow.flow.flow import Request

    ours, file = BOARDS["icebreaker"], SAMPLES / "digits_tiny.toml"
    request = Request(ours, file, "joint", "deadline_monotonic")
    assert request.platform.scheduler.policies == ("deadline_monotonic", "edf")
    assert request.plan.system.policy == "deadline_monotonic"
    assert request.platform.config_hash != Request(ours, file, "joint").platform.config_hash
    assert "deadline_monotonic" in request.software()[1]
    wrong = command("build", "--board", "icebreaker", "--policy", "rm")
    assert (wrong.exit_code, "--policy = rm: allowed are edf" in wrong.stderr) == (2, True)


@pytest.mark.full
def test_a_simulated_board_runs_under_the_policy(tmp_path):
    answer = command("host", SAMPLES / "digits_tiny.toml", "--board", "icebreaker", "--sim", "--policy", "dm", "-o",
                     tmp_path / "out", "--json")
    found = json.loads(answer.stdout)
    assert (answer.exit_code, found["policy"], found["deadline_misses"]) == (0, "deadline_monotonic", 0)


def test_views_put_policies_side_by_side(abc, tmp_path):
    answer = command("view", abc, "--policy", "edf", "--policy", "dm", "-o", tmp_path / "page.html", "--json")
    assert [run["label"] for run in json.loads(answer.stdout)["runs"]] == ["abc, joint",
                                                                           "abc, joint, deadline_monotonic"]
    page = (tmp_path / "page.html").read_text()
    assert "--policy edf --policy dm" in page


def test_a_sweep_has_a_column_and_a_curve_for_each_policy(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text('name = "s"\nsets = 4\nstrategies = ["np", "ip-all"]\n[x]\nparameter = "utilisation"\n'
                    'values = [0.8, 0.95]\n[tasks]\nperiods = [100, 2_000]\nevery = 20\n')
    answer = command("sweep", file, "--policy", "edf", "--policy", "dm", "-o", tmp_path / "out", "--jobs", 1)
    assert answer.exit_code == 0, answer.stderr
    assert "ip-all, deadline_monotonic" in answer.stdout
    with open(tmp_path / "out" / "s.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["strategy"], row["policy"]) for row in rows] == 2 * [
        (strategy, policy) for policy in ("edf", "deadline_monotonic") for strategy in ("np", "ip-all")]
    assert (tmp_path / "out" / "s.png").stat().st_size > 10_000


def test_an_exploration_proves_under_the_policy(tmp_path):
    from derca_flow.explore.evaluate import evaluate

    cell = {"taskset": str(SAMPLES / "digits_tiny.toml"), "changes": {}, "family": "ecp5", "clock_mhz": 12.0,
            "available": {}}
    for policy in (None, "deadline_monotonic"):
        found = evaluate({**cell, "policy": policy})
        own = derca.analyze(derca.load(cell["taskset"], policy=policy))
        assert found["slack"] == pytest.approx(own.least_relative_slack) and found["proved"]
    answer = command("explore", cell["taskset"], "--device", "lfe5u-85f", "--policy", "fifo")
    assert (answer.exit_code, "--policy = fifo: allowed are edf" in answer.stderr) == (2, True)


def test_another_platform_takes_the_place_of_the_task_sets(tmp_path):
    """Every command on a task set takes it; a set of execution times has none."""
    wide = tmp_path / "wide.toml"
    own = (SAMPLES.parent / "platforms" / "hx8k.toml").read_text()
    wide.write_text(own.replace('name = "hx8k"', 'name = "wide"'))
    for words in (["analyze"], ["simulate", "-o", tmp_path / "out"], ["tables", "-o", tmp_path / "x"], ["compare"]):
        if words[0] != "compare":  # of every strategy, which takes longer
            answer = command(words[0], SAMPLES / "hx8k.toml", "--platform", wide, *words[1:], "--json")
            assert json.loads(answer.stdout)["platform"] == "wide", answer.stderr
        refused = command(words[0], wide, "--platform", wide, *words[1:])
        assert (refused.exit_code, "is a platform: allowed is a task set" in refused.stderr) == (2, True)
    for name in ("analyze", "compare", "simulate"):
        refused = command(name, SAMPLES / "wcets.toml", "--platform", wide)
        assert (refused.exit_code, "allowed with networks alone" in refused.stderr) == (2, True)


def test_files_take_short_names_of_policies(tmp_path, abc):
    abc.write_text(SET.replace('name = "abc"', 'name = "abc"\npolicy = "dm"', 1))
    assert derca.load(abc).system.policy == "deadline_monotonic"
    sweep = tmp_path / "sweep.toml"
    text = (SAMPLES.parent / "sweeps" / "utilisation.toml").read_text()
    sweep.write_text(text.replace("sets = 100", 'sets = 1\npolicies = ["edf", "dm"]'))
    assert load_sweep(sweep)["policies"] == ["edf", "deadline_monotonic"]


def test_numbers_of_numpy_are_numbers():
    draw = np.random.default_rng(5)
    tasks = [derca.Task(f"t{i}", period=period, blocks=draw.integers(1, 9, 3))
             for i, period in enumerate(draw.integers(100, 200, 3))]
    assert derca.analyze(derca.task_set(tasks)).proved
