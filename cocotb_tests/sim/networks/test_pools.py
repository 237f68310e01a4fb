"""Pools of models as layers with windows: bit by bit what LiteRT's reference kernels compute."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from derca_sim.compile import compile_taskset
from derca_sim.errors import InputError
from derca_sim.model.numerics import run_network
from derca_sim.networks.lowering.deploy import Model
from derca_sim.networks.lowering.mapping import place
from derca_sim.networks.lowering.walk import Walk
from derca_sim.networks.tflite import graph_of
from derca_sim.timing.mapping import choose
from derca_sim.workload.taskset import Task, TaskSet, load_platform
from kit.checkout import SIM
from kit.conv_models import SAME, VALID, ConvNet, random_pools
from oracles.litert import LiteRt

TINYML = load_platform(SIM / "platforms" / "tinyml.toml")
#: That of MLPerf Tiny's networks, with maxima.
POOLING = TINYML.model_copy(update={"operators": TINYML.operators.model_copy(update={"maximum": True})})


def drawn(net: ConvNet, count: int = 2):
    """The model, its network, and samples int8 [count, *shape of the input] that are in it."""
    model = Model(graph_of("net", net.model()))
    given = net.rng.integers(-128, 128, (count, *net.tensors[0].shape)).astype(np.int8)
    network = model.network("net", None, 0, count)
    return model, replace(network, inputs=network.model.inputs({"x": given})), given


def check(net: ConvNet):
    """The layers compute what LiteRT does; returns them."""
    model, network, given = drawn(net)
    found, oracle = network.model.results(run_network(network))[model.graph.outputs[0]], LiteRt(net.model())
    assert np.array_equal(found, np.stack([oracle.outputs([sample])[0] for sample in given]))
    return network.layers


def test_random_pools_are_those_of_litert():
    seen = Counter()
    for seed in range(80):
        print(f"seed {seed}")
        for layer in check(random_pools(seed)):
            w = layer.window
            if w is not None and (layer.maximum or (layer.weights == 1).all()):
                kind = "max" if layer.maximum else "mean"
                seen[kind] += 1
                seen[f"{kind} of one channel"] += layer.n == 1
                seen[f"{kind} of stride 2"] += 2 in w.strides
                seen["border"] += any(w.pads)
                seen["clamped"] += layer.bounds is not None
                seen["rows side by side"] += w.dilations[1] > 1
    print(seen)
    assert min(seen.values()) > 1 and len(seen) == 9


def test_the_compiler_takes_them_on_a_platform():
    """The compiled task set expects what the layers compute; some images get rows further apart."""
    p, pitched, largest = POOLING, 0, 0
    for seed in range(20):
        model, network, given = drawn(random_pools(seed))
        network = choose(p, network)
        network = replace(network, inputs=network.model.inputs({"x": given}))
        pitched += any(layer.maximum and layer.window.pitch for layer in network.layers)
        largest += any(layer.maximum for layer in network.layers)
        found, wanted = network.model.results(run_network(network)), model.expected({"x": given})
        assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
        task = Task("t", 0, network, 10**6, 10**6, 0, False, ())
        compiled = compile_taskset(TaskSet("s", Path("s"), p, 10**6, (task,)), "lw")
        for found, wanted in zip(compiled.expected_outputs(0), run_network(network), strict=True):
            assert np.array_equal(found, wanted)
    print(pitched, largest)
    assert pitched and largest > 5


def test_neighbours_without_a_tile_get_rows_further_apart_together():
    """Rows of 41 pixels are in no tile of either layer; those of the image between are a matter of both."""
    net = ConvNet(np.random.default_rng(5), 44, 43, 2)
    net.conv(9, (3, 3), padding=VALID)
    net.pool("MAX", (2, 2), (2, 2))
    net.conv(3, (3, 3))
    _, network, given = drawn(net, 1)
    chosen = choose(POOLING, network)
    chosen = replace(chosen, inputs=chosen.model.inputs({"x": given}))
    assert chosen.layers[1].maximum and chosen.layers[1].window.row > 41
    results = [each.model.results(run_network(each)) for each in (chosen, network)]
    assert all(np.array_equal(results[0][name], results[1][name]) for name in results[0])


@pytest.mark.parametrize(("size", "kernel", "strides", "window"), [
    ((128, 3, 8), (3, 3), (3, 3), ((42, 9), (1, 9), (1, 1))),
    ((42, 1, 16), (3, 1), (3, 1), ((14, 3), (1, 3), (1, 1))),
    ((12, 5, 2), (3, 1), (4, 1), ((3, 20), (1, 3), (1, 5))),
    ((9, 1, 3), (9, 1), (9, 5), ((9, 1), (9, 1), (1, 1))),
])
def test_rows_far_apart_become_pixels_side_by_side(size, kernel, strides, window):
    for name in ("MAX", "AVERAGE"):
        net = ConvNet(np.random.default_rng(8), *size)
        net.conv(size[2], (3, 1))
        net.pool(name, kernel, strides)
        if name == "MAX" or np.prod(kernel) < np.prod(size[:2]):
            found = check(net)[-1].window
            assert (found.shape, found.kernel, found.dilations) == window


def test_the_table_of_operators_names_pools():
    net = ConvNet(np.random.default_rng(9), 8, 8, 3)
    net.conv(4, (3, 3))
    net.pool("MAX", (3, 2), (2, 1), SAME)
    net.pool("AVERAGE", (2, 2))
    model = Model(graph_of("net", net.model()))
    assert [(each.where.value, each.what, each.macs) for each in place(model.graph, Walk(model.graph))][1:] == [
        ("accelerator", "max 3x2 stride 2x1, 1x8x8x4 to 1x4x8x4", 0),
        ("accelerator", "mean of 4, 1x4x8x4 to 1x3x7x4", 4 * 3 * 7 * 4)]


@pytest.mark.parametrize(("name", "kernel", "strides", "padding", "words"), [
    ("MAX", (3, 3), (3, 3), VALID, "strides of 3 x 3 with a kernel of 3 x 3 on 40 x 34 pixels: allowed are strides of"),
    ("MAX", (3, 34), (3, 1), SAME, "strides of 3 x 1"),
    ("MAX", (33, 1), (1, 1), VALID, "a kernel of 33 x 1: allowed are 1 .. 32 in both directions"),
    ("AVERAGE", (3, 3), (2, 2), SAME, "averages at the border of an image are of fewer pixels: allowed are kernels"),
])
def test_what_cannot_run_is_told(name, kernel, strides, padding, words):
    net = ConvNet(np.random.default_rng(3), 40, 34, 2)
    net.conv(2, (3, 3))
    net.pool(name, kernel, strides, padding)
    with pytest.raises(InputError, match=words):
        drawn(net)
