"""The four networks of MLPerf Tiny on the RTL: the bytes of LiteRT in the cycles of the golden model."""

from dataclasses import replace

import numpy as np
import pytest

from campaigns.judged_run import judged_run
from derca_sim.compile import compile_taskset
from derca_sim.events import Kind
from derca_sim.golden.machine import run
from derca_sim.networks.lowering.deploy import load_model
from derca_sim.timing.mapping import alone, choose, mapped
from derca_sim.workload.taskset import Task, TaskSet, load_platform, load_taskset
from kit.checkout import SIM
from kit.pictures import graph_inputs
from oracles.litert import LiteRt

#: Networks, and the least share of the array's cycles that their multiply-accumulates must be.
NETWORKS = {"keyword_spotting": 0.72, "image_classification": 0.99, "visual_wake_words": 0.61,
            "anomaly_detection": 0.10}


@pytest.mark.parametrize(("name", "count"), [
    ("keyword_spotting", 1), *(pytest.param(name, 20, marks=pytest.mark.full) for name in NETWORKS)])
def test_trained_networks_are_those_of_litert(tmp_path, name, count):
    """Photographs and noise, one job each; every output and every event."""
    path, p = SIM / "networks" / f"{name}.tflite", load_platform(SIM / "platforms" / "tinyml.toml")
    model, oracle, rng, never = load_model(path), LiteRt(path.read_bytes()), np.random.default_rng(7), 1 << 30
    network, found = choose(p, model.network(name, None, 0, 1)), set()
    cycles = alone(p, network)
    share = network.macs / p.array.rows / p.array.cols / cycles
    print(f"{name}: {cycles:,} cycles, {share:.1%} of the array")
    assert share > NETWORKS[name]
    for _ in range(count):
        samples = list(graph_inputs(model.graph, rng).values())
        np.savez(tmp_path / "x.npz", samples[0])
        inputs = model.network(name, tmp_path / "x.npz", 0, 1)
        task = Task(name, 0, replace(network, inputs=inputs.inputs), never, never, 0, False, ())
        compiled = compile_taskset(TaskSet(name, tmp_path / "t.toml", p, cycles + 100, (task,)), "np")
        judged = judged_run(compiled, cycles + 100)
        assert not judged.problems and judged.error == 0 and judged.count(Kind.FINISH) == 1
        left = compiled.read_outputs(judged.result.memory, 0)
        (made,), = network.model.results(left).values()
        wanted, = oracle.outputs(samples)
        assert made.dtype == wanted.dtype and np.array_equal(made, wanted.reshape(made.shape))
        found.add(left[-1].tobytes())  # before the softmax, which makes 0 and 1 of many
    assert len(found) > count // 2


def test_the_task_set_misses_deadlines_without_preemption_inside_layers():
    """As the manual says: without preemption and between layers on the golden model, whose events are the RTL's."""
    taskset = mapped(load_taskset(SIM / "tasksets" / "tinyml.toml"))
    for strategy in ("np", "lw"):
        events = run(compile_taskset(taskset, strategy), taskset.horizon)
        assert any(e.kind == Kind.MISS for e in events), strategy
