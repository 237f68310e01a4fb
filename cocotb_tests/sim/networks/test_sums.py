"""Sums behind products: the arithmetic of `Add`, graphs with residuals, and what is refused."""

import numpy as np
import onnx
import pytest

from campaigns.random_sets import random_platform
from derca_sim.errors import InputError
from derca_sim.model.network import Add, Place
from derca_sim.model.numerics import added, run_network
from derca_sim.networks.lowering.deploy import Model, load_model
from derca_sim.networks.lowering.samples import drawn
from derca_sim.networks.lowering.walk import Walk, Where
from derca_sim.networks.tflite import graph_of
from derca_sim.timing.pitch import pitched
from kit.graph_models import Net
from kit.large_networks import NONE, RELU, Images
from kit.lowered import check
from kit.onnx_models import quantised_residual
from kit.residuals import halves
from oracles.litert import LiteRt
from oracles.onnx_runtime import OnnxRuntime


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_any_scales_are_those_of_litert(seed):
    """Zero points at the ends, scales apart by up to 2^15, clamps, either operand behind its layer."""
    rng = np.random.default_rng(seed)
    for _ in range(12):
        net = Net(int(rng.integers(1 << 30)))
        ratio = float(np.exp2(rng.choice([0, 0, 1, 15, rng.uniform(0, 15)])))
        x = net.tensor(5, 9, point=int(rng.choice([-128, 0, 127, rng.integers(-128, 128)])), scale=0.05)
        y = net.fc(x, 9, point=int(rng.choice([-128, 127, rng.integers(-128, 128)])),
                   out=0.05 * (ratio if rng.random() < 0.5 else 1 / ratio))
        scale = 0.05 * max(1, net.tensors[y].scales[0] / 0.05) * float(rng.uniform(0.3, 3))
        pair = [x, y] if rng.integers(2) else [y, x]
        z = net.add(*pair, scale=scale, point=int(rng.integers(-128, 128)), activation=int(rng.choice([0, 1, 3])))
        check(net.model([x], [z]), 2, 1)


def test_residual_blocks_are_layers_that_add():
    """Identities, projections computed before and after the main path, sums of sums, a function before a sum."""
    net = Net(5)
    x = net.tensor(6, 16, point=-3)
    first = net.add(net.fc(net.fc(x, 24, activation=1), 16), x, activation=1)
    before = net.fc(first, 8, point=4)
    second = net.add(net.fc(net.fc(first, 16), 8), before)
    main = net.fc(net.fc(second, 8), 12)
    third = net.add(main, net.fc(second, 12), point=7)
    fourth = net.add(third, net.quantise(net.tanh(net.fc(third, 12))), scale=0.1)
    last = net.fc(fourth, 5)
    network = check(net.model([x], [net.softmax(last), fourth]), 3, 4)
    assert len(network.layers) == 10, "none is computed again"
    walk = Walk(network.model.graph)
    assert sum(where is Where.BEHIND for where, _ in walk.places.values()) == 4
    for i, layer in enumerate(network.layers):
        if layer.add is not None:
            makers = [j for j, other in enumerate(network.layers) if other.c.matrix == layer.add.d.matrix]
            assert all(j < i for j in makers)


def test_sums_of_parts_and_of_products_of_a_batch():
    """Two inputs, one matrix of each head, a slice, operands that are stored transposed."""
    net = Net(6)
    x, keys = net.tensor(3, 4, 8), net.tensor(3, 4, 4)
    scores = net.add(keys, net.matmul(net.slice(x, [0, 0, 0], [3, 4, 8]), x, adj_y=True))
    check(net.model([x, keys], [scores]), 2, 3)
    net = Net(7)
    x = net.tensor(4, 6)
    wide = net.fc(x, 8)
    turned = net.add(net.transpose(net.fc(x, 5), 1, 0), net.transpose(net.fc(x, 5), 1, 0))
    part = net.add(net.fc(wide, 4), net.slice(wide, [0, 4], [4, 4]))
    network = check(net.model([x], [net.fc(turned, 3), part]), 1, 2)
    assert any(layer.transposed and layer.add for layer in network.layers)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_residual_network_of_onnx_is_nearly_that_of_onnx_runtime(seed, tmp_path):
    """Sums and means are at most a step off each, and mostly equal; with clamps behind the sums."""
    file = quantised_residual(seed, tmp_path)
    model, count = load_model(file), 40
    network = model.network("residual", None, 0, count)
    assert sum(layer.add is not None for layer in network.layers) == count
    found, oracle = network.model.results(run_network(network)), OnnxRuntime(onnx.load(file))
    scale = model.graph.tensors[model.graph.nodes[-1].inputs[0]].quantisation.scale
    off = np.array([np.abs(found["y"][i] - oracle.run({"x": x.reshape(1, 1, 8, 8)})["y"]).max() / scale
                    for i, x in enumerate(drawn(model.graph, count)["x"])])
    print(np.bincount(np.rint(off).astype(int)))
    assert off.max() < 3 and (off < 0.5).mean() > 0.5


def _twice(net: Net):
    x = net.tensor(4, 8)
    y = net.fc(x, 8)
    return x, net.fc(net.add(net.add(y, x), x), 3)


def _shared(net: Net):
    x = net.tensor(4, 8)
    y = net.fc(x, 8)
    z = net.fc(y, 8)
    return x, net.concat([net.fc(net.add(y, z), 3), net.fc(y, 2), net.fc(z, 2)], 1)


def _broadcast(net: Net):
    x, y = net.tensor(4, 8), net.tensor(1, 8)
    return x, net.add(net.fc(x, 8), net.fc(y, 8))


def _function(net: Net):
    x = net.tensor(4, 8)
    return x, net.tanh(net.add(net.fc(x, 8), x))


def _apart(net: Net):
    x = net.tensor(4, 8, scale=0.05)
    return x, net.add(net.fc(x, 8, out=0.05 * 2.0 ** 17), x, scale=0.05 * 2.0 ** 17)


def _late(net: Net):
    x = net.tensor(4, 8)
    early, late = net.fc(x, 8), net.fc(x, 8)
    return x, net.concat([net.fc(late, 3), net.fc(net.add(early, late), 3)], 1)


@pytest.mark.parametrize(("made", "allowed"), [
    (_twice, "is a sum already: allowed is one sum behind a layer"),
    (_shared, "others take both its operands as well"),
    (_function, "is a sum: allowed are functions of what layers make before they add"),
    (_apart, "the scales of its operands differ by more than 2^15"),
    (_late, "and others take it as well: allowed is a sum with the operand that is computed last"),
])
def test_what_is_no_sum_behind_a_layer_is_told(made, allowed):
    net = Net(8)
    x, y = made(net)
    with pytest.raises(InputError) as caught:
        Model(graph_of("net", net.model([x], [y])))
    assert any(allowed in line for line in caught.value.problems), caught.value.problems


def test_parameters_that_the_hardware_does_not_hold_are_refused():
    with pytest.raises(ValueError, match=r"factor_shift = 16 of a sum: allowed are 0 .. 15"):
        Add(Place(0), (0, 0), True, 1, 16, 1 << 30, 49, 0, (-128, 127))
    with pytest.raises(ValueError, match="allowed is one half"):
        Add(Place(0), (0, 0), True, (1 << 30) + 1, 0, 1 << 30, 49, 0, (-128, 127))


def test_every_pair_of_values_has_the_sum_of_the_definition():
    """Against Python integers, rounded as TensorFlow Lite's kernels say, for scales in all proportions."""
    def doubling_high(a: int, b: int) -> int:
        product = a * b
        return (product + (1 << 30)) // (1 << 31) if product >= 0 else -((-product + (1 << 30) - 1) // (1 << 31))

    def shifted(value: int, shift: int) -> int:
        rest, whole = value & (1 << shift) - 1, value >> shift
        return whole + (rest > ((1 << shift) - 1 >> 1) + (value < 0))

    rng = np.random.default_rng(3)
    adds = [Add(Place(0), (-128, 5), bool(shift % 2), 1 << 30 if not shift else int(rng.integers(1 << 30, 1 << 31)),
                shift, int(rng.integers(1 << 30, 1 << 31)), 50, 3, (-100, 120)) for shift in (0, 1, 4, 15)]
    for add in [*adds, *(halves(rng, Place(0)) for _ in range(8))]:
        own, d = (values.astype(np.int8) for values in np.meshgrid(np.arange(-128, 128, 3), np.arange(-128, 128, 3)))
        found = added(own, d, add)
        for x, y, z in zip(own.ravel().tolist(), d.ravel().tolist(), found.ravel().tolist(), strict=True):
            factors = [(1 << 30, 0), (add.factor, add.factor_shift)][:: 1 if add.scales_d else -1]
            total = sum(shifted(doubling_high((v - zero) << 20, f), s)
                        for v, zero, (f, s) in zip((x, y), add.zero_points, factors, strict=True))
            wanted = shifted(doubling_high(total, add.multiplier), add.shift - 31) + add.zero_point
            assert z == max(add.bounds[0], min(add.bounds[1], wanted)), (x, y, add)


def test_rows_of_what_is_added_are_as_far_apart_as_those_of_the_sum():
    """Blocks with strides, over images whose rows do not end with panels: in some, D moves with the output."""
    p, moved = random_platform("images", "decoupled"), 0
    p = p.model_copy(update={"operators": p.operators.model_copy(update={"add": True})})
    for size in range(9, 33, 2):
        print(f"size {size}")
        net = Images(size, size)
        x = net.conv(net.input, 6, 3)
        for stride in (2, 1):
            y = net.conv(net.conv(x, 8, 3, stride), 8, 3, 1, NONE)
            x = net.sum(y, net.conv(x, 8, 1, stride, NONE) if stride == 2 else x, RELU)
        data = net.model([net.input], [x])
        model = Model(graph_of("net", data))
        before = model.network("net", None, 0, 1)
        network = pitched(p, before)
        moved += any(own.add is not None and layer.m > own.m
                     for own, layer in zip(before.layers, network.layers, strict=True))
        (found,), = network.model.results(run_network(network)).values()
        wanted, = LiteRt(data).outputs([drawn(model.graph, 1)[model.graph.inputs[0]][0]])
        assert np.array_equal(found, wanted)
    assert moved > 3
