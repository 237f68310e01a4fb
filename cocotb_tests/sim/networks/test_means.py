"""Means over whole dimensions: the exact reciprocal, graphs with pooled images, and what is refused."""

import numpy as np
import pytest

from derca_sim.networks.lowering.mapping import place
from derca_sim.networks.lowering.means import reciprocal
from derca_sim.networks.lowering.walk import Walk, Where
from kit.graph_models import Net
from kit.lowered import check


def test_sums_are_divided_exactly():
    """All sums of up to 200 int8 values, and of the images of known networks and some more, up to 2^15."""
    for count in (*range(1, 201), 49, 64, 125, 784, 1023, 3136, 4096, 32767, 32768):
        multiplier, shift = reciprocal(count)
        assert 0 < multiplier < 1 << 31 and 1 <= shift <= 62
        sums = np.arange(128 * count + 1)
        assert np.array_equal((sums * multiplier + (1 << shift - 1)) >> shift, (2 * sums + count) // (2 * count)), count


def test_the_bound_of_the_division_holds_for_every_size():
    for count in range(1, 1 << 16):
        multiplier, shift = reciprocal(count)
        excess = multiplier * count - (1 << shift)
        assert 0 <= excess < count and 128 * count * excess < 1 << shift - 1


@pytest.mark.parametrize("seed", range(4))
def test_pooled_images_are_those_of_litert(seed):
    """AVERAGE_POOL_2D and MEAN of images of any size and zero point: behind a product, a sum, and of an input."""
    rng = np.random.default_rng(seed)
    for _ in range(6):
        net = Net(int(rng.integers(1 << 30)))
        h, w = (int(size) for size in rng.integers(1, 12, 2))
        x = net.tensor(1, h, w, 7, point=int(rng.integers(-128, 128)))
        y = net.fc(x, 7, point=int(rng.choice([-128, 127, 0, rng.integers(-128, 128)])))
        match seed:
            case 1:
                y = net.add(y, x, point=int(rng.integers(-128, 128)))
            case 2:
                y = x
        pooled = net.average(y, int(rng.choice([0, 1, 3]))) if rng.integers(2) else net.mean(
            y, 1, 2, keep=bool(rng.integers(2)), scale=float(0.05 * np.exp2(rng.uniform(-4, 2))),
            point=int(rng.integers(-128, 128)))
        check(net.model([x], [net.fc(pooled, 5), pooled]), 2)


def test_means_along_any_dimension():
    """Of tokens, of channels, which others take as they are: the layer before is computed once more."""
    net = Net(9)
    x = net.tensor(2, 6, 8, point=5)
    y = net.fc(x, 10)
    tokens, channels = net.mean(y, 1), net.mean(y, 2, scale=0.02)
    network = check(net.model([x], [net.tanh(net.fc(tokens, 3)), channels]), 2)
    walk = Walk(network.model.graph)
    assert [where for where, _ in walk.places.values()].count(Where.ACCELERATOR) == 4 and len(walk.again) == 1
    assert [layer.transposed for layer in network.layers[::2]] == [True, True, True, False, False, False]
    assert {p.what for p in place(network.model.graph, walk) if p.node.operator.kind == "Mean"} == {
        "mean of 6, 2x6x10 to 2x10", "mean of 10, 2x6x10 to 2x6"}


def test_a_residual_network_runs_as_a_whole():
    """Blocks of 1 x 1 convolutions, identity and projection, an average of the image, a classifier."""
    net = Net(10)
    x = net.tensor(1, 8, 8, 3, point=-128)
    y = net.fc(x, 16, activation=1)
    y = net.add(net.fc(net.fc(y, 16, activation=1), 16), y, activation=1)
    y = net.add(net.fc(net.fc(y, 32, activation=1), 32), net.fc(y, 32), activation=1)
    network = check(net.model([x], [net.softmax(net.fc(net.reshape(net.average(y), 1, 32), 10))]), 2, 2)
    assert [layer.transposed for layer in network.layers[::2]] == [False] * 5 + [True, True, False]


def test_averages_of_parts_of_an_image_behind_a_product():
    net = Net(11)
    x = net.tensor(1, 4, 4, 3)
    y = net._add("AVERAGE_POOL_2D", [net.fc(x, 3)], [net.tensor(1, 2, 2, 3)], "Pool2DOptions", FilterHeight=2,
                 FilterWidth=2, StrideH=2, StrideW=2, Padding=1)
    network = check(net.model([x], [net.fc(y, 3)]), 2)
    assert [layer.window is None for layer in network.layers[::2]] == [True, False, True]
