"""The compiler: a naive interpreter of tables and image reproduces the integer model, also when preempted anywhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from derca_sim.compile import compile_taskset
from derca_sim.compile.layout import pack_panels, unpack_panels
from derca_sim.compile.strategies import ALIASES
from derca_sim.errors import InputError
from derca_sim.golden.iteration import Iteration
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Reg, Table, TaskReg, register_map
from derca_sim.model.tables import entry_layout, index_layout, layer_layout, task_layout
from derca_sim.workload.taskset import Task, TaskSet
from kit.compiled_sets import STRATEGIES, random_platform, random_shapes, task_set
from oracles.tables import Interpreter, run_job


@pytest.mark.parametrize("seed", range(12))
def test_tables_and_image_reproduce_the_integer_model(seed):
    """Every job alone, uninterrupted and preempted at every boundary; nothing outside its areas changes."""
    rng = np.random.default_rng(seed)
    platform = random_platform(rng)
    taskset = task_set(platform, random_shapes(rng, 1, 40), random_shapes(rng, 3, 40), seed=seed)
    print(platform.array, platform.tile, platform.bus)
    print([[(layer.m, layer.k, layer.n) for layer in t.network.layers] for t in taskset.tasks])
    for strategy in STRATEGIES:
        compiled = compile_taskset(taskset, strategy)
        for everywhere in (False, True):
            machine = Interpreter(compiled, spare=int(rng.integers(2)))
            for task in compiled.tasks:
                assert not compiled.bit_exact(machine.memory, task.index)
                n = len(task.regions)
                rows = run_job(machine, task.index, n, range(n - 1) if everywhere else ())
                assert [r["last"] for r in rows] == [0] * (n - 1) + [1]
                assert compiled.bit_exact(machine.memory, task.index), (strategy, everywhere)
            changed = np.flatnonzero(machine.memory[: compiled.used] != compiled.image)
            owned = [r for t in compiled.tasks for r in compiled.output_ranges(t.index)]
            owned += [(t.layers[0].save, platform.bank_bytes) for t in compiled.tasks]
            assert all(any(a <= x < a + size for a, size in owned) for x in changed)
            assert not machine.memory[compiled.used :].any()


@pytest.mark.parametrize(("strategy", "spare"), [
    ("recompute", 0), ("persist", 0), ("flexible", 0), ("park", 1), ("park", 2), ("flexible", 2)])
def test_preempted_at_each_boundary_alone_by_the_other_task(strategy, spare):
    """The other job runs in between and is itself preempted once, so that save areas and banks must be separate.

    With one spare bank it is the first job's that is written to memory.
    """
    platform = Platform(array={"rows": 4, "cols": 4}, tile={"m": 8, "k": 8, "n": 8}, store={"requant_lanes": 1},
                        buffers={"banks": 4, "spare": spare})
    shapes = ([(9, 21, 10, False), (9, 10, 3, True)], [(5, 30, 12, False)])
    compiled = compile_taskset(task_set(platform, *shapes), strategy)
    regions, other = (len(task.regions) for task in compiled.tasks)
    for boundary in range(regions - 1):
        machine = Interpreter(compiled, spare)
        for region in range(regions):
            row = machine.run_region(0, region, region == boundary + 1)
            if region == boundary:
                machine.preempt(0, row)
                run_job(machine, 1, other, {boundary % (other - 1)})
        assert compiled.bit_exact(machine.memory, 0) and compiled.bit_exact(machine.memory, 1), boundary


def test_a_wrong_byte_is_found():
    compiled = compile_taskset(task_set(Platform(), [(5, 9, 7, False)]))
    machine = Interpreter(compiled)
    run_job(machine, 0, 1)
    assert compiled.bit_exact(machine.memory, 0) and compiled.bit_exact(bytes(machine.memory), 0)
    (address, length), p = compiled.output_ranges(0)[0], compiled.platform
    for offset in range(length):
        machine.memory[address + offset] ^= 1
        padding = offset // p.a_lanes >= 7 or offset % p.a_lanes >= 5
        assert compiled.bit_exact(machine.memory, 0) == padding
        machine.memory[address + offset] ^= 1


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(20))
def test_panels_round_trip(seed, dtype):
    size, limit = np.dtype(dtype).itemsize, np.iinfo(dtype).max + 1
    rng = np.random.default_rng(seed)
    rows, k, group = (int(x) for x in rng.integers(1, 30, 3))
    lanes = size * (group + int(rng.integers(0, 5)))
    stride = k * lanes + int(rng.integers(0, 9))
    matrix = rng.integers(-limit, limit, (rows, k)).astype(dtype)
    data = pack_panels(matrix, group, lanes, stride)
    assert len(data) == -(-rows // group) * stride
    assert np.array_equal(unpack_panels(data, rows, k, group, lanes, stride, dtype), matrix)
    for r in range(rows):
        for x in range(k):
            place = (r // group) * stride + x * lanes + size * (r % group)
            assert int.from_bytes(data[place : place + size].tobytes(), "little", signed=True) == matrix[r, x]


@pytest.mark.parametrize("seed", range(6))
def test_areas_are_aligned_apart_and_in_memory(seed):
    rng = np.random.default_rng(seed)
    platform = random_platform(rng)
    compiled = compile_taskset(task_set(platform, random_shapes(rng, 2, 60), random_shapes(rng, 3, 60)))
    areas = set()
    for task in compiled.tasks:
        areas.add((task.layers[0].save, platform.bank_bytes))
        areas |= set(compiled.output_ranges(task.index))
        for at in task.layers:
            areas.add((at.b_base, -(-at.layer.n // platform.array.cols) * at.b_panel_stride))
            areas.add((at.bias_base, 4 * at.layer.n))
            if task.network.inputs[at.layer.a.matrix] is not None:
                areas.add((at.a_base, -(-at.layer.m // platform.array.rows) * at.a_panel_stride))
    assert all(address % 64 == 0 and address >= 64 for address, _ in areas)
    ordered = sorted(areas)
    for (address, length), (following, _) in zip(ordered, ordered[1:], strict=False):
        assert address + length <= following
    assert sum(ordered[-1]) <= compiled.used <= platform.memory.size


def test_tasks_with_one_network_share_weights_only():
    taskset = task_set(Platform(), [(20, 40, 20, False)])
    first = taskset.tasks[0]
    second = Task("again", 1, first.network, 500, 400, 0, False, ())
    compiled = compile_taskset(TaskSet("t", Path("t.toml"), taskset.platform, 100, (first, second)))
    a, b = (task.layers[0] for task in compiled.tasks)
    assert (a.b_base, a.bias_base) == (b.b_base, b.bias_base)
    assert len({a.a_base, b.a_base, a.c_base, b.c_base, a.save, b.save}) == 6


def test_host_writes_load_the_tables():
    """Replayed on a model of the pointer that advances by word, then by row."""
    platform = Platform(tables={"regions": 12})
    compiled = compile_taskset(task_set(platform, [(20, 40, 20, False)] * 2, [(9, 70, 9, True)]))
    layouts = {Table.LAYER: layer_layout, Table.ENTRY: entry_layout, Table.INDEX: index_layout, Table.TASK: task_layout}
    tables, registers = {table: {} for table in layouts}, {}
    table = row = word = None
    for address, value in compiled.host_writes():
        assert 0 <= value < 1 << 32
        if address == Reg.TABLE_POINTER:
            table, row, word = Table(value >> 28), value >> 8 & 0xFFFFF, value & 0xFF
        elif address == Reg.TABLE_DATA:
            assert value >> max(0, min(32, layouts[table](platform).width - 32 * word)) == 0
            tables[table][row] = tables[table].get(row, 0) | value << (32 * word)
            word += 1
            if word == layouts[table](platform).words:
                row, word = row + 1, 0
        else:
            assert address not in registers
            registers[address] = value
    assert tables[Table.LAYER] == dict(enumerate(compiled.layer_rows))
    assert tables[Table.ENTRY] == dict(enumerate(compiled.entry_rows))
    assert tables[Table.INDEX] == {task * 16 + region: row for (task, region), row in compiled.index_rows.items()}
    assert tables[Table.TASK] == {task.index: len(task.regions) for task in compiled.tasks}
    assert Reg.CONTROL not in registers
    tasks = register_map(platform).tasks
    assert [registers[tasks.base + i * tasks.stride + TaskReg.MODE] for i in range(2, 8)] == [0] * 6  # disabled
    assert len(registers) == 2 * (4 + 6) + 6
    for i, values in enumerate([(1000, 900, 0, 0b10), (2000, 1800, 10, 0b11)]):
        base = tasks.base + i * tasks.stride
        names = (TaskReg.PERIOD, TaskReg.DEADLINE, TaskReg.OFFSET, TaskReg.MODE)
        assert tuple(registers[base + name] for name in names) == values


def test_rows_pack_and_unpack():
    compiled = compile_taskset(task_set(Platform(), [(20, 40, 20, False)] * 2))
    for layer, row in zip(compiled.layers, compiled.layer_rows, strict=True):
        assert layer_layout(compiled.platform).unpack(row) == layer.fields()
    for entry, row in zip(compiled.entries, compiled.entry_rows, strict=True):
        assert entry_layout(compiled.platform).unpack(row) == entry.fields()


def test_aliases_mean_the_same():
    taskset = task_set(Platform(buffers={"banks": 3, "spare": 1}), [(20, 140, 20, False)])
    for alias, name in ALIASES.items():
        assert compile_taskset(taskset, alias).index_rows == compile_taskset(taskset, name).index_rows


#: name: (platform sections, strategy, every, texts of one line)
SHORTAGES = {
    "memory": ({"memory": {"size": 4096}}, "flexible", None, "platform.memory.size = 4096", "at least"),
    "layers": ({"tables": {"layers": 2}}, "np", None, "platform.tables.layers = 2", "at least 3"),
    "entries": ({"tables": {"layers": 3, "entries": 4}}, "persist", 1, "platform.tables.entries = 4", "raise every"),
    "regions": ({"tables": {"regions": 2}}, "lw", None, "platform.tables.regions = 2", "at least 3"),
    "tiles": ({"tables": {"tiles": 3}}, "np", None, "platform.tables.tiles = 3", "at least 4"),
    "slices": ({"tables": {"slices": 587}}, "np", None, "platform.tables.slices = 587", "at least 588"),
    "regions under every": ({"tables": {"regions": 4}}, "if", 1, "platform.tables.regions = 4", "raise every"),
}


@pytest.mark.parametrize("name", SHORTAGES)
def test_shortage(name):
    sections, strategy, every, *texts = SHORTAGES[name]
    taskset = task_set(Platform(**sections), [(50, 100, 50, False)] * 3)
    with pytest.raises(InputError) as caught:
        compile_taskset(taskset, strategy, every)
    print(*caught.value.problems, sep="\n")
    assert any(line.startswith("t.toml: ") and all(t in line for t in texts) for line in caught.value.problems)


def test_more_index_rows_than_the_pointer_names():
    platform = Platform(tables={"regions": 4096}, scheduler={"tasks": 300}, release={"kind": "swept"})
    with pytest.raises(InputError, match=r"platform.tables.regions = 4096: allowed are powers of two up to"):
        compile_taskset(task_set(platform, *[[(1, 1, 1, False)]] * 257))


def test_unknown_strategy_and_interval():
    taskset = task_set(Platform(), [(1, 1, 1, False)])
    with pytest.raises(InputError, match=r'strategy = "edf": allowed are np, lw, recompute, ir'):
        compile_taskset(taskset, "edf")
    with pytest.raises(InputError, match="every = 0"):
        compile_taskset(taskset, "if", every=0)


def test_a_layer_stored_transposed_needs_a_platform_that_can_do_that():
    taskset = task_set(Platform(operators={"transpose": True}), [(8, 8, 8, False)] * 2, seed=2)
    assert [layer.transposed for layer in taskset.tasks[0].network.layers] == [True, False]
    compile_taskset(taskset)
    with pytest.raises(InputError, match="layer 0 stores its transpose: it needs operators.transpose = true"):
        compile_taskset(replace(taskset, platform=Platform()))
    with pytest.raises(ValidationError, match=r"tile.n = 4: .*multiples of array.rows = 8 and of array.cols = 4"):
        Platform(operators={"transpose": True}, array={"cols": 4}, tile={"n": 4})
    with pytest.raises(ValidationError, match=r"tile.m = 10: .*whole 8-byte beats \(m x 2 bytes\)"):
        Platform(operators={"transpose": True}, array={"rows": 2, "cols": 2}, tile={"m": 10}, bus={"data_width": 64},
                 store={"requant_lanes": 1})


def test_no_request_is_longer_than_the_platform_says():
    """The hardware's beat counters are as wide as the platform's longest request, however large the tile."""
    for config in (
        {}, {"tile": {"m": 8, "k": 8, "n": 256}, "bus": {"data_width": 32}},
        {"tile": {"m": 8, "k": 8, "n": 1024}, "bus": {"data_width": 32}},
        {"array": {"rows": 32, "cols": 2}, "tile": {"m": 32, "k": 1024, "n": 4}, "bus": {"data_width": 32}},
        {"tile": {"m": 1024, "k": 8, "n": 8}, "bus": {"data_width": 32}, "operators": {"transpose": True}},
        {"array": {"rows": 32, "cols": 2}, "tile": {"m": 1024, "k": 8, "n": 32}, "bus": {"data_width": 32},
         "operators": {"transpose": True}},
    ):
        p = Platform.model_validate(config)
        full = (p.tile.m, p.tile.k, p.tile.n, False)
        layer = compile_taskset(task_set(p, [full]), "np").layers[0]
        whole = Iteration(layer, 0)
        stored = [beats for persist in (False, True) for _, _, beats in whole.write_panels(persist)]
        beats = [b for reads in (whole.a_reads(), whole.b_reads(), whole.saved_reads()) for _, b in reads] + stored
        if p.operators.transpose:
            beats += [-(-p.tile.m * p.a_lanes // p.beat_bytes) for _ in whole.write_columns()]
        assert max(4096, *beats) == p.largest_request


def test_jobs_that_can_get_older_than_half_the_range_of_time_are_refused():
    """Beyond it the hardware would take a late job for an early one."""
    config = {"scheduler": {"time_width": 16, "tasks": 2}}
    short = task_set(Platform.model_validate(config), [(8, 8, 8, False)])
    compile_taskset(short, "np")
    long = task_set(Platform.model_validate(config), [(64, 256, 64, False)])
    with pytest.raises(InputError, match=r"platform\.scheduler\.time_width = 16: .*at least 1[789]"):
        compile_taskset(long, "np")


#: Layers far wider than long and far longer than wide, one after the other: what waits for tiles of the layer before,
#: and what does not.
WIDE_AND_LONG = [(8, 16, 400, False), (400, 16, 8, False)]


@pytest.mark.parametrize("strategy", ["lw", "recompute"])
def test_a_layer_with_an_input_of_its_own_waits_for_no_tiles(strategy):
    platform = narrow_tables(slices=1000)
    compiled = compile_taskset(task_set(platform, WIDE_AND_LONG), strategy, None if strategy == "lw" else 4)
    rows = [entry_layout(platform).unpack(row) for row in compiled.entry_rows]
    assert compiled.host_writes() and {row["allow"] for row in rows} == {0}


def narrow_tables(**tables) -> Platform:
    """Small tiles, so that few layers take many of them."""
    return Platform.model_validate({
        "array": {"rows": 2, "cols": 2}, "tile": {"m": 4, "k": 16, "n": 8}, "bus": {"data_width": 32},
        "store": {"requant_lanes": 1},
        "tables": {"layers": 16, "entries": 2048, "regions": 1024, **tables},
    })


def test_whatever_compiles_fits_every_field():
    """A set of random layers on tables of random sizes is refused in words or fits: nothing else."""
    done = refused = 0
    for seed in range(120):
        random = np.random.default_rng(seed)
        p = narrow_tables(slices=int(random.choice([100, 400, 1000])), tiles=int(random.choice([63, 127])),
                          entries=int(random.choice([64, 2048])))
        shapes, m, k = [], int(random.integers(1, 9)), int(random.integers(1, 33))
        for _ in range(int(random.integers(1, 4))):
            n = int(random.choice([1, random.integers(1, 17), random.integers(1, 400)]))
            shapes.append((m, k, n, bool(random.integers(2))))
            m, k = (m, n) if random.integers(2) else (int(random.choice([1, 400])), int(random.integers(1, 33)))
        try:
            compiled = compile_taskset(task_set(p, shapes, seed=seed), str(random.choice(["np", "lw", "recompute"])))
            assert all(0 <= value < 1 << 32 for _, value in compiled.host_writes()), seed
            done += 1
        except InputError:
            refused += 1
    assert min(done, refused) > 10
