"""Layers between parts of matrices: tables, addresses and waits, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from derca_sim.compile import compile_taskset
from derca_sim.errors import InputError
from derca_sim.model.network import Network, Place, random_network
from derca_sim.model.platform import Platform
from derca_sim.model.residual import UNCHANGED
from derca_sim.workload.taskset import Task, TaskSet
from kit.compiled_sets import random_platform
from kit.placed_networks import placed_network
from kit.residuals import added_at_random
from oracles.tables import Interpreter, run_job

SMALL = {"array": {"rows": 4, "cols": 4}, "tile": {"m": 8, "k": 8, "n": 8}, "store": {"requant_lanes": 1}}


def compiled_alone(network: Network, p: Platform, strategy: str = "np"):
    task = Task("t", 0, network, 1000, 900, 0, False, ())
    return compile_taskset(TaskSet("t", Path("t.toml"), p, 10_000, (task,)), strategy)


def platform(rng) -> Platform:
    """A random one, every other with products of two computed matrices, most of int8 with sums."""
    keys = random_platform(rng).model_dump()
    if rng.integers(2):
        keys["array"]["cols"] = keys["array"]["rows"]
        keys["tile"] |= {"m": 2 * keys["array"]["rows"], "n": 8 * keys["array"]["rows"], "k": 16}
        keys["operators"]["matmul"] = True
    keys["operators"]["add"] = keys["array"]["dtype"] == "int8"
    return Platform.model_validate(keys)


def test_tables_reproduce_networks_of_parts():
    """Jobs alone, uninterrupted and preempted everywhere; nothing is read before the waits of layers allow it."""
    seen = {"rows": 0, "all": 0, "none": 0, "b": 0, "joined": 0, "d": 0, "d by rows": 0}
    for seed in range(24):
        rng = np.random.default_rng(seed)
        p = platform(rng)
        network = added_at_random(placed_network("n", rng, p, 7, 40), p, share=0.7)
        for strategy in ("np", "recompute", "persist"):
            compiled = compiled_alone(network, p, strategy)
            machine = Interpreter(compiled)
            regions = len(compiled.tasks[0].regions)
            run_job(machine, 0, regions, range(regions - 1))
            assert compiled.bit_exact(machine.memory, 0), (seed, strategy)
        plans = compiled.tasks[0].layers
        seen["rows"] += sum(x.wait.a and x.wait.prev_n_tiles > 0 for x in plans)
        seen["all"] += sum(x.wait.a and not x.wait.prev_n_tiles for x in plans)
        seen["none"] += sum(not x.wait.a for x in plans)
        seen["b"] += sum(x.wait.b for x in plans)
        seen["d"] += sum(x.wait.d for x in plans)
        seen["d by rows"] += sum(x.wait.d and x.wait.prev_n_tiles > 0 for x in plans)
        seen["joined"] += len(plans) - len(compiled.output_ranges(0))
    print(seen)
    assert min(seen.values()) > 10


def two_layers(**second) -> Network:
    """4 x 8 times 8 x 8, and a layer on the left half of that."""
    layers = [random_network("n", [shape], 1).layers[0] for shape in ((8, 8, 8, False), (8, 4, 4, False))]
    given = np.zeros((8, 8), np.int8)
    layers[1] = replace(layers[1], **({"a": Place(1), "c": Place(2)} | second))
    return Network("n", tuple(layers), ((8, 8), (8, 8), (8, 8)), (given, None, None))


@pytest.mark.parametrize(("second", "allowed"), [
    ({"a": Place(1, 4)}, "layer 1: A at row 4, column 0 of matrix 1: its 8 x 4 elements do not lie in the matrix"),
    ({"a": Place(1, 2), "m": 6}, "row 2, column 0 of matrix 1: allowed are rows that are multiples of array.rows = 4"),
    ({"a": Place(1, 0, 1)}, "column 1 of matrix 1: allowed are columns that are multiples of 2, so that a part begins"),
    ({"a": Place(2)}, "layer 1: A at row 0, column 0 of matrix 2: 32 of its elements are not written before"),
    ({"a": Place(3)}, "layer 1: A at row 0, column 0 of matrix 3: allowed are the network's matrices 0 .. 2"),
    ({"c": Place(0, 0, 4)}, "layer 1: C at row 0, column 4 of matrix 0: the matrix is an input"),
    ({"c": Place(1, 0, 4)}, "layer 1: C at row 0, column 4 of matrix 1: layer 0 writes elements of it as well"),
    ({"c": Place(2, 0, 6)}, "layer 1: C at row 0, column 6 of matrix 2: its 8 x 4 elements do not lie in the matrix"),
    ({"weights": None, "b": Place(1)}, "layer 1 multiplies two computed matrices: it needs operators.matmul = true"),
    ({"add": replace(UNCHANGED, d=Place(1))}, "layer 1 adds a matrix to its outputs: it needs operators.add = true"),
    ({"transposed": True}, "layer 1 stores its transpose: it needs operators.transpose = true in platform"),
])
def test_what_cannot_be_placed_is_told(second, allowed):
    with pytest.raises(InputError) as caught:
        compiled_alone(two_layers(**second), Platform.model_validate(SMALL))
    line, = caught.value.problems
    assert line.startswith("t.toml: task t: layer 1") and allowed in line


def test_parts_on_their_borders_are_placed():
    for second in ({"a": Place(1, 0, 4)}, {"a": Place(1, 4), "m": 4}, {"c": Place(2, 0, 4)},
                   {"c": Place(2, 4, 2), "m": 4}):
        compiled_alone(two_layers(**second), Platform.model_validate(SMALL))


def test_products_of_computed_matrices_need_a_square_array():
    with pytest.raises(ValueError, match=r"operators.matmul = true: allowed are false, or array.cols = array.rows = 8"):
        Platform.model_validate({"array": {"rows": 8, "cols": 4}, "operators": {"matmul": True}})


@pytest.mark.parametrize("other", [{"array": {"dtype": "int16"}}, {"tables": {"read": "word"}}])
def test_sums_need_int8_and_tables_of_rows(other):
    with pytest.raises(ValueError, match="operators.add = true: allowed are false, or array.dtype"):
        Platform.model_validate({"operators": {"add": True}, **other})


def test_layers_share_weights_wherever_their_panels_lie_alike():
    network = two_layers()
    again = replace(network.layers[1], a=Place(1, 0, 4), c=Place(2, 0, 4))
    network = replace(network, layers=(*network.layers, again))
    for matmul in (False, True):
        _, one, two = compiled_alone(network, Platform.model_validate({**SMALL, "operators": {"matmul": matmul}})
                                     ).tasks[0].layers
        assert (one.b_base, one.bias_base) == (two.b_base, two.bias_base) and one.a_base != two.a_base
        assert (one.b_panel_stride == one.a_panel_stride) is not matmul, "without its own stride, B is spread as A"


def test_a_transposed_output_has_the_shape_and_the_bytes_of_its_transpose():
    network = two_layers(transposed=True, n=3, m=8)
    second = random_network("n", [(8, 4, 3, False)], 1).layers[0]
    second = replace(second, a=Place(1), c=Place(2, 4), transposed=True)
    network = replace(network, layers=(network.layers[0], second))
    compiled = compiled_alone(network, Platform.model_validate({**SMALL, "operators": {"transpose": True}}))
    memory, wanted = compiled.image.copy(), compiled.expected_outputs(0)
    plan, p = compiled.tasks[0].layers[1], compiled.platform
    assert wanted[1].shape == (8, 3) and not compiled.bit_exact(memory, 0)
    for at, output in zip(compiled.tasks[0].layers, wanted, strict=True):
        stored = output.T if at.layer.transposed else output
        for row, column in np.ndindex(stored.shape):
            address = at.c_base + row // 4 * at.c_panel_stride + column * p.a_lanes + row % 4
            memory[address] = stored[row, column].view(np.uint8)
    assert plan.c_base == compiled.output_ranges(0)[1][0] + plan.c_panel_stride
    assert compiled.bit_exact(memory, 0)


def test_the_tiles_between_a_layer_and_what_it_reads_must_be_countable():
    """Ten layers of a tile each stand between; the bound has a bit more than the slices of a region."""
    layers = [random_network("n", [(8, 8, 8, False)], i).layers[0] for i in range(12)]
    layers = [replace(layer, a=Place(i == 11), c=Place(i + 1)) for i, layer in enumerate(layers)]
    network = Network("n", tuple(layers), ((8, 8),) * 13, (np.zeros((8, 8), np.int8), *[None] * 12))
    with pytest.raises(InputError, match=r"platform.tables.slices = 4: allowed are at least 5, half the output tiles"):
        compiled_alone(network, Platform.model_validate({**SMALL, "tables": {"slices": 4}}), "lw")
    compiled = compiled_alone(network, Platform.model_validate({**SMALL, "tables": {"slices": 5}}), "lw")
    assert compiled.entries[11].fields()["allow"] == 10 and len(compiled.entry_rows) == 12
