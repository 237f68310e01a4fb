"""`derca import`: every operator of a trained model with its place or the reason why it has none."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from derca_cli.console.mapping import Job
from kit.checkout import PLATFORMS, SIM
from kit.cli import derca
from kit.conv_models import ConvNet
from kit.graph_models import attention
from kit.onnx_models import Draft, dense_network, digits, quantised_dense

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
    assert (f"anomaly_detection: layer 0 needs requant.tflite = true in platform demo ({PLATFORMS / 'demo.toml'})"
            in done.stderr)


def test_tables_that_are_too_small_are_named(tmp_path):
    tables, model = tmp_path / "few.toml", SIM / "networks" / "tflite_micro_speech.tflite"
    tables.write_text((PLATFORMS / "tinyml.toml").read_text().replace("channels = 8192", "channels = 8"))
    done = derca("import", model, "--platform", tables)
    assert done.exit_code == 2 and derca("import", model, "--platform", PLATFORMS / "tinyml.toml").exit_code == 0
    assert f"{tables}: requant.channels = 8: allowed are at least 12 for" in " ".join(done.stderr.split())


def test_all_that_a_platform_lacks_is_named_at_once(tmp_path):
    """The platform with the lines of the answer can run the model, also where tables show only after operators."""
    model, bare = SIM / "networks" / "tflite_micro_speech.tflite", tmp_path / "bare.toml"
    bare.write_text('name = "bare"\n\n[tile]\nm = 64\nk = 160\n\n[tables]\nslices = 1\n')
    done = derca("import", model, "--platform", bare, "--json")
    lines = json.loads(done.stdout)["platform_lines"]
    assert json.loads(done.stdout)["platform_lines_suffice"] is True
    assert done.exit_code == 2 and tomllib.loads(lines) == {
        "requant": {"tflite": True, "channels": 12}, "operators": {"convolution": True},
        "tile": {"per_layer": True, "n": 32}, "tables": {"slices": 71}}
    assert len(done.stderr.splitlines()) == 5 and "tables.slices = 1: allowed are at least 71" in done.stderr
    assert lines in derca("import", model, "--platform", bare).stdout
    added = lines.replace("[tile]\n", "[tile]\nm = 64\nk = 160\n")
    bare.write_text(f'name = "bare"\n\n{added}')
    done = derca("import", model, "--platform", bare, "--json")
    assert done.exit_code == 0 and "platform_lines" not in json.loads(done.stdout), done.stderr


def test_keys_that_no_platform_can_have_are_refused_with_the_others(tmp_path):
    model, narrow = SIM / "networks" / "tflite_micro_speech.tflite", tmp_path / "narrow.toml"
    narrow.write_text('[array]\nrows = 6\n\n[tile]\nm = 24\n\n[bus]\ndata_width = 32\n[store]\nrequant_lanes = 1\n')
    done = derca("import", model, "--platform", narrow)
    assert done.exit_code == 2 and len(done.stderr.splitlines()) == 4
    assert "with what is lacking: operators.convolution = true: allowed are false, or tile.per_layer" in done.stderr
    assert "to run the model" not in done.stdout and "and what the last line of this answer says" in " ".join(
        done.stdout.split())


def test_memory_is_among_the_lines(tmp_path):
    """It shows only once tables are there; alone it is no reason against a model, and is told beside its size."""
    model, little = SIM / "networks" / "tflite_micro_speech.tflite", tmp_path / "little.toml"
    text = (PLATFORMS / "tinyml.toml").read_text()
    size = re.search(r"size = \d+", text.partition("[memory]")[2]).group()
    little.write_text(text.replace(size, "size = 4096").replace("channels = 8192", "channels = 8"))
    answer = json.loads(derca("import", model, "--platform", little, "--json").stdout)
    lines = tomllib.loads(answer["platform_lines"])
    assert lines["requant"] == {"channels": 12} and 16_688 < lines["memory"]["size"] < 60_000
    assert len(answer["reasons"]) == 1
    little.write_text(text.replace(size, f"size = {lines['memory']['size']}"))
    done = derca("import", model, "--platform", little)
    assert done.exit_code == 0 and ": fits" in done.stdout
    assert "\njob alone " in done.stdout and {"layer alone", "least cycles"} < set(Job([], 0, 1).rows()[0])
    little.write_text(text.replace(size, "size = 4096"))
    done = derca("import", model, "--platform", little)
    assert done.exit_code == 0 and "does not fit" in done.stdout


def test_convolutions_and_their_windows(tmp_path):
    net = ConvNet(np.random.default_rng(5), 20, 10, 1)
    net.conv(8, (10, 4), (2, 2))
    net.conv(8, (3, 3), groups=8)
    (tmp_path / "conv.tflite").write_bytes(net.model())
    done = derca("import", tmp_path / "conv.tflite", "--platform", PLATFORMS / "tflite.toml")
    assert done.exit_code == 2 and "layer 0 has a window: it needs operators.convolution = true" in done.stderr
    text = (PLATFORMS / "tflite.toml").read_text().replace("clamp = true", "clamp = true\nchannels = 64")
    (tmp_path / "p.toml").write_text(text.replace("vectors = true", "vectors = true\nconvolution = true"))
    done = derca("import", tmp_path / "conv.tflite", "--platform", tmp_path / "p.toml", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert [o["shape"] for o in answer["operators"]] == [
        "conv 10x4 stride 2x2, 1x20x10x1 to 1x10x5x8, 2 x 1 pixels side by side",
        "depthwise conv 3x3 stride 1x1, 1x10x5x8 to 1x10x5x8"]
    assert [x["window"] for x in answer["job"]["layers"]] == [
        "conv 5x4 s1x2 on 14x10x2", "depthwise 3x3 on 10x5x8"]


def test_a_graph_and_what_a_platform_lacks_for_it(tmp_path):
    (tmp_path / "attention.tflite").write_bytes(attention(9, 12, 3))
    done = derca("import", tmp_path / "attention.tflite", "--json")
    assert done.exit_code == 0, done.output
    where = {o["name"].split()[1]: (o["where"], o["shape"]) for o in json.loads(done.stdout)["operators"]}
    assert where["BATCH_MATMUL"] == ("accelerator", "3 GEMM 9 x 9 x 4") and where["TRANSPOSE"][0] == "in place"
    done = derca("import", tmp_path / "attention.tflite", "--platform", PLATFORMS / "demo.toml")
    assert done.exit_code == 2
    assert "layer 3 multiplies two computed matrices: it needs operators.matmul = true" in done.stderr
    assert "layer 2 stores its transpose: it needs operators.transpose = true in platform demo" in done.stderr


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


@pytest.fixture(scope="module")
def float_bytes():
    return dense_network(3).SerializeToString()


@pytest.fixture
def float_model(tmp_path, monkeypatch, float_bytes):
    """A folder with a float model and with samples of its input x [1, 64]."""
    monkeypatch.chdir(tmp_path)
    Path("float.onnx").write_bytes(float_bytes)
    np.savez("samples.npz", x=digits()[0][400:440].reshape(-1, 64))
    return tmp_path


CALIBRATED = ("--quantize", "--calibrate", "samples.npz")


def test_a_float_model_is_quantised_and_can_run(float_model):
    refused = derca("import", "float.onnx")
    assert refused.exit_code == 2 and "quantise the model" in refused.stderr
    done = derca("import", "float.onnx", *CALIBRATED, "-o", "made/int8.onnx", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert [o["where"] for o in answer["operators"]] == ["host", "accelerator", "accelerator", "host"]
    assert answer["int8_model"] == "made/int8.onnx" and derca("import", "made/int8.onnx").exit_code == 0
    assert onnx.load("made/int8.onnx").doc_string == (
        "Again: derca import float.onnx --quantize --calibrate samples.npz -o made/int8.onnx")


def test_the_quantised_model_replaces_what_it_may(float_model, float_bytes):
    """Without -o no file at all; with it a file of derca, and never the model that is read."""
    assert derca("import", "float.onnx", *CALIBRATED).exit_code == 0
    first = Path("float-int8.onnx").read_bytes()
    again = derca("import", "float.onnx", *CALIBRATED)
    assert again.exit_code == 2 and "float-int8.onnx: exists already; name a file" in again.stderr
    np.savez("samples.npz", x=np.zeros((1, 64), np.float32))
    assert derca("import", "float.onnx", *CALIBRATED, "-o", "float-int8.onnx").exit_code == 0
    assert Path("float-int8.onnx").read_bytes() != first
    for name, message in (("float.onnx", "is an input of this command"), ("other.onnx", "derca did not write")):
        Path(name).write_bytes(float_bytes)
        done = derca("import", "float.onnx", *CALIBRATED, "-o", name)
        assert done.exit_code == 2 and message in done.stderr and Path(name).read_bytes() == float_bytes


@pytest.mark.parametrize(("model", "options", "message"), [
    ("float.onnx", ["--quantize"], "--quantize needs samples of the model's input: --calibrate FILE.npz"),
    ("float.onnx", ["--calibrate", "samples.npz"], "--calibrate: allowed with --quantize"),
    ("float.onnx", ["--quantize", "--calibrate", "none.npz"], "none.npz: cannot be read"),
    ("float.onnx", ["--quantize", "--calibrate", "wrong.npz"],
     "wrong.npz: from sample 0 on: x: float32 [3, 63]: allowed are float32 arrays of shape [count, 64], count from 1"),
    ("float.onnx", ["--quantize", "--calibrate", "two.npz"], "x, an input of float, is not among its 2 arrays"),
    ("float.onnx", ["--quantize", "--calibrate", "single.npz"], "from sample 0 on: x: float32 [1]: allowed are"),
    ("float.onnx", ["--quantize", "--calibrate", "empty.npz"], "from sample 0 on: x: float32 [0, 64]: allowed are"),
    ("float.onnx", ["--quantize", "--calibrate", "infinite.npz"], "infinite.npz: it holds values that are no finite"),
    ("float.onnx", [*CALIBRATED, "-o", "int8.json"], "int8.json: allowed are names that end in .onnx"),
    ("none.onnx", CALIBRATED, "none.onnx: cannot be read"),
    ("int8.onnx", CALIBRATED, "int8.onnx: it is quantised already: allowed are float models"),
    ("double.onnx", CALIBRATED, "double.onnx: its input x is float64: allowed is float32"),
    ("pair.onnx", CALIBRATED, "pair.onnx: it has 2 inputs: allowed is 1"),
    (SIM / "networks" / "anomaly_detection.tflite", CALIBRATED, "allowed are float models whose names end in .onnx"),
])
def test_what_cannot_be_quantised_is_told(float_model, model, options, message):
    for name, arrays in (("wrong", {"x": np.zeros((3, 63), np.float32)}), ("single", [np.float32(1)]),
                         ("two", {"a": np.zeros(3), "b": np.zeros(3)}), ("empty", {"x": np.zeros((0, 64), np.float32)}),
                         ("infinite", {"x": np.full((1, 64), np.nan, np.float32)})):
        np.savez(f"{name}.npz", **arrays) if isinstance(arrays, dict) else np.savez(f"{name}.npz", *arrays)
    if model == "int8.onnx":
        quantised_dense(1, float_model).rename(model)
    for name, inputs in (("double", [("x", [4], TensorProto.DOUBLE)]), ("pair", [("x", [4]), ("z", [4])])):
        draft = Draft()
        draft.node("Add", [value[0] for value in (inputs * 2)[:2]], "y")
        onnx.save(draft.model(inputs, [("y", *inputs[0][1:])]), f"{name}.onnx")
    before = set(float_model.rglob("*"))
    done = derca("import", model, *options)
    assert done.exit_code == 2 and message in done.stderr and set(float_model.rglob("*")) == before
