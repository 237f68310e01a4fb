"""The graph interpreter beside LiteRT's reference kernels, bit for bit: trained networks and random operators."""

import numpy as np
import pytest

from derca_sim.networks.interpreter import run
from derca_sim.networks.operators import Unknown
from derca_sim.networks.tflite import graph_of, load_tflite
from kit.checkout import SIM
from kit.pictures import graph_inputs
from kit.random_operators import OPERATORS, random_operator
from kit.tflite_model import Op, T, tflite_model
from oracles.litert import LiteRt

MODELS = sorted((SIM / "networks").glob("*.tflite"))


def differences(graph, values, oracle) -> list[str]:
    """Computed tensors that differ, in words."""
    out = []
    for index, name in enumerate(graph.tensors):
        if name in graph.makers:
            mine, wanted = values[name], oracle[index]
            if mine.dtype != wanted.dtype or mine.shape != wanted.shape or not np.array_equal(mine, wanted):
                out.append(f"{graph.makers[name].name}: {mine.dtype} {mine.shape}, {wanted.dtype} {wanted.shape}, "
                           f"{np.mean(mine != wanted):.2%} differ")
    return out


def check_model(path, seeds) -> None:
    graph, oracle = load_tflite(path), LiteRt(path.read_bytes())
    assert not [node for node in graph.nodes if isinstance(node.operator, Unknown)]
    for seed in seeds:
        inputs = graph_inputs(graph, np.random.default_rng(seed))
        found = differences(graph, run(graph, inputs), oracle.run([inputs[name] for name in graph.inputs]))
        assert not found, f"{path.name}, seed {seed}: {found[:5]}"


def test_there_are_eight_networks():
    assert len(MODELS) == 8


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_every_tensor_of_a_trained_network(path):
    check_model(path, range(3))


@pytest.mark.full
@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_every_tensor_of_a_trained_network_at_length(path):
    check_model(path, range(100, 160))


def check_operator(name: str, seeds) -> None:
    for seed in seeds:
        case = random_operator(name, seed)
        graph, oracle = graph_of("random", case.model), LiteRt(case.model, name != "ELU")
        values = run(graph, dict(zip(graph.inputs, case.inputs, strict=True)))
        found = differences(graph, values, oracle.run(case.inputs))
        assert not found, f"{case.text}: {found}"


@pytest.mark.parametrize("name", OPERATORS)
def test_random_operators(name):
    check_operator(name, range(25))


def test_scales_of_fully_connected_layers_are_multiplied_in_float64():
    """So many sums that some of them lie between two outputs by less than float32 can tell."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        of_x, of_y = (float(np.float32(rng.uniform(*span))) for span in ((0.01, 40), (0.01, 0.1)))
        weights = rng.integers(-127, 128, (16, 8)).astype(np.int8)
        tensors = [T("x", (4000, 8), "int8", [of_x], [0]),
                   T("w", (16, 8), "int8", [float(np.float32(100 * of_y / (60_000 * of_x)))], [0], 0, weights),
                   T("y", (4000, 16), "int8", [of_y], [0])]
        model = tflite_model(tensors, [Op("FULLY_CONNECTED", [0, 1, -1], [2], "FullyConnectedOptions", {})], [0], [2])
        x, graph = rng.integers(-128, 128, (4000, 8)).astype(np.int8), graph_of("near", model)
        assert not differences(graph, run(graph, {graph.inputs[0]: x}), LiteRt(model).run([x]))


@pytest.mark.full
@pytest.mark.parametrize("name", OPERATORS)
def test_many_random_operators(name):
    check_operator(name, range(1000, 1300))
