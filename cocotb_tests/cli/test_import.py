"""`derca import`: every operator of a trained model with its place or the reason why it has none."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from kit.checkout import PLATFORMS, SIM
from kit.cli import derca
from kit.graph_models import attention
from kit.onnx_models import dense_network, digits

MODELS = sorted((SIM / "networks").glob("*.tflite"))


def test_a_model_that_can_run():
    done = derca("import", SIM / "networks" / "anomaly_detection.tflite", "--platform", PLATFORMS / "tflite.toml",
                 "--batch", 8, "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    where = [o["where"] for o in answer["operators"]]
    assert where == ["host"] * 2 + ["accelerator"] * 10 + ["not needed"] * 3 + ["host"] * 2
    assert sum(o["macs"] for o in answer["operators"]) == 8 * 264_192 and answer["fits"] and answer["reasons"] == []
    first = answer["operators"][2]
    assert first["shape"] == "GEMM 8 x 640 x 128" and first["constant_bytes"] == 640 * 128 + 4 * 128
    assert first["least_cycles"] == (640 * 128 + 4 * 128 + 8 * (640 + 128)) // 8


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_every_model_has_a_complete_table(path):
    done = derca("import", path, "--json")
    answer = json.loads(done.stdout)
    missing = [o for o in answer["operators"] if o["where"] == "not mapped"]
    assert done.exit_code == (2 if missing else 0) and len(missing) == len(answer["reasons"])
    assert all(bool(o["reason"]) == (o["where"] == "not mapped") for o in answer["operators"])
    assert done.stderr.count("bad input: ") == len(missing)
    assert sum(o["macs"] for o in answer["operators"]) > 10_000


def test_a_platform_without_the_rounding_is_named():
    done = derca("import", SIM / "networks" / "anomaly_detection.tflite", "--platform", PLATFORMS / "demo.toml")
    assert done.exit_code == 2
    assert "anomaly_detection on demo: layer 0 needs requant.tflite = true in the platform" in done.stderr


def test_a_graph_and_what_a_platform_lacks_for_it(tmp_path):
    (tmp_path / "attention.tflite").write_bytes(attention(9, 12, 3))
    done = derca("import", tmp_path / "attention.tflite", "--json")
    assert done.exit_code == 0, done.output
    where = {o["name"].split()[1]: (o["where"], o["shape"]) for o in json.loads(done.stdout)["operators"]}
    assert where["BATCH_MATMUL"] == ("accelerator", "3 GEMM 9 x 9 x 4") and where["TRANSPOSE"][0] == "in place"
    done = derca("import", tmp_path / "attention.tflite", "--platform", PLATFORMS / "tflite.toml")
    assert done.exit_code == 2
    assert "layer 3 multiplies two computed matrices: it needs operators.matmul = true" in done.stderr
    assert "layer 2 stores its transpose: it needs operators.transpose = true in the platform" in done.stderr


def test_another_format_is_told(tmp_path):
    path = tmp_path / "net.h5"
    path.write_text("x")
    done = derca("import", path)
    assert done.exit_code == 2 and "allowed are models whose names end in .tflite, .onnx" in done.stderr


@pytest.mark.parametrize("name", ["bvlc_alexnet", "resnet50", "squeezenet"])
def test_float_onnx_models_have_complete_tables(name):
    path = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"
    done = derca("import", path, "--json")
    answer = json.loads(done.stdout)
    assert done.exit_code == 2 and sum(o["macs"] for o in answer["operators"]) > 300e6
    assert all(o["reason"] for o in answer["operators"] if o["where"] == "not mapped")


def test_a_float_model_is_quantised_and_can_run(tmp_path):
    onnx.save(dense_network(3), tmp_path / "float.onnx")
    np.savez(tmp_path / "samples.npz", x=digits()[0][400:440].reshape(-1, 64))
    refused = derca("import", tmp_path / "float.onnx")
    assert refused.exit_code == 2 and "quantise the model" in refused.stderr
    done = derca("import", tmp_path / "float.onnx", "--quantize", tmp_path / "int8.onnx", "--calibrate",
                 tmp_path / "samples.npz", "--json")
    assert done.exit_code == 0, done.output
    assert [o["where"] for o in json.loads(done.stdout)["operators"]] == ["host", "accelerator", "accelerator", "host"]
    assert derca("import", tmp_path / "int8.onnx").exit_code == 0


@pytest.mark.parametrize(("options", "message"), [
    (["--quantize", "int8.onnx"], "--quantize and --calibrate: allowed are both or none"),
    (["--quantize", "int8.onnx", "--calibrate", "none.npz"], "none.npz: cannot be read"),
    (["--quantize", "int8.onnx", "--calibrate", "wrong.npz"], r"allowed are float32 arrays of shape [count, 64]"),
])
def test_what_cannot_be_quantised_is_told(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    onnx.save(dense_network(3), "float.onnx")
    np.savez("wrong.npz", x=np.zeros((3, 63), np.float32))
    done = derca("import", "float.onnx", *options)
    assert done.exit_code == 2 and message in done.stderr and not (tmp_path / "int8.onnx").exists()
