"""Where the time of a run went: the hardware's counters against shapes, the bus and the event log; the roofline."""

import json

import pytest
from typer.testing import CliRunner

from derca_cli.console.usage import SHOWN, usage
from derca_cli.main import app
from derca_flow.sessions.system import run_rtl
from derca_sim.events import Kind
from derca_sim.host import counters
from derca_sim.model.network import random_network
from derca_sim.timing import roofline
from kit.platforms import platform
from kit.workload import compiled, task

#: Requantises one output per cycle and answers writes late, so that banks and stores are waited for.
P = platform(name="usage", store={"requant_lanes": 1}, bus={"outstanding": 16},
             memory={"read_latency": 40, "write_latency": 200})
RAGGED = [(5, 20, 11, False), (5, 11, 3, True)]
WIDE = [(16, 16, 17, False)]
DEEP = [(3, 200, 5, False)]


def counted(tasks, horizon, strategy="np"):
    """A run, what was compiled, and what its counters say."""
    job_set = compiled(P, tasks, strategy)
    result = run_rtl(job_set, horizon)
    return result, job_set, counters.decode(P, result.registers)


def operands(shapes) -> int:
    """Cycles in which a job's operands enter the array: every K step of every panel of A with every panel of B."""
    rows, cols = P.array.rows, P.array.cols
    return sum(-(-m // rows) * -(-n // cols) * k for m, k, n, _ in shapes)


def alone(shapes):
    """(bytes read, bytes written) of one job, counted by the memory."""
    result, _, found = counted([task(0, shapes, 1, deadline=20_000)], 20_000)
    assert len(result.finishes) == 1
    assert (found.read[0], found.written[0]) == tuple(
        result.bus[f"{d}_beats"] * P.beat_bytes for d in ("read", "write"))
    assert found.activities["busy"] == operands(shapes)
    return found.read[0], found.written[0]


def test_bytes_and_busy_cycles_of_every_task_are_those_of_its_jobs():
    networks = [RAGGED, WIDE, DEEP]
    each = [alone(shapes) for shapes in networks]
    tasks = [task(i, shapes, 1, period=9_000, deadline=9_000, offset=700 * i) for i, shapes in enumerate(networks)]
    result, _, found = counted(tasks, 44_000)
    jobs = [sum(f.task == i for f in result.finishes) for i in range(3)]
    assert jobs == [5, 5, 5]
    for i in range(3):
        assert (found.read[i], found.written[i]) == tuple(jobs[i] * n for n in each[i]), i
    assert found.activities["busy"] == sum(n * operands(s) for n, s in zip(jobs, networks, strict=True))
    assert found.read[3:] == found.written[3:] == (0,) * (P.scheduler.tasks - 3)


def test_every_cycle_is_counted_once_and_idle_ones_are_those_without_an_instruction():
    tasks = [task(0, RAGGED, 1, period=5_000, deadline=2_500), task(1, WIDE, 1, period=12_000, offset=300)]
    result, _, found = counted(tasks, 40_000, "persist")
    assert 40_000 < found.cycles < 40_020  # the snapshot is taken shortly after the horizon
    working, regions = 0, 0
    ends = iter(e.cycle for e in result.events if e.kind == Kind.REGION_END)
    reached = 0
    for issue in (e.cycle for e in result.events if e.kind == Kind.ISSUE):
        end = next(ends)
        working, reached, regions = working + end - max(issue, reached), end, regions + 1
    assert regions > 12
    idle = found.cycles - working
    assert abs(found.activities["idle"] - idle) <= 4 * regions, (found.activities, idle)


@pytest.mark.parametrize(("shapes", "reason"), [
    ([(1, 4, 1, False)], "load"),  # one step of work behind a whole latency
    ([(64, 8, 64, False)], "bank"),  # tiles are stored longer than computed
    ([(4, 4, 4, False)] * 3, "store"),  # every layer waits for the one before to be in memory
])
def test_what_is_waited_for_has_its_name(shapes, reason):
    _, _, found = counted([task(0, shapes, 1, deadline=20_000)], 20_000)
    waits = {name: found.activities[name] for name in ("load", "bank", "store")}
    assert max(waits, key=waits.get) == reason, found.activities


def test_the_roofline_is_the_largest_of_three_times():
    found = roofline.of_shape(P, 8, 16, 12)  # 16 elements, 8 bytes in a beat
    assert (found.macs, found.read, found.write) == (96, (8 * 16 + 16 * 12 + 48) / 8, 12)
    assert (found.cycles, found.limit) == (96, "array")
    assert roofline.of_shape(P, 64, 1, 64).limit == "write" and roofline.of_shape(P, 1, 64, 64).limit == "read"
    bounds = roofline.of_layers(P, random_network("two", [(64, 1, 64, False), (1, 64, 64, False)], 1).layers)
    assert roofline.total(bounds) == 512 + 552
    assert roofline.floor(bounds) == 48 + 552


def test_a_job_is_never_faster_than_its_roofline():
    result, job_set, _ = counted([task(0, WIDE, 1, deadline=20_000)], 20_000)
    (row,) = usage(job_set, result)["tasks"]
    assert row["limits"] == ["array"] and row["roofline_cycles"] == 16 * 16 * 17 / 16
    assert row["times_roofline"] > 1


@pytest.mark.full
def test_the_command_shows_where_the_time_went(tmp_path):
    (tmp_path / "p.toml").write_text('name = "usage"\nstore = { requant_lanes = 1 }\n')
    (tmp_path / "t.toml").write_text(
        'name = "one"\nplatform = "p.toml"\nhorizon = 3000\n'
        'network = [{ name = "n", layers = [{ m = 5, k = 11, n = 6 }] }]\n'
        'task = [{ name = "often", network = "n", period = 1500 }]\n')

    def run(*options):
        return CliRunner().invoke(
            app, ["run", str(tmp_path / "t.toml"), "-o", str(tmp_path / "out"), *options], catch_exceptions=False)

    done = run("--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)["usage"]
    assert list(found["activities"]) == list(SHOWN) and sum(found["activities"].values()) == found["cycles"] > 3000
    assert found["tasks"][0]["bytes_written"] == 2 * 6 * 8  # two jobs, a panel of 8 lanes
    assert 0 < found["roofline"]["share"] < 1
    text = run().stdout
    for word in ("Where the time went", "waits for operands", "Memory traffic", "finished jobs need"):
        assert word in " ".join(text.split()), word
