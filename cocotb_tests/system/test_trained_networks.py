"""Trained models in task sets, on the RTL: the bytes of LiteRT, and no output more than a step from ONNX Runtime's."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from campaigns.judged_run import judged_run
from derca_flow.sessions.inference import infer
from derca_sim.compile import compile_taskset
from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.networks.lowering.deploy import check_platform, load_model
from derca_sim.networks.lowering.quantise import quantised
from derca_sim.networks.lowering.samples import drawn
from derca_sim.timing.mapping import alone, choose, mapped
from derca_sim.timing.roofline import floor, of_layers
from derca_sim.workload.taskset import Task, TaskSet, load_platform, load_taskset
from kit.checkout import PYTORCH, SIM
from kit.graph_models import Net, attention
from kit.onnx_models import digits, quantised_dense
from kit.placed_networks import placed_network
from kit.tflite_model import Op, T, tflite_model
from oracles.litert import LiteRt
from oracles.onnx_runtime import OnnxRuntime

MODEL = SIM / "networks" / "anomaly_detection.tflite"
TEXT = """
name = "anomaly"
horizon = {horizon}
platform = "{platform}"

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
period = {period}

[[task]]
name = "urgent"
network = "urgent"
period = 15000
offset = {period}
"""


@pytest.mark.parametrize(("batch", "period"), [
    (1, 70_000), (8, 70_000), pytest.param(64, 400_000, marks=pytest.mark.full)])
def test_the_rtl_makes_what_litert_makes(tmp_path, batch, period):
    """From float32 samples to float32 results: first alone, at the least cycles of array and bus, then preempted."""
    path, horizon = tmp_path / "anomaly.toml", 2 * period
    path.write_text(TEXT.format(file=MODEL, batch=batch, period=period, horizon=horizon,
                                platform=SIM / "platforms" / "tflite.toml"))
    compiled = compile_taskset(mapped(load_taskset(path)), "flexible", 16)
    judged = judged_run(compiled, horizon)
    assert not judged.problems and judged.error == 0
    assert judged.count(Kind.PREEMPT) > 2 and judged.count(Kind.MISS) == 0
    begun, ended = (next(e.cycle for e in judged.result.events if e.kind == kind and e.task == 0)
                    for kind in (Kind.ISSUE, Kind.FINISH))
    layers = compiled.tasks[0].network.layers
    least = max(floor(of_layers(compiled.platform, layers)),
                sum(-(-layer.m // 8) * -(-layer.n // 8) * layer.k for layer in layers))
    print(f"batch {batch}: {ended - begun} cycles, {(ended - begun) / least:.3f} times {least:.0f}")
    assert ended - begun <= 1.05 * least
    model, oracle = compiled.tasks[0].network.model, LiteRt(MODEL.read_bytes())
    made, = model.results(compiled.read_outputs(judged.result.memory, 0)).values()
    for sample, found in zip(drawn(model.graph, batch)["input_1"], made, strict=True):
        wanted, = oracle.outputs([sample])
        assert found.dtype == wanted.dtype and np.array_equal(found, wanted)


@pytest.mark.parametrize(("tokens", "width", "heads"), [
    (128, 128, 2), pytest.param(197, 192, 3, marks=pytest.mark.full)], ids=["BERT-tiny", "DeiT-T"])
def test_products_of_a_transformer_keep_the_array_busy(tmp_path, tokens, width, heads):
    """A block without softmax: products of computed matrices, of heads, with transposed values, and the perceptron."""
    data = attention(tokens, width, heads, hidden=4 * width)
    (tmp_path / "block.tflite").write_bytes(data)
    model, p = load_model(tmp_path / "block.tflite"), load_platform(SIM / "platforms" / "tflite.toml")
    network = choose(p, model.network("block", None, 0, 1))
    cycles, never = alone(p, network), 1 << 30
    print(f"{network.macs:,} MAC in {cycles:,} cycles: {network.macs / 64 / cycles:.1%} of the array")
    assert network.macs / 64 / cycles > 0.95
    task = Task("block", 0, network, never, never, 0, False, ())
    compiled = compile_taskset(TaskSet("block", tmp_path / "block.toml", p, cycles + 100, (task,)), "np")
    judged = judged_run(compiled, cycles + 100)
    assert not judged.problems and judged.error == 0 and judged.count(Kind.FINISH) == 1
    made, = network.model.results(compiled.read_outputs(judged.result.memory, 0)).values()
    x, = drawn(model.graph, 1).values()
    assert np.array_equal(made[0], LiteRt(data).outputs([x[0]])[0]) and len(np.unique(made)) > 50


def from_pytorch(folder: Path) -> Path:
    """The file of a network that PyTorch has trained and exported."""
    np.savez(folder / "samples.npz", digits()[0][400:440])
    (folder / "pytorch.onnx").write_bytes(quantised(PYTORCH / "mlp-dynamo.onnx", folder / "samples.npz"))
    return folder / "pytorch.onnx"


@pytest.mark.parametrize(("shape", "make"), [
    ((1, 64), partial(quantised_dense, 1)), ((1, 64), partial(quantised_dense, 2)), ((1, 1, 8, 8), from_pytorch)],
    ids=["1", "2", "from PyTorch"])
def test_an_onnx_model_is_never_more_than_a_step_off(tmp_path, shape, make):
    """A classifier of digits that ONNX Runtime quantised; pictures of the test set, classes all equal."""
    path = make(folder=tmp_path)
    pictures = digits()[0][:64].reshape(64, *shape)
    np.savez(tmp_path / "pictures.npz", x=pictures)
    found = infer(path, tmp_path / "pictures.npz", Platform.model_validate(
        {"array": {"rows": 4, "cols": 4}, "tile": {"m": 16, "k": 32, "n": 16}, "store": {"requant_lanes": 1}}), 64)
    oracle, graph = OnnxRuntime(onnx.load(path)), load_model(path).graph
    (x,), (y,) = graph.inputs, graph.outputs
    wanted = np.stack([oracle.run({x: picture})[y] for picture in pictures])
    step = next(t.quantisation.scale for t in map(graph.tensors.get, graph.nodes[-1].inputs[:1]))
    steps = np.abs(found - wanted) / step
    print(f"{path.stem}: {np.mean(steps > 0.5):.2%} of {steps.size} outputs differ, by {steps.max():.2f} steps at most")
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
        (found,), = network.model.results(compiled.read_outputs(judged.result.memory, i)).values()
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


PIXELS = {"array": {"rows": 4, "cols": 4}, "tile": {"m": 16, "k": 8, "n": 8}, "store": {"requant_lanes": 2},
          "requant": {"tflite": True, "clamp": True, "channels": 512}}


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in (2, 3))])
def test_scales_of_channels_are_those_of_litert(tmp_path, seed):
    data = pixelwise(seed)
    (tmp_path / "pixels.tflite").write_bytes(data)
    samples = np.random.default_rng(seed).integers(-128, 128, (3, 1, 4, 5, 3)).astype(np.int8)
    np.savez(tmp_path / "s.npz", samples)
    found = infer(tmp_path / "pixels.tflite", tmp_path / "s.npz", Platform.model_validate(PIXELS), 3)
    oracle = LiteRt(data)
    wanted = np.stack([oracle.outputs([sample])[0] for sample in samples])
    assert np.array_equal(found, wanted) and len(np.unique(found)) > 20


def branches() -> bytes:
    """Products of slices, joined side by side in two ways, and three outputs, one of them of the host."""
    net = Net(1)
    x = net.tensor(11, 14, point=-4)
    y = net.fc(x, 28, activation=1)
    left, right = net.split(y, 1, 2)
    z = net.concat([net.fc(net.slice(left, [0, 2], [11, 10]), 6), net.fc(x, 12), net.fc(right, 4)], 1)
    return net.model([x], [net.softmax(net.fc(z, 10)), right, net.fc(net.slice(z, [4, 4], [7, 16]), 5)])


def test_slices_and_joins_are_those_of_litert(tmp_path):
    """Parts of matrices; with rows of a sample cut, every sample has its own."""
    data = branches()
    (tmp_path / "branches.tflite").write_bytes(data)
    samples = np.random.default_rng(1).integers(-128, 128, (2, 11, 14)).astype(np.int8)
    np.savez(tmp_path / "s.npz", samples)
    found = infer(tmp_path / "branches.tflite", tmp_path / "s.npz", Platform.model_validate(PIXELS), 2)
    oracle = LiteRt(data)
    assert len(found) == 3
    for i, made in enumerate(found.values()):
        wanted = np.stack([oracle.outputs([sample])[i] for sample in samples])
        assert np.array_equal(made, wanted) and len(np.unique(made)) > 20


def test_parts_of_matrices_in_the_cycles_of_the_golden_model():
    """Random layers that cut and join, preempted by each other; every job and every event."""
    rng, p = np.random.default_rng(3), Platform.model_validate(PIXELS)
    networks = [placed_network(f"n{i}", rng, p, 8, 30) for i in range(3)]
    tasks = tuple(Task(f"t{i}", i, network, 4100 * (i + 1), 4100 * (i + 1), 700 * (2 - i), False, ())
                  for i, network in enumerate(networks))
    compiled = compile_taskset(TaskSet("t", Path("t.toml"), p, 60_000, tasks), "flexible", 8)
    waits = [layer.wait for task in compiled.tasks for layer in task.layers]
    assert {bool(wait.prev_n_tiles) for wait in waits if wait.a} == {True, False} and max(w.allow for w in waits) > 3
    judged = judged_run(compiled, 60_000)
    assert not judged.problems and judged.error == 0 and judged.jobs > 8 and judged.count(Kind.PREEMPT) > 3
