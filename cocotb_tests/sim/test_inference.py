"""Samples for the networks of a task set, from a file."""

import numpy as np
import pytest

from derca_sim.errors import InputError
from derca_sim.workload.inference import with_inputs
from derca_sim.workload.taskset import load_taskset
from kit.checkout import TASKSETS


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
