"""Trained networks with pools on the RTL: the bytes of LiteRT in the cycles of the golden model."""

from dataclasses import replace

import numpy as np
import pytest

from campaigns.judged_run import judged_run
from campaigns.random_sets import CONTROL, random_platform
from derca_sim.compile import compile_taskset
from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.networks.lowering.deploy import load_model
from derca_sim.timing.mapping import alone, choose
from derca_sim.workload.taskset import Task, TaskSet, load_platform
from kit.checkout import SIM
from kit.pictures import graph_inputs
from oracles.litert import LiteRt


def small() -> Platform:
    """That of the forced preemptions of maxima, which are compiled already."""
    return random_platform("maxima", "decoupled", *CONTROL)


def large() -> Platform:
    """That of MLPerf Tiny's networks, with maxima."""
    p = load_platform(SIM / "platforms" / "tinyml.toml")
    return p.model_copy(update={"name": "pooling", "operators": p.operators.model_copy(update={"maximum": True})})


@pytest.mark.parametrize(("name", "platform", "count"), [
    ("tflite_micro_magic_wand", small, 3),
    pytest.param("tflite_micro_magic_wand", large, 20, marks=pytest.mark.full),
    pytest.param("rock_paper_scissors", large, 5, marks=pytest.mark.full),
])
def test_networks_with_pools_are_those_of_litert(tmp_path, name, platform, count):
    path, p = SIM / "networks" / f"{name}.tflite", platform()
    model, oracle, rng, never = load_model(path), LiteRt(path.read_bytes()), np.random.default_rng(7), 1 << 30
    network = choose(p, model.network(name, None, 0, 1))
    cycles = alone(p, network)
    print(f"{name} on {p.name}: {cycles:,} cycles, {network.macs / p.array.rows / p.array.cols / cycles:.1%} busy")
    assert any(layer.maximum for layer in network.layers)
    for _ in range(count):
        samples = list(graph_inputs(model.graph, rng).values())
        inputs = network.model.inputs({model.graph.inputs[0]: samples[0][None]})
        task = Task(name, 0, replace(network, inputs=inputs), never, never, 0, False, ())
        compiled = compile_taskset(TaskSet(name, tmp_path / "t.toml", p, cycles + 100, (task,)), "np")
        judged = judged_run(compiled, cycles + 100)
        assert not judged.problems and judged.error == 0 and judged.count(Kind.FINISH) == 1
        (made,), = network.model.results(compiled.read_outputs(judged.result.memory, 0)).values()
        wanted, = oracle.outputs(samples)
        assert made.dtype == wanted.dtype and np.array_equal(made, wanted.reshape(made.shape))
