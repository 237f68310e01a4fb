"""The data of a page in the browser, beside what a plain reading of the log gives."""

import numpy as np
import pytest

from derca_sim.events import Event, Kind, number_jobs
from derca_sim.golden.machine import run
from derca_sim.golden.watch import watched
from derca_sim.model.tables import Strategy
from derca_sim.planning import analyse_taskset
from derca_sim.priced_plan import analyse_priced
from derca_sim.proof import Proof
from derca_sim.report.jobs import TaskInfo
from derca_sim.report.perfetto import trace_events
from derca_sim.report.plan import described
from derca_sim.report.workbench import Recorded, page_data
from derca_sim.simulate import simulate, sporadic
from derca_sim.workload.priced import load_priced
from kit.checkout import TASKSETS
from kit.compiled_sets import task_set
from kit.logs import TASKS, log
from kit.platforms import SMALL

PROOF = Proof("proved", "it fits", "joint", ("steady memory",), "ab" * 32, 0.25)


def recorded(events, tasks, horizon, **more) -> Recorded:
    return Recorded("a run", "schedule", "t", None, "joint", PROOF, events, tasks, horizon, **more)


def data(*args, **more) -> dict:
    (found,) = page_data([recorded(*args, **more)])["runs"]
    return found


def rows(columns: dict) -> list[dict]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.fixture(scope="module")
def priced():
    """(plan, events, tasks, horizon) of random arrivals at the set of execution times."""
    plan = analyse_priced(load_priced(TASKSETS / "wcets.toml"))
    horizon, seed = 400_000, 5
    print(f"seed {seed}")
    releases = sporadic(plan.system, horizon, np.random.default_rng(seed))
    events = simulate(plan.system, plan.verdict.placements, releases, horizon, log=True).events
    tasks = [TaskInfo(t.name, t.period, t.deadline) for t in plan.system.tasks]
    return plan, events, tasks, horizon


def test_jobs_regions_and_preemptions_are_those_of_the_log(priced):
    _, events, tasks, horizon = priced
    found = data(events, tasks, horizon)
    events = [e for e in events if e.cycle < horizon]
    jobs = rows(found["jobs"])
    released = {(e.task, e.job): e.cycle for e in events if e.kind == Kind.RELEASE}
    finished = {(e.task, e.job): e.cycle for e in events if e.kind == Kind.FINISH}
    assert {(j["task"], j["number"]): j["release"] for j in jobs} == released
    assert {(j["task"], j["number"]): j["finish"] for j in jobs if j["finish"] is not None} == finished
    assert [j["deadline"] - j["release"] for j in jobs] == [tasks[j["task"]].deadline for j in jobs]
    for task, facts in enumerate(found["tasks"]):
        mine = [finished[key] - released[key] for key in finished if key[0] == task]
        assert (facts["worst"], facts["finished"]) == (max(mine), len(mine))
    spans = rows(found["spans"])
    array = np.full(horizon, -1)
    for span in spans:
        array[span["start"]:span["end"]] = jobs[span["job"]]["task"]
    ends = [(e.cycle + 1, e.region) for e in events if e.kind == Kind.REGION_END]
    assert sorted((s["end"], s["region"]) for s in spans if not s["open"]) == sorted(ends)
    alive = array >= 0
    for key, start in released.items():
        alive[start:finished.get(key, horizon)] = True
    assert found["time"]["array"] == [int((array == task).sum()) for task in range(len(tasks))]
    assert found["time"]["idle"] == int((~alive).sum())
    assert sum(found["time"]["array"]) + found["time"]["between"] + found["time"]["idle"] == horizon
    for resumes, kind in ((0, Kind.PREEMPT), (1, Kind.RESUME)):
        mine = sorted((s["cycle"], s["strategy"], s["region"]) for s in rows(found["switches"])
                      if s["resumes"] == resumes)
        assert mine == sorted((e.cycle, e.arg, e.region) for e in events if e.kind == kind)
        assert len(mine) > 20


def test_bounds_prices_and_points_are_those_of_the_plan(priced):
    plan, events, tasks, horizon = priced
    found = data(events, tasks, horizon, plan=described(plan))
    for i, facts in enumerate(found["tasks"]):
        chosen = plan.verdict.placements[i].chosen
        assert facts["worst"] <= facts["bound"] <= facts["deadline"]
        assert facts["prices"] == [c.option.swap_in for c in chosen]
        assert [use for _, use, _ in facts["points"]].count("used") == len(chosen)
        assert len(facts["points"]) == len(plan.system.tasks[i].points)
    (mine,) = [t for t in found["tasks"] if t["name"] == "map"]
    assert mine["points"][1][1:] == ["none", "no candidate"]
    for switch in rows(found["switches"]):  # a resumed region exists, and its price is known
        task = found["jobs"]["task"][switch["job"]]
        if switch["resumes"]:
            assert found["tasks"][task]["prices"][switch["region"] - 1] >= 0


def test_a_dropped_point_says_what_it_would_cost_and_what_is_around_it(priced):
    _, events, tasks, horizon = priced
    plan = analyse_priced(load_priced(TASKSETS / "wcets.toml"), "if")  # as few points as the proof needs
    found = data(events, tasks, horizon, plan=described(plan))
    dropped = 0
    for model, placement, facts in zip(plan.system.tasks, plan.verdict.placements, found["tasks"], strict=True):
        cuts = [-1, *(c.block for c in placement.chosen), len(model.blocks) - 1]
        prices = {c.block: c.option.swap_in for c in placement.chosen}
        for block, (_, use, why) in enumerate(facts["points"]):
            if use == "dropped":
                before, after = max(c for c in cuts if c < block), min(c for c in cuts if c >= block)
                whole = sum(model.blocks[before + 1:after + 1]) + prices.get(before, 0)
                assert f"the region around it of {whole} cycles" in why
                dropped += 1
            if use == "used":
                assert why.endswith(f"swap-in {prices[block]} cycles")
    assert dropped > 0


def test_misses_skips_aborts_and_what_the_end_cuts_off():
    events = log((0, Kind.RELEASE, 0), (10, Kind.START, 0), (70, Kind.REGION_END, 0), (50, Kind.MISS, 0),
                 (75, Kind.FINISH, 0, 0, 1), (100, Kind.RELEASE, 0), (120, Kind.ABORT, 0),
                 (0, Kind.RELEASE, 1), (80, Kind.START, 1), (400, Kind.OVERRUN, 1))
    found = data(events, TASKS, 450)
    assert [(j["state"], j["missed"]) for j in rows(found["jobs"])] == [
        ("finished", 1), ("not finished", 1), ("aborted", 1)]
    assert rows(found["skipped"]) == [{"task": 1, "cycle": 400}]
    assert rows(found["spans"])[-1] == {"job": 1, "start": 80, "end": 450, "region": 0, "open": 1}
    assert found["misses"] == 4
    assert found["time"] == {"array": [61, 370], "between": 19, "idle": 0}


def test_a_log_without_events_has_a_page():
    found = data([], TASKS, 10)
    assert found["time"] == {"array": [0, 0], "between": 0, "idle": 10}
    assert found["jobs"]["task"] == found["spans"]["job"] == []


def test_a_proof_survives_its_file():
    assert Proof.from_dict(PROOF.as_dict()) == PROOF


def test_the_watched_machine_gives_the_same_events_and_ends_stores_with_jobs():
    shapes = [(8, 16, 8, True)], [(8, 8, 8, True)], [(16, 32, 16, True), (16, 16, 8, False)]
    plan = analyse_taskset(task_set(SMALL, *shapes))
    compiled, horizon = plan.compiled(), 9000
    events, activity = watched(compiled, horizon)
    assert events == run(compiled, horizon)
    ends = {(task, end - 1) for task, _, end in activity.stores}
    finished = {(e.task, e.cycle) for e in events if e.kind == Kind.FINISH}
    assert len(finished) > 5 and finished <= ends
    starts = [(e.task, e.cycle) for e in events if e.kind == Kind.START and e.region == 0]
    for task, cycle in starts:  # operands come before they are computed
        assert any(of == task and end <= cycle for of, _, end in activity.loads)
    used = [count for _, count in activity.banks_in_use(horizon)]
    assert min(used) == 0 and 1 <= max(used) <= SMALL.buffers.banks
    lanes = data(events, [TaskInfo(t.name, t.period, t.deadline) for t in compiled.tasks], horizon,
                 activity=activity)["lanes"]
    for name in ("load", "store"):
        work = np.zeros(horizon, bool)
        for _, start, end in getattr(activity, f"{name}s"):
            work[start:end] = True
        shown = np.zeros(horizon, bool)
        for row in rows(lanes[name]):
            shown[row["start"]:row["end"]] = True
        assert np.array_equal(work, shown)


def test_the_trace_has_a_slice_for_every_region_and_a_pair_for_every_job(priced):
    plan, events, tasks, horizon = priced
    page = page_data([recorded(events, tasks, horizon), recorded(events, tasks, horizon, plan={
        **described(plan), "clock_mhz": 50.0})])
    trace = trace_events(page)["traceEvents"]
    for pid, microseconds in ((1, 1), (2, 1 / 50)):
        run, mine = page["runs"][pid - 1], [e for e in trace if e["pid"] == pid]
        slices = [e for e in mine if e["ph"] == "X"]
        assert [e["ts"] / microseconds for e in slices] == pytest.approx(run["spans"]["start"])
        assert sum(e["dur"] for e in slices) / microseconds == pytest.approx(sum(run["time"]["array"]))
        begun, ended = ({e["id"]: e["ts"] for e in mine if e["ph"] == phase} for phase in "be")
        assert begun.keys() == ended.keys() and len(begun) == len(run["jobs"]["task"])
        assert all(ended[job] >= begun[job] for job in begun)
        preempted = [e for e in mine if e["ph"] == "i" and e["name"] == "preempted: persist"]
        assert len(preempted) == sum(e.kind == Kind.PREEMPT and e.arg == Strategy.PERSIST and e.cycle < horizon
                                     for e in events)
    assert len({(e["id"], e["ph"]) for e in trace if "id" in e}) == sum("id" in e for e in trace)


def test_a_log_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="which was not released"):
        data(number_jobs([Event(3, Kind.START, 0)]), TASKS, 10)
