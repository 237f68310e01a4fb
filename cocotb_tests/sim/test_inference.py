"""Samples for the networks of a task set, from a file."""

import numpy as np
import pytest

from derca_sim.compile import compile_taskset
from derca_sim.describe.tensors import tensors
from derca_sim.errors import InputError
from derca_sim.model.numerics import run_network
from derca_sim.networks.lowering.deploy import Model
from derca_sim.workload.inference import named, with_inputs
from derca_sim.workload.taskset import load_taskset
from kit.checkout import TASKSETS
from kit.graph_models import two_by_two
from oracles.tensors import read


@pytest.fixture(scope="module")
def taskset():
    return load_taskset(TASKSETS / "anomaly.toml")


def fed(taskset, tmp_path, **arrays):
    np.savez(tmp_path / "in.npz", **arrays)
    return with_inputs(taskset, tmp_path / "in.npz")


def test_arrays_go_to_the_networks_and_tasks_of_their_names(taskset, tmp_path):
    samples = np.random.default_rng(1).normal(0, 30, (9, 5, 128, 1)).astype(np.float32)
    pixels = np.arange(10 * 64).astype(np.int8).reshape(10, 64)
    tasks = fed(taskset, tmp_path, autoencoder=samples, digits=pixels).tasks
    machine, digits = (task.network for task in tasks)
    assert np.array_equal(machine.inputs[0], machine.model.inputs({"input_1": samples[:8, None]})[0])
    assert np.array_equal(digits.inputs[0], pixels[:8]) and digits.labels is None
    assert np.array_equal(fed(taskset, tmp_path, machine=samples).tasks[0].network.inputs[0], machine.inputs[0])
    assert fed(taskset, tmp_path, digits=pixels).tasks[0].network is taskset.tasks[0].network


@pytest.mark.parametrize(("arrays", "message"), [
    ({"other": np.zeros(3)}, "the names of networks and tasks: autoencoder, digits, machine"),
    ({"digits": np.zeros((8, 63), np.int8)}, r"digits: int8 \[8, 63\]: allowed are int8 arrays of shape \[count, 64\]"),
    ({"digits": np.zeros((7, 64), np.int8)}, "count from 8 on"),
    ({"machine": np.zeros((8, 5, 128, 1), np.int8)}, "machine: input_1: int8 .*: allowed are float32 arrays of shape"),
    ({}, "it holds no array"),
])
def test_what_does_not_fit_is_told(taskset, tmp_path, arrays, message):
    with pytest.raises(InputError, match=message):
        fed(taskset, tmp_path, **arrays)


@pytest.fixture
def pair(tmp_path):
    """A task of a model with two inputs and two outputs."""
    (tmp_path / "pair.tflite").write_bytes(two_by_two())
    (tmp_path / "p.toml").write_text("""
name = "pair"
platform = { requant = { tflite = true }, operators = { matmul = true } }
network = [{ name = "pair", file = "pair.tflite", batch = 2 }]
task = [{ name = "t", network = "pair", period = 9000 }]
""")
    return load_taskset(tmp_path / "p.toml")


def test_a_model_with_several_inputs_takes_an_array_for_each(pair, tmp_path):
    rng = np.random.default_rng(1)
    x, y = (rng.integers(-128, 128, (3, *shape)).astype(np.int8) for shape in ((3, 4), (2, 4)))
    network = fed(pair, tmp_path, **{"t/t0": x, "t/t1": y}).tasks[0].network
    found = network.model.results(run_network(network))
    wanted = Model(network.model.graph).expected({"t0": x[:2, None], "t1": y[:2]})
    assert sorted(found) == sorted(wanted) and all(np.array_equal(found[name], wanted[name]) for name in wanted)
    assert sorted(named("t", list(found)).values()) == [f"t/{name}" for name in sorted(wanted)]
    with pytest.raises(InputError, match=r"t: t/t1 missing: give an array for each of its inputs"):
        fed(pair, tmp_path, **{"t/t0": x})
    with pytest.raises(InputError, match=r"t = \"an array\": allowed are the names .*: pair/t0, pair/t1, t/t0, t/t1"):
        fed(pair, tmp_path, t=x)


def test_every_input_and_output_of_a_model_is_described(pair):
    """In memory as the image has it, and as the outputs are read."""
    compiled = compile_taskset(pair, "np")
    told, = tensors(compiled)["tasks"]
    network = compiled.tasks[0].network
    assert [one["name"] for one in told["model_inputs"]] == ["t0", "t1"] and len(told["model_outputs"]) == 2
    stored = {one["name"]: one["matrices"] for one in told["stored_inputs"]}
    assert [one["matrix"] for one in told["inputs"]] == sorted(i for own in stored.values() for i in own)
    for at in told["inputs"]:
        assert np.array_equal(read(compiled.image, at), network.inputs[at["matrix"]])
    made = {one["name"]: one["layers"] for one in told["stored_outputs"]}
    assert sorted(i for own in made.values() for i in own) == [one["layer"] for one in told["outputs"]]
    noise = np.random.default_rng(1).integers(0, 256, len(compiled.image)).astype(np.uint8)
    outputs = compiled.read_outputs(noise, 0)
    for at in told["outputs"]:
        assert np.array_equal(read(noise, at), outputs[at["layer"]]) and not at["transposed"]
