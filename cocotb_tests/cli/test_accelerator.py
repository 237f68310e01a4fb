"""`derca.Accelerator`: outputs are those of the model, in integers and in floats; wrong arrays and faults are told."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest

import derca
from derca_flow.sessions import serving
from derca_sim.host.driver import Driver
from derca_sim.model.network import random_network
from derca_sim.model.network_files import load_network, save_network
from derca_sim.model.numerics import run_network
from derca_sim.model.registers import Fault
from derca_sim.networks.lowering.deploy import Model, load_model
from kit.checkout import PLATFORMS, ROOT, SIM
from kit.computing import Computing
from kit.documents import blocks
from kit.graph_models import SCALE, Net, two_by_two
from kit.platforms import platform

P = platform(requant={"tflite": True}, operators={"matmul": True}, memory={"size": 1 << 20})
DIGITS = SIM / "networks" / "digits_small.npz"


@pytest.fixture
def computing(monkeypatch):
    """Makes an accelerator on registers that compute; gives both."""
    def made(p=P, **options):
        host = Computing(p, **options)
        compile_networks = serving.compile_networks

        def seen(*args):
            host.compiled = compile_networks(*args)
            return host.compiled

        monkeypatch.setattr(serving, "compile_networks", seen)
        return derca.Accelerator(host, Driver.open(host, p), contextlib.ExitStack()), host
    return made


@pytest.fixture
def layer(tmp_path):
    """A model of one fully connected layer, 16 to 6, with zero points."""
    net = Net(1)
    x = net.tensor(1, 16, scale=0.1, point=-3)
    (tmp_path / "layer.tflite").write_bytes(net.model([x], [net.fc(x, 6, point=5)]))
    return tmp_path / "layer.tflite"


@pytest.fixture
def pair(tmp_path):
    """A model with two inputs and two outputs."""
    (tmp_path / "pair.tflite").write_bytes(two_by_two())
    return tmp_path / "pair.tflite"


def expected(file: Path, samples: np.ndarray) -> np.ndarray:
    """The only output of a model for samples of its only input, as its graph defines it."""
    model = load_model(file)
    tensor = model.graph.tensors[model.graph.inputs[0]]
    made, = Model(model.graph).expected({tensor.name: samples.reshape(len(samples), *tensor.shape)}).values()
    return made


def test_integers_in_integers_out_whatever_the_number_of_samples(computing, layer):
    x = np.random.default_rng(1).integers(-128, 128, (7, 16)).astype(np.int8)
    for batch in (1, 2, 8):
        accelerator, host = computing()
        accelerator.load({"layer": layer}, batch)
        found = accelerator.infer("layer", x)
        assert found.dtype == np.int8 and np.array_equal(found, expected(layer, x)) and host.jobs == -(-7 // batch)


def test_floats_are_scaled_both_ways_and_saturate(computing, layer):
    accelerator, _ = computing()
    accelerator.load({"layer": layer})
    stored = np.random.default_rng(2).integers(-128, 128, (3, 16)).astype(np.int8)
    stored[0, :4] = (127, -128, -3, 127)
    real = (stored.astype(np.float64) + 3) * 0.1
    real[0, :4] = (1e9, -1e9, 0.049, np.inf)
    found = accelerator.infer("layer", real)
    assert found.dtype == np.float32
    assert np.allclose(found, (expected(layer, stored).astype(np.float64) - 5) * SCALE, rtol=1e-6, atol=0)


def test_a_model_of_floats_takes_and_gives_them(computing):
    file = SIM / "networks" / "anomaly_detection.tflite"
    accelerator, _ = computing(platform(requant={"tflite": True}, memory={"size": 1 << 16}))
    with pytest.raises(derca.InputError, match=r"memory.size = 65536: allowed are at least"):
        accelerator.load({"machine": file})
    accelerator, _ = computing()
    accelerator.load({"machine": file}, batch=2)
    x = np.random.default_rng(3).normal(0, 30, (2, 5, 128, 1))
    assert np.array_equal(accelerator.infer("machine", x), expected(file, x.astype(np.float32)))


def test_several_inputs_and_outputs_go_by_name(computing, pair):
    accelerator, _ = computing()
    accelerator.load({"pair": pair}, batch=2)
    rng = np.random.default_rng(4)
    x, y = (rng.integers(-128, 128, (3, *shape)).astype(np.int8) for shape in ((3, 4), (2, 4)))
    found = accelerator.infer("pair", {"t0": x, "t1": y})
    wanted = load_model(pair).expected({"t0": x[:, None], "t1": y})
    assert sorted(found) == sorted(wanted) and all(np.array_equal(found[name], wanted[name]) for name in wanted)
    floats = accelerator.infer("pair", {"t0": x * np.float32(SCALE), "t1": y * np.float32(SCALE)})
    assert {values.dtype for values in floats.values()} == {np.dtype(np.float32)}
    for line, given in (("allowed is an array for each of t0, t1", {"t0": x}), ("2, 3 samples", {"t0": x[:2], "t1": y}),
                        ("allowed is an array for each", x)):
        with pytest.raises(derca.InputError, match=line):
            accelerator.infer("pair", given)


def test_arrays_that_do_not_fit_are_told(computing, layer):
    accelerator, host = computing()
    with pytest.raises(derca.InputError, match="no network is loaded: call load first"):
        accelerator.infer("layer", np.zeros((1, 16)))
    with pytest.raises(derca.InputError, match="batch = 0: allowed are whole numbers from 1"):
        accelerator.load({"layer": layer}, 0)
    with pytest.raises(derca.InputError, match=r"number of networks = 5: allowed are 1 \.\. 4, scheduler.tasks"):
        accelerator.load({f"n{i}": layer for i in range(5)})
    accelerator.load({"layer": layer, "digits": DIGITS})
    for name, x, line in (
            ("layers", np.zeros((1, 16)), "'layers': there is no such network; allowed are layer, digits"),
            ("layer", np.zeros((1, 15)), r"inputs of layer: t0: int8 \[1, 15\]: allowed are int8 arrays of shape"),
            ("layer", np.zeros((1, 16), np.uint8), r"t0: uint8 \[1, 16\]: allowed are int8"),
            ("layer", np.zeros((0, 16)), "0 samples"), ("layer", 1.0, "allowed are arrays of numbers"),
            ("layer", ["a"], "allowed are arrays of numbers"),
            ("digits", np.zeros((1, 64)), r"inputs of digits: float64 \[1, 64\]: allowed are int8 arrays of shape")):
        with pytest.raises(derca.InputError, match=line):
            accelerator.infer(name, x)
    assert host.jobs == 0


@pytest.mark.parametrize("has", ["interrupts", "statistics", "events"])
def test_the_end_of_a_job_is_seen_by_interrupt_register_or_event(has, computing, layer):
    p = platform(requant={"tflite": True}, memory={"size": 1 << 16}, supervision={"interrupts": has == "interrupts"},
                 trace={"statistics": has == "statistics"})
    accelerator, host = computing(p, traced=has == "events")
    accelerator.load({"digits": DIGITS, "layer": layer})
    host.troubles = [Fault.EVENTS_LOST, None] if has != "events" else []
    x = np.arange(16, dtype=np.int8)[None]
    assert np.array_equal(accelerator.infer("layer", x), expected(layer, x)) and host.troubles == []
    if has == "events":
        with pytest.raises(derca.InputError, match="needs one of them to see the end of a job"):
            computing(p)[0].load({"layer": layer})


@pytest.mark.parametrize("interrupts", [False, True])
def test_faults_and_failures_are_no_outputs(interrupts, computing, layer):
    accelerator, host = computing(platform(requant={"tflite": True}, memory={"size": 1 << 16},
                                           supervision={"interrupts": interrupts}))
    accelerator.load({"layer": layer})
    x = np.zeros((1, 16))
    host.troubles = [None, Fault.WATCHDOG]
    with pytest.raises(derca.CheckFailed, match="layer: WATCHDOG: feedback is missing"):
        accelerator.infer("layer", x)
    host.fails = True
    with pytest.raises(derca.CheckFailed, match="layer: the job of layer failed"):
        accelerator.infer("layer", x)
    host.fails, host.troubles = False, [None] * 10_000
    with pytest.raises(derca.CheckFailed, match=r"after 0\.01 s"):
        accelerator.infer("layer", x, timeout=0.01)
    host.troubles = []
    assert accelerator.infer("layer", x).shape == (1, 1, 6)


def in_turns(accelerator: derca.Accelerator, batch: int, folder: Path) -> None:
    """Two networks of integers in turns, against the integer model."""
    little = random_network("little", [(6, 8, 6, False)], 1)
    save_network(folder / "little.npz", list(little.layers), {})
    given = {"digits": np.load(SIM / "networks" / "digits_test.npz")["images"][:6], "little": little.inputs[0]}
    wanted = {"digits": run_network(load_network(DIGITS, "digits", 6))[-1], "little": run_network(little)[-1]}
    accelerator.load({"digits": DIGITS, "little": folder / "little.npz"}, batch)
    for name in ("little", "digits", "little"):
        assert np.array_equal(accelerator.infer(name, given[name]), wanted[name])


def test_the_rtl_computes_what_the_model_says(tmp_path):
    with derca.simulated(PLATFORMS / "hx8k.toml") as accelerator:
        assert accelerator.platform.name == "hx8k"
        in_turns(accelerator, 4, tmp_path)


def test_so_does_a_board(tmp_path):
    with derca.open_board("hx8k") as accelerator:
        in_turns(accelerator, 2, tmp_path)


@pytest.mark.full
def test_so_does_rtl_with_interrupts_and_pages_of_tables(layer, tmp_path):
    (tmp_path / "p.toml").write_text("""
name = "served"
array = { rows = 2, cols = 2 }
tile = { m = 4, k = 16, n = 8 }
bus = { data_width = 32 }
memory = { size = 65536 }
scheduler = { tasks = 3 }
store = { requant_lanes = 1 }
requant = { tflite = true }
tables = { layers = 16, entries = 128, regions = 16 }
trace = { depth = 4 }
""")
    x = np.random.default_rng(5).integers(-128, 128, (5, 16)).astype(np.int8)
    with derca.simulated(tmp_path / "p.toml") as accelerator:
        in_turns(accelerator, 3, tmp_path)
        accelerator.load({"digits": DIGITS, "layer": layer}, 2)
        for _ in range(3):
            assert np.array_equal(accelerator.infer("layer", x), expected(layer, x))


def test_the_lines_of_the_manual_run(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code, = [block.text for block in blocks(ROOT / "docs" / "api.md") if "simulated(" in block.text]
    exec(compile(code, "docs/api.md", "exec"), {})
    labels = np.load(SIM / "networks" / "digits_test.npz")["labels"][:8]
    found = np.array(re.findall(r"\d+", capsys.readouterr().out), int)
    assert len(code.splitlines()) <= 10 and (found == labels).mean() > 0.8


@pytest.mark.parametrize(("ask", "words"), [
    (lambda: derca.open_board("abacus"), "--board = abacus: unknown board"),
    (lambda: derca.open_board("hx8k", "/dev/nowhere"), "/dev/nowhere: cannot be opened"),
    (lambda: derca.open_uio(PLATFORMS / "zcu104.toml", "nowhere"), "--uio = nowhere: there is no such device"),
    (lambda: derca.simulated(PLATFORMS / "none.toml"), "none.toml: cannot be read"),
])
def test_what_cannot_be_opened_is_told(ask, words):
    with pytest.raises(derca.InputError, match=re.escape(words)):
        ask()
