"""Random operators of ONNX and of ONNX Runtime's own domain, beside ONNX Runtime."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from derca_sim.networks.interpreter import run
from derca_sim.networks.onnx import graph_of, simplified
from derca_sim.networks.operators import Unknown
from kit.onnx_models import Draft, digits, small_network
from kit.random_onnx import OPERATORS, STEPS, random_case
from oracles.onnx_runtime import OnnxRuntime

#: Error of real results, relative to the largest.
RELATIVE = 1e-5


def check(name: str, seeds: Iterable[int]) -> Counter:
    """How many stored values are how many steps apart."""
    found = Counter()
    for seed in seeds:
        case = random_case(name, seed)
        graph = simplified(graph_of(name, case.model.SerializeToString()))
        assert not [node.operator for node in graph.nodes if isinstance(node.operator, Unknown)], case.text
        mine, wanted = run(graph, {"x": case.x})["y"], OnnxRuntime(case.model).run({"x": case.x})["y"]
        assert (mine.dtype, mine.shape) == (wanted.dtype, wanted.shape), case.text
        if wanted.dtype == np.float32:
            assert np.allclose(mine, wanted, RELATIVE, RELATIVE * np.abs(wanted).max()), f"seed {seed}: {case.text}"
            continue
        apart = np.abs(mine.astype(int) - wanted)
        assert apart.max() <= STEPS[name], f"seed {seed}: {case.text}: {apart.max()} steps"
        found.update(apart.ravel().tolist())
    return found


@pytest.mark.parametrize("name", OPERATORS)
def test_random_operators(name):
    check(name, range(12))


@pytest.mark.parametrize(("name", "attributes"), [
    ("GlobalAveragePool", {}), ("AveragePool", {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]})])
@pytest.mark.parametrize("size", [(8, 8), (7, 7), (5, 3)])
def test_pools_add_in_the_order_of_onnx_runtime(name, attributes, size):
    """To the last bit: where results are quantised, halves are frequent."""
    draft = Draft()
    draft.node(name, ["x"], "y", **attributes)
    x = np.random.default_rng(1).normal(size=(1, 16, *size)).astype(np.float32)
    model = draft.model([("x", x.shape)], [("y", None)])
    graph = simplified(graph_of(name, model.SerializeToString()))
    assert np.array_equal(run(graph, {"x": x})["y"], OnnxRuntime(model).run({"x": x})["y"])


@pytest.mark.parametrize("seed", [
    *range(3), *(pytest.param(seed, marks=pytest.mark.full) for seed in range(3, 40))])
def test_random_networks(seed):
    """Of real values, layer by layer with other orders of summation."""
    model, x = small_network(seed), digits()[0][seed][None]
    graph = simplified(graph_of("network", model.SerializeToString()))
    mine, wanted = run(graph, {"x": x})["y"], OnnxRuntime(model).run({"x": x})["y"]
    assert np.allclose(mine, wanted, 0, 1e-4 * np.abs(wanted).max())


@pytest.mark.full
@pytest.mark.parametrize("name", OPERATORS)
def test_many_random_operators(name, capsys):
    found = check(name, range(1000, 1400))
    with capsys.disabled():
        print(f"\n{name}: values by steps apart: {dict(found)}")
