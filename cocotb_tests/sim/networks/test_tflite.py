"""The front end for TensorFlow Lite: what it makes of operators, and clear words for files that are no model for it."""

import builtins
import re
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from derca_sim.errors import InputError
from derca_sim.networks.operators import Conv, Pad, Unknown, Window
from derca_sim.networks.tflite import load_tflite
from derca_sim.networks.tflite.schema import schema
from kit.checkout import SIM
from kit.tflite_model import Op, T, tflite_model

X = T("x", (1, 5, 6, 2), "int8", [0.5], [3])
Y = replace(X, name="y")


def loaded(tmp_path, *arguments):
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite_model(*arguments))
    return load_tflite(path)


def conv(tmp_path, kernel=(3, 3), strides=(1, 1), dilations=(1, 1), padding=0, out=(5, 6), tensors=(X, Y)):
    weights = T("w", (4, *kernel, 2), "int8", [0.1] * 4, [0] * 4, 0, np.ones((4, *kernel, 2), np.int8))
    y = replace(tensors[1], shape=(1, *out, 4))
    fields = {"Padding": padding, "StrideH": strides[0], "StrideW": strides[1], "DilationHFactor": dilations[0],
              "DilationWFactor": dilations[1]}
    return loaded(tmp_path, [tensors[0], weights, y], [Op("CONV_2D", [0, 1, -1], [2], "Conv2DOptions", fields)],
                  [0], [2])


def test_same_pads_more_at_the_bottom_and_on_the_right(tmp_path):
    graph = conv(tmp_path, (2, 3), (1, 2), out=(5, 3))
    assert graph.nodes[0].operator == Conv(Window((1, 2), (1, 1), (0, 0, 1, 1)))
    assert graph.nodes[0].inputs == ("x", "w", None)


def test_a_tensor_without_a_name_or_with_one_twice_gets_its_number(tmp_path):
    tensors = [replace(X, name=""), replace(X, name="twice"), replace(X, name="twice"), replace(X, name="größe")]
    graph = loaded(tmp_path, tensors, [Op("ADD", [0, 1], [2], "AddOptions"), Op("RELU", [2], [3])], [0, 1], [3])
    assert list(graph.tensors) == ["tensor:0", "twice", "twice:2", "größe"]
    assert [node.name for node in graph.nodes] == ["0 ADD", "1 RELU"]


def test_pads_become_pairs(tmp_path):
    widths = T("widths", (4, 2), "int32", data=np.array([[0, 0], [1, 2], [3, 4], [0, 0]], np.int32))
    graph = loaded(tmp_path, [X, widths, replace(X, name="y", shape=(1, 8, 13, 2))],
                   [Op("PAD", [0, 1], [2], "PadOptions")], [0], [2])
    assert graph.nodes[0].operator == Pad((0, 1, 3, 0), (0, 2, 4, 0))


@pytest.mark.parametrize(("operators", "name", "reason"), [
    ([Op("RESIZE_BILINEAR", [0], [1])], "RESIZE_BILINEAR", "not implemented"),
    ([Op("CUSTOM", [0], [1], custom="TFLite_Detection")], "CUSTOM TFLite_Detection", "custom operators"),
    ([Op("SPLIT", [0, 0], [1], "SplitOptions")], "SPLIT", "axes are computed"),
    ([Op("MEAN", [0, 0], [1], "ReducerOptions")], "MEAN", "axes are computed"),
    ([Op("CONCATENATION", [0, 0], [1], "ConcatenationOptions", {"Axis": 9})], "CONCATENATION", "no dimension of 4"),
    ([Op("CONCATENATION", [0, 0], [1], "ConcatenationOptions", {"Axis": 3})], "CONCATENATION",
     r"makes \[1, 5, 6, 4\], but its outputs are declared \[1, 5, 6, 2\]"),
    ([Op("CONV_2D", [0, 0], [1], "Conv2DOptions")], "CONV_2D", "numbers from 1 on"),
    ([Op("ADD", [-1, 0], [1], "AddOptions")], "ADD", "no first input"),
    ([Op("MAX_POOL_2D", [0], [1], "Pool2DOptions", {"StrideH": 0, "FilterHeight": 1, "FilterWidth": 1})],
     "MAX_POOL_2D", "from 1 on"),
    ([Op("AVERAGE_POOL_2D", [0], [1])], "AVERAGE_POOL_2D", "no options"),
])
def test_what_cannot_be_taken_over_says_why(tmp_path, operators, name, reason):
    graph = loaded(tmp_path, [X, Y], operators, [0], [1])
    operator, = (node.operator for node in graph.nodes)
    assert isinstance(operator, Unknown) and operator.kind == name
    assert re.search(reason, operator.reason), operator.reason


def test_a_kernel_that_finds_no_place_is_told(tmp_path):
    graph = conv(tmp_path, (7, 3), padding=1, out=(1, 4))
    assert "a kernel that reaches over 7 of 5 + 0 + 0 elements has no position" in graph.nodes[0].operator.reason


@pytest.mark.parametrize(("changed", "message"), [
    ({"shape": (1, 0, 6, 2)}, "every dimension is at least 1"),
    ({"shape": (1, -1, 6, 2), "signature": (1, -1, 6, 2)}, "dynamic shape"),
    ({"dtype": "FLOAT16"}, "has type FLOAT16: allowed are bool, float32, int16"),
    ({"scales": [0.5, 0.5, 0.5], "zero_points": [0, 0, 0], "axis": 3}, "3 scales and 3 zero points along dimension 3"),
    ({"scales": [0.0]}, "a scale of 0.0"),
    ({"scales": [float("nan")]}, "a scale of nan"),
    ({"data": np.zeros(59, np.int8)}, "has 59 bytes of data, but int8"),
])
def test_a_malformed_tensor_is_named(tmp_path, changed, message):
    with pytest.raises(InputError, match=message):
        loaded(tmp_path, [X, replace(Y, name="bad", **changed)], [Op("RELU", [0], [1])], [0], [1])


@pytest.mark.parametrize(("arguments", "message"), [
    (([X, Y], [Op("RELU", [0], [7])], [0], [1]), r"outputs are tensors \[7\] of 2"),
    (([X, Y], [Op("RELU", [0], [1])], [0], [5]), r"outputs of the model are tensors \[5\] of 2"),
    (([X, Y], [], [0], [1]), "output y is made by no node"),
    (([X, Y, replace(X, name="z")], [Op("ADD", [0, 2], [1], "AddOptions"), Op("RELU", [1], [2])], [0], [1]),
     "needs its own result"),
    (([X, Y], [Op("RELU", [0], [1]), Op("RELU6", [0], [1])], [0], [1]), "a tensor has one maker"),
    (([X, Y, replace(X, name="z")], [Op("ADD", [0, 2], [1], "AddOptions")], [0], [1]), "tensor z.*is made by no node"),
])
def test_a_malformed_graph_is_told(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        loaded(tmp_path, *arguments)


@pytest.mark.parametrize(("content", "message"), [
    (b"", "TFL3"), (b"\x89PNG\r\n\x1a\n" + b"0" * 100, "TFL3"), (b"\x10\x00\x00\x00TFL3", "cut off or damaged"),
])
def test_another_file_is_told(tmp_path, content, message):
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_tflite(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_tflite(tmp_path / "none.tflite")


@pytest.mark.parametrize("seed", range(60))
def test_damaged_bytes_are_an_error_or_another_model(tmp_path, seed):
    """Cut off anywhere, or with bytes changed in the part that is structure: never another exception."""
    rng = np.random.default_rng(seed)
    data = bytearray((SIM / "networks" / "tflite_micro_magic_wand.tflite").read_bytes())
    if seed % 3 == 0:
        data = data[: int(rng.integers(8, len(data)))]
    else:
        for at in rng.integers(8, len(data), int(rng.integers(1, 40))):
            data[at] = int(rng.integers(256))
    path = tmp_path / "damaged.tflite"
    path.write_bytes(data)
    with suppress(InputError):
        load_tflite(path)


def test_without_the_package_it_says_how_to_install_it(tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **options):
        if name == "tflite":
            raise ImportError(name)
        return real(name, *arguments, **options)

    schema.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"pip install 'derca-hw\[networks\]'"):
        load_tflite(SIM / "networks" / "anomaly_detection.tflite")
    schema.cache_clear()
