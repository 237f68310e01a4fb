"""Trained models in task sets, on the RTL: the bytes of LiteRT, and no output more than a step from ONNX Runtime's."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from campaigns.judged_run import judged_run
from derca_flow.sessions.inference import infer
from derca_sim.compile import compile_taskset
from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.networks.lowering.deploy import check_platform, load_model
from derca_sim.networks.lowering.samples import drawn
from derca_sim.workload.taskset import Task, TaskSet, load_taskset
from kit.checkout import SIM
from kit.onnx_models import digits, quantised_dense
from kit.tflite_model import Op, T, tflite_model
from oracles.litert import LiteRt
from oracles.onnx_runtime import OnnxRuntime

MODEL = SIM / "networks" / "anomaly_detection.tflite"
TEXT = """
name = "anomaly"
horizon = 190000
platform = {{ name = "small", array = {{ rows = 4, cols = 4 }}, tile = {{ m = 8, k = 64, n = 32 }}, \
requant = {{ tflite = true }}, store = {{ requant_lanes = 1 }}, memory = {{ read_latency = 20 }} }}

[[network]]
name = "anomaly"
file = "{file}"
batch = {batch}

[[network]]
name = "urgent"
seed = 1
layers = [{{ m = 4, k = 20, n = 8 }}]

[[task]]
name = "machine"
network = "anomaly"
period = 190000

[[task]]
name = "urgent"
network = "urgent"
period = 7000
offset = 1000
"""


def written(tmp_path, batch: int):
    path = tmp_path / "anomaly.toml"
    path.write_text(TEXT.format(file=MODEL, batch=batch))
    return path


@pytest.mark.parametrize("batch", [1, 8])
def test_the_rtl_makes_what_litert_makes(tmp_path, batch):
    """Preempted inside of layers by another task; from float32 samples to float32 results."""
    compiled = compile_taskset(load_taskset(written(tmp_path, batch)), "flexible", 16)
    judged = judged_run(compiled, 190_000)
    assert not judged.problems and judged.error == 0
    assert judged.count(Kind.PREEMPT) > 5 and judged.count(Kind.MISS) == 0
    rows = compiled.read_outputs(judged.result.memory, 0)[-1]
    model, oracle = load_model(MODEL), LiteRt(MODEL.read_bytes())
    for sample, found in zip(drawn(model.graph, batch), model.results(rows), strict=True):
        wanted, = oracle.outputs([sample])
        assert found.dtype == wanted.dtype and np.array_equal(found, wanted)


@pytest.mark.parametrize("seed", [1, 2])
def test_an_onnx_model_is_never_more_than_a_step_off(tmp_path, seed):
    """A classifier of digits that ONNX Runtime quantised; pictures of the test set, classes all equal."""
    path = quantised_dense(seed, tmp_path)
    pictures = digits()[0][:64].reshape(64, 1, 64)
    np.savez(tmp_path / "pictures.npz", x=pictures)
    found = infer(path, tmp_path / "pictures.npz", Platform.model_validate(
        {"array": {"rows": 4, "cols": 4}, "tile": {"m": 16, "k": 32, "n": 16}, "store": {"requant_lanes": 1}}), 64)
    oracle, graph = OnnxRuntime(onnx.load(path)), load_model(path).graph
    wanted = np.stack([oracle.run({"x": picture})["y"] for picture in pictures])
    step = next(t.quantisation.scale for t in map(graph.tensors.get, graph.nodes[-1].inputs[:1]))
    steps = np.abs(found - wanted) / step
    print(f"seed {seed}: {np.mean(steps > 0.5):.2%} of {steps.size} outputs differ, by {steps.max():.2f} steps at most")
    assert steps.max() < 1.01 and np.array_equal(found.argmax(-1), wanted.argmax(-1))
    assert np.mean(wanted.argmax(-1)[:, 0] == digits()[1][:64]) > 0.8


#: Operators behind a layer, with their options.
FUNCTIONS = [
    ("LOGISTIC", None, {}), ("TANH", None, {}), ("HARD_SWISH", None, {}), ("RELU6", None, {}),
    ("LEAKY_RELU", "LeakyReluOptions", {"Alpha": 0.3}), ("LEAKY_RELU", "LeakyReluOptions", {"Alpha": -0.2}),
    ("GELU", "GeluOptions", {"Approximate": False}), ("GELU", "GeluOptions", {"Approximate": True}),
    ("ELU", None, {}), ("ADD", "AddOptions", {}), ("MUL", "MulOptions", {"FusedActivationFunction": 1}),
    ("QUANTIZE", None, {}), ("SUB", "SubOptions", {}),
]


def behind_a_layer(rng, name: str, options: str | None, fields: dict) -> bytes:
    """A layer that passes the 256 values of its input on, a function of one element, and a layer of three outputs."""
    scale, point = float(np.float32(rng.uniform(0.02, 0.08))), int(rng.integers(-60, 60))
    made = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(name, (scale * 0.8, point + 9))
    x = T("x", (256, 1), "int8", [scale], [point])
    tensors = [x, replace(x, name="same"), T("f", (256, 1), "int8", [made[0]], [made[1]]),
               T("y", (256, 3), "int8", [made[0]], [made[1]]),
               T("c", (1,), "int8", [scale], [point], data=np.int8([30]))]
    for i, matrix in enumerate((np.int8([[1]]), np.int8([[1], [-1], [2]]))):
        n, factor = len(matrix), tensors[2 * i].scales[0]
        tensors += [T(f"w{i}", (n, 1), "int8", [1.0], [0], data=matrix),
                    T(f"b{i}", (n,), "int32", [factor], [0], data=np.zeros(n, np.int32))]
    layers = [Op("FULLY_CONNECTED", [2 * i, 5 + 2 * i, 6 + 2 * i], [2 * i + 1], "FullyConnectedOptions")
              for i in (0, 1)]
    inputs = {"ADD": [1, 4], "MUL": [4, 1], "SUB": [1, 1]}.get(name, [1])
    return tflite_model(tensors, [layers[0], Op(name, inputs, [2], options, fields), layers[1]], [0], [3])


def test_functions_of_one_element_are_those_of_litert(tmp_path):
    """Each of all values, as a table behind a layer; tasks preempt each other, and two of them share a table."""
    rng, tasks, models = np.random.default_rng(5), [], []
    platform = Platform.model_validate({
        "name": "functions", "array": {"rows": 4, "cols": 4}, "tile": {"m": 16, "k": 8, "n": 8}, "trace": {"depth": 64},
        "scheduler": {"tasks": 16}, "requant": {"tflite": True, "clamp": True, "tables": len(FUNCTIONS)}})
    samples = np.arange(-128, 128).astype(np.int8).reshape(1, 256, 1)
    np.savez(tmp_path / "s.npz", samples)
    functions = [*FUNCTIONS, FUNCTIONS[0]]
    for i, function in enumerate(functions):
        data = behind_a_layer(rng if i < len(FUNCTIONS) else np.random.default_rng(5), *function)
        (tmp_path / f"{i}.tflite").write_bytes(data)
        network = load_model(tmp_path / f"{i}.tflite").network(f"n{i}", tmp_path / "s.npz", 0, 1)
        check_platform(network, platform)
        models.append((data, network))
        tasks.append(Task(f"t{i}", i, network, 100_000, 100_000 - 5000 * i, 600 * i, False, ()))
    compiled = compile_taskset(TaskSet("functions", tmp_path, platform, 100_000, tuple(tasks)), "flexible", 4)
    judged = judged_run(compiled, 100_000)
    assert not judged.problems and judged.error == 0 and judged.jobs == len(tasks) and judged.count(Kind.PREEMPT) > 5
    for i, (data, network) in enumerate(models):
        found, = network.model.results(compiled.read_outputs(judged.result.memory, i)[-1])
        wanted, = LiteRt(data, functions[i][0] != "ELU").outputs(samples)
        assert np.array_equal(found, wanted) and len(np.unique(found[:, 0])) > 10 * (functions[i][0] != "SUB")


def pixelwise(seed: int) -> bytes:
    """Convolutions of single pixels with a scale per channel and RELU6, and a fully connected layer behind them."""
    rng, sizes = np.random.default_rng(seed), (3, 20, 9, 10)
    tensors = [T(f"t{i}", (1, 4, 5, c) if i < 3 else (20, c), "int8", [float(np.float32(rng.uniform(0.02, 0.08)))],
                 [int(rng.integers(-128, 60))]) for i, c in enumerate(sizes)]
    operators = []
    for i, (k, n) in enumerate(zip(sizes, sizes[1:], strict=False)):
        conv, scales, at = i < 2, rng.uniform(0.003, 0.02, n), len(tensors)
        shape = (n, 1, 1, k) if conv else (n, k)
        tensors += [T(f"w{i}", shape, "int8", scales, [0] * n, 0, rng.integers(-127, 128, shape).astype(np.int8)),
                    T(f"b{i}", (n,), "int32", scales, [0] * n, 0, rng.integers(-5000, 5000, n).astype(np.int32))]
        options = {"FusedActivationFunction": 3 if conv else 0}
        operators.append(Op("CONV_2D" if conv else "FULLY_CONNECTED", [i, at, at + 1], [i + 1],
                            "Conv2DOptions" if conv else "FullyConnectedOptions",
                            {**options, **({"StrideH": 1, "StrideW": 1, "Padding": 1} if conv else {})}))
    return tflite_model(tensors, operators, [0], [3])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_scales_of_channels_are_those_of_litert(tmp_path, seed):
    data = pixelwise(seed)
    (tmp_path / "pixels.tflite").write_bytes(data)
    samples = np.random.default_rng(seed).integers(-128, 128, (3, 1, 4, 5, 3)).astype(np.int8)
    np.savez(tmp_path / "s.npz", samples)
    found = infer(tmp_path / "pixels.tflite", tmp_path / "s.npz", Platform.model_validate({
        "array": {"rows": 4, "cols": 4}, "tile": {"m": 16, "k": 8, "n": 8}, "store": {"requant_lanes": 2},
        "requant": {"tflite": True, "clamp": True, "channels": 64}}), 3)
    oracle = LiteRt(data)
    wanted = np.stack([oracle.outputs([sample])[0] for sample in samples])
    assert np.array_equal(found, wanted) and len(np.unique(found)) > 20
