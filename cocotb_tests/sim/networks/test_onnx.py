"""The front end for ONNX: what it makes of operators, and clear words for files that are no model for it."""

import builtins
import re
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from derca_sim.errors import InputError
from derca_sim.networks.graph import Graph
from derca_sim.networks.interpreter import run
from derca_sim.networks.onnx import graph_of, load, load_onnx, simplified
from derca_sim.networks.onnx.reading.package import package
from derca_sim.networks.operators import Conv, Transpose, Unknown, Window
from derca_sim.networks.passes.fuse_qdq import fuse_qdq
from kit.onnx_damage import damaged
from kit.onnx_models import Draft, quantised_network, small_network

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
#: Seconds that an error may take.
PATIENCE = 1.0


def loaded(tmp_path, model) -> Graph:
    path = tmp_path / "model.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return load_onnx(path)


def refused(tmp_path, model, message: str) -> None:
    start = time.perf_counter()
    with pytest.raises(InputError, match=message) as error:
        loaded(tmp_path, model)
    assert time.perf_counter() - start < PATIENCE
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


def of_node(kind: str, x=(1, 3, 8, 8), y=(1, 3, 8, 8), constants=(), **attributes) -> onnx.ModelProto:
    """A model of one node, with constants as further inputs."""
    draft = Draft()
    names = [draft.constant(f"c{i}", value) for i, value in enumerate(constants)]
    draft.node(kind, ["x", *names], "y", **attributes)
    domains = [helper.make_opsetid(attributes["domain"], 1)] if "domain" in attributes else []
    return draft.model([("x", x)], [("y", y)], domains=domains)


def test_a_convolution_stands_between_two_transposes(tmp_path):
    graph = loaded(tmp_path, of_node("Conv", (1, 3, 9, 8), (1, 4, 5, 4), [np.ones((4, 3, 2, 3), np.float32)],
                                     auto_pad="SAME_UPPER", strides=[2, 2]))
    assert [node.operator for node in graph.nodes] == [
        Transpose((0, 2, 3, 1)), Conv(Window((2, 2), (1, 1), (0, 0, 1, 1))), Transpose((0, 3, 1, 2))]
    assert graph.tensors[graph.nodes[1].inputs[1]].shape == (4, 2, 3, 3)


def test_same_lower_pads_more_above(tmp_path):
    model = of_node("Conv", (1, 3, 9, 8), (1, 4, 5, 4), [np.ones((4, 3, 2, 3), np.float32)], auto_pad="SAME_LOWER",
                    strides=[2, 2])
    assert loaded(tmp_path, model).nodes[1].operator.window.pads == (1, 1, 0, 0)


def test_names_may_be_of_any_script(tmp_path):
    draft = Draft()
    draft.nodes.append(helper.make_node("Relu", ["Größe/輸入 🦉"], ["résultat"]))
    graph = loaded(tmp_path, draft.model([("Größe/輸入 🦉", [1])], [("résultat", [1])]))
    assert graph.inputs == ("Größe/輸入 🦉",) and graph.outputs == ("résultat",)


def test_a_shape_that_is_computed_from_known_ones_is_a_constant(tmp_path):
    """What PyTorch writes for x.view(x.size(0), -1)."""
    draft = Draft()
    draft.node("Shape", ["x"], "shape")
    draft.node("Gather", ["shape", draft.constant("zero", np.array(0))], "first", axis=0)
    draft.node("Unsqueeze", ["first", draft.constant("axis", np.array([0]))], "n")
    draft.node("Concat", ["n", draft.constant("rest", np.array([-1]))], "sizes", axis=0)
    draft.node("Reshape", ["x", "sizes"], "y")
    graph = loaded(tmp_path, draft.model([("x", [2, 3, 4])], [("y", [2, 12])]))
    assert [node.operator.kind for node in graph.nodes] == ["Reshape"]
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert np.array_equal(run(graph, {"x": x})["y"], x.reshape(2, 12))


def test_shapes_are_divided_and_cast_as_numbers():
    """What PyTorch writes for x.view(x.size(1) // 2, -1) and the like."""
    draft = Draft()
    draft.node("Shape", ["x"], "shape")
    draft.node("Gather", ["shape", draft.constant("one", np.array([1]))], "size", axis=0)
    draft.node("Cast", ["size"], "real", to=TensorProto.FLOAT)
    draft.node("Div", ["real", draft.constant("two", np.float32([2]))], "half")
    draft.node("Cast", ["half"], "whole", to=TensorProto.INT64)
    draft.node("Div", ["size", draft.constant("three", np.array([3]))], "third")
    draft.node("Concat", ["whole", "third", draft.constant("rest", np.array([-1]))], "sizes", axis=0)
    draft.node("Reshape", ["x", "sizes"], "y")
    graph = graph_of("divided", draft.model([("x", [2, 7, 3])], [("y", [3, 2, 7])]).SerializeToString())
    assert [node.operator.kind for node in graph.nodes] == ["Reshape"]
    assert graph.tensors["y"].shape == (3, 2, 7)


@pytest.mark.parametrize(("kind", "attributes", "wanted"), [
    ("Flatten", {"axis": 3}, lambda x: x.reshape(24, 1)), ("Flatten", {"axis": 0}, lambda x: x.reshape(1, 24)),
    ("Flatten", {"axis": -1}, lambda x: x.reshape(6, 4)), ("ReduceMean", {"noop_with_empty_axes": 1}, lambda x: x),
    ("ReduceMean", {}, lambda x: x.mean(keepdims=True)), ("ReduceMean", {"keepdims": 0}, lambda x: x.mean()),
])
def test_attributes_at_the_edge_of_their_definition(tmp_path, kind, attributes, wanted):
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    model = of_node(kind, x.shape, wanted(x).shape, **attributes)
    model.opset_import[0].version = 18
    assert np.array_equal(run(loaded(tmp_path, model), {"x": x})["y"], wanted(x))


@pytest.mark.parametrize(("x", "y"), [(("batch", 3, 4), ("batch", 12)), ((None, 3, 4), (None, 12)),
                                      (("n", 3, 4), ("m", 12))])
def test_an_open_number_of_samples_is_one(tmp_path, x, y):
    """Also of results that shape inference knows nothing of: those that are declared."""
    draft = Draft()
    draft.node("Fancy", ["x"], "z", domain="com.acme")
    draft.node("Flatten", ["z"], "y")
    model = draft.model([("x", x)], [("y", y)], domains=[helper.make_opsetid("com.acme", 1)])
    model.graph.value_info.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (x[0] or 1, 3, 4)))
    graph = loaded(tmp_path, model)
    assert [graph.tensors[name].shape for name in ("x", "z", "y")] == [(1, 3, 4), (1, 3, 4), (1, 12)]


def test_another_exception_names_the_node(tmp_path, monkeypatch):
    def broken(found):
        raise TypeError("a list, where a number is wanted")

    monkeypatch.setattr(load, "take", broken)
    refused(tmp_path, RELU, "node 0 Relu is not well-formed .a list, where")


def test_an_output_that_is_an_input_or_a_constant_has_its_name(tmp_path):
    draft = Draft()
    draft.node("Identity", ["x"], "y")
    draft.node("Identity", [draft.constant("c", np.float32([7]))], "z")
    graph = loaded(tmp_path, draft.model([("x", [1])], [("y", [1]), ("z", [1])]))
    values = run(graph, {"x": np.float32([3])})
    assert (values["y"], values["z"]) == (3, 7)


@pytest.mark.parametrize(("model", "name", "reason"), [
    (of_node("Conv", (1, 3, 9), (1, 2, 5), [np.ones((2, 3, 5), np.float32)]), "Conv", r"1 spatial dimensions \[9\]"),
    (of_node("Clip", constants=[np.float32(-2), np.float32(2)]), "Clip", "clips to -2 .. 2: allowed are 0 .. 6"),
    (of_node("Cosh"), "Cosh", "not implemented"),
    (of_node("Fancy", domain="com.acme"), "com.acme.Fancy", "domain com.acme have no definition"),
    (of_node("Pad", (1, 3), (1, 5), [np.array([0, 1, 0, 1]), np.float32(4)]), "Pad", "pads with 4.0: allowed is 0"),
    (of_node("MaxPool", (1, 3, 8, 8), (1, 3, 8, 8), kernel_shape=[1, 1], storage_order=1), "MaxPool", "storage_order"),
    (of_node("AveragePool", (1, 3, 8, 8), (1, 3, 11, 9), kernel_shape=[1, 2], pads=[2, 1, 1, 1]), "AveragePool",
     r"pads \[2, 1, 1, 1\] of kernel \[1, 2\]: allowed are pads smaller"),
    (of_node("BatchNormalization", constants=[np.float32([1, 1, 1])] * 3 + [np.float32([1, -2, 1])]),
     "BatchNormalization", "least variance with epsilon is -1.99999"),
    (of_node("LeakyRelu", alpha="steep"), "LeakyRelu", "attribute alpha is a str: allowed is float"),
    (of_node("Gelu", approximate="quick"), "Gelu", "not implemented|approximate quick"),
])
def test_what_cannot_be_taken_over_says_why(tmp_path, model, name, reason):
    model.opset_import[0].version = 20
    operator, = (node.operator for node in loaded(tmp_path, model).nodes)
    assert isinstance(operator, Unknown) and operator.kind == name
    assert re.search(reason, operator.reason), operator.reason


RELU = of_node("Relu", (1, 3), (1, 3))


@pytest.mark.parametrize(("model", "message"), [
    (b"", "no graph or names no operator set"),
    (b"\x89PNG\r\n\x1a\n" + b"0" * 100, "no graph|no ONNX model"),
    (RELU.SerializeToString()[:40], "cut off or damaged"),
    (of_node("Relu", (1, "length"), (1, "length")), r"input x: dimension 1 \(length\) is dynamic: fix it, as with"),
    (of_node("Relu", (None, None), (None, None)), "input x: dimension 1 is dynamic"),
    (of_node("Relu", ("n", "n"), ("n", "n")), r"input x: dimension 0 \(n\) is dynamic"),
    (of_node("Relu", (1, 0), (1, 0)), "dimension 1 is 0: every dimension is at least 1"),
    (of_node("Relu", None, None), "input x has no shape"),
    (of_node("Relu", (1, 3), (1, 4)), r"shapes contradict each other.*\(3\) vs \(4\)"),
    (of_node("Add", (1, 3), (1, 3), [np.ones(4, np.float32)]), "shapes contradict.*Add"),
    (of_node("Fancy", y=None, domain="com.acme"), "com.acme.Fancy.*shape of its output y is unknown: declare it"),
])
def test_a_malformed_or_unsupported_model_is_told(tmp_path, model, message):
    refused(tmp_path, model, message)


@pytest.mark.parametrize(("version", "message"), [
    (6, "operator set 6: allowed are those from 13 on, and from 7 on those that can be converted"),
    (999, "operator set 999, but .* up to"),
])
def test_another_operator_set_is_told(tmp_path, version, message):
    model = of_node("Relu")
    model.opset_import[0].version = version
    refused(tmp_path, model, message)


@pytest.mark.parametrize(("nodes", "message"), [
    ([("Relu", "z", "y"), ("Relu", "y", "z")], "tensor z, an input of node 0 Relu, is made by node 1 Relu, which does"),
    ([("Relu", "z", "y")], "tensor z, an input of node 0 Relu, is made by no node"),
    ([("Relu", "x", "y"), ("Tanh", "x", "y")], "tensor y is made by node 1 Tanh, but there is one of this name"),
    ([("Relu", "x", "z")], "output y is made by no node"),
])
def test_a_malformed_graph_is_told(tmp_path, nodes, message):
    draft = Draft()
    for kind, x, y in nodes:
        draft.node(kind, [x], y)
    refused(tmp_path, draft.model([("x", [1])], [("y", [1])]), message)


@pytest.mark.parametrize(("damage", "message"), [
    (lambda folder: (folder / "weights.bin").unlink(), "external data cannot be read.*put it beside the model"),
    (lambda folder: (folder / "weights.bin").write_bytes(b"12"), "external data cannot be read.*exceeds"),
])
def test_external_data_that_is_missing_is_told(tmp_path, damage, message):
    model = of_node("Add", (1, 1000), (1, 1000), [np.ones(1000, np.float32)])
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=10)
    assert load_onnx(path).tensors["c0"].data.sum() == 1000
    damage(tmp_path)
    refused(tmp_path, path.read_bytes(), message)


@pytest.mark.parametrize(("field", "value", "message"), [
    ("raw_data", b"123", r"data of tensor c0 \(float32 \[1000\]\) cannot be read"),
    ("data_type", 77, "tensor c0 has type 77"),
])
def test_a_malformed_constant_is_named(tmp_path, field, value, message):
    model = of_node("Add", (1, 1000), (1, 1000), [np.ones(1000, np.float32)])
    setattr(model.graph.initializer[0], field, value)
    refused(tmp_path, model, message)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_onnx(tmp_path / "none.onnx")


def test_a_constant_of_any_size_takes_no_time(tmp_path):
    draft = Draft()
    draft.node("ConstantOfShape", [draft.constant("sizes", np.array([1 << 20, 1 << 10]))], "huge")
    draft.node("Tanh", ["huge"], "curved")
    draft.node("Add", ["x", "curved"], "y")
    start = time.perf_counter()
    graph = loaded(tmp_path, draft.model([("x", [1])], [("y", None)]))
    assert time.perf_counter() - start < PATIENCE
    assert [node.operator.kind for node in graph.nodes] == ["Map", "Add"]


def answer(tmp_path, model: bytes) -> str:
    """What is wrong with a model; nothing if it is another one."""
    try:
        fuse_qdq(loaded(tmp_path, model))
    except InputError as e:
        return str(e)
    return ""


def check_damaged(tmp_path, seeds) -> None:
    """Never another exception, and none that tells no more than that of Python."""
    models = [small_network(1), quantised_network(3, tmp_path)]
    for seed in seeds:
        start = time.perf_counter()
        found = answer(tmp_path, damaged(models[seed % 2], seed))
        assert "not well-formed" not in found and "not a well-formed" not in found, f"{seed}: {found}"
        assert time.perf_counter() - start < PATIENCE


def test_damaged_models_are_an_error_or_another_model(tmp_path):
    check_damaged(tmp_path, range(200))


@pytest.mark.full
def test_many_damaged_models(tmp_path):
    check_damaged(tmp_path, range(1000, 6000))


def test_a_file_cut_off_anywhere_is_told(tmp_path):
    data = small_network(1).SerializeToString()
    for length in range(0, len(data), len(data) // 60):
        with pytest.raises(InputError):
            loaded(tmp_path, data[:length])


def test_without_the_package_it_says_how_to_install_it(tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **options):
        if name == "onnx":
            raise ImportError(name)
        return real(name, *arguments, **options)

    package.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"pip install 'derca-hw\[networks\]'"):
        loaded(tmp_path, b"")
    package.cache_clear()


def light(name: str) -> Graph:
    """A topology of the package, whose weights are constants of one value, from operator set 9."""
    return graph_of(name, (LIGHT / f"light_{name}.onnx").read_bytes())


#: Topology -> operators that have no definition here, and transposes that are left.
TOPOLOGIES = {"bvlc_alexnet": ({"LRN"}, 6), "resnet50": (set(), 1), "squeezenet": (set(), 1), "vgg19": (set(), 2),
              "densenet121": (set(), 2), "inception_v1": ({"LRN"}, 5), "inception_v2": (set(), 1),
              "shufflenet": (set(), 49), "zfnet512": ({"LRN"}, 6)}


@pytest.mark.parametrize("name", [
    name if name in ("bvlc_alexnet", "resnet50", "squeezenet") else pytest.param(name, marks=pytest.mark.full)
    for name in TOPOLOGIES])
def test_known_topologies(name):
    graph = simplified(light(name))
    unknown, transposes = TOPOLOGIES[name]
    kinds = [node.operator.kind for node in graph.nodes]
    assert {node.operator.kind for node in graph.nodes if isinstance(node.operator, Unknown)} == unknown
    assert kinds.count("Transpose") <= transposes
    assert graph.tensors[graph.inputs[0]].shape == (1, 3, 224, 224)
    assert sum(graph.tensors[name].elements for name in graph.outputs) in (1000,)
    if name == "resnet50":
        assert kinds.count("Conv") == 53 and "Mul" not in kinds  # batch normalisations are part of the convolutions


def test_types_are_told(tmp_path):
    draft = Draft()
    draft.node("Relu", ["x"], "y")
    graph = loaded(tmp_path, draft.model([("x", [2], TensorProto.INT32)], [("y", [2], TensorProto.INT32)]))
    assert graph.nodes[0].operator.reason == "its input 0 has type int32: allowed is float32"
