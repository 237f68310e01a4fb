"""Quantised ONNX models: patterns that become quantised operators, and whole networks beside ONNX Runtime."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from derca_sim.networks.graph import Graph
from derca_sim.networks.interpreter import run
from derca_sim.networks.onnx import graph_of, simplified
from derca_sim.networks.operators import Activation, Unknown
from derca_sim.networks.passes.flatten import flatten
from derca_sim.networks.passes.fold import fold
from derca_sim.networks.passes.fuse_qdq import fuse_qdq
from derca_sim.networks.passes.signed import signed
from kit.onnx_models import Draft, digits, quantised_network
from oracles.onnx_runtime import OnnxRuntime

S, P = "scale", "point"


def drafted(*nodes, shape=(1, 2, 4, 4), outputs=("y",), **constants) -> onnx.ModelProto:
    """A model of nodes (operator, inputs, output, attributes) that reads x, quantised to q and dequantised to d."""
    draft = Draft()
    draft.constant(S, np.float32(0.125))
    draft.constant(P, np.uint8(100))
    for name, value in constants.items():
        draft.constant(name, value)
    for kind, read, made, *attributes in (("QuantizeLinear", "x scale point", "q"),
                                          ("DequantizeLinear", "q scale point", "d"), *nodes):
        draft.node(kind, read.split(), made, **(attributes[0] if attributes else {}))
    return draft.model([("x", shape)], [(name, None) for name in outputs])


def quantised(read: str, made: str = "y", scale: str = S, point: str = P) -> list:
    """Nodes that quantise a tensor and dequantise it again."""
    return [("QuantizeLinear", f"{read} {scale} {point}", f"{made}_q"),
            ("DequantizeLinear", f"{made}_q {scale} {point}", made)]


def fused(model: onnx.ModelProto) -> tuple[Graph, Graph]:
    """The graph of a model as it is read, and fused."""
    graph = graph_of("drafted", model.SerializeToString())
    return graph, fold(flatten(fuse_qdq(simplified(graph))))


def kinds(graph: Graph) -> list[str]:
    return [node.operator.kind for node in graph.nodes if node.operator.kind not in ("Transpose", "Reshape")]


def steps(graph: Graph, model: onnx.ModelProto) -> int:
    """By how many steps of 1/8 the results of a graph differ at most from those of ONNX Runtime."""
    x = np.random.default_rng(5).normal(0, 5, graph.tensors["x"].shape).astype(np.float32)
    mine, wanted = run(graph, {"x": x}), OnnxRuntime(model).run({"x": x})
    return max(int(np.abs(np.rint((mine[name] - wanted[name]) * 8)).max()) for name in graph.outputs)


WEIGHTS = {"w": np.random.default_rng(1).integers(-127, 128, (3, 2, 3, 3)).astype(np.int8),
           "ws": np.float32([0.004, 0.01, 0.02]), "wp": np.zeros(3, np.int8)}
BIAS = {"b": np.array([500, -70, 9000], np.int32), "bs": WEIGHTS["ws"] * np.float32(0.125), "bp": np.zeros(3, np.int32)}
CONV = [("DequantizeLinear", "w ws wp", "wd", {"axis": 0})]


@pytest.mark.parametrize(("clamp", "activation"), [
    ([], Activation.NONE), ([("Relu", "c", "r")], Activation.RELU), ([("Clip", "c zero six", "r")], Activation.RELU6)])
@pytest.mark.parametrize("stored", [True, False])
def test_a_convolution_takes_its_bias_and_its_activation(clamp, activation, stored):
    bias = [("DequantizeLinear", "b bs bp", "bd", {"axis": 0})] if stored else []
    constants = BIAS if stored else {"bd": np.float32([0.25, -1.7, 9.1])}
    model = drafted(*CONV, *bias, ("Conv", "d wd bd", "c"), *clamp, *quantised("r" if clamp else "c"), **WEIGHTS,
                    zero=np.float32(0), six=np.float32(6), **constants)
    graph, simple = fused(model)
    assert kinds(simple) == ["Quantise", "Conv", "Dequantise"]
    conv = next(node for node in simple.nodes if node.operator.kind == "Conv")
    assert conv.operator.activation is activation
    assert [simple.tensors[name].dtype for name in conv.inputs] == [np.uint8, np.int8, np.int32]
    sums = simple.tensors[conv.inputs[2]].data
    assert np.array_equal(sums, constants["b"] if stored else np.rint(constants["bd"] / (0.125 * WEIGHTS["ws"])))
    assert steps(graph, model) == 0 and steps(simple, model) <= 1


@pytest.mark.parametrize(("nodes", "expected"), [
    ([("Add", "d d", "a"), *quantised("a")], ["Add"]),
    ([("Mul", "d d", "a"), *quantised("a")], ["Mul"]),
    ([("Sigmoid", "d", "a"), *quantised("a")], ["Map"]),
    ([("Softmax", "d", "a", {"axis": 1}), *quantised("a")], ["Softmax"]),
    ([("AveragePool", "d", "a", {"kernel_shape": [2, 2], "pads": [1, 0, 0, 1]}), *quantised("a")], ["AveragePool"]),
    ([("GlobalAveragePool", "d", "a"), *quantised("a")], ["Mean"]),
    ([("AveragePool", "d", "a", {"kernel_shape": [2, 2], "count_include_pad": 1}), *quantised("a")], ["AveragePool"]),
    ([("AveragePool", "d", "a", {"kernel_shape": [2, 2]}), ("Flatten", "a", "f"), *quantised("f")], ["AveragePool"]),
    ([("Add", "d d", "a"), ("Flatten", "a", "f"), ("Relu", "f", "r"), ("Transpose", "r", "t"), *quantised("t")],
     ["Add"]),
    ([("Add", "d d", "a"), *quantised("a", "b"), ("Clip", "b zero six", "r"), *quantised("r")], ["Add"]),
    ([("Add", "d d", "a"), *quantised("a", "b"), ("Relu", "b", "r"), *quantised("r", scale="other")], ["Add", "Map"]),
    ([("Add", "d d", "a"), ("Relu", "a", "b"), *quantised("b", "c"), ("Clip", "c zero six", "r"), *quantised("r")],
     ["Add", "Map"]),
    ([("Add", "d d", "a"), *quantised("a", "b"), ("Relu", "b", "r"), *quantised("r", "u"), ("Sub", "u b", "v"),
      *quantised("v")], ["Add", "Map", "Sub"]),
    ([("Pad", "d none", "a"), *quantised("a")], []),
    ([("MaxPool", "d", "a", {"kernel_shape": [2, 2]}), *quantised("a")], ["MaxPool"]),
    ([("MaxPool", "d", "a", {"kernel_shape": [2, 2]}), *quantised("a", scale="other")], ["MaxPool", "Quantise"]),
    ([("Pad", "d pads", "a"), *quantised("a")], ["Pad"]),
    ([("Concat", "d d", "a", {"axis": 2}), *quantised("a")], ["Concat"]),
    ([("Concat", "d d", "a", {"axis": 2}), *quantised("a", scale="other")], ["Concat", "Quantise"]),
    ([*quantised("d", "e", scale="other"), ("Concat", "d e", "a", {"axis": 1}), *quantised("a")],
     ["Quantise", "Quantise", "Concat"]),
    ([("MatMul", "d d", "a"), *quantised("a")], ["MatMul"]),
    (quantised("d"), []),
    (quantised("d", scale="other"), ["Quantise"]),
])
def test_patterns_become_quantised_operators(nodes, expected):
    model = drafted(*nodes, other=np.float32(0.3), pads=np.array([0, 0, 1, 2, 0, 0, 0, 1]),
                    none=np.zeros(8, np.int64), zero=np.float32(0), six=np.float32(6))
    graph, simple = fused(model)
    assert kinds(simple) == ["Quantise", *expected, "Dequantise"]
    assert steps(graph, model) == 0
    assert steps(simple, model) <= (1 if expected in (["MatMul"], ["Mean"]) else 0)


@pytest.mark.parametrize(("nodes", "constants", "outputs"), [
    ([("Relu", "d", "a"), *quantised("a"), ("Tanh", "a", "z")], {}, ("y", "z")),  # another node reads the real values
    ([("Relu", "d", "a"), *quantised("a")], {}, ("y", "a")),  # so does the outside
    ([("Add", "d c", "a"), *quantised("a")], {"c": np.float32(0.5)}, ("y",)),  # one operand is real
    ([("Cosh", "d", "a"), *quantised("a")], {}, ("y",)),
    ([("DequantizeLinear", "v other vp", "vd"), ("Add", "d vd", "a"), *quantised("a")],
     {"v": np.array([5], np.int32), "vp": np.int32(0), "other": np.float32(1)}, ("y",)),  # one operand is no byte
])
def test_what_needs_real_values_stays_real(nodes, constants, outputs):
    model = drafted(*nodes, outputs=outputs, **constants)
    graph, simple = fused(model)
    assert kinds(simple).count("Dequantise") >= 2
    if not any(isinstance(node.operator, Unknown) for node in graph.nodes):
        assert steps(graph, model) == steps(simple, model) == 0


def test_a_bias_of_another_scale_stays_real():
    model = drafted(*CONV, ("DequantizeLinear", "b bs bp", "bd", {"axis": 0}), ("Conv", "d wd bd", "c"),
                    *quantised("c"), **WEIGHTS, **BIAS | {"bs": BIAS["bs"] * np.float32(1.01)})
    graph, simple = fused(model)
    assert kinds(simple).count("Dequantise") == 4
    assert steps(graph, model) == 0 and steps(simple, model) == 0


@pytest.mark.parametrize("bias", [[], [("Add", "m c", "s")]])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_matrix_with_a_scale_for_each_column(bias, axis):
    """Read by MatMul, whose columns are the outputs; the offset behind it becomes the bias.

    PyTorch's quantiser stores outputs first (axis 0), and transposes the real weights.
    """
    weights = np.random.default_rng(6).integers(-127, 128, (5, 4)).astype(np.int8)
    turned = [("Transpose", "wd", "wt")] if axis == 0 else []
    model = drafted(("DequantizeLinear", "w ws wp", "wd", {"axis": axis}), *turned,
                    ("MatMul", "d wt" if turned else "d wd", "m"), *bias, *quantised("s" if bias else "m"),
                    shape=(2, 3, 5), w=weights if axis else weights.T,
                    ws=np.float32([0.004, 0.01, 0.02, 0.03]), wp=np.zeros(4, np.int8), c=np.float32([1.5, -2, 0, 9]))
    graph, simple = fused(model)
    assert kinds(simple) == ["Quantise", "FullyConnected", "Dequantise"]
    assert steps(graph, model) == 0 and steps(simple, model) <= 1


def test_weights_may_be_quantised_in_the_model():
    """As PyTorch writes them: real constants, a quantisation and its inverse."""
    model = drafted(("QuantizeLinear", "r ws wp", "w", {"axis": 0}), *CONV, ("Conv", "d wd", "c"), *quantised("c"),
                    r=np.random.default_rng(7).normal(size=(3, 2, 3, 3)).astype(np.float32) / 4,
                    **{name: WEIGHTS[name] for name in ("ws", "wp")})
    graph, simple = fused(model)
    assert kinds(simple) == ["Quantise", "Conv", "Dequantise"]
    assert steps(graph, model) == 0 and steps(simple, model) <= 1


def test_a_cast_of_stored_values_to_their_own_type_is_nothing():
    """As PyTorch's older exporter writes behind each quantisation."""
    model = drafted(("Cast", "q", "c", {"to": TensorProto.UINT8}), ("DequantizeLinear", "c scale point", "e"),
                    ("Sigmoid", "e", "s"), *quantised("s"))
    graph, simple = fused(model)
    assert kinds(simple) == ["Quantise", "Map", "Dequantise"]
    assert steps(graph, model) == steps(simple, model) == 0


def test_an_input_may_be_stored_values_that_move_before_they_are_read():
    draft = Draft()
    scale, point = draft.constant(S, np.float32(0.125)), draft.constant(P, np.uint8(100))
    draft.node("Transpose", ["x"], "t", perm=[0, 2, 3, 1])
    draft.node("MaxPool", ["t"], "m", kernel_shape=[2, 2])
    draft.node("DequantizeLinear", ["m", scale, point], "d")
    draft.node("Sigmoid", ["d"], "y")
    model = draft.model([("x", (1, 2, 4, 4), TensorProto.UINT8)], [("y", None)])
    graph, _ = fused(model)
    assert all(graph.tensors[name].quantisation.zero_point == 100 for name in ("x", "t", "m"))
    x = np.random.default_rng(8).integers(0, 256, (1, 2, 4, 4)).astype(np.uint8)
    assert np.allclose(run(graph, {"x": x})["y"], OnnxRuntime(model).run({"x": x})["y"], 1e-6, 1e-6)


def test_stored_values_have_one_scale_and_constants_any():
    """Weights that two nodes read in two scales are two constants; a computed tensor that they read so is refused."""
    weights = {"v": np.arange(-8, 8, dtype=np.int8).reshape(1, 1, 4, 4), "s": np.float32(0.5), "p": np.int8(0)}
    model = drafted(("DequantizeLinear", "v scale p", "a"), ("DequantizeLinear", "v s p", "b"), ("Mul", "a b", "y"),
                    **weights)
    graph, simple = fused(model)
    assert steps(graph, model) == steps(simple, model) == 0
    graph, _ = fused(drafted(("DequantizeLinear", "q s point", "a"), ("Add", "a d", "y"), **weights))
    reason, = (node.operator.reason for node in graph.nodes if isinstance(node.operator, Unknown))
    assert "with another scale or zero point" in reason


def test_stored_values_that_are_computed_with_are_refused():
    graph, _ = fused(drafted(("Add", "q q", "a"), ("DequantizeLinear", "a scale point", "y")))
    assert any("computes with the stored values" in node.operator.reason for node in graph.nodes
               if isinstance(node.operator, Unknown))


def test_an_output_may_be_stored_values():
    model = drafted(("QuantizeLinear", "d scale point", "y"))
    model.graph.output[0].type.CopyFrom(helper.make_tensor_type_proto(TensorProto.UINT8, None))
    _, simple = fused(model)
    x = np.linspace(-9, 9, 32, dtype=np.float32).reshape(1, 2, 4, 4)
    assert np.array_equal(run(simple, {"x": x})["y"], OnnxRuntime(model).run({"x": x})["y"])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_halves_are_quantised_to_even(dtype):
    draft = Draft()
    draft.node("QuantizeLinear", ["x", draft.constant("s", np.float32(2)), draft.constant("p", dtype(3))], "y")
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = draft.model([("x", [600])], [("y", [600], kind)])
    x = np.arange(-300, 300, dtype=np.float32)
    mine = run(graph_of("halves", model.SerializeToString()), {"x": x})["y"]
    assert np.array_equal(mine, OnnxRuntime(model).run({"x": x})["y"])


@dataclass
class Tally:
    """Outputs of networks beside those of ONNX Runtime."""

    networks: int = 0
    outputs: int = 0
    differ: int = 0
    worst: int = 0

    def add(self, mine: np.ndarray, wanted: np.ndarray, step: np.float32) -> None:
        apart = np.abs(np.rint((mine - wanted) / step)).astype(int)
        self.outputs += apart.size
        self.differ += int(np.count_nonzero(apart))
        self.worst = max(self.worst, int(apart.max()))


def check_networks(tmp_path, kind: str, seeds: Iterable[int], pictures: int) -> Tally:
    tally = Tally()
    for seed in seeds:
        model = quantised_network(seed, tmp_path, kind)
        _, graph = fused(model)
        assert kinds(graph).count("Dequantise") == 1  # at the end: all operators are quantised
        oracle, last = OnnxRuntime(model), graph.makers["y"]
        step = graph.tensors[last.inputs[0]].quantisation.scale
        tally.networks += 1
        for picture in digits()[0][1000 : 1000 + pictures]:
            mine, wanted = run(graph, {"x": picture[None]})["y"], oracle.run({"x": picture[None]})["y"]
            tally.add(mine, wanted, step)
            assert mine.argmax() == wanted.argmax()
    return tally


def has_mean(seed: int) -> bool:
    """Whether a network's last layer reads means: a step in one of them can be many in the outputs."""
    return seed % 7 == 6


@pytest.mark.parametrize("kind", ["QDQ", "QOperator"])
def test_quantised_networks(tmp_path, capsys, kind):
    tally = check_networks(tmp_path, kind, range(7), 20)
    with capsys.disabled():
        print(f"\n{kind} beside ONNX Runtime: {tally}")
    assert tally.worst <= 1


@pytest.mark.full
@pytest.mark.parametrize("kind", ["QDQ", "QOperator"])
@pytest.mark.parametrize("mean", [False, True])
def test_many_quantised_networks(tmp_path, capsys, kind, mean):
    seeds = [seed for seed in range(100, 200) if has_mean(seed) == mean]
    tally = check_networks(tmp_path, kind, seeds, 100)
    with capsys.disabled():
        print(f"\n{kind} beside ONNX Runtime, {'with' if mean else 'without'} means: {tally}")
    assert tally.differ < tally.outputs / 1000
    assert mean or tally.worst <= 1


@pytest.mark.parametrize("seed", range(4))
def test_signed_tensors_have_the_same_real_values(tmp_path, seed):
    """Networks of both types: of uint8 nothing is left, and no result changes."""
    graph = fused(quantised_network(seed, tmp_path))[1]
    found = signed(graph)
    assert all(t.dtype != np.uint8 for t in found.tensors.values())
    assert any(t.dtype == np.uint8 for t in graph.tensors.values()) == (seed // 2 % 2 == 0)
    for picture in digits()[0][:4]:
        x = {graph.inputs[0]: picture[None]}
        a, b = run(graph, x), run(found, x)
        assert all(np.array_equal(a[name], b[name]) for name in graph.outputs)


def test_an_input_of_uint8_stays():
    draft = Draft()
    for name, value in ((S, np.float32(0.125)), (P, np.uint8(100))):
        draft.constant(name, value)
    draft.node("DequantizeLinear", ["x", S, P], "d")
    draft.node("Relu", ["d"], "r")
    draft.node("QuantizeLinear", ["r", S, P], "y")
    model = draft.model([("x", (1, 4), TensorProto.UINT8)], [("y", (1, 4), TensorProto.UINT8)])
    graph = fused(model)[1]
    assert signed(graph) is graph
