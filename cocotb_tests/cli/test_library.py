"""The package `derca`: what its functions answer is what the commands say, and wrong arguments are told in words."""

import inspect
import re
from pathlib import Path

import pytest

import derca
from derca_sim.planning import analyse_taskset
from derca_sim.workload.taskset import load_taskset
from kit.wrong_inputs import taskset

SAMPLES = Path(__file__).parents[2] / "sim"
WCETS = SAMPLES / "tasksets" / "wcets.toml"


def drone() -> derca.TaskSet:
    """Execution times, the last of which is too long for the first where it is not divided."""
    return derca.task_set([
        derca.Task("control", period=2_000, wcet=300),
        derca.Task("obstacles", period=20_000, deadline=15_000, wcet=5_000, every=100, swap_in=40, swap_out=25),
    ], "drone")


def test_ten_lines_prove_and_draw(tmp_path):
    tasks = drone()
    answer, schedule = derca.analyze(tasks), derca.simulate(tasks)
    assert (answer.verdict, answer.proved, answer.strategy, schedule.misses) == ("proved", True, "joint", 0)
    for task, row in zip(answer.tasks, schedule.metrics.tasks, strict=True):
        assert row.worst_response <= task.response_bound <= task.deadline
        assert 0 <= task.points <= task.candidates
    schedule.timeline(tmp_path / "drone.svg")
    schedule.timeline(tmp_path / "drone.png", (0, 3_000))
    assert (tmp_path / "drone.svg").read_text().startswith("<?xml")
    assert derca.analyze(tasks, "np").verdict == "disproved"


def test_a_file_and_its_values_give_one_answer():
    by_file = derca.analyze(derca.load(WCETS))
    assert by_file.least_relative_slack == derca.compare(WCETS)[-1]["least_relative_slack"]
    assert [task.candidates for task in by_file.tasks] == [0, 49, 2]


def test_a_policy_replaces_that_of_the_task_set(tmp_path):
    """At 5 a job of c, due at 8, comes before one of a, due at 10, under EDF; c has the longest relative deadline."""
    tasks = derca.task_set([derca.Task("a", period=5, blocks=[1, 1]), derca.Task("b", period=7, blocks=[1, 1, 1]),
                            derca.Task("c", period=8, wcet=1)])
    fixed = derca.analyze(tasks, policy="dm")
    assert (fixed.plan.system.policy, fixed.verdict, fixed.schedulable) == ("deadline_monotonic", "disproved", False)
    assert (derca.analyze(tasks).plan.system.policy, derca.analyze(tasks).schedulable) == ("edf", True)
    assert [derca.simulate(tasks, "lw", placed=False, policy=policy).misses > 0 for policy in (None, "dm")] == [
        False, True]
    assert [derca.compare(tasks, policy=policy)[-1]["verdict"] for policy in (None, "dm")] == ["proved", "disproved"]
    with pytest.raises(derca.InputError, match="--policy = fifo: allowed are edf, deadline_monotonic, dm with execut"):
        derca.analyze(tasks, policy="fifo")
    (tmp_path / "networks.toml").write_bytes(taskset())
    networks = derca.load(tmp_path / "networks.toml")
    assert derca.analyze(networks, policy="dm").plan.system.policy == "deadline_monotonic"


def test_networks_are_analysed_on_their_platform():
    path = SAMPLES / "tasksets" / "digits_tiny.toml"
    answer, plan = derca.analyze(derca.load(path)), analyse_taskset(load_taskset(path))
    assert (answer.verdict, answer.reason) == (plan.proof.verdict, plan.proof.reason)
    run = derca.simulate(derca.load(path), horizon=20_000)
    assert (run.clock_mhz, run.misses) == (plan.candidates.platform.clock_mhz, 0)
    assert derca.load(path, SAMPLES / "platforms" / "demo.toml").platform.name == "demo"


@pytest.mark.parametrize(("ask", "words"), [
    (lambda: derca.task_set([]), "task = []: allowed are lists of"),
    (lambda: derca.task_set([derca.Task("t", period=5)]), 'task[0] wcet, blocks = "neither": allowed are exactly one'),
    (lambda: derca.task_set([derca.Task("t", period=5, wcet=1.5)]), "task[0].wcet = 1.5: allowed are whole numbers"),
    (lambda: derca.task_set([derca.Task("t", period=5, wcet=1, kind="swap")]), 'task[0].kind = "swap": allowed are'),
    (lambda: derca.task_set([derca.Task("t", period=5, wcet=1)], "no name"), 'name = "no name": allowed are'),
    (lambda: derca.analyze(drone(), "edf"), '"edf": allowed are np, lw, ir, ip, park, if, joint'),
    (lambda: derca.analyze(derca.load(SAMPLES / "tasksets" / "digits_tiny.toml"), "full"),
     '"full": allowed are np, lw, ir, ip, park, if, joint, limited; full, with every point, is for sets of execution'),
    (lambda: derca.simulate(drone(), horizon=0), "horizon = 0: allowed are 1 .. 2147483647"),
    (lambda: derca.run(drone()), "drone: has execution times alone"),
    (lambda: derca.report(SAMPLES / "platforms" / "demo.toml", "virtex"), "target = virtex: allowed are ecp5"),
    (lambda: derca.generate(SAMPLES / "platforms" / "none.toml"), "none.toml: cannot be read"),
    (lambda: derca.load(SAMPLES / "platforms" / "demo.toml"), "is a platform: allowed is a task set of networks"),
])
def test_wrong_arguments_are_told_in_words(ask, words):
    with pytest.raises(derca.InputError, match=re.escape(words)):
        ask()


@pytest.mark.parametrize(("ask", "words"), [
    (lambda: derca.analyze("taskset.toml"), "tasks = 'taskset.toml' (str): allowed is what derca.load(FILE) or"),
    (lambda: derca.simulate(None), "tasks = None (NoneType): allowed is what derca.load"),
    (lambda: derca.run([1, 2]), "tasks = [1, 2] (list): allowed is what derca.load"),
    (lambda: derca.analyze(drone(), None), 'strategy = None (NoneType): allowed is the name of one, such as "joint"'),
    (lambda: derca.analyze(drone(), ["np"]), "strategy = ['np'] (list): allowed is the name"),
    (lambda: derca.simulate(drone(), horizon=1.5), "horizon = 1.5 (float): allowed are whole numbers, in cycles"),
    (lambda: derca.simulate(drone(), horizon=True), "horizon = True (bool): allowed are whole numbers"),
    (lambda: derca.task_set([{"name": "t", "period": 5}]), "task[0] = {'name': 't', 'period': 5}: allowed are derca.T"),
    (lambda: derca.task_set([derca.Task("t", period=5, wcet=1), "u"]), "task[1] = 'u': allowed are derca.Task(NAME"),
    (lambda: derca.compare(5), "expected str, bytes or os.PathLike object, not int"),
    (lambda: derca.Task("t", wcet=1), "missing 1 required keyword-only argument: 'period'"),
    (lambda: derca.Task("t", period=5, prio=1), "unexpected keyword argument 'prio'"),
    (lambda: derca.load(5), "expected str, bytes or os.PathLike object, not int"),
])
def test_arguments_of_a_wrong_type_are_named(ask, words):
    with pytest.raises(TypeError) as caught:
        ask()
    assert words in str(caught.value)


def test_a_single_task_is_a_set():
    assert len(derca.task_set(derca.Task("t", period=5, wcet=1)).system.tasks) == 1
    with pytest.raises(derca.InputError, match="horizon = 0: allowed are 1 .. 2147483647"):
        derca.run(derca.load(SAMPLES / "tasksets" / "digits_tiny.toml"), horizon=0)
    with pytest.raises(derca.InputError, match="--policy = rm: allowed are edf"):
        derca.run(derca.load(SAMPLES / "tasksets" / "digits_tiny.toml"), policy="rm")


def test_every_name_is_documented_and_typed():
    for name in derca.__all__:
        thing = getattr(derca, name)
        if name == "TaskSet":  # a union of two classes
            continue
        assert inspect.getdoc(thing), name
        if inspect.isfunction(thing):
            assert {*inspect.signature(thing).parameters, "return"} == set(thing.__annotations__), name


@pytest.mark.full
def test_the_hardware_from_python():
    tasks = derca.load(SAMPLES / "tasksets" / "demo.toml")
    run, model = derca.run(tasks, horizon=100_000), derca.simulate(tasks, horizon=100_000)
    assert run.events == model.events
    run, other = (ask(tasks, horizon=100_000, policy="dm") for ask in (derca.run, derca.simulate))
    assert run.events == other.events
    assert "module derca" in derca.generate(SAMPLES / "platforms" / "demo.toml", "ecp5")
    model = SAMPLES / "networks" / "anomaly_detection.tflite"
    results = derca.infer(model, None, SAMPLES / "platforms" / "tflite.toml")
    assert results.shape == (1, 1, 5, 128, 1)
