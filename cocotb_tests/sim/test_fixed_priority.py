"""The deadline-monotonic analysis against oracles that share no code with it: played windows and brute force."""

import inspect
import random
import sys
import types
from collections import Counter
from dataclasses import replace

import pytest

import derca_sim.analysis.fixed_priority
from derca_sim.analysis.accounting import Accounting, charge
from derca_sim.analysis.demand import Charged
from derca_sim.analysis.fixed_priority import FixedPriority, Late
from derca_sim.analysis.model import Placement, System, TaskModel
from derca_sim.analysis.search import overheads_of
from derca_sim.analysis.verdict import analyse, prove, unproved
from derca_sim.simulate import simulate, synchronous
from kit.tasks import DM, FREE, monotonic, task
from oracles import brute_force, fixed_priority_windows
from oracles.random_tasks import everywhere, parts, random_system

#: The second job of the second task responds later than its first.
SELF_PUSHING = task("a", 6, blocks=(3,)), task("b", 9, blocks=(2, 2))


# -- by hand -----------------------------------------------------------------------------------------------------------

def bounds(*tasks: TaskModel, **kind) -> list[int | None]:
    """Response bounds with every point in use."""
    system = monotonic(*tasks, **kind)
    charged = charge(system.tasks, everywhere(system.tasks), Accounting.PREEMPTOR, DM)
    return FixedPriority(charged, overheads_of(system)).responses()


def test_response_bounds_by_hand():
    """b waits for 7 cycles of c and 2 of a; c for a and b before its last region, and then for nobody."""
    a, b, c = task("a", 20, blocks=(2,)), task("b", 30, blocks=(4,)), task("c", 60, blocks=(5, 8))
    assert bounds(a, b, c) == [2 + 7, 4 + 7 + 2, 5 + 2 + 4 + 8]


def test_a_job_of_the_second_release_may_respond_later_than_the_first():
    """Self-pushing: b's last region pushes a behind it, and a delays b's second job.

    The first job of b runs 3 .. 5 and 5 .. 7, its second one, released at 9, 10 .. 12 and, after a, 15 .. 17.
    """
    a, b = SELF_PUSHING
    assert bounds(a, b) == [3 + 1, 8]
    urgent = a, replace(b, deadline=7)
    charged = charge(urgent, everywhere(urgent), Accounting.PREEMPTOR, DM)
    assert FixedPriority(charged).response(1, 0) == Late(9 + 7, 17)


def test_equal_deadlines_do_not_block_and_are_urgent_for_each_other():
    assert bounds(task("a", 20, blocks=(6,)), task("b", 20, blocks=(8,))) == [14, 14]


def test_release_jitter_brings_urgent_jobs_closer_and_shortens_what_is_left():
    a, b = task("a", 10, blocks=(3,), jitter=4), task("b", 40, blocks=(4, 1))
    assert bounds(a, b) == [3 + 3 + 4, 4 + 2 * 3 + 1]


def test_releases_and_the_tail_are_added():
    """Two releases of one cycle each and a tail of five."""
    assert bounds(task("a", 30, blocks=(6,)), task("b", 50, blocks=(8,)), release_cost=1, tail=5) == [
        7 + 6 + 2 + 5, 6 + 8 + 2 + 5]


def test_full_load_with_a_harmonic_set_is_proved_and_with_jitter_is_judged():
    a, b = task("a", 4, blocks=(2,)), task("b", 8, blocks=(1, 1, 1, 1))
    assert analyse(monotonic(a, b), "lw").schedulable
    assert bounds(replace(a, jitter=1), replace(b, blocks=(2, 2), points=((FREE,),))) == [2 + 1 + 1, 8]
    assert not analyse(monotonic(replace(a, jitter=2), b), "lw").schedulable


def test_a_task_has_a_bound_unless_it_and_the_urgent_ones_take_more_than_all_time():
    a, b, c, d = task("a", 4, blocks=(3,)), task("b", 12, blocks=(3,)), task("c", 13, blocks=(1,)), task("d", 14)
    charged = charge((a, b, c, d), everywhere((a, b, c, d)), Accounting.PREEMPTOR, DM)
    assert FixedPriority(charged).responses(late=True) == [3 + 2, 3 + 3, None, None]
    assert FixedPriority(charged[:2]).responses() == [None, 3 + 3]


def test_what_edf_schedules_and_fixed_priorities_do_not():
    tasks = task("a", 5, blocks=(1, 1)), task("b", 7, blocks=(1, 1, 1)), task("c", 8)
    assert analyse(System(tasks), "lw").schedulable
    verdict = analyse(monotonic(*tasks), "lw")
    assert not verdict.schedulable and verdict.open and "leaves placements out" in verdict.reason
    assert str(verdict.witness) == "11 cycles of demand by c, a, b within 8 cycles"
    assert analyse(monotonic(*tasks), "lw", placed=False).word == "not proved"  # there, everything was tried


def test_the_last_region_decides_where_points_do_harm():
    """With a point before its last cycle b lets a second job of a pass; without, it has ended by then."""
    a, b = task("a", 10, blocks=(6,)), task("b", 30, 13, blocks=(3, 1))
    assert bounds(a, b)[1] == 6 + 3 + 1
    assert bounds(a, replace(b, blocks=(4, 1)))[1] is None  # 6 + 4, and then a once more
    assert bounds(a, task("b", 30, 13, blocks=(5,)))[1] == 11


def test_a_huge_hyperperiod_gives_up_or_answers():
    far = task("a", 7, blocks=(3,)), task("b", 10**9 + 7, blocks=(1,) * 50), task("c", 10**9 + 9, blocks=(5,) * 5)
    assert analyse(monotonic(*far), "lw").schedulable
    near = FixedPriority([Charged(name, period, period, cost, 1, 0, 1) for name, period, cost in (
        ("a", 10_000, 5_000), ("b", 20_001, 9_999), ("c", 10**12, 10**6))])
    answer = near.test()
    assert answer.passed is None and answer.reason == "gave up on the response of c after 20000 rounds"


def test_another_policy_is_refused():
    system = replace(monotonic(task("a", 9)), policy="fifo")
    with pytest.raises(ValueError, match='system.policy = "fifo": allowed are edf, deadline_monotonic'):
        analyse(system, "np")
    with pytest.raises(ValueError, match='system.policy = "fifo": allowed are edf, deadline_monotonic'):
        simulate(system, [Placement()], synchronous(system, 9), 9)
    assert unproved(system).placements  # what commands show of such a set


# -- against the oracles -----------------------------------------------------------------------------------------------

def check_exact(seed: int, run=prove) -> tuple[bool, bool]:
    """One set without prices: our verdict and bounds are those of the played windows, and brute force agrees.

    Returns the verdict, and whether all deadlines differ, where the test is exact.
    """
    system, placements = random_system(seed, jitter=seed % 3 == 0)
    if seed % 2:  # lighter, so that more pass
        system = replace(system, tasks=tuple(replace(t, period=t.period * 2, deadline=t.deadline * 3 // 2)
                                             for t in system.tasks))
    choose = random.Random(f"costs {seed}")
    cost, tail = choose.choice([(0, 0), (0, 0), (1, 0), (1, 3), (0, 3)])
    system = replace(system, policy=DM, release_cost=cost, tail=tail)
    accounting, charged, answer = run(system, placements, (Accounting.PREEMPTOR,))
    mine = accounting is not None
    assert answer.passed is not None, f"seed {seed}: gave up: {answer.reason}"
    simple = brute_force.parameters(system.tasks, placements)
    theirs = fixed_priority_windows.response_bounds(simple, cost, tail)
    fits = theirs is not None and all(r <= t.deadline for r, t in zip(theirs, system.tasks, strict=True))
    assert mine == fits, f"seed {seed}: played windows end after {theirs}"
    if mine:
        found = FixedPriority(charged, overheads_of(system)).responses()
        assert found == theirs, f"seed {seed}: bounds {found}, played {theirs}"
    elif theirs is not None:  # bounds are those of the played windows, late or not
        found = FixedPriority(charged, overheads_of(system)).responses(late=True)
        assert found == theirs, f"seed {seed}: bounds {found}, played {theirs}"
    distinct = len({t.deadline for t in system.tasks}) == len(system.tasks)
    if not cost and not tail:
        brute = brute_force.schedulable(system.tasks, placements, DM)
        assert brute == mine if distinct else brute >= mine, f"seed {seed}: brute force says otherwise"
    return mine, distinct


def test_verdicts_and_bounds_equal_those_of_played_windows_and_brute_force():
    found = Counter(check_exact(seed) for seed in range(600))
    assert len(found) == 4 and min(found.values()) > 50, found


@pytest.mark.full
@pytest.mark.parametrize("start", range(1000, 21000, 1000))
def test_verdicts_and_bounds_equal_the_oracles_in_bulk(start):
    for seed in range(start, start + 1000):
        check_exact(seed)


def tiny(seed: int) -> list[brute_force.Parameters]:
    """Two or three tasks with so small parameters that every state can be visited."""
    choose = random.Random(f"tiny monotonic {seed}")
    count, out = choose.choice([2, 2, 3]), []
    for _ in range(count):
        period = choose.randint(3, 8 if count < 3 else 6)
        length = choose.randint(1, max(1, period // 2))
        deadline = choose.choice([period, choose.randint(min(length, period), period)])
        out.append((period, deadline, choose.choice([0, 0, 1]) if seed % 2 else 0, parts(choose, length, 3)))
    return out


def check_all_states(seed: int) -> tuple[bool, bool] | None:
    """No state of an accepted tiny set that any releases, delays and early completions reach has a late job.

    Where all deadlines differ, one of every other set has. Returns the verdict and the truth; None: too many states.
    """
    simple = tiny(seed)
    tasks = tuple(TaskModel(f"t{i}", p, d, q, ((FREE,),) * (len(q) - 1), j) for i, (p, d, j, q) in enumerate(simple))
    mine = prove(monotonic(*tasks), everywhere(tasks))[0] is not None
    truth = brute_force.schedulable_exhaustively(simple, early=seed % 4 == 0, policy=DM)
    if truth is None:
        return None
    assert truth or not mine, f"seed {seed}: accepted, yet late: {simple}"
    if len({d for _, d, _, _ in simple}) == len(simple):
        assert mine == truth, f"seed {seed}: refused, yet never late: {simple}"
    return mine, truth


def test_accepted_tiny_sets_are_never_late_in_any_reachable_state():
    found = Counter(check_all_states(seed) for seed in range(250))
    assert found[None] < 20 and min(found[True, True], found[False, False]) > 60, found


@pytest.mark.full
@pytest.mark.parametrize("start", range(1000, 5000, 500))
def test_accepted_tiny_sets_are_never_late_in_bulk(start):
    for seed in range(start, start + 500):
        check_all_states(seed)


BUGS = {
    "blocking by the whole region": ("name = other.region - 1, other.name", "name = other.region, other.name"),
    "no blocking": ("name = other.region - 1, other.name", "name = 0, other.name"),
    "equal deadlines block": ("if other.relative > self.tasks[index].relative and",
                              "if other.relative >= self.tasks[index].relative and"),
    "equal deadlines are not urgent": ("o.relative <= own.relative", "o.relative < own.relative"),
    "what comes with the decision is not seen": ("((s + j) // p + 1) * c", "-(-(s + j) // p) * c"),
    "urgent jobs have no jitter": ("sum(((s + j) // p + 1)", "sum((s // p + 1)"),
    "the own jitter is forgotten": ("released = jobs * own.period - own.jitter", "released = jobs * own.period"),
    "the last region can be preempted": ("jobs * own.cost - own.last", "jobs * own.cost"),
    "only the first job is looked at": ("coming = jobs", "return worst\n            coming = jobs"),
    "the window ends with the job": ("-(-(w + j) // p) * c", "0 * c"),
    "releases cost nothing": ("self._overheads.within(t) - self._tail", "0"),
    "releases do not hold up the last region": ("while (new := start", "while False and (new := start"),
    "the tail is forgotten": ("if end + tail - released > within", "if end - released > within"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug, monkeypatch):
    """Each mutation of the analysis makes a verdict or a bound differ from the oracles'."""
    old, new = BUGS[bug]
    source = inspect.getsource(derca_sim.analysis.fixed_priority)
    assert source.count(old) == 1, "the mutation no longer applies"
    module = types.ModuleType("derca_sim.analysis.mutant")
    module.__package__ = "derca_sim.analysis"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(source.replace(old, new), "mutant", "exec"), module.__dict__)
    monkeypatch.setattr(sys.modules[__name__], "FixedPriority", module.FixedPriority)

    def proved(system, placements, accountings):
        charged = charge(system.tasks, placements, accountings[0], DM)
        answer = module.FixedPriority(charged, overheads_of(system)).test()
        return (accountings[0] if answer.passed else None), charged, answer

    if bounds(*SELF_PUSHING) != [4, 8]:
        return
    for seed in range(2000):
        try:
            check_exact(seed, proved)
        except AssertionError:
            return
    pytest.fail("not found in 2000 random sets")
