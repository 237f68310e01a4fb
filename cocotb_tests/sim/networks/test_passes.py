"""Passes over graphs: what they make of small patterns, and that results stay the same."""

from dataclasses import replace

import numpy as np
import pytest

from derca_sim.networks.graph import Arithmetic, Graph, Node, Quantisation, Tensor
from derca_sim.networks.interpreter import run
from derca_sim.networks.onnx import graph_of
from derca_sim.networks.operators import Activation, Conv, Mean, Reshape, Shape, Transpose, Window
from derca_sim.networks.passes.absorb import absorb
from derca_sim.networks.passes.flatten import flatten
from derca_sim.networks.passes.fold import fold
from derca_sim.networks.passes.layout import channels_last
from derca_sim.networks.passes.moving import moved, same
from derca_sim.networks.passes.orders import composed, inverse, same_elements
from derca_sim.networks.passes.turn import turned
from derca_sim.networks.tflite import load_tflite
from kit.checkout import SIM
from kit.onnx_models import Draft, small_network
from kit.pictures import graph_inputs

IMAGE = (2, 3, 6, 5)
TFLITE = sorted((SIM / "networks").glob("*.tflite"))


def drafted(*nodes, inputs=(("x", IMAGE),), outputs=("y",), **constants) -> Graph:
    """A graph of nodes (operator, inputs, output, attributes)."""
    draft = Draft()
    for name, value in constants.items():
        draft.constant(name, value)
    for kind, read, made, *attributes in nodes:
        draft.node(kind, read.split(), made, **(attributes[0] if attributes else {}))
    model = draft.model([(n, s) for n, s in inputs], [(n, None) for n in outputs])
    return graph_of("drafted", model.SerializeToString())


def kinds(graph: Graph) -> list[str]:
    return [node.operator.kind for node in graph.nodes]


def same_results(before: Graph, after: Graph, relative: float = 0.0) -> bool:
    """Whether both make the same of random inputs."""
    rng = np.random.default_rng(7)
    inputs = graph_inputs(before, rng) if before.arithmetic is Arithmetic.TFLITE else {
        name: rng.normal(size=before.tensors[name].shape).astype(np.float32) for name in before.inputs}
    a, b = run(before, inputs), run(after, inputs)
    return all(np.allclose(a[name], b[name], relative, relative) for name in before.outputs)


CONV = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
SQUARE = np.random.default_rng(2).normal(size=(3, 3, 3, 3)).astype(np.float32)
PADS = {"pads": [1, 1, 1, 1]}


def test_shapes_and_what_depends_on_them_are_folded():
    graph = load_tflite(SIM / "networks" / "anomaly_detection.tflite")
    simple = fold(graph)
    assert {"Shape", "Slice", "Stack"} <= set(kinds(graph))
    assert not {"Shape", "Slice", "Stack"} & set(kinds(simple))
    assert same_results(graph, simple)


def test_the_shape_of_a_tensor_is_a_constant():
    tensors = {"x": Tensor("x", (2, 5), np.dtype(np.int8)), "y": Tensor("y", (2,), np.dtype(np.int32))}
    graph = Graph("shape", tensors, (Node("0", Shape(), ("x",), ("y",)),), ("x",), ("y",), Arithmetic.TFLITE)
    simple = fold(graph)
    assert not simple.nodes and simple.tensors["y"].data.tolist() == [2, 5]


@pytest.mark.parametrize("path", [
    path if "magic_wand" in path.stem else pytest.param(path, marks=pytest.mark.full) for path in TFLITE],
    ids=lambda p: p.stem)
def test_folding_changes_no_result(path):
    graph = load_tflite(path)
    assert same_results(graph, fold(graph))


def test_what_no_output_needs_is_left_out():
    graph = drafted(("Relu", "x", "y"), ("Tanh", "y", "unused"))
    assert kinds(graph) == ["Map", "Map"] and kinds(fold(graph)) == ["Map"]
    assert set(fold(graph).tensors) == {"x", "y"}


def test_transposes_between_convolutions_vanish():
    graph = drafted(("Conv", "x w", "a", PADS), ("Relu", "a", "b"), ("MaxPool", "b", "c", {"kernel_shape": [2, 2]}),
                    ("Conv", "c w", "y"), w=SQUARE)
    simple = channels_last(graph)
    assert kinds(graph).count("Transpose") == 6
    assert kinds(simple) == ["Transpose", "Conv", "Map", "MaxPool", "Conv", "Transpose"]
    assert same_results(graph, simple)


@pytest.mark.parametrize(("nodes", "left", "constants"), [
    ([("Conv", "x w", "b", PADS), ("Add", "a b", "y")], 2, {}),
    ([("Mul", "a c", "y")], 2, {"c": np.arange(3, dtype=np.float32).reshape(3, 1, 1)}),
    ([("Add", "c a", "y")], 2, {"c": np.float32(3)}),
    ([("Sub", "c a", "y")], 2, {"c": np.arange(180, dtype=np.float32).reshape(IMAGE)}),
    ([("Add", "a x", "y")], 2, {}),
    ([("Concat", "a a", "y", {"axis": 1})], 2, {}),
    ([("Softmax", "a", "y", {"axis": 1})], 2, {}),
    ([("Split", "a s", "b c d", {"axis": 1}), ("Concat", "d b c", "y", {"axis": 1})], 2, {"s": np.array([1, 1, 1])}),
    ([("Slice", "a s e", "b"), ("Relu", "b", "y")], 2, {"s": np.array([0, 1, 2, 1]), "e": np.array([2, 3, 6, 4])}),
    ([("Pad", "a p", "y")], 2, {"p": np.array([0, 1, 2, 3, 4, 0, 1, 2])}),
    ([("GlobalAveragePool", "a", "b"), ("Flatten", "b", "y")], 1, {}),
    ([("ReduceMean", "a", "y", {"axes": [1], "keepdims": 0})], 1, {}),
    ([("ReduceMean", "a", "y", {"axes": [2], "keepdims": 0})], 2, {}),
    ([("ReduceMean", "a", "y", {"axes": [2, 3], "keepdims": 1})], 2, {}),
    ([("Flatten", "a", "y")], 2, {}),
    ([("Transpose", "a", "y", {"perm": [0, 2, 3, 1]})], 1, {}),
    ([("Transpose", "a", "y", {"perm": [3, 1, 2, 0]})], 2, {}),
])
def test_operators_take_channels_last(nodes, left, constants):
    graph = drafted(("Conv", "x w", "a", PADS), *nodes, w=SQUARE, **constants)
    simple = channels_last(graph)
    assert kinds(simple).count("Transpose") == left
    assert same_results(graph, simple, 1e-6)  # products of another layout add in another order


def test_a_tensor_that_is_read_in_both_layouts_is_transposed_once():
    graph = drafted(("Conv", "x w", "a", PADS), ("Flatten", "a", "y"), ("Reshape", "a s", "z"), w=SQUARE,
                    s=np.array([2, 90]), outputs=("y", "z"))
    simple = channels_last(graph)
    assert kinds(simple).count("Transpose") == 2 and same_results(graph, simple)


def test_an_output_keeps_its_name_and_layout():
    graph = drafted(("Conv", "x w", "a", PADS), ("Relu", "a", "y"), w=SQUARE, outputs=("a", "y"))
    simple = channels_last(graph)
    assert simple.outputs == ("a", "y") and simple.tensors["a"].shape == IMAGE
    assert same_results(graph, simple)


@pytest.mark.parametrize("seed", [
    *range(3), *(pytest.param(seed, marks=pytest.mark.full) for seed in range(3, 60))])
def test_layout_of_random_networks(seed):
    graph = graph_of("random", small_network(seed).SerializeToString())
    simple = channels_last(graph)
    assert kinds(simple).count("Transpose") <= 2
    assert same_results(graph, simple, 1e-5)


def test_a_scale_for_each_slice_moves_with_its_dimension():
    q = Quantisation(np.ones(3, np.float32), np.zeros(3, np.int64), 1)
    assert moved(Transpose((0, 2, 3, 1)), q).axis == 3 and moved(Transpose((0, 3, 1, 2)), q).axis == 2
    assert moved(Reshape(), q) is None and same(q, q)


def test_orders():
    assert composed((0, 2, 3, 1), (0, 3, 1, 2)) == (0, 1, 2, 3)
    assert inverse((0, 2, 3, 1)) == (0, 3, 1, 2)
    x = np.arange(24).reshape(2, 3, 4)
    first, second = (2, 0, 1), (1, 0, 2)
    assert np.array_equal(x.transpose(first).transpose(second), x.transpose(composed(first, second)))
    assert same_elements((5, 1, 3, 1), (1, 0, 3, 2)) and not same_elements((5, 1, 3, 1), (2, 0, 3, 1))


def normalisation(channels: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {name: rng.uniform(0.5, 2, channels).astype(np.float32) for name in ("scale", "shift", "mean", "var")}


@pytest.mark.parametrize("bias", [{}, {"b": np.arange(4, dtype=np.float32)}])
def test_a_batch_normalisation_becomes_part_of_the_convolution(bias):
    graph = drafted(("Conv", "x w b" if bias else "x w", "a"),
                    ("BatchNormalization", "a scale shift mean var", "y"), w=CONV, **bias, **normalisation(4))
    simple = absorb(channels_last(graph))
    assert kinds(simple) == ["Transpose", "Conv", "Transpose"]
    assert simple.nodes[1].operator.activation is Activation.NONE
    assert same_results(graph, simple, 1e-5)


@pytest.mark.parametrize(("nodes", "constants"), [
    ([("Mul", "a c", "y"), ("Relu", "a", "z")], {"c": np.ones((4, 1, 1), np.float32)}),  # two read the convolution
    ([("Mul", "a c", "b"), ("Add", "b a", "y"), ("Relu", "y", "z")], {"c": np.float32(2)}),
    ([("Mul", "a c", "y"), ("Relu", "y", "z")], {"c": np.ones((4, 4, 3), np.float32)}),  # not one value per channel
    ([("Mul", "a a", "y"), ("Relu", "y", "z")], {}),
])
def test_what_is_no_factor_of_a_channel_stays(nodes, constants):
    graph = drafted(("Conv", "x w", "a"), *nodes, w=CONV, outputs=("y", "z"), **constants)
    simple = absorb(channels_last(graph))
    assert "Mul" in kinds(simple) and same_results(graph, simple, 1e-6)


def test_a_gemm_takes_an_offset():
    graph = drafted(("Gemm", "x w", "a"), ("Add", "a c", "y"), inputs=[("x", (2, 3))],
                    w=np.ones((3, 4), np.float32), c=np.arange(4, dtype=np.float32))
    assert kinds(absorb(graph)) == ["FullyConnected"] and same_results(graph, absorb(graph), 1e-6)


LAST = np.random.default_rng(4).normal(size=(90, 7)).astype(np.float32)


@pytest.mark.parametrize("order", [[0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2]])
def test_a_last_layer_takes_images_in_any_order(order):
    graph = drafted(("Transpose", "x", "a", {"perm": order}), ("Flatten", "a", "b"), ("Gemm", "b w", "y"), w=LAST)
    simple = flatten(graph)
    assert kinds(simple) == ["Reshape", "FullyConnected"] and same_results(graph, simple, 1e-5)


@pytest.mark.parametrize("nodes", [
    [("Transpose", "x", "a", {"perm": [1, 2, 3, 0]}), ("Reshape", "a s", "b"), ("Gemm", "b w", "y")],  # of dimension 0
    [("Transpose", "x", "a", {"perm": [0, 2, 3, 1]}), ("Flatten", "a", "b"), ("Gemm", "b w", "c"), ("Tanh", "b", "y")],
])
def test_a_transpose_that_others_see_stays(nodes):
    graph = drafted(*nodes, w=LAST, s=np.array([2, 90]), outputs=("y", "c") if len(nodes) > 3 else ("y",))
    simple = flatten(graph)
    assert "Transpose" in kinds(simple) and same_results(graph, simple)


def test_a_product_with_a_constant_matrix_is_a_layer():
    graph = drafted(("MatMul", "x w", "a"), ("Add", "a c", "y"), w=np.ones((5, 4), np.float32),
                    c=np.arange(4, dtype=np.float32))
    assert kinds(absorb(graph)) == ["FullyConnected"] and same_results(graph, absorb(graph), 1e-6)


@pytest.mark.parametrize(("name", "turns"), [
    ("keyword_spotting", True), ("keyword_spotting_mobilenetv2", True), ("visual_wake_words", False),
    ("tflite_micro_speech", False)])
def test_images_that_are_higher_than_wide_are_laid_on_their_side(name, turns):
    graph = load_tflite(SIM / "networks" / f"{name}.tflite")
    wide = turned(graph)
    assert (wide is not graph) == turns
    assert same_results(graph, wide)


@pytest.mark.parametrize("window", [Window((1, 1), (1, 1), (1, 0, 0, 1)), Window((2, 1), (1, 2), (2, 1, 0, 3))])
def test_windows_turn_with_the_image(window):
    rng = np.random.default_rng(3)
    one = Quantisation(np.ones(1, np.float32), np.zeros(1, np.int64))
    shapes = {"x": (1, 40, 5, 2), "w": (2, 3, 2, 1)}
    tensors = {name: Tensor(name, shape, np.dtype(np.int8), one) for name, shape in shapes.items()}
    tensors["w"] = replace(tensors["w"], data=rng.integers(-8, 9, shapes["w"]).astype(np.int8))
    out = tuple((size + before + after - (kernel - 1) * dilation - 1) // stride + 1 for size, before, after, kernel,
                dilation, stride in zip((40, 5), window.pads[:2], window.pads[2:], (3, 2), window.dilations,
                                        window.strides, strict=True))
    tensors["c"] = Tensor("c", (1, *out, 2), np.dtype(np.int8), one)
    tensors["y"] = Tensor("y", (1, 1, 1, 2), np.dtype(np.int8), one)
    graph = Graph("small", tensors, (Node("c", Conv(window, 2), ("x", "w"), ("c",)),
                                     Node("y", Mean((1, 2), True), ("c",), ("y",))), ("x",), ("y",), Arithmetic.TFLITE)
    wide = turned(graph)
    assert wide is not graph and same_results(graph, wide)
    other = replace(graph, outputs=("c",))  # the host would have to turn what layers make
    assert turned(other) is other
