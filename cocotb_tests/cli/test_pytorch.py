"""From PyTorch to int8: networks of both of its exporters, quantised, imported and interpreted."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest

from derca_sim.networks.interpreter import run
from derca_sim.networks.lowering.deploy import load_model, open_graph
from kit.checkout import PYTORCH, ROOT
from kit.cli import derca
from kit.onnx_models import digits
from oracles.onnx_runtime import OnnxRuntime

#: Pictures that calibrate, and others that are compared.
CALIBRATION, COMPARED = slice(0, 400), slice(1000, 1200)
#: Network -> multiply-accumulates of its layers, the mean of the pixels among them.
NETWORKS = {"mlp": (64 * 32, 32 * 24, 24 * 10), "cnn": (9 * 64 * 8, 9 * 16 * 8, 16 * 8 * 16, 16 * 16, 64 * 10)}


def check(name: str, model: Path, *options) -> None:
    """The table is complete, the network of matrix products runs, and results are a step from ONNX Runtime's at most.

    Classes are those of the pictures, which the network was trained with.
    """
    done = derca("import", *options, "--json")
    answer = json.loads(done.stdout)
    assert tuple(o["macs"] for o in answer["operators"] if o["macs"]) == NETWORKS[name]
    assert all(bool(o["reason"]) == (o["where"] == "not mapped") for o in answer["operators"])
    assert done.exit_code == (2 if answer["reasons"] else 0), done.output
    if name == "mlp":
        assert [o["where"] for o in answer["operators"]] == ["host"] * 2 + ["accelerator"] * 3 + ["host"]
    graph, oracle = open_graph(model), OnnxRuntime(onnx.load(model))
    (x,), (y,) = graph.inputs, graph.outputs
    step = graph.tensors[graph.makers[y].inputs[0]].quantisation.scale
    classes = []
    for picture in digits()[0][COMPARED, None]:
        mine = run(graph, {x: picture})[y]
        assert np.abs(mine - oracle.run({x: picture})[y]).max() < 1.01 * step
        classes.append(mine.argmax())
    assert np.mean(classes == digits()[1][COMPARED]) > 0.97


@pytest.mark.parametrize("exporter", ["dynamo", "torchscript"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_float_network_is_quantised_and_imported(tmp_path, name, exporter):
    np.savez(tmp_path / "samples.npz", digits()[0][CALIBRATION])
    check(name, tmp_path / "int8.onnx", PYTORCH / f"{name}-{exporter}.onnx", "--quantize", "--calibrate",
          tmp_path / "samples.npz", "-o", tmp_path / "int8.onnx")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_pytorch_has_quantised_is_imported(name):
    """The clamp of RELU6 is an operator of its own there, on stored values."""
    check(name, PYTORCH / f"{name}-int8.onnx", PYTORCH / f"{name}-int8.onnx")


def test_a_task_set_needs_no_samples(tmp_path):
    """They are drawn from the range of the input, although it is flattened before it is quantised."""
    (tmp_path / "t.toml").write_text(
        'name = "t"\nplatform = { requant = { clamp = true, channels = 66 } }\nhorizon = 60000\n'
        f'[[network]]\nname = "digits"\nfile = "{PYTORCH}/mlp-int8.onnx"\nbatch = 4\n'
        '[[task]]\nname = "digits"\nnetwork = "digits"\nperiod = 60000\n')
    done = derca("analyze", tmp_path / "t.toml")
    assert done.exit_code == 0, done.output


def test_a_result_that_is_not_quantised_is_named(tmp_path):
    """As that of the last layer, by PyTorch's quantiser for x86."""
    model = onnx.load(PYTORCH / "mlp-int8.onnx")
    for _ in range(2):
        model.graph.node.pop()
    model.graph.node[-1].output[0] = model.graph.output[0].name
    onnx.save(model, tmp_path / "x86.onnx")
    done = derca("import", tmp_path / "x86.onnx")
    assert done.exit_code == 2 and "18 Gemm: its result dequantize_per_tensor_5 is float32: allowed is" in done.stderr


def test_the_documented_way(tmp_path, monkeypatch):
    """What docs/networks.md shows, where PyTorch is installed."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    block, = re.findall(r"```python\n(import numpy.*?)```", (ROOT / "docs" / "networks.md").read_text(), re.S)
    names = {}
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(block, names)
    assert derca("import", "digits.onnx", "--quantize", "--calibrate", "samples.npz", "-o", "int8.onnx").exit_code == 0
    model, pictures = load_model(tmp_path / "int8.onnx"), names["x"][:200]
    with torch.no_grad():
        wanted = names["model"](pictures).argmax(1).numpy()
    found = np.stack(model.expected(pictures.numpy()[:, None]))[:, 0].argmax(1)
    assert np.mean(found == wanted) > 0.98 and np.mean(found == names["y"][:200].numpy()) > 0.95
