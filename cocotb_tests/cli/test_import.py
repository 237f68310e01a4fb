"""`derca import`: every operator of a trained model with its place or the reason why it has none."""

import json

import pytest

from kit.checkout import PLATFORMS, SIM
from kit.cli import derca

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


def test_another_format_is_told(tmp_path):
    path = tmp_path / "net.h5"
    path.write_text("x")
    done = derca("import", path)
    assert done.exit_code == 2 and "allowed are models whose names end in .tflite" in done.stderr
