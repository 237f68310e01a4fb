"""Candidate points of preemption: where they lie, which kind is the cheapest, how many the tables hold."""


import numpy as np
import pytest

from derca_sim.compile import compile_taskset
from derca_sim.compile.compiler import compile_points
from derca_sim.compile.strategies import persist_cost, recompute_cost, stays_parked
from derca_sim.errors import InputError
from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy
from kit.compiled_sets import STRATEGIES, task_set


def walked_slices(task) -> list[tuple[int, int, int]]:
    """(layer, iteration, slice in it) of every slice of a job, by counting panels of every tile."""
    out = []
    for at in task.layers:
        rows, cols, p = at.layer.m, at.layer.n, at.platform
        number = 0
        for m in range(0, rows, p.tile.m):
            for n in range(0, cols, p.tile.n):
                for _ in range(0, at.layer.k, p.tile.k):
                    pairs = [(j, i) for j in range(n, min(n + p.tile.n, cols), p.array.cols)
                             for i in range(m, min(m + p.tile.m, rows), p.array.rows)]
                    out += [(at.index, number, s) for s in range(len(pairs))]
                    number += 1
    return out


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_regions_cover_the_job_in_order(strategy):
    """Structure of the plan: order, flags, and strategies that agree on both sides of a point."""
    shapes = [(40, 100, 33, False), (40, 33, 5, True), (3, 70, 2, False)]
    banks = {"banks": 3, "spare": int(strategy == "park")}
    compiled = compile_taskset(task_set(Platform(buffers=banks), shapes), strategy)
    (task,) = compiled.tasks
    every = walked_slices(task)
    starts = np.cumsum([0, *(r.slices for r in task.regions)])
    assert starts[-1] == len(every) == sum(at.slices for at in task.layers)
    for region, start in zip(task.regions, starts, strict=False):
        layer, iteration, within = every[start]
        assert (region.entry.layer.index, *region.entry.start) == (layer, iteration, within)
        k_tiles = task.layers[layer].k_tiles
        tile = [at for at in every if at[0] == layer and at[1] // k_tiles == iteration // k_tiles]
        assert region.redo == tile.index(every[start])
        assert region.in_strategy == Strategy.LAYER or region.redo
        assert strategy in ("np", "lw") or not region.redo or region.in_strategy != Strategy.LAYER
    assert [e.row for e in compiled.entries] == list(range(len(compiled.entries)))
    for before, after in zip(task.regions, task.regions[1:], strict=False):
        assert before.out_strategy == after.in_strategy
    assert task.regions[0].in_strategy == task.regions[-1].out_strategy == Strategy.LAYER
    assert {(e.layer.index, e.depends) for e in compiled.entries} == {(0, False), (1, True), (2, False)}
    inner = {r.out_strategy for r in task.regions}
    expected = {"np": {0}, "lw": {0}, "recompute": {0, 1}, "persist": {0, 2}, "park": {0, 3}, "flexible": {0, 1, 2}}
    assert inner == expected[strategy]
    assert len(task.regions) == {"np": 1, "lw": 3}.get(strategy, len(every))


def points_of(task) -> dict[int, Strategy]:
    """Slices of the job before each inner point -> its strategy."""
    ends = np.cumsum([r.slices for r in task.regions[:-1]])
    return {int(end): r.out_strategy for end, r in zip(ends, task.regions, strict=False)}


def test_flexible_takes_the_cheaper_strategy():
    compiled = compile_taskset(task_set(Platform(), [(16, 320, 16, False)]), "flexible")
    p = compiled.platform  # 2 x 2 slices of 32 steps an iteration; a bank of 2 x 16 words of 4 beats
    layer = compiled.tasks[0].layers[0]
    for done, strategy in points_of(compiled.tasks[0]).items():
        assert recompute_cost(layer, done) == 32 * done
        assert persist_cost(layer, done) == 2 * p.memory.read_latency + 128
        assert strategy == (Strategy.RECOMPUTE if 32 * done <= 192 else Strategy.PERSIST)


def test_flexible_parks_where_sums_are_sure_to_stay():
    """One spare bank: nobody preempts the first task, nobody the second while the third waits but the first."""
    platform = Platform(buffers={"banks": 3, "spare": 1})
    *urgent, last = compile_taskset(task_set(platform, *[[(16, 320, 16, False)]] * 3), "if").tasks
    assert [set(points_of(task).values()) for task in urgent] == [{Strategy.PARK}] * 2
    assert points_of(last) == {n: Strategy.RECOMPUTE if 32 * n <= 192 else Strategy.PARK for n in range(1, 40)}


def test_sums_stay_parked_unless_as_many_tasks_as_spare_banks_can_push_them_out():
    p = Platform(buffers={"banks": 4, "spare": 2})
    far = 100_000  # more than any release jitter
    deadlines, all_keep = [far, 2 * far, 3 * far, 4 * far], [True] * 4
    assert [stays_parked(p, deadlines, all_keep, i) for i in range(4)] == [True, True, True, False]
    assert [stays_parked(p, deadlines, [True, False, True, True], i) for i in range(4)] == [True] * 4
    one = Platform(buffers={"banks": 3, "spare": 1})
    assert [stays_parked(one, deadlines, all_keep, i) for i in range(4)] == [True, True, False, False]
    near = [far, far + 1, far + 2, far + 3]  # any of them may be seen after any other
    assert [stays_parked(p, near, all_keep, i) for i in range(4)] == [False] * 4


def test_park_needs_a_spare_bank():
    taskset = task_set(Platform(), [(16, 320, 16, False)])
    for refused in (lambda: compile_taskset(taskset, "park"),
                    lambda: compile_points(taskset, "joint", [{(0, 3): Strategy.PARK}])):
        with pytest.raises(InputError, match=r"platform\.buffers\.spare = 0: .*at least 1, .*strategy park"):
            refused()


def test_every_sets_the_interval_within_each_layer():
    compiled = compile_taskset(task_set(Platform(), [(16, 320, 16, False), (16, 16, 40, False)]), "persist", every=9)
    assert [(e.layer.index, e.slice) for e in compiled.entries] == [(0, 0), (0, 9), (0, 18), (0, 27), (0, 36), (1, 0),
                                                                    (1, 9)]
    assert [r.slices for r in compiled.tasks[0].regions] == [9, 9, 9, 9, 4, 9, 1]


def test_given_points_are_the_only_ones():
    """Also regions that go on through the ends of layers, and points at the end of a layer and of the job."""
    taskset = task_set(Platform(), [(16, 320, 16, False), (16, 16, 40, False), (16, 40, 8, False)])
    wanted = {(0, 6): Strategy.PERSIST, (1, 4): Strategy.LAYER, (1, 10): Strategy.LAYER, (2, 4): Strategy.LAYER}
    (task,) = compile_points(taskset, "joint", [wanted]).tasks
    assert [r.slices for r in task.regions] == [6, 34 + 4, 6, 4]
    assert [(e.layer.index, e.slice) for e in task.entries] == [(0, 0), (0, 6), (1, 0), (1, 4), (2, 0)]
    assert [r.entry.row for r in task.regions] == [0, 1, 3, 4]
    assert [e.next_row for e in task.entries] == [2, 2, 4, 4, 4]


@pytest.mark.parametrize(("regions", "entries"), [(256, 1024), (20, 1024), (256, 37), (11, 20), (7, 11), (6, 1024)])
def test_points_are_as_dense_as_the_tables_hold(regions, entries):
    """Against a linear search: no smaller common interval would fit."""
    platform = Platform(tables={"regions": regions, "entries": entries})
    taskset = task_set(platform, [(64, 100, 64, False), (64, 64, 20, False)], [(30, 64, 40, False)])
    compiled = compile_taskset(taskset)
    totals = [[at.slices for at in task.layers] for task in compiled.tasks]

    def counts(common: int) -> list[int]:
        out = []
        for layers in totals:
            j = common
            while sum(-(-n // j) for n in layers) > regions:
                j += 1
            out.append(sum(-(-n // j) for n in layers))
        return out

    best = next(c for c in (counts(j) for j in range(1, 1000)) if sum(c) <= entries)
    assert [len(task.regions) for task in compiled.tasks] == best
