"""Event logs and networks with damage are read or refused, never trusted."""


import numpy as np
import pytest

from derca_sim.errors import InputError
from derca_sim.events import read_log
from derca_sim.model.network_files import load_network
from kit.wrong_inputs import npz

# -- readers ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"cycle": 1}', b'{"kind": "ready"}',
                                  b'{"cycle": "1", "kind": "ready", "task": 0}', b'{"cycle": 1, "kind": 2, "task": 0}',
                                  b'{"cycle": 1, "kind": "lunch", "task": 0}', b"[" * 5000])
def test_a_damaged_event_log_names_the_line(tmp_path, line):
    good = b'{"cycle": 1, "kind": "ready", "task": 0, "job": 0, "region": 0, "arg": 0}\n'
    (tmp_path / "log").write_bytes(good + line + b"\n")
    with pytest.raises(InputError, match="log: line 2 is no event"):
        read_log(tmp_path / "log")
    (tmp_path / "log").write_bytes(good)
    assert len(read_log(tmp_path / "log")) == 1


@pytest.mark.parametrize("seed", range(40))
def test_networks_with_random_damage_are_read_or_refused(tmp_path, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(npz(compressed=bool(seed % 2), metadata=None))
    for _ in range(int(rng.integers(1, 8))):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    (tmp_path / "n.npz").write_bytes(data[:len(data) - int(rng.integers(0, 2) * rng.integers(len(data)))])
    problems = []
    try:
        load_network(tmp_path / "n.npz", "n", 1)
    except InputError as e:
        problems = e.problems
    assert all("\n" not in line and line.startswith(f"{tmp_path / 'n.npz'}: ") for line in problems)


def test_an_autoencoder_needs_no_labels(tmp_path):
    np.savez(tmp_path / "set.npz", images=np.ones((10, 16), np.int8))
    (tmp_path / "n.npz").write_bytes(npz())
    network = load_network(tmp_path / "n.npz", "n", 3, 2)
    assert network.labels is None and network.inputs[0].shape == (3, 16) and (network.inputs[0] == 1).all()


def test_a_network_without_a_test_set_gets_the_same_random_inputs(tmp_path):
    (tmp_path / "n.npz").write_bytes(npz(metadata=None))
    one, two = (load_network(tmp_path / "n.npz", "n", 4) for _ in range(2))
    assert one.labels is None and len(np.unique(one.inputs[0])) > 30
    assert (one.inputs[0] == two.inputs[0]).all()
