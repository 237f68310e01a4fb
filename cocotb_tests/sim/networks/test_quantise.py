"""Float models on the way to int8: what is changed before, beside ONNX Runtime, and what comes out."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from derca_sim.networks.interpreter import run
from derca_sim.networks.lowering.deploy import load_model, open_graph
from derca_sim.networks.lowering.prepare import absorb_normalisations, join_biases, pool_means
from derca_sim.networks.lowering.quantise import quantised
from kit.onnx_models import Draft
from oracles.onnx_runtime import OnnxRuntime

RNG = np.random.default_rng(3)
IMAGE, ROW, ROWS = (1, 3, 6, 5), (2, 6), (1, 3, 6)


def constants(draft: Draft, **values) -> None:
    for name, value in values.items():
        draft.constant(name, np.asarray(value, np.float32))


def with_normalisation(kind, x, weights, bias=(), before=(), after=(), **attributes) -> onnx.ModelProto:
    """A product p of x with weights w, normalised, and nodes (operator, inputs, output) around both."""
    draft, channels = Draft(), 3 if x == ROWS else 4
    constants(draft, w=RNG.normal(0, 1, weights), b=RNG.normal(0, 1, bias or (channels,)),
              scale=RNG.normal(1, 1, channels), offset=RNG.normal(0, 1, channels), mean=RNG.normal(0, 1, channels),
              variance=RNG.uniform(0.1, 3, channels))
    for node in before:
        draft.node(*node)
    draft.node(kind, ["x", "w", *(["b"] if bias else [])], "p", **attributes)
    draft.node("BatchNormalization", ["p", "scale", "offset", "mean", "variance"], "n", epsilon=0.01)
    for node in after:
        draft.node(*node)
    return draft.model([("x", x)], [(after[-1][2] if after else "n", None)])


def prepared(model: onnx.ModelProto, change=absorb_normalisations) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """A model after a change in place, and the results of both; a dimension that is open is 2."""
    shape = [d.dim_value or 2 for d in model.graph.input[0].type.tensor_type.shape.dim]
    x = RNG.normal(0, 2, shape).astype(np.float32)
    wanted, = OnnxRuntime(model).run({"x": x}).values()
    change(model)
    onnx.shape_inference.infer_shapes(model, strict_mode=True)
    found, = OnnxRuntime(model).run({"x": x}).values()
    return model, found, wanted


@pytest.mark.parametrize(("kind", "x", "weights", "bias", "attributes"), [
    ("Conv", IMAGE, (4, 3, 3, 2), (), {"pads": [1, 0, 1, 1]}), ("Conv", IMAGE, (4, 3, 1, 1), (4,), {}),
    ("Gemm", ROW, (6, 4), (4,), {}), ("Gemm", ROW, (4, 6), (1, 4), {"transB": 1}), ("Gemm", ROW, (6, 4), (), {}),
    ("Gemm", ROW, (6, 4), (1,), {}), ("MatMul", ROW, (6, 4), (), {}),
])
def test_a_normalisation_goes_into_the_product_before_it(kind, x, weights, bias, attributes):
    model, found, wanted = prepared(with_normalisation(kind, x, weights, bias, **attributes))
    assert [node.op_type for node in model.graph.node] == [kind.replace("MatMul", "Gemm")]
    assert len(model.graph.initializer) == 2 and np.allclose(found, wanted, 1e-5, 1e-5)


def test_constants_are_known_through_what_hands_them_on():
    """As PyTorch's older exporter writes parameters that are equal."""
    nodes = [("Identity", ["offset"], "mean2")]
    model = with_normalisation("Gemm", ROW, (6, 4), before=nodes)
    model.graph.node[-1].input[3] = "mean2"
    model, found, wanted = prepared(model)
    assert "BatchNormalization" not in [n.op_type for n in model.graph.node] and np.allclose(found, wanted, 1e-5, 1e-5)


@pytest.mark.parametrize(("kind", "x", "weights", "options"), [
    ("Gemm", ROW, (6, 4), {"after": [("Add", ["p", "n"], "y")]}),  # something else reads the product
    ("Gemm", ROW, (6, 4), {"alpha": 0.5}), ("Gemm", ROW, (6, 4), {"bias": (2, 4)}),
    ("MatMul", ROWS, (6, 6), {}),  # its rows are the channels
    ("Conv", IMAGE, (4, 3, 1, 1), {"before": [("Tanh", ["w0"], "w")]}),  # weights that are computed
])
def test_what_cannot_take_a_normalisation_stays(kind, x, weights, options):
    model = with_normalisation(kind, x, weights, **options)
    if "before" in options:
        next(c for c in model.graph.initializer if c.name == "w").name = "w0"
    before = [node.op_type for node in model.graph.node]
    model, found, wanted = prepared(model)
    assert [node.op_type for node in model.graph.node] == before and np.array_equal(found, wanted)


def linear(x, nodes, weights=(6, 4), bias=(4,)) -> onnx.ModelProto:
    """Nodes (operator, inputs, output) over x with constants w, b, v [4, 3], u [3] and the limits of a clip."""
    draft = Draft()
    constants(draft, w=RNG.normal(0, 1, weights), b=RNG.normal(0, 1, bias), v=RNG.normal(0, 1, (4, 3)),
              u=RNG.normal(0, 1, 3), low=-1, high=1)
    for node in nodes:
        draft.node(*node)
    return onnx.shape_inference.infer_shapes(draft.model([("x", x)], [(nodes[-1][2], None)]))


PRODUCT, SUM = ("MatMul", ["x", "w"], "p"), ("Add", ["p", "b"], "s")
RESHAPED = ["Reshape", "Gemm", "Reshape"]


@pytest.mark.parametrize(("x", "bias", "nodes", "kinds"), [
    ((3, 6), (4,), [SUM], ["Gemm"]), (("n", 6), (1, 4), [("Add", ["b", "p"], "s")], ["Gemm"]),
    ((1, 3, 6), (4,), [SUM], RESHAPED), (("n", 3, 6), (1, 1, 4), [SUM], RESHAPED),
    ((2, 3, 5, 6), (4,), [SUM, ("Relu", ["s"], "r")], ["Reshape", "Gemm", "Relu", "Reshape"]),
    ((1, 3, 6), (4,), [SUM, ("Clip", ["s", "low", "high"], "c"), ("MatMul", ["c", "v"], "q"), ("Add", ["q", "u"], "t"),
                       ("Relu", ["t"], "r"), ("Relu", ["r"], "e")],
     ["Reshape", "Gemm", "Clip", "Reshape", "Reshape", "Gemm", "Relu", "Relu", "Reshape"]),
    ((1, 3, 6), (4,), [SUM, ("Relu", ["s"], "r"), ("Add", ["r", "s"], "t")], [*RESHAPED, "Relu", "Add"]),
])
def test_a_bias_that_is_added_goes_into_the_product(x, bias, nodes, kinds):
    model, found, wanted = prepared(linear(x, [PRODUCT, *nodes], bias=bias), join_biases)
    assert [node.op_type for node in model.graph.node] == kinds
    assert found.shape == wanted.shape and np.allclose(found, wanted, 1e-5, 1e-5)


@pytest.mark.parametrize(("x", "weights", "bias", "nodes"), [
    ((1, 3, 6), (6, 4), (3, 4), [SUM]), ((2, 3, 6), (2, 6, 6), (6,), [SUM]), ((6,), (6, 4), (4,), [SUM]),
    ((1, "m", 6), (6, 4), (4,), [SUM]), ((3, 6), (6, 4), (4,), [SUM, ("Add", ["s", "p"], "y")]),
    ((3, 6), (6, 4), (4,), [("Tanh", ["b"], "c"), ("Add", ["p", "c"], "s")]), ((3, 6), (6, 4), (2, 1, 4), [SUM]),
    ((3, 6), (6, 4), (1, 1, 4), [SUM]),
])
def test_what_is_no_bias_stays(x, weights, bias, nodes):
    model = linear(x, [PRODUCT, *nodes], weights, bias)
    before = [node.op_type for node in model.graph.node]
    model, found, wanted = prepared(model, join_biases)
    assert [node.op_type for node in model.graph.node] == before and np.array_equal(found, wanted)


@pytest.mark.parametrize(("opset", "axes", "keepdims", "kinds"), [
    (18, [2, 3], 1, ["GlobalAveragePool"]), (18, [-1, -2], 0, ["GlobalAveragePool", "Flatten"]),
    (13, [-1, 2], 1, ["GlobalAveragePool"]), (18, [1, 2], 1, ["ReduceMean"]), (13, [3], 0, ["ReduceMean"]),
    (18, None, 1, ["ReduceMean"])])
def test_a_mean_over_an_image_becomes_a_pool(opset, axes, keepdims, kinds):
    draft = Draft()
    given = [draft.constant("axes", np.array(axes))] if axes and opset == 18 else []
    draft.node("ReduceMean", ["x", *given], "y", keepdims=keepdims, **({} if given or not axes else {"axes": axes}))
    model, found, wanted = prepared(draft.model([("x", ("n", 3, 4, 5))], [("y", None)], opset), pool_means)
    assert [node.op_type for node in model.graph.node] == kinds
    assert found.shape == wanted.shape and np.allclose(found, wanted, 1e-5, 1e-5)


def classifier(nodes) -> onnx.ModelProto:
    """Nodes over x [1, 6] and a product to [1, 4]."""
    draft = Draft()
    constants(draft, w=RNG.normal(0, 1, (6, 4)), b=RNG.normal(0, 1, 4), scale=RNG.normal(1, 1, 6),
              offset=RNG.normal(0, 1, 6), mean=RNG.normal(0, 1, 6), variance=RNG.uniform(0.1, 3, 6))
    for node in nodes:
        draft.node(*node)
    return draft.model([("x", (1, 6))], [("y", (1, 4))])


def check_quantised(tmp_path, model: onnx.ModelProto, steps: float) -> tuple[Path, list[str]]:
    """Quantise a model and compare with ONNX Runtime: its file, and the operators that do more than move elements."""
    onnx.save(model, tmp_path / "float.onnx")
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    samples = RNG.normal(0, 1, (30, *shape)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", samples)
    path = tmp_path / "int8.onnx"
    path.write_bytes(quantised(tmp_path / "float.onnx", tmp_path / "samples.npz"))
    graph, oracle = open_graph(path), OnnxRuntime(onnx.load(path))
    for x in samples:
        assert np.abs(run(graph, {"x": x})["y"] - oracle.run({"x": x})["y"]).max() < steps
    return path, [node.operator.kind for node in graph.nodes if node.operator.kind != "Reshape"]


def test_a_logarithm_of_softmax_is_for_the_host(tmp_path):
    path, kinds = check_quantised(
        tmp_path, classifier([("Gemm", ["x", "w", "b"], "z"), ("LogSoftmax", ["z"], "y")]), 1e-5)
    assert kinds == ["Quantise", "FullyConnected", "Dequantise", "Softmax"]
    load_model(path)


def test_a_normalisation_of_the_input_is_read_with_its_stored_parameters(tmp_path):
    """ONNX Runtime stores them as int8."""
    nodes = [("BatchNormalization", ["x", "scale", "offset", "mean", "variance"], "n"), ("Gemm", ["n", "w", "b"], "y")]
    _, kinds = check_quantised(tmp_path, classifier(nodes), 1e-5)
    assert {"Mul", "Add", "FullyConnected"} <= set(kinds)


def test_a_mean_over_an_image_is_quantised(tmp_path):
    draft = Draft()
    draft.constant("axes", np.array([2, 3]))
    constants(draft, w=RNG.normal(0, 1, (3, 4)))
    draft.node("ReduceMean", ["x", "axes"], "m", keepdims=0)
    draft.node("Gemm", ["m", "w"], "y")
    _, kinds = check_quantised(tmp_path, draft.model([("x", (1, 3, 4, 5))], [("y", (1, 4))], 18), 1e-5)
    assert kinds == ["Quantise", "Mean", "FullyConnected", "Dequantise"]


def test_layers_of_sequences_run(tmp_path):
    """Each takes six rows of a sample; without the join, results would be quantised before biases are added."""
    path, kinds = check_quantised(tmp_path, linear(
        (1, 6, 6), [PRODUCT, SUM, ("Relu", ["s"], "r"), ("MatMul", ["r", "v"], "q"), ("Add", ["q", "u"], "y")]), 1e-5)
    assert kinds == ["Quantise", "FullyConnected", "FullyConnected", "Dequantise"]
    load_model(path)
