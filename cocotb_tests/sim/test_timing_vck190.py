"""The reference platform's timing model against figures worked out by hand from the published tables."""

import pytest

from derca_sim.analysis.model import Option
from derca_sim.errors import InputError
from derca_sim.model.tables import Strategy
from derca_sim.timing.interface import TaskSpec, system
from derca_sim.timing.pipeline import OnChip, decoupled, lockstep, split
from derca_sim.timing.vck190 import COSTS, Improvements, Vck190, everything_once, preset

LOAD, COMPUTE, STORE, CLEAR, RESUME = 16092, 23362, 210015, 16400, 299893
MLP1 = ((1024, 8192, 1024),) * 2
MLP2 = ((2048, 128, 2048),) * 2


def options(task, point):
    return {o.strategy: (o.swap_out, o.swap_in) for o in task.points[point]}


def test_presets_hold_the_published_cycles():
    assert COSTS["paper"].load == LOAD and COSTS["measured"].load == 15969
    # e = 300 + bytes / bandwidth for a 1536 x 1024 tile of fp32 at 30 and 21 bytes per cycle
    assert COSTS["paper"].store == 300 + 1536 * 1024 * 4 // 30
    assert COSTS["paper"].resume == 300 + 1536 * 1024 * 4 // 21
    with pytest.raises(InputError, match="allowed are paper, measured, artifact"):
        preset("board")


def test_lockstep_by_hand():
    # 1 x 2 x 1 tiles: load | load+compute | compute | store
    profile = lockstep(1, 2, 10, 7, 100)
    assert profile.blocks == (10, 10, 7, 100)
    assert [b.holds for b in profile.boundaries] == [OnChip.NOTHING, OnChip.PARTIAL, OnChip.COMPLETE]
    assert [(b.redo, b.reload) for b in profile.boundaries] == [(10, 10), (20, 10), (27, 0)]
    assert profile.first_need == 27
    assert sum(lockstep(4, 1, 10, 7, 100).blocks) == 10 + 10 + 100 * 4


def test_artifact_mistakes_are_what_the_public_software_charges():
    # 65 iterations of a load (a compute as long as it) and one store, for each of two layers
    assert preset("artifact").execution(MLP1) == 2 * (65 * 17200 + 228288) == 2_692_576
    assert preset("paper", costs=COSTS["artifact"]).execution(MLP1) == 2 * (17200 + 64 * 23362 + 228288) == 3_481_312
    assert preset("artifact").region_cost(2) == preset("artifact").jitter(2) == 0


def test_a_task_of_mlp1():
    task = preset("paper").task("t", MLP1, 10**7, 10**7)
    assert len(task.blocks) == 2 * (64 + 2)
    cost = 6 + everything_once(2)
    assert task.blocks[:2] == (LOAD + cost, COMPUTE + cost) and task.blocks[65] == STORE + cost
    assert task.length == 2 * (LOAD + 64 * COMPUTE + STORE) + 132 * cost
    # Nothing computed yet: only the input comes again, whatever the strategy
    assert options(task, 0) == {Strategy.RECOMPUTE: (0, LOAD), Strategy.PERSIST: (0, LOAD)}
    # One tile in the bank: redo its load and compute, or store, resume and load the next input
    assert options(task, 1) == {Strategy.RECOMPUTE: (CLEAR, LOAD + COMPUTE), Strategy.PERSIST: (STORE, RESUME + LOAD)}
    assert options(task, 64) == {Strategy.RECOMPUTE: (CLEAR, LOAD + 64 * COMPUTE), Strategy.PERSIST: (STORE, RESUME)}
    assert task.points[65] == (Option(Strategy.LAYER, 0, 0),)


def test_fewer_strategies_make_longer_blocks():
    model = preset("paper")
    assert model.task("t", MLP1, 10**7, 10**7, ()).points == ()
    layers = model.task("t", MLP1, 10**7, 10**7, {Strategy.LAYER})
    assert len(layers.blocks) == 2 and layers.points == ((Option(Strategy.LAYER, 0, 0),),)
    only = model.task("t", MLP1, 10**7, 10**7, {Strategy.PERSIST})
    assert {o.strategy for at in only.points for o in at} == {Strategy.PERSIST} and only.points[65] == ()


def test_scheduler_time():
    assert everything_once(15) == 213  # 2 for the feedback, 15 x 13 for releases, 16 for an issue
    assert everything_once(2) == 23


@pytest.mark.parametrize("build", [lockstep, decoupled])
@pytest.mark.parametrize("pieces", [1, 5])
@pytest.mark.parametrize(("outputs", "k", "load", "compute", "store"), [
    (1, 1, 3, 5, 40), (3, 1, 3, 5, 40), (4, 9, 3, 5, 40), (2, 3, 50, 5, 40), (5, 2, 7, 7, 1),
])
def test_profiles_are_consistent(build, pieces, outputs, k, load, compute, store):
    profile = build(outputs, k, load, compute, store, pieces)
    assert len(profile.boundaries) == len(profile.blocks) - 1 and min(profile.blocks) > 0
    assert profile.length == build(outputs, k, load, compute, store).length
    assert decoupled(outputs, k, load, compute, store).length <= lockstep(outputs, k, load, compute, store).length
    # No less than the work of any one engine
    assert profile.length >= max(outputs * k * max(load, compute), outputs * store)


def test_decoupled_hides_the_store():
    # Per output tile max(k * compute, store) instead of (k - 1) * compute + max(compute, store)
    outputs, k = 50, 9
    barrier = lockstep(outputs, k, LOAD, COMPUTE, STORE).length
    hidden = decoupled(outputs, k, LOAD, COMPUTE, STORE).length
    assert hidden == LOAD + outputs * k * COMPUTE + STORE
    assert 1.8 < barrier / hidden < 1.87


def test_improvements_one_by_one():
    def at(point, window=10**9, layers=MLP1, **improved):
        model = preset("paper", improvements=Improvements(**improved))
        return options(model.task("t", layers, 10**7, 10**7, window=window), point)

    # The 30th point: 30 tiles in the bank, 682 thousand cycles into the job
    assert at(30)[Strategy.RECOMPUTE] == (CLEAR, LOAD + 30 * COMPUTE)
    assert at(30, free_clear=True)[Strategy.RECOMPUTE] == (0, LOAD + 30 * COMPUTE)
    assert at(30, background_persist=True)[Strategy.PERSIST] == (0, RESUME + LOAD)
    assert at(30, 200_000, background_persist=True)[Strategy.PERSIST] == (STORE - 200_000, RESUME + LOAD)
    # 6,291,456 bytes at 84 per cycle
    assert at(30, resume_at_read_bandwidth=True)[Strategy.PERSIST] == (STORE, 300 + 74_899 + LOAD)
    # The complete tile is stored as the output it is; the next block is that store, so it is saved
    assert at(64, commit_outputs=True)[Strategy.PERSIST] == (STORE, 0)
    # Early in a job that may itself have preempted another one, a persist queues behind what that one left
    early = LOAD + COMPUTE
    assert at(1, background_persist=True)[Strategy.PERSIST] == (STORE - early, RESUME + LOAD)


def test_a_store_that_is_divided_goes_on_behind():
    model = preset("paper", improvements=Improvements(background_persist=True, burst_stores=True), store_pieces=4)
    task = model.task("t", MLP1, 10**7, 10**7, window=100_000)
    parts = split(STORE, 4)
    assert [b - model.region_cost(2) for b in task.blocks[65:69]] == parts
    outs = [options(task, 65 + i)[Strategy.RECOMPUTE] for i in range(3)]
    assert outs == [(max(0, sum(parts[i + 1:]) - 100_000), 0) for i in range(3)]


def test_the_window_is_the_shortest_of_those_that_can_preempt():
    model = Vck190(improvements=Improvements(background_persist=True))
    specs = [TaskSpec("short", MLP2, 5_000_000, 5_000_000), TaskSpec("long", MLP1, 10**7, 10**7)]
    short, long = system(model, specs).tasks
    need = LOAD + COMPUTE
    assert model.first_need(MLP2) == need
    assert options(long, 30)[Strategy.PERSIST][0] == STORE - need
    assert options(short, 1)[Strategy.PERSIST][0] == 0  # nothing preempts it


def test_no_overhead():
    task = preset("paper", overhead_free=True).task("t", MLP1, 10**7, 10**7)
    assert {(o.swap_out, o.swap_in) for at in task.points for o in at} == {(0, 0)}
    assert task.length == preset("paper").execution(MLP1) and task.jitter == 0
