"""Depthwise layers whose panels of B have a channel each: which may be, what they wait for, when they are chosen."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from campaigns.random_sets import random_platform
from derca_sim.compile.image import place
from derca_sim.compile.packed import packed_biases, packed_weights
from derca_sim.compile.patches import holds, patch_of, window_tiles
from derca_sim.model.network import Add, Layer, Network, Place, Window
from derca_sim.model.tables import layer_layout
from derca_sim.model.tile import Mapping
from derca_sim.timing.mapping import alone, choose
from derca_sim.workload.taskset import Task
from oracles.waits import check_waits


def depthwise(shape: tuple[int, int], channels: int, **window) -> Layer:
    """A layer of ones, of a kernel of 3 x 3."""
    w = replace(Window(shape, channels, (3, 3), shape, pads=(1, 1), groups=channels), **window)
    weights, bias = np.ones((9, channels), np.int8), np.zeros(channels, np.int32)
    return Layer(prod(w.out), 9, channels, weights, bias, 1, 1, 0, False, window=w)


def network(*layers: Layer) -> Network:
    """Layers one after the other."""
    first = layers[0].window
    shapes = [(prod(first.shape), first.channels), *(layer.c_shape for layer in layers)]
    return Network("n", tuple(replace(x, a=Place(i), c=Place(i + 1)) for i, x in enumerate(layers)), tuple(shapes),
                   (np.zeros(shapes[0], np.int8), *[None] * len(layers)))


@pytest.mark.parametrize("shape", [(16, 16), (40, 2)])
def test_tiles_of_packed_layers_wait_for_rows_of_packed_layers(shape):
    p, several = random_platform("images", "decoupled"), 0
    layer = depthwise(shape, 5)
    own = [tile for tile in window_tiles(p, layer) if tile.rows and tile.m < layer.m]
    for one in own[::3]:
        for two in own[1::4]:
            net = network(*(replace(layer, mapping=Mapping(tile, 0)) for tile in (one, two)))
            (plans,), _ = place(p, [Task("t", 0, net, 1, 1, 0, False, ())])
            check_waits(plans, *plans)
            several += plans[1].wait.prev_n_tiles > 0
    assert several


@pytest.mark.parametrize("change", [
    {"transposed": True}, {"add": Add(Place(0), (0, 0), True, 1, 0, 1, 40, 0, (-128, 127))},
    {"window": replace(depthwise((16, 16), 4).window, dilations=(2, 1))},
    {"window": replace(depthwise((16, 16), 4).window, groups=2)},
], ids=["transposed", "added", "dilated", "wider groups"])
def test_layers_that_are_stored_otherwise_or_see_other_rows_are_not_packed(change):
    p, layer = random_platform("images", "decoupled"), depthwise((16, 16), 4)
    tile = next(tile for tile in window_tiles(p, layer) if tile.rows > 1)
    other = replace(layer, **change)
    assert holds(p, layer, tile) and not holds(p, other, tile)
    assert not any(tile.rows for tile in window_tiles(p, other))


def test_layers_are_packed_with_the_option_alone():
    p, layer = random_platform("images", "decoupled"), depthwise((16, 16), 4)
    without = p.model_copy(update={"operators": p.operators.model_copy(update={"depthwise": False})})
    assert any(tile.rows for tile in window_tiles(p, layer))
    assert {tile.rows for tile in window_tiles(without, layer)} == {0}
    assert "packed" not in {field.name for field in layer_layout(without).fields}


def test_the_faster_kind_of_tiles_is_chosen():
    """Wide images are packed; of small ones with many channels the memory would read more weights than it has time."""
    p = random_platform("images", "decoupled")
    for shape, channels, packed in (((16, 16), 4, True), ((2, 2), 16, False)):
        net = network(depthwise(shape, channels))
        layer = choose(p, net).layers[0]
        assert (layer.mapping.tile.rows > 0) == packed
        kinds = [tile for tile in window_tiles(p, layer) if (tile.rows > 0) != packed]
        best = alone(p, replace(net, layers=(layer,)))
        for tile in kinds[::max(1, len(kinds) // 5)]:
            assert best < alone(p, replace(net, layers=(replace(layer, mapping=Mapping(tile, 0)),)))


@pytest.mark.parametrize(("shape", "strides", "pads", "out"), [
    ((5, 9), (1, 1), (1, 1), (5, 9)), ((6, 6), (2, 2), (0, 0), (3, 3)), ((6, 6), (2, 2), (1, 1), (3, 3)),
    ((3, 8), (1, 1), (2, 2), (5, 8)), ((4, 8), (1, 1), (0, 1), (2, 8)), ((1, 16), (1, 1), (1, 1), (1, 16)),
])
def test_one_group_of_all_rows_goes_over_rows_of_the_image_alone(shape, strides, pads, out):
    """Outputs are those of the definition, with rows of pads written out, for a pad that is not 0."""
    p, rng = random_platform("images", "decoupled"), np.random.default_rng([71, *shape, *pads])
    rows, channels, pad = out[0], 3, -57
    layer = depthwise(shape, channels, strides=strides, pads=pads, out=out, pad=pad)
    layer = replace(layer, weights=rng.integers(-128, 128, (9, channels)).astype(np.int8),
                    bias=rng.integers(-9999, 9999, channels).astype(np.int32))
    image = rng.integers(-128, 128, (*shape, channels))
    padded = np.full((shape[0] + 6, shape[1] + 6, channels), pad)
    padded[pads[0] : pads[0] + shape[0], pads[1] : pads[1] + shape[1]] = image
    k = patch_of(p, layer, next(tile for tile in window_tiles(p, layer) if tile.rows == rows)).k
    weights = packed_weights(p, layer, rows).reshape(k // 3, 3, channels, p.array.cols)
    biases = packed_biases(p, layer, rows).reshape(channels, p.array.cols)
    assert k // 3 <= shape[0]
    for y, x, channel in np.ndindex(*out, channels):
        under = padded[y * strides[0] :, x * strides[1] :, channel][:3, :3]
        wanted = (under * layer.weights[:, channel].reshape(3, 3)).sum() + layer.bias[channel]
        stored = padded[pads[0] :, x * strides[1] :, channel][: k // 3, :3]
        assert (stored * weights[:, :, channel, y]).sum() + biases[channel, y] == wanted
