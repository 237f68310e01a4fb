"""The committed digit networks: accuracy recomputed, files reproducible, broken files refused by name."""

import json

import numpy as np
import pytest

from derca_sim.errors import InputError
from derca_sim.model.network import random_network
from derca_sim.model.network_files import load_network, save_network
from derca_sim.model.numerics import run_network

SHAPES = {
    "digits_small": (64, 32, 10),
    "digits_wide": (64, 128, 64, 10),
    "digits_deep": (64, 96, 96, 64, 32, 10),
}


@pytest.fixture
def networks(request):
    return request.config.rootpath / "sim" / "networks"


@pytest.mark.parametrize("name", SHAPES)
def test_int8_accuracy(networks, name):
    with np.load(networks / "digits_test.npz") as data:
        count = len(data["images"])
        images = data["images"]
    assert count == 450 and len(np.unique(images, axis=0)) > 440
    network = load_network(networks / f"{name}.npz", name, count)
    assert (network.layers[0].k, *(layer.n for layer in network.layers)) == SHAPES[name]
    accuracy = float((run_network(network)[-1].argmax(axis=1) == network.labels).mean())
    print(f"{name}: {accuracy:.4f}")
    assert accuracy >= 0.95
    assert accuracy == network.metadata["accuracy_int8"]


def test_batch_is_cut_from_the_test_set(networks):
    whole = load_network(networks / "digits_small.npz", "x", 450)
    part = load_network(networks / "digits_small.npz", "x", 20, 100)
    assert np.array_equal(part.inputs[0], whole.inputs[0][100:120])
    assert np.array_equal(part.labels, whole.labels[100:120])
    assert np.array_equal(run_network(part)[-1], run_network(whole)[-1][100:120])


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_save_and_load_give_the_same_network(tmp_path, dtype):
    network = random_network("x", [(5, 7, 4, True), (5, 4, 3, False)], 9, dtype)
    np.savez(tmp_path / "set.npz", images=network.inputs[0], labels=np.arange(5))
    save_network(tmp_path / "x.npz", list(network.layers), {"test_set": "set.npz"})
    loaded = load_network(tmp_path / "x.npz", "x", 5, dtype=dtype)
    for found, expected in zip(run_network(loaded), run_network(network), strict=True):
        assert np.array_equal(found, expected)
    save_network(tmp_path / "y.npz", list(network.layers), {"test_set": "set.npz"})
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()


def test_a_network_of_the_other_type_is_refused(networks):
    with pytest.raises(InputError, match=r'weights_0 = "int8 \[64, 32\]": allowed are int16 arrays'):
        load_network(networks / "digits_small.npz", "x", 1, dtype="int16")


def remove(key):
    return lambda arrays: arrays.pop(key)


def put(key, value):
    return lambda arrays: arrays.update({key: value})


BROKEN = {
    "weights of the wrong type": (put("weights_1", np.zeros((4, 3), np.int16)), "weights_1", "int8"),
    "layers that do not chain": (put("weights_1", np.zeros((5, 3), np.int8)), "weights_1", "[4, any]"),
    "bias missing": (remove("bias_0"), "bias_0 is missing", "int32"),
    "bias too short": (put("bias_0", np.zeros(3, np.int32)), "bias_0", "[4]"),
    "shift zero": (put("shift", np.array([0, 5])), "shift", "1 .. 62"),
    "shift too large": (put("shift", np.array([1, 63])), "shift", "1 .. 62"),
    "multiplier negative": (put("multiplier", np.array([-1, 5])), "multiplier", "0 .. 2147483647"),
    "zero point not int8": (put("zero_point", np.array([0, 128])), "zero_point", "-128 .. 127"),
    "metadata not JSON": (put("metadata", np.array("{")), "metadata", "test_set"),
    "test set not found": (put("metadata", np.array(json.dumps({"test_set": "no.npz"}))), "no.npz", "cannot be read"),
    "unknown array": (put("wieghts_0", np.zeros(1)), "wieghts_0", "weights_0"),
    "no layers": (remove("weights_0"), "weights_0 is missing", "int8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_network_file(tmp_path, name):
    change, *texts = BROKEN[name]
    network = random_network("x", [(5, 7, 4, True), (5, 4, 3, False)], 9)
    np.savez(tmp_path / "set.npz", images=network.inputs[0], labels=np.arange(5))
    save_network(tmp_path / "x.npz", list(network.layers), {"test_set": "set.npz"})
    with np.load(tmp_path / "x.npz") as data:
        arrays = dict(data)
    change(arrays)
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError) as caught:
        load_network(tmp_path / "x.npz", "x", 5)
    assert str(tmp_path) in caught.value.problems[0]
    for text in texts:
        assert any(text in line for line in caught.value.problems), caught.value.problems


def test_every_problem_of_a_network_file_is_reported(tmp_path):
    np.savez(tmp_path / "x.npz", weights_0=np.zeros((2, 3), np.int8), shift=np.array([70]))
    with pytest.raises(InputError) as caught:
        load_network(tmp_path / "x.npz", "x", 1)
    for key in ("multiplier", "shift", "zero_point", "relu", "bias_0"):
        assert sum(f": {key} " in line for line in caught.value.problems) == 1, key


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut short"])
def test_malformed_npz(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match="x.npz: not a well-formed"):
        load_network(tmp_path / "x.npz", "x", 1)
