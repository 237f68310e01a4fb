"""What of a graph becomes layers, and why the rest does not: against the interpreter, with reasons in words."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from derca_sim.errors import InputError
from derca_sim.model.numerics import run_network
from derca_sim.model.platform import Platform
from derca_sim.model.rounding import Rounding
from derca_sim.networks.lowering.deploy import Model, check_platform, load_model
from derca_sim.networks.lowering.mapping import place
from derca_sim.networks.lowering.samples import drawn, load_samples
from derca_sim.networks.lowering.walk import Walk
from derca_sim.networks.tflite import graph_of
from kit.checkout import SIM
from kit.onnx_models import digits, quantised_dense
from kit.tflite_model import Op, T, tflite_model
from oracles.onnx_runtime import OnnxRuntime

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3


def dense(rng, activations, sizes, channels=False, rows=1):
    """A model of fully connected layers on int8 [rows, sizes[0]]; tensor i is the input of layer i.

    With `channels` every output has a scale of its own.
    """
    tensors = [T(f"t{i}", (rows, size), "int8", [float(np.float32(rng.uniform(0.01, 0.1)))],
                 [int(rng.integers(-128, 128))]) for i, size in enumerate(sizes)]
    operators = []
    for i, (k, n, activation) in enumerate(zip(sizes, sizes[1:], activations, strict=False)):
        weights = rng.integers(-127, 128, (n, k)).astype(np.int8)
        at, scales = len(tensors), rng.uniform(0.005, 0.05, n).tolist() if channels else [0.02]
        points = [0] * len(scales)
        tensors += [T(f"w{i}", (n, k), "int8", scales, points, 0, weights),
                    T(f"b{i}", (n,), "int32", scales, points, 0, rng.integers(-9000, 9000, n).astype(np.int32))]
        operators.append(Op("FULLY_CONNECTED", [i, at, at + 1], [i + 1], "FullyConnectedOptions",
                            {"FusedActivationFunction": activation}))
    return tensors, operators


def check(model, batch):
    """All outputs of the layers, taken back to the model's, are those of the graph."""
    network = model.network("net", None, 0, batch)
    found, wanted = network.model.results(run_network(network)), model.expected(drawn(model.graph, batch))
    assert found.keys() == wanted.keys() == set(model.graph.outputs)
    assert all(len(found[name]) == batch and np.array_equal(found[name], wanted[name]) for name in wanted)
    return network


@pytest.mark.parametrize("seed", range(12))
def test_layers_compute_what_the_graph_means(seed):
    rng = np.random.default_rng(seed)
    sizes = [int(s) for s in rng.integers(1, 30, int(rng.integers(2, 5)))]
    activations = [int(rng.choice([NONE, RELU, RELU_N1_TO_1, RELU6])) for _ in sizes[1:]]
    rows, batch = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    tensors, operators = dense(rng, activations, sizes, seed % 2 == 1, rows)
    model = Model(graph_of("dense", tflite_model(tensors, operators, [0], [len(sizes) - 1])))
    network = model.network("dense", None, 0, batch)
    assert [(x.m, x.k, x.n) for x in network.layers] == [(rows * batch, k, n)
                                                         for k, n in zip(sizes, sizes[1:], strict=False)]
    check(model, batch)
    print(seed, [x.limits for x in network.layers])


def reasons_of(tensors, operators, inputs=(0,), outputs=(1,)):
    with pytest.raises(InputError) as caught:
        Model(graph_of("net", tflite_model(tensors, operators, list(inputs), list(outputs))))
    return caught.value.problems


def test_every_reason_is_given_at_once():
    tensors, operators = dense(np.random.default_rng(1), [NONE, NONE], [8, 6, 4])
    tensors[3] = replace(tensors[3], zero_points=[3])
    tensors[5] = replace(tensors[5], scales=[0.1] * 6, zero_points=[0] * 6, axis=1)
    lines = reasons_of(tensors, operators, outputs=[2])
    assert len(lines) == 2 and "its weights have a zero point" in lines[0] and "a scale for each input" in lines[1]
    assert lines[0].startswith("net: 0 FULLY_CONNECTED: ")


def test_operators_without_a_kernel_are_told():
    tensors, operators = dense(np.random.default_rng(1), [NONE, NONE], [8, 8, 8])
    operators[1] = replace(operators[1], inputs=[0, *operators[1].inputs[1:]])
    tensors.append(replace(tensors[2], name="product"))
    operators.append(Op("MUL", [1, 2], [len(tensors) - 1], "MulOptions"))
    assert reasons_of(tensors, operators, outputs=[len(tensors) - 1]) == [
        "net: 2 MUL: the accelerator has no kernel for it yet"]


def test_a_model_of_the_host_alone_is_told():
    x = T("x", (1, 4), "int8", [0.5], [0])
    assert reasons_of([x, replace(x, name="y")], [Op("RESHAPE", [0], [1])]) == [
        "net: it has no operator that the accelerator computes"]


@pytest.mark.parametrize(("shape", "columns", "runs"), [((1, 8), 8, True), ((1, 1, 8), 8, True), ((2, 4), 4, False)])
def test_a_reshape_between_layers_keeps_rows(shape, columns, runs):
    """Its elements stay where the layer before has left them."""
    tensors, operators = dense(np.random.default_rng(1), [NONE, NONE], [5, 8, 6])
    flat = replace(tensors[1], name="flat", shape=shape)
    rows = int(np.prod(shape)) // columns
    tensors[2] = replace(tensors[2], shape=(rows, 6))
    tensors[5] = replace(tensors[5], shape=(6, columns), data=tensors[5].data[:, :columns])
    tensors.append(flat)
    at = len(tensors) - 1
    operators = [operators[0], Op("RESHAPE", [1], [at]), replace(operators[1], inputs=[at, *operators[1].inputs[1:]])]
    if not runs:
        line, = reasons_of(tensors, operators, outputs=[2])
        assert line.startswith("net: 2 FULLY_CONNECTED: it takes 2 x 4 elements, where the layer before makes 1 x 8: ")
        return
    model = Model(graph_of("net", tflite_model(tensors, operators, [0], [2])))
    assert [p.where.value for p in place(model.graph, Walk(model.graph))] == ["accelerator", "in place", "accelerator"]
    check(model, 3)


def test_weights_that_are_computed():
    """They are the second operand of a fully connected layer, and nothing that a convolution can have."""
    x, weights = (T(name, (4, 4), "int8", [0.5], [0]) for name in "xw")
    y = replace(x, name="y", scales=[5.0])
    dense = Op("FULLY_CONNECTED", [0, 1, -1], [2], "FullyConnectedOptions")
    model = Model(graph_of("net", tflite_model([x, weights, y], [dense], [0, 1], [2])))
    assert check(model, 2).layers[0].weights is None
    x, weights, y = (T(name, (1, 1, 1, 4), "int8", [0.5], [0]) for name in "xwy")
    conv = Op("CONV_2D", [0, 1, -1], [2], "Conv2DOptions", {"StrideH": 1, "StrideW": 1, "Padding": 1})
    y = replace(y, shape=(1, 1, 1, 1))
    assert reasons_of([x, weights, y], [conv], [0, 1], [2]) == [
        "net: 0 CONV_2D: its weights are computed: allowed are constants"]


@pytest.mark.parametrize("function", ["Sigmoid", "Tanh", "LeakyRelu", "Elu"])
def test_a_function_behind_a_layer_is_a_table_of_it(tmp_path, function):
    """Of ONNX models; a result is never more than two steps from ONNX Runtime's, one for each layer."""
    path = quantised_dense(2, tmp_path, function)
    model = load_model(path)
    assert [p.where.value for p in place(model.graph, Walk(model.graph))] == [
        "host", "accelerator", "table of its layer", "accelerator", "host"]
    samples = digits()[0][:64].reshape(64, 1, 64)
    np.savez(tmp_path / "s.npz", samples)
    network = model.network("n", tmp_path / "s.npz", 0, 64)
    assert [layer.table is None for layer in network.layers] == [False, True]
    with pytest.raises(InputError, match="layer 0 needs requant.tables = 1 in platform derca"):
        check_platform(network, Platform())
    check_platform(network, Platform.model_validate({"requant": {"tables": 1}}))
    (name, found), = network.model.results(run_network(network)).items()
    oracle = OnnxRuntime(onnx.load(path))
    wanted = np.stack([oracle.run({"x": sample})["y"] for sample in samples])
    steps = np.abs(found - wanted) / model.graph.tensors[model.graph.makers[name].inputs[0]].quantisation.scale
    assert steps.max() < 2.01 and np.mean(found.argmax(-1) == wanted.argmax(-1)) > 0.95


def test_a_platform_says_what_it_lacks():
    tensors, operators = dense(np.random.default_rng(1), [RELU_N1_TO_1], [8, 6])
    model = Model(graph_of("net", tflite_model(tensors, operators, [0], [1])))
    network = model.network("net", None, 0, 1)
    assert network.layers[0].rounding is Rounding.UP and network.layers[0].bounds is not None
    check_platform(network, Platform.model_validate({"requant": {"tflite": True, "clamp": True}}))
    tensors[2] = replace(tensors[2], scales=[0.02] * 6, zero_points=[0] * 6)
    channels = Model(graph_of("net", tflite_model(tensors, operators, [0], [1]))).network("net", None, 0, 1)
    with pytest.raises(InputError, match="layer 0 needs requant.channels = 6 in platform derca"):
        check_platform(channels, Platform.model_validate({"requant": {"tflite": True, "clamp": True}}))
    for options, missing in (({}, ["tflite", "clamp"]), ({"tflite": True}, ["clamp"]), ({"clamp": True}, ["tflite"])):
        with pytest.raises(InputError) as caught:
            check_platform(network, Platform.model_validate({"requant": options}))
        assert caught.value.problems == [f"layer 0 needs requant.{m} = true in platform derca" for m in missing]
    with pytest.raises(InputError, match="its layers are int8, and array.dtype is int16 in platform derca"):
        check_platform(network, Platform.model_validate({"array": {"dtype": "int16"}, "requant": {}}))


@pytest.mark.parametrize(("arrays", "message"), [
    ({"input_1": np.zeros((3, 5, 128, 1), np.float64)},
     r"from sample 1 on: input_1: float64 \[2, 5, 128, 1\]: allowed are float32"),
    ({"input_1": np.zeros((3, 5, 128), np.float32)}, r"allowed are float32 arrays of shape \[count, 5, 128, 1\]"),
    ({"a": np.zeros(3), "b": np.zeros(3)}, "input_1, an input of anomaly_detection, is not among its 2 arrays"),
    ({"any": np.zeros((2, 5, 128, 1), np.float32)}, r"float32 \[1, 5, 128, 1\]: .*count from 2 on"),
])
def test_samples_that_do_not_fit_are_told(tmp_path, arrays, message):
    np.savez(tmp_path / "s.npz", **arrays)
    model = load_model(SIM / "networks" / "anomaly_detection.tflite")
    with pytest.raises(InputError, match=message):
        load_samples(model.graph, tmp_path / "s.npz", 1, 2)


def test_samples_of_a_file_are_those_asked_for(tmp_path):
    samples = np.arange(4 * 640, dtype=np.float32).reshape(4, 1, 5, 128, 1)
    np.savez(tmp_path / "s.npz", input_1=samples)
    model = load_model(SIM / "networks" / "anomaly_detection.tflite")
    assert np.array_equal(load_samples(model.graph, tmp_path / "s.npz", 1, 2)["input_1"], samples[1:3])
    network = model.network("x", tmp_path / "s.npz", 1, 2)
    assert np.array_equal(network.inputs[0], network.model.inputs({"input_1": samples[1:3]})[0])
    assert network.inputs[0].shape == (2, 640)
