"""Task sets of execution times in the formats of other tools."""

import re
from dataclasses import replace

import pytest

from derca_sim.errors import InputError
from derca_sim.workload.exchange import as_jobs, as_toml, from_jobs, left_out
from derca_sim.workload.priced import checked, load_priced
from derca_sim.workload.simso import as_simso, from_simso, left_out_of_simso
from oracles.random_tasks import random_tasks

SIMSO = """<?xml version="1.0"?>
<simulation duration="1000" cycles_per_ms="1000"><sched class="simso.schedulers.EDF"/>
<processors><processor/></processors>
<tasks>{}</tasks></simulation>"""
#: The first figure of Nasri and Brandenburg (2017), as their tool has it.
FIGURE = """   Task ID,     Job ID,  Arrival min,  Arrival max,  Cost min,  Cost max,  Deadline,  Priority
1, 1,  0,  0, 1,  2, 10, 10
1, 2, 10, 10, 1,  2, 20, 20
1, 3, 20, 20, 1,  2, 30, 30
2, 7,  0,  0, 7,  8, 30, 30
3, 9,  0,  0, 3, 13, 60, 60
"""


def plain(seed: int, policy: str = "edf"):
    """A random task set without prices: what the other formats hold."""
    tasks = random_tasks(seed, sizes=(2, 4), jitter=True, longest=400)
    rows = tuple({"name": t.name, "period": t.period, "deadline": t.deadline, "blocks": t.blocks, "jitter": t.jitter,
                  "offset": i} for i, t in enumerate(tasks))
    return checked({"name": "plain", "policy": policy, "task": rows}, "plain")


def written(folder, name, text):
    """A file."""
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("policy", ["edf", "deadline_monotonic"])
@pytest.mark.parametrize("seed", range(6))
def test_a_job_set_read_again_is_the_task_set(tmp_path, seed, policy):
    taskset = plain(seed, policy)
    jobs, edges = as_jobs(taskset)
    written(tmp_path, "jobs.prec.csv", edges)
    found = checked(from_jobs(written(tmp_path, "jobs.csv", jobs)), "jobs")
    for i, (own, again) in enumerate(zip(taskset.system.tasks, found.system.tasks, strict=True), 1):
        once = again if again.period == own.period else replace(again, period=own.period)  # one job has no period
        assert replace(once, points=own.points) == replace(own, name=f"task{i}")
    assert found.offsets == taskset.offsets
    assert found.system.policy == policy


def test_the_published_example_of_job_sets(tmp_path):
    tasks = checked(from_jobs(written(tmp_path, "fig.csv", FIGURE)), "fig").system.tasks
    assert [(t.name, t.period, t.deadline, t.length) for t in tasks] == [
        ("task1", 10, 10, 2), ("task2", 30, 30, 8), ("task3", 60, 60, 13)]


def test_parts_of_jobs_are_chains(tmp_path):
    taskset = checked({"name": "s", "task": ({"name": "t", "period": 20, "blocks": (4, 6, 2), "jitter": 3},)}, "s")
    jobs, edges = as_jobs(taskset, least=0.5)
    assert jobs.splitlines()[1:] == ["1,1,0,3,2,4,20,20", "1,2,0,3,3,6,20,20", "1,3,0,3,1,2,20,20"]
    assert edges.splitlines()[1:] == ["1,1,1,2", "1,2,1,3"]
    assert as_jobs(checked({"name": "s", "task": ({"name": "t", "period": 20, "wcet": 3},)}, "s"))[1] == ""


@pytest.mark.parametrize("policy", ["edf", "deadline_monotonic"])
@pytest.mark.parametrize("seed", range(3))
def test_a_simulation_of_simso_read_again_is_the_task_set(tmp_path, seed, policy):
    taskset = replace(plain(seed, policy), horizon=12_345 + seed)
    found = checked(from_simso(written(tmp_path, "set.xml", as_simso(taskset, 1000)), 1000), "set")
    assert found.offsets == taskset.offsets
    assert found.system.policy == policy
    assert found.horizon == taskset.horizon
    for own, again in zip(taskset.system.tasks, found.system.tasks, strict=True):
        assert again == replace(own, blocks=(own.length,), points=(), jitter=0)


@pytest.mark.parametrize(("policy", "responses"), [("edf", [4, 5]), ("deadline_monotonic", [2, 7])])
def test_simso_schedules_by_the_policy(tmp_path, policy, responses):
    """At 3 the deadline of `late` is in 6, that of `early` in 7, and its relative deadline is the shorter one."""
    configuration = pytest.importorskip("simso.configuration")
    from simso.core import Model

    taskset = checked({"name": "s", "policy": policy, "task": (
        {"name": "early", "period": 20, "deadline": 7, "wcet": 2, "offset": 3},
        {"name": "late", "period": 20, "deadline": 9, "wcet": 5})}, "s")
    path = written(tmp_path, "set.xml", as_simso(replace(taskset, horizon=40), 1))
    model = Model(configuration.Configuration(str(path)))
    model.run_model()
    jobs = {task.name: [job.response_time for job in result.jobs] for task, result in model.results.tasks.items()}
    assert [jobs["early"][0], jobs["late"][0]] == responses


def test_fixed_priorities_of_simso_must_be_deadline_monotonic(tmp_path):
    tasks = ('<field name="priority" type="int"/><task name="a" period="5" WCET="1" deadline="5" priority="{}"/>'
             '<task name="b" period="9" WCET="1" deadline="4" priority="{}"/>')
    fixed = SIMSO.replace("EDF", "FP")
    right = from_simso(written(tmp_path, "a.xml", fixed.format(tasks.format(1, 2))), 1)
    assert checked(right, "a").system.policy == "deadline_monotonic"
    for wrong in (fixed.format(tasks.format(2, 1)), fixed.format(tasks.format("x", 1)),
                  SIMSO.replace("EDF", "RM").format(tasks.format(1, 2))):
        with pytest.raises(InputError, match="fixed priorities in another order than that of the deadlines"):
            from_simso(written(tmp_path, "a.xml", wrong), 1)


def test_simso_schedules_what_is_written(tmp_path):
    """SimSo itself reads the file and finds the schedule of preemptive EDF."""
    configuration = pytest.importorskip("simso.configuration")
    from simso.core import Model

    taskset = checked({"name": "s", "task": ({"name": "short", "period": 10, "wcet": 3},
                                             {"name": "long", "period": 30, "wcet": 12})}, "s")
    path = written(tmp_path, "set.xml", as_simso(replace(taskset, horizon=30), 1000))
    model = Model(configuration.Configuration(str(path)))
    model.run_model()
    jobs = {task.name: [job.response_time for job in result.jobs] for task, result in model.results.tasks.items()}
    assert jobs["short"][:3] == [3, 3, 3]
    assert jobs["long"][0] == 18


def test_simso_charges_the_dearest_price_and_the_releases(tmp_path):
    """`long` is preempted twice and pays 2 each time; it waits for 3 jobs of `short` and 5 releases."""
    configuration = pytest.importorskip("simso.configuration")
    from simso.core import Model

    taskset = checked({"name": "s", "release_cost": 1, "task": (
        {"name": "short", "period": 10, "wcet": 3, "every": 1, "swap_out": 1},
        {"name": "long", "period": 40, "wcet": 14, "every": 1, "swap_in": 1, "swap_out": 1})}, "s")
    path = written(tmp_path, "set.xml", as_simso(replace(taskset, horizon=40), 1000))
    model = Model(configuration.Configuration(str(path)))
    model.run_model()
    jobs = {task.name: [job.response_time for job in result.jobs] for task, result in model.results.tasks.items()}
    assert jobs["long"][0] == 14 + 2 * 2 + 3 * 3 + 5 * 1
    assert left_out(taskset, simso=True) == [
        "where jobs may be preempted (SimSo does it anywhere)",
        "prices of single tasks and points (SimSo has one for all, here the dearest: 2 cycles)"]
    again = checked(from_simso(path, 1000, every=1), "set").system
    assert [{o.swap_in + o.swap_out for at in task.points for o in at} for task in again.tasks] == [{1}, {2}]
    assert again.release_cost == 1


def test_points_of_simso_are_where_the_user_says(tmp_path):
    path = written(tmp_path, "set.xml", SIMSO.format(
        '<task name="a b" period="5" WCET="2.5" deadline="4" activationDate="1" preemption_cost="650"/>'))
    task, = checked(from_simso(path, 10, every=10), "set").system.tasks  # 650 of 1000 cycles in a ms, 6.5 of 10
    assert (task.name, task.period, task.deadline, task.blocks) == ("a_b", 50, 40, (10, 10, 5))
    assert {o.swap_in for at in task.points for o in at} == {7}


def test_a_price_of_all_is_read_where_no_task_has_one(tmp_path):
    tasks = ('<task name="a" period="5" WCET="3" deadline="5" preemption_cost="{}"/>'
             '<task name="b" period="9" WCET="4" deadline="9" preemption_cost="0"/>')
    text = SIMSO.format(tasks).replace('cycles_per_ms="1000">', 'cycles_per_ms="1000" etm="fixedpenalty" '
                                       'penalty_preemption="25">')
    text = text.replace('EDF"', 'EDF" overhead_activate="2" overhead="1"')
    for own, swap_in in ((0, [25, 25]), (40, [40, 0])):
        path = written(tmp_path, "set.xml", text.format(own))
        system = checked(from_simso(path, 1000, every=1000), "set").system
        assert [task.points[0][0].swap_in for task in system.tasks] == swap_in
        assert system.release_cost == 2
    assert left_out_of_simso(path, 1000) == ["overhead of sched"]
    assert left_out_of_simso(path, None) == [
        "overhead of sched", "what preemption costs (without --every jobs have no points)"]


def test_a_task_set_is_written_as_its_file(tmp_path):
    data = {"name": "s", "task": ({"name": "t", "period": 20, "blocks": (4, 6), "jitter": 3},)}
    assert load_priced(written(tmp_path, "s.toml", as_toml(data))).system == checked(data, "s").system


@pytest.mark.parametrize(("name", "text", "words"), [
    ("a.xml", "<x", "not well-formed XML"),
    ("a.xml", "<x/>", "allowed are simulations of SimSo"),
    ("a.xml", SIMSO.format('<task name="t" period="5" WCET="0.3" deadline="5"/>'), "-ms; the file counts 1000"),
    ("a.xml", SIMSO.format('<task name="t" period="x" WCET="1" deadline="5"/>'), 'period = "x": allowed are numbers'),
    ("a.xml", SIMSO.format('<task name="t" task_type="APeriodic"/>'), "allowed are periodic and sporadic tasks"),
    ("a.xml", SIMSO.replace("<processor/>", "<processor/><processor/>").format('<task name="t" period="5" WCET="1" '
                                                                              'deadline="5"/>'), "2 processors"),
    ("a.xml", SIMSO.replace('EDF"', 'EDF" overhead_activate="x"').format('<task name="t" period="5" WCET="1" '
                                                                         'deadline="5"/>'), 'overhead_activate = "x"'),
    ("a.xml", SIMSO.replace("1000\">", "0\">").format('<task name="t" period="5" WCET="1" deadline="5"/>'),
     'a.xml: cycles_per_ms = "0": allowed are numbers from 1'),
    ("a.xml", SIMSO.replace("1000\">", "1/0\">").format('<task name="t" period="5" WCET="1" deadline="5"/>'),
     'a.xml: cycles_per_ms = "1/0": allowed are numbers from 1'),
    *(("a.xml", SIMSO.format(f'<task name="t" period="{odd}" WCET="1" deadline="5"/>'), "period = \"" + odd[:9])
      for odd in ("1/0", "1e999999999", "nan", "9" * 5000, "")),
    ("a.csv", "", "has no jobs"),
    ("a.csv", "1,1,0,0,1,1", "line 1 has 6 columns"),
    ("a.csv", "1,1,0,0,1,x,5,5", "line 1: allowed are whole numbers"),
    ("a.csv", "1,1,0,0,1,1,5,5\n1,2,5,5,1,2,10,10", "task 1: allowed are jobs of one cost"),
    ("a.csv", "1,1,0,0,1,1,5,5\n1,2,5,5,1,1,10,10\n1,3,11,11,1,1,16,16", "all the same time apart"),
    ("a.csv", "1,1,0,0,1,1,5,5\n1,2,0,0,1,1,5,5", "parts of a job are chained in a.prec.csv"),
])
def test_what_is_no_task_set_is_refused(tmp_path, name, text, words):
    read = (lambda path: from_simso(path, 1)) if name.endswith("xml") else from_jobs
    with pytest.raises(InputError, match=re.escape(words)):
        read(written(tmp_path, name, text))


def test_too_many_jobs_are_refused():
    rows = tuple({"name": f"t{i}", "period": period, "wcet": 1} for i, period in enumerate((997, 991, 983)))
    with pytest.raises(InputError, match="jobs in a hyperperiod of 971,230,541: allowed are up to 200,000"):
        as_jobs(checked({"name": "s", "task": rows}, "s"))


def test_what_a_conversion_leaves_out_is_named():
    task = {"name": "t", "period": 20, "blocks": (2, 3), "jitter": 1}
    bare, priced = (checked({"name": "s", "task": (task | more,)}, "s") for more in ({}, {"swap_in": 1}))
    assert left_out(bare, simso=False) == []
    assert left_out(bare, simso=True) == ["where jobs may be preempted (SimSo does it anywhere)", "jitter"]
    assert left_out(priced, simso=False) == ["what preemption costs"]
    whole = checked({"name": "s", "release_cost": 2, "tail": 1, "task": ({"name": "t", "period": 9, "wcet": 4},)}, "s")
    assert left_out(whole, simso=True) == ["tail"]
    assert left_out(whole, simso=False) == ["release_cost", "tail"]
