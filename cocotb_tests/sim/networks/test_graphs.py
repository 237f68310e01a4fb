"""Graphs of products on the accelerator: what the layers leave in matrices is what the interpreter computes."""

import numpy as np
import onnx
import pytest

from derca_sim.errors import InputError
from derca_sim.model.network import Place
from derca_sim.model.numerics import run_network
from derca_sim.model.placing import misplaced
from derca_sim.model.platform import Platform
from derca_sim.networks.lowering.deploy import Model, load_model
from derca_sim.networks.lowering.mapping import place
from derca_sim.networks.lowering.samples import drawn
from derca_sim.networks.lowering.walk import Walk
from derca_sim.networks.tflite import graph_of
from kit.graph_models import Net, attention, random_graph
from kit.onnx_models import Draft
from oracles.onnx_runtime import OnnxRuntime

MATMUL = Platform.model_validate({"array": {"rows": 4, "cols": 4}, "tile": {"m": 8, "k": 8, "n": 8},
                                  "store": {"requant_lanes": 1}, "requant": {"tflite": True},
                                  "operators": {"matmul": True, "transpose": True}})


def lowered(data: bytes, batch: int = 1):
    """The network of a model, whose outputs are checked against the graph's."""
    model = Model(graph_of("net", data))
    network = model.network("net", None, 0, batch)
    found, wanted = network.model.results(run_network(network)), model.expected(drawn(model.graph, batch))
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name].shape == wanted[name].shape and np.array_equal(found[name], wanted[name]), name
    return network


def reasons_of(net: Net, inputs, outputs) -> list[str]:
    with pytest.raises(InputError) as caught:
        Model(graph_of("net", net.model(inputs, outputs)))
    return caught.value.problems


def test_random_graphs_are_mapped_right():
    kinds = {"computed B": 0, "transposed": 0, "parts": 0, "outputs": 0, "again": 0}
    for seed in range(120):
        network = lowered(random_graph(seed), 1 + seed % 3)
        layers = network.layers
        kinds["again"] += bool(Walk(network.model.graph).again)
        kinds["computed B"] += any(x.b is not None for x in layers)
        kinds["transposed"] += any(x.transposed for x in layers)
        kinds["parts"] += len({x.c.matrix for x in layers}) < len(layers)
        kinds["outputs"] += len(network.model.graph.outputs) > 1
    print(kinds)
    assert min(kinds.values()) > 20


@pytest.mark.parametrize(("tokens", "width", "heads", "batch"), [(197, 192, 3, 1), (128, 128, 2, 1), (9, 12, 3, 4)],
                         ids=["DeiT-T", "BERT-tiny", "small"])
def test_attention_becomes_products_of_heads(tokens, width, heads, batch):
    network = lowered(attention(tokens, width, heads), batch)
    layers, each = network.layers, width // heads
    assert len(layers) == batch * (3 + 2 * heads + 1)
    q, k, v = layers[: 3 * batch : batch]
    assert not q.transposed and not k.transposed and v.transposed and network.matrices[v.c.matrix] == (width, tokens)
    scores, mixed = layers[3 * batch :][: heads * batch : batch], layers[(3 + heads) * batch : -batch : batch]
    assert [(x.a, x.b) for x in scores] == [(Place(q.c.matrix, 0, h * each), Place(k.c.matrix, 0, h * each))
                                            for h in range(heads)]
    assert [x.b for x in mixed] == [Place(v.c.matrix, h * each, 0) for h in range(heads)]
    assert [x.c for x in mixed] == [Place(layers[-batch].a.matrix, 0, h * each) for h in range(heads)]
    weights = {id(x.weights) for x in layers if x.weights is not None}
    assert len(weights) == 4, "samples share weights"
    assert not misplaced(network, MATMUL)
    lacking = misplaced(network, MATMUL.model_copy(update={"operators": Platform().operators}))
    assert len(lacking) == 2 and "needs operators.matmul = true" in lacking[0] and "stores its transpose" in lacking[1]


def test_samples_of_rows_alone_share_matrices():
    """A slice, a join and outputs of two layers: the rows of all samples follow each other."""
    net = Net(1)
    x = net.tensor(5, 7, point=-4)
    y = net.fc(x, 10)
    left, right = net.split(y, 1, 2)
    z = net.concat([net.fc(left, 3), net.fc(net.slice(y, [0, 2], [5, 7]), 4), net.fc(x, 2)], 1)
    data = net.model([x], [net.softmax(net.fc(z, 6)), z, right])
    layers = lowered(data, 3).layers
    assert {layer.m for layer in layers} == {15} and [layer.a for layer in layers[1:]] == [
        Place(1), Place(1, 0, 2), Place(0), Place(2)]
    assert [layer.c for layer in layers] == [Place(1), Place(2), Place(2, 0, 3), Place(2, 0, 7), Place(3)]


def test_inputs_are_stored_as_layers_take_them():
    """Two inputs, one of them as second operand, one of them cut and transposed by the host."""
    net = Net(2)
    x, keys = net.tensor(3, 4, 6), net.tensor(3, 5, 6)
    scores = net.matmul(x, keys, adj_y=True)
    one = net.matmul(net.transpose(net.slice(x, [1, 0, 2], [1, 4, 4]), 0, 2, 1), net.slice(x, [0, 0, 0], [1, 4, 2]))
    network = lowered(net.model([x, keys], [scores, one]), 2)
    assert len(network.layers) == 2 * 4 and all(layer.b is not None for layer in network.layers)
    assert sum(rows is not None for rows in network.inputs) == 2 * (3 + 3 + 2)
    assert network.model.stored_inputs["t0"][:3] == [0, 2, 4]


def test_a_function_of_what_layers_make_is_a_table_of_all_of_them():
    """Joined, turned, and one function behind the other; the layers behind have none."""
    net = Net(4)
    x = net.tensor(6, 8)
    joined = net.concat([net.fc(x, 12), net.fc(x, 4)], 1)
    once = net.tanh(net.transpose(joined, 1, 0))
    twice = net.tanh(net.fc(net.quantise(once), 8))
    network = lowered(net.model([x], [net.fc(twice, 5), net.quantise(net.fc(twice, 3))]), 2)
    layers = network.layers
    first = next(layer.table for layer in layers)
    assert [layer.table is None for layer in layers[::2]] == [False, False, False, True, True]
    assert all(np.array_equal(layer.table, first) for layer in layers[:4])
    assert not np.array_equal(first, layers[4].table) and len({layer.c.matrix for layer in layers[:4:2]}) == 1


def test_what_is_taken_in_two_ways_is_computed_again():
    """Once for each way, however many take it so; the table of operators counts the work."""
    net = Net(3)
    x = net.tensor(4, 6)
    y, z = net.fc(x, 4), net.fc(x, 5)
    turned = [net.fc(net.transpose(y, 1, 0), n) for n in (3, 2)]
    joined = [net.fc(net.concat(parts, 1), 3) for parts in ([y, z], [z, y], [z, y])]
    data = net.model([x], [net.fc(y, 3), *turned, *joined])
    layers, graph = lowered(data).layers, graph_of("net", data)
    assert [layer.transposed for layer in layers].count(True) == 1 and len(layers) == 8 + 3
    placed = {each.node.name: each for each in place(graph, Walk(graph))}
    assert placed["0 FULLY_CONNECTED"].what == "GEMM 4 x 6 x 4, 2 again"
    assert placed["0 FULLY_CONNECTED"].macs == 3 * 4 * 6 * 4 and placed["1 FULLY_CONNECTED"].macs == 2 * 4 * 6 * 5


def _constants_and_computed(net: Net) -> tuple:
    x = net.tensor(4, 6)
    return [x], [net.fc(net.concat([x, net.fc(x, 3)], 1), 4)]


def _cut_and_joined(net: Net) -> tuple:
    x = net.tensor(4, 6)
    y = net.fc(x, 6)
    return [x], [net.fc(net.concat([net.slice(y, [0, 0], [4, 3]), net.fc(x, 3)], 1), 3)]


def _zero_point(net: Net) -> tuple:
    x = net.tensor(4, 6)
    y = net.fc(x, 5, point=3)
    return [x], [net.matmul(y, y, adj_y=True)]


def _softmax(net: Net) -> tuple:
    x = net.tensor(4, 6)
    return [x], [net.fc(net.softmax(net.fc(x, 5)), 5)]


def _shared_with_a_function(net: Net) -> tuple:
    x = net.tensor(6, 8)
    y = net.fc(x, 8)
    return [x], [net.concat([net.fc(net.tanh(y), 4), net.fc(y, 4)], 0)]


def _function_of_a_part(net: Net) -> tuple:
    x = net.tensor(6, 8)
    return [x], [net.fc(net.tanh(net.slice(net.fc(x, 8), [0, 0], [6, 4])), 4)]


def _other_order(net: Net) -> tuple:
    x = net.tensor(4, 6)
    return [x], [net.fc(net.reshape(net.fc(x, 6), 6, 4), 5)]


def _output_of_the_host(net: Net) -> tuple:
    x = net.tensor(4, 6)
    return [x], [net.fc(x, 5), net.reshape(x, 24)]


@pytest.mark.parametrize(("make", "reason"), [
    (_constants_and_computed, "it takes elements of an input or a constant together with those of layers: allowed is"),
    (_cut_and_joined, "allowed are whole matrices; cut them after they are joined"),
    (_zero_point, "t3 has zero point 3: allowed is 0 in a product of computed matrices; quantise it symmetrically"),
    (_softmax, "it stands between layers: allowed are quantisation, dequantisation and softmax before"),
    (_shared_with_a_function, "others take elements of t3 as well"), (_function_of_a_part, "or some are left out"),
    (_other_order, "it takes 6 x 4 elements, where the layer before makes 4 x 6: allowed are parts of such matrices"),
    (_output_of_the_host, "comes from no layer: allowed are outputs that layers make"),
])
def test_what_does_not_fit_is_told(make, reason):
    net = Net(1)
    line, = reasons_of(net, *make(net))
    assert line.startswith("net: ") and reason in line


def onnx_products() -> onnx.ModelProto:
    """QLinearMatMul and MatMul between quantisations, of constants and of computed matrices; two outputs."""
    rng, draft = np.random.default_rng(4), Draft()
    for name, value in (("s", 0.05), ("w", 0.02), ("big", 3.0)):
        draft.constant(name, np.float32(value))
    draft.constant("z", np.int8(0))
    for i in (1, 2):
        draft.constant(f"weights{i}", rng.integers(-127, 128, (6, 8)).astype(np.int8))
    draft.node("QuantizeLinear", ["x", "s", "z"], "xq")
    for i in (1, 2):
        draft.node("QLinearMatMul", ["xq", "s", "z", f"weights{i}", "w", "z", "w", "z"], f"y{i}")
    draft.node("Transpose", ["y2"], "turned", perm=[1, 0])
    draft.node("QLinearMatMul", ["y1", "w", "z", "turned", "w", "z", "s", "z"], "scores")
    draft.node("DequantizeLinear", ["scores", "s", "z"], "real")
    draft.node("DequantizeLinear", ["y1", "w", "z"], "real1")
    draft.node("MatMul", ["real", "real1"], "mixed")
    draft.node("QuantizeLinear", ["mixed", "big", "z"], "mixed_q")
    draft.node("DequantizeLinear", ["mixed_q", "big", "z"], "out")
    return draft.model([("x", (5, 6))], [("out", None), ("real", None)])


def test_products_of_an_onnx_model(tmp_path):
    """They are at most a step off ONNX Runtime; y1 is read in rows and, for the last product, in columns."""
    model = onnx_products()
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    loaded = load_model(tmp_path / "m.onnx")
    network = loaded.network("m", None, 0, 3)
    assert [(x.weights is None, x.transposed) for x in network.layers[::3]] == [
        (False, False), (False, False), (True, False), (False, True), (True, False)]
    found = network.model.results(run_network(network))
    oracle, scales = OnnxRuntime(model), {"out": 3.0, "real": 0.05}
    for i, sample in enumerate(drawn(loaded.graph, 3)["x"]):
        for name, wanted in oracle.run({"x": sample}).items():
            assert np.abs(found[name][i] - wanted).max() < 1.01 * scales[name] and len(np.unique(wanted)) > 5
