"""`tensors.json`: an element found by its rule is the element that the compiler placed there."""

import numpy as np
import pytest

from derca_sim.compile import compile_taskset
from derca_sim.describe.tensors import tensors
from derca_sim.workload.taskset import load_taskset
from kit.checkout import TASKSETS
from oracles.tensors import read


@pytest.fixture(scope="module")
def one_sample(tmp_path_factory):
    """A task set of one sample a job, on a platform with `operators.vectors`: matrices of one row."""
    file, text = tmp_path_factory.mktemp("one") / "vectors.toml", (TASKSETS / "anomaly.toml").read_text()
    assert text.count("batch = 8") == 2
    file.write_text(text.replace("batch = 8", "batch = 1").replace('"../', f'"{TASKSETS.parent}/'))
    return file


@pytest.mark.parametrize("name", ["anomaly", "shapes", "hx8k", "one sample"])
def test_elements_lie_where_the_rule_says(name, one_sample):
    file = one_sample if name == "one sample" else TASKSETS / f"{name}.toml"
    compiled = compile_taskset(load_taskset(file), "lw")
    assert any(layer.a_vector for layer in compiled.layers) == (name == "one sample")
    noise = np.random.default_rng(1).integers(0, 256, len(compiled.image)).astype(np.uint8)
    for index, (task, told) in enumerate(zip(compiled.tasks, tensors(compiled)["tasks"], strict=True)):
        own = [rows for rows in task.network.inputs if rows is not None]
        assert len(own) == len(told["inputs"]) and told["task"] == task.name
        for rows, at in zip(own, told["inputs"], strict=True):
            assert np.array_equal(read(compiled.image, at), rows)
        at, = told["outputs"]
        assert np.array_equal(read(noise, at), compiled.read_outputs(noise, index)[at["layer"]])


def test_a_model_is_described_by_name_and_scale():
    machine, digits = tensors(compile_taskset(load_taskset(TASKSETS / "anomaly.toml"), "lw"))["tasks"]
    assert machine["model_inputs"] == [{"name": "input_1", "shape": [1, 5, 128, 1], "type": "float32"}]
    stored, = machine["stored_inputs"]
    assert stored["shape"] == [1, 640] and 0 < stored["scale"] < 10 and stored["matrices"] == [0]
    assert machine["stored_outputs"][0]["layers"] == [machine["outputs"][0]["layer"]] == [9]
    assert machine["samples"] == 8 and machine["outputs"][0]["columns"] == 640 and "model" not in digits
