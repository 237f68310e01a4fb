"""Samples into `derca run`, results out of it: those of LiteRT."""

import re

import numpy as np

from derca_flow.sessions.inference import infer
from derca_sim.workload.taskset import load_platform
from kit.checkout import PLATFORMS, ROOT, SIM, TASKSETS
from kit.cli import derca
from oracles.litert import LiteRt

MODEL = SIM / "networks" / "anomaly_detection.tflite"
SAMPLES = np.random.default_rng(3).normal(0, 40, (8, 1, 5, 128, 1)).astype(np.float32)


def of_litert(samples):
    oracle = LiteRt(MODEL.read_bytes())
    return np.stack([oracle.outputs([sample])[0] for sample in samples])


def test_results_of_a_run_are_those_of_litert(tmp_path):
    np.savez(tmp_path / "in.npz", autoencoder=SAMPLES)
    done = derca("run", TASKSETS / "anomaly.toml", "--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz",
                 "--horizon", 95_000, "-o", tmp_path / "run")
    assert done.exit_code == 0, done.output
    with np.load(tmp_path / "out.npz") as found:
        assert sorted(found.files) == ["digits", "machine"] and found["digits"].shape == (8, 10)
        assert np.array_equal(found["machine"], of_litert(SAMPLES))


def test_one_call_takes_samples_to_results(tmp_path):
    np.savez(tmp_path / "in.npz", SAMPLES)
    found = infer(MODEL, tmp_path / "in.npz", load_platform(PLATFORMS / "tflite.toml"), batch=3)
    assert np.array_equal(found, of_litert(SAMPLES[:3]))


def test_an_array_of_no_task_is_bad_input(tmp_path):
    np.savez(tmp_path / "in.npz", nobody=SAMPLES)
    done = derca("run", TASKSETS / "anomaly.toml", "--inputs", tmp_path / "in.npz", "-o", tmp_path / "run")
    assert done.exit_code == 2 and "nobody" in done.stderr and not (tmp_path / "run").exists()


def test_the_python_of_the_document_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code, = re.findall(r"```python\n(from pathlib.*?)```", (ROOT / "docs" / "networks.md").read_text(), re.DOTALL)
    exec(compile(code, "networks.md", "exec"), {})
    printed, = re.findall(r"# (.*)", code)
    assert capsys.readouterr().out.strip() == printed
