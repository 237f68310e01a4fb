"""Convolutions of models as layers with windows: bit by bit what LiteRT's reference kernels compute."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from campaigns.random_sets import random_platform
from derca_sim.compile import compile_taskset
from derca_sim.errors import InputError
from derca_sim.model.numerics import run_network
from derca_sim.networks.graph import Graph
from derca_sim.networks.lowering.deploy import Model, open_graph
from derca_sim.networks.lowering.mapping import place
from derca_sim.networks.lowering.walk import Walk
from derca_sim.networks.operators import Conv, Pad
from derca_sim.networks.tflite import graph_of
from derca_sim.timing.mapping import choose
from derca_sim.workload.taskset import Task, TaskSet
from kit.checkout import SIM
from kit.conv_models import VALID, ConvNet, random_convolutions
from oracles.litert import LiteRt


def lowered(net: ConvNet, batch: int = 1):
    """The model, and its network for drawn samples."""
    model = Model(graph_of("net", net.model()))
    return model, model.network("net", None, 0, batch)


def samples(net: ConvNet, count: int) -> np.ndarray:
    """int8 [count, *shape of the input]."""
    return net.rng.integers(-128, 128, (count, *net.tensors[0].shape)).astype(np.int8)


def check(net: ConvNet, batch: int = 2):
    """The layers compute what LiteRT does; returns them."""
    model = Model(graph_of("net", net.model()))
    given = samples(net, batch)
    network = model.network("net", None, 0, batch)
    network = replace(network, inputs=network.model.inputs({"x": given}))
    found = network.model.results(run_network(network))[model.graph.outputs[0]]
    oracle = LiteRt(net.model())
    assert np.array_equal(found, np.stack([oracle.outputs([sample])[0] for sample in given]))
    return network.layers


def test_random_convolutions_are_those_of_litert():
    seen = Counter()
    for seed in range(60):
        print(f"seed {seed}")
        net = random_convolutions(seed)
        for layer in check(net):
            w = layer.window
            seen["product" if w is None else "grouped" if w.groups > 1 else "window"] += 1
            seen["strides"] += w is not None and w.strides == (2, 2)
        seen["rearranged"] += bool(Walk(graph_of("net", net.model())).rearranged)
    print(seen)
    assert min(seen[key] for key in ("product", "grouped", "window", "strides", "rearranged")) > 3


def test_the_compiler_takes_them_on_a_platform():
    """The compiled task set expects what the layers compute, and every layer finds a tile."""
    p = random_platform("images", "decoupled").model_copy(
        update={"requant": random_platform("images", "decoupled").requant.model_copy(update={"channels": 256})})
    pitched = 0
    for seed in range(12):
        net = random_convolutions(seed)
        model, network = lowered(net, 2)
        given = {"x": samples(net, 2)}
        network = choose(p, network)
        network = replace(network, inputs=network.model.inputs(given))
        pitched += any(layer.window is not None and layer.window.pitch for layer in network.layers)
        found, wanted = network.model.results(run_network(network)), model.expected(given)
        assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
        task = Task("t", 0, network, 10**6, 10**6, 0, False, ())
        compiled = compile_taskset(TaskSet("s", Path("s"), p, 10**6, (task,)), "lw")
        for found, wanted in zip(compiled.expected_outputs(0), run_network(network), strict=True):
            assert np.array_equal(found, wanted)
    assert 1 < pitched < 12


MODELS = sorted(path for path in (SIM / "networks").glob("*.tflite") if path.stem != "anomaly_detection")


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_convolution_of_the_models_here_alone(path):
    """With the pad before it, as layers, against the interpreter, which equals LiteRT."""
    graph = open_graph(path)
    rng = np.random.default_rng(6)
    convolutions = [node for node in graph.nodes if isinstance(node.operator, Conv)]
    for node in convolutions:
        before = graph.makers.get(node.inputs[0])
        nodes = (before, node) if before is not None and isinstance(before.operator, Pad) else (node,)
        names = {name for each in nodes for name in (*each.inputs, *each.outputs) if name is not None}
        alone = Model(Graph(node.name, {name: graph.tensors[name] for name in names}, nodes, nodes[0].inputs[:1],
                            node.outputs, graph.arithmetic))
        x = graph.tensors[nodes[0].inputs[0]]
        given = {x.name: rng.integers(-128, 128, (1, *x.shape)).astype(np.int8)}
        network = alone.network("alone", None, 0, 1)
        network = replace(network, inputs=network.model.inputs(given))
        found, wanted = network.model.results(run_network(network)), alone.expected(given)
        assert np.array_equal(found[node.outputs[0]], wanted[node.outputs[0]]), node.name
    assert convolutions


def test_pads_before_a_convolution_are_pads_of_its_window():
    net = ConvNet(np.random.default_rng(1), 8, 8, 3)
    net.conv(5, (3, 3))
    net.pad(0, 1, 1, 2)
    net.conv(4, (3, 3), (2, 2), padding=VALID)
    model, network = lowered(net)
    assert [p.where.value for p in place(model.graph, Walk(model.graph))] == ["accelerator", "in place", "accelerator"]
    assert network.layers[1].window.pads == (0, 1)
    check(net)


@pytest.mark.parametrize(("kernel", "strides", "size", "how", "window"), [
    ((11, 11), (4, 4), (23, 23, 3), "4 x 11 pixels side by side", ((3, 1), (1, 1))),
    ((10, 4), (2, 2), (50, 10, 1), "2 x 1 pixels side by side", ((5, 4), (1, 2))),
    ((3, 3), (2, 2), (32, 32, 3), None, ((3, 3), (2, 2))),
    ((3, 3), (1, 1), (16, 16, 3), None, ((3, 3), (1, 1))),
])
def test_the_host_rearranges_inputs_where_that_saves_steps(kernel, strides, size, how, window):
    net = ConvNet(np.random.default_rng(2), *size)
    net.conv(8, kernel, strides)
    told = Walk(graph_of("net", net.model())).rearranged
    assert list(told.values()) == ([] if how is None else [how])
    layer = check(net)[0]
    assert (layer.window.kernel, layer.window.strides) == window


@pytest.mark.parametrize(("height", "width", "runs"), [(6, 5, True), (25, 20, True), (37, 2, False)])
def test_a_fully_connected_layer_takes_an_image_as_a_window_over_all_of_it(height, width, runs):
    net = ConvNet(np.random.default_rng(4), height, width, 3)
    net.conv(7, (3, 1))
    net.dense(5)
    if not runs:
        assert "it takes 1 x 518 elements, where the layer before makes 74 x 7" in refused(net)
        return
    window = check(net)[-1].window
    assert np.prod(window.kernel) == height * width and window.shape == window.kernel and window.channels == 7


def refused(net: ConvNet) -> str:
    """Why a model cannot run."""
    with pytest.raises(InputError) as caught:
        lowered(net)
    line, = caught.value.problems
    return line


def test_what_cannot_run_is_told():
    net = ConvNet(np.random.default_rng(3), 40, 8, 2)
    net.conv(2, (3, 3))
    net.conv(4, (33, 1), padding=VALID)
    assert "a kernel of 33 x 1: allowed are 1 .. 32 in both directions" in refused(net)
    net = ConvNet(np.random.default_rng(3), 30, 30, 2)
    net.conv(4, (3, 3))
    net.conv(4, (3, 3), (3, 3))
    assert "strides of 3 x 3 between layers: allowed are 1 and 2" in refused(net)
    net = ConvNet(np.random.default_rng(3), 1, 1100, 2)
    net.conv(4, (1, 3))
    assert "an image of 1 x 1100: allowed are 1 .. 1023 in both directions" in refused(net)
