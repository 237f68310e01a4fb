"""Task sets of execution times alone: what a file means, what the analysis says of it, what is refused."""

import json
from pathlib import Path

import pytest

from derca_sim.analysis.model import Option, TaskModel
from derca_sim.errors import InputError
from derca_sim.model.tables import Strategy
from derca_sim.priced_plan import analyse_priced, find_miss
from derca_sim.report.plan import summarise
from derca_sim.simulate import simulate, synchronous
from derca_sim.workload.priced import load_priced
from derca_sim.workload.taskset import load_taskset
from kit.cli import derca
from manual.commands import command_reference
from manual.files import toml_reference
from oracles.brute_force import schedulable
from oracles.random_tasks import random_tasks

PERSIST = Option(Strategy.PERSIST, 2, 3)


def written(folder: Path, tasks: str, head: str = 'name = "set"') -> Path:
    """A task set file."""
    path = folder / "set.toml"
    path.write_text(f"{head}\n{tasks}\n")
    return path


def as_toml(task: TaskModel) -> str:
    """A task of the analysis as a user would write it."""
    points = ", ".join("[" + ", ".join(
        f'{{ kind = "{o.strategy.name.lower()}", swap_in = {o.swap_in}, swap_out = {o.swap_out} }}' for o in at) + "]"
        for at in task.points)
    return (f'[[task]]\nname = "{task.name}"\nperiod = {task.period}\ndeadline = {task.deadline}\n'
            f"jitter = {task.jitter}\nblocks = {list(task.blocks)}\npoints = [{points}]\n")


def test_a_job_may_be_preempted_each_time_it_has_run_so_long(tmp_path):
    path = written(tmp_path, '[[task]]\nname = "t"\nperiod = 50\nwcet = 25\nevery = 10\nswap_in = 3\nswap_out = 2')
    found = load_priced(path)
    assert found.system.tasks == (TaskModel("t", 50, 50, (10, 10, 5), ((PERSIST,), (PERSIST,))),)
    assert (found.horizon, found.offsets, found.system.exact) == (100, (0,), True)


@pytest.mark.parametrize("every", [None, 25, 40])
def test_a_job_without_points_is_one_block(tmp_path, every):
    more = "" if every is None else f"every = {every}"
    task, = load_priced(written(tmp_path, f'[[task]]\nname = "t"\nperiod = 50\nwcet = 25\n{more}')).system.tasks
    assert task == TaskModel("t", 50, 50, (25,), ())


@pytest.mark.parametrize("seed", range(20))
def test_verdicts_are_those_of_all_arrivals_tried(tmp_path, seed):
    """Small sets with free preemption, by brute force: a proof holds, and what is disproved misses a deadline."""
    tasks = random_tasks(seed, sizes=(2, 3))
    taskset = load_priced(written(tmp_path, "\n".join(map(as_toml, tasks))))
    assert taskset.system.tasks == tasks
    for strategy in ("np", "ip", "joint"):
        plan = analyse_priced(taskset, strategy)
        word = plan.proof.verdict
        assert word != "proved" or schedulable(plan.system.tasks, plan.verdict.placements)
        assert word != "disproved" or not schedulable(plan.system.tasks, plan.verdict.placements)


def test_prices_and_jitter_are_read_as_written(tmp_path):
    tasks = random_tasks(4, sizes=(4, 4), jitter=True, price=5)
    assert any(o.swap_in or o.swap_out for task in tasks for at in task.points for o in at)
    path = written(tmp_path, "\n".join(map(as_toml, tasks)), 'name = "set"\nrelease_cost = 2\ntail = 7')
    system = load_priced(path).system
    assert (system.tasks, system.release_cost, system.tail) == (tasks, 2, 7)


@pytest.mark.parametrize(("periods", "offset", "horizon"), [
    ((20, 30), 7, 2 * 60 + 7), ((9_973, 9_967), 7, 2_000_000 + 7), ((9_973, 1_500_000), 7, 2 * 1_500_000 + 7)])
def test_the_default_horizon_is_as_the_manual_has_it(tmp_path, periods, offset, horizon):
    """In the file's own words, in the help of the commands, and in what they do."""
    text = "".join(f'[[task]]\nname = "t{i}"\nperiod = {period}\nwcet = 9\noffset = {offset * i}\n'
                   for i, period in enumerate(periods))
    file = written(tmp_path, text)
    assert load_priced(file).horizon == horizon
    for command in ("simulate", "compare"):
        options = ("-o", tmp_path / "out") if command == "simulate" else ()
        assert json.loads(derca(command, file, *options, "--json").stdout)["horizon"] == horizon
    assert ("by default two hyperperiods after the largest offset. If these are longer than 2,000,000, by default "
            "2,000,000 after it, but never less than two of the longest periods." in toml_reference())
    assert command_reference().count("by default the task set's horizon, else two hyperperiods or about 2,000,000, "
                                     "whichever is less") == 5


def test_the_names_of_the_literature(tmp_path):
    """`full` has every point in use, whether that helps or not, each with its cheapest kind, and says so."""
    taskset = load_priced(written(tmp_path, '[[task]]\nname = "a"\nperiod = 50\nblocks = [3, 4, 5]\n'
                                            'points = [[{ swap_in = 3 }, { kind = "park", swap_in = 2 }], '
                                            '[{ kind = "recompute", swap_in = 1 }]]'))
    full, limited = analyse_priced(taskset, "full"), analyse_priced(taskset, "limited")
    assert limited == analyse_priced(taskset, "joint")
    assert [([c.option.swap_in for c in p.verdict.placements[0].chosen], p.strategy, summarise(p)["placed"])
            for p in (full, limited)] == [([2, 1], "full", False), ([], "joint", True)]
    with pytest.raises(InputError, match=r'--strategy = "fully": allowed are np, .*, joint, limited, full'):
        analyse_priced(taskset, "fully")


def test_a_miss_is_named_with_the_releases_that_lead_to_it(tmp_path):
    path = written(tmp_path, '[[task]]\nname = "short"\nperiod = 20\ndeadline = 9\nwcet = 3\n'
                             '[[task]]\nname = "long"\nperiod = 100\nwcet = 16\nevery = 8\nswap_in = 1\nswap_out = 1')
    plan = analyse_priced(load_priced(path), "ip")
    assert plan.proof.verdict == "disproved"
    assert plan.miss == find_miss(plan)
    assert plan.miss.releases == "long released at 0 and the others at 1, just after its longest region began"
    assert summarise(plan)["miss"]["offsets"] == {"short": 1, "long": 0}
    late = simulate(plan.system, plan.verdict.placements, synchronous(plan.system, 60, [1, 0]), 60)
    assert late.misses == (1, 0)
    assert (summarise(plan)["platform"], plan.where(1, 0)["where"]) == (None, "after 8 of 16 cycles")


@pytest.mark.parametrize(("tasks", "words"), [
    ("", r"\[0\] wcet, blocks = \"neither\": allowed are exactly one"),
    ("wcet = 3\nblocks = [3]", r"\[0\] wcet, blocks = \"both\""),
    ("wcet = 3\ndeadline = 60", r"\[0\].deadline = 60: allowed are 1 .. 50, the task's period"),
    ("blocks = [3, 4]\nevery = 2", r"\[0\].every = 2: allowed are none with blocks"),
    ("blocks = [3, 4]\npoints = []", r"\[0\].points = \"0 lists\": allowed are 1, one between any two of the 2 blocks"),
    ("wcet = 3\npoints = []", r"\[0\].points = .*none without blocks"),
    ("blocks = [3, 4]\npoints = [[]]\nswap_in = 2", r"swap_in, .swap_out = \[2, 0\]: allowed are 0 with points"),
    ("blocks = [3, 4]\npoints = [[{ kind = \"none\" }]]", r"points\[0\]\[0\].kind = \"none\": allowed are one of"),
    ("wcet = 2_000_000\nevery = 1", r"every = 1: allowed are whole numbers from 20, so that wcet has at most 100,000"),
    ("wcet = 3\nwect = 3", "unknown key: allowed are .*; did you mean wcet?"),
    ("wcet = 0", r"\[0\].wcet = 0: allowed are whole numbers 1 .. "),
])
def test_bad_files_are_refused_in_words(tmp_path, tasks, words):
    head = '[[task]]\nname = "t"\nperiod = 50\n'
    other = '[[task]]\nname = "u"\nperiod = 50\nwcet = 1\n'
    with pytest.raises(InputError, match=rf"set.toml: task{words}" if words.startswith(r"\[") else words):
        load_priced(written(tmp_path, f"{head}{tasks}\n{other}"))


def test_two_tasks_of_one_name_are_refused(tmp_path):
    task = '[[task]]\nname = "t"\nperiod = 50\nwcet = 1\n'
    with pytest.raises(InputError, match=r"task\[1\].name = \"t\": allowed are names no other task has"):
        load_priced(written(tmp_path, task * 2))


def test_commands_that_need_hardware_say_so(tmp_path):
    path = written(tmp_path, '[[task]]\nname = "t"\nperiod = 50\nwcet = 1')
    with pytest.raises(InputError, match="of execution times alone: allowed is a task set of networks.*; try derca an"):
        load_taskset(path)
