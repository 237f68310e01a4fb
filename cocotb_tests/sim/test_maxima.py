"""Layers of maxima: their definition, which may be, how they are mapped, and platforms that have them."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from campaigns.random_sets import random_platform
from derca_sim.compile.patches import describe, patch_of, window_tiles
from derca_sim.errors import InputError
from derca_sim.model.network import LEAST, Layer, Network, Place, Window
from derca_sim.model.numerics import run_network
from derca_sim.model.placing import misplaced
from derca_sim.model.platform import LEAST_MAXIMUM_COLUMNS, Platform
from derca_sim.model.tables import layer_layout
from derca_sim.model.timing import ComputeTiming
from derca_sim.timing.mapping import choose

CONVOLUTION = {"tile": {"per_layer": True}, "operators": {"convolution": True, "maximum": True}}


def largest(window: Window, **more) -> Layer:
    """A layer of the largest values under a window, as they are."""
    k, n = prod(window.kernel), window.channels
    return replace(Layer(prod(window.out), k, n, np.ones((k, n), np.int8), np.full(n, LEAST, np.int32), 1 << 30, 30, 0,
                         False, window=replace(window, pad=LEAST, groups=n), c=Place(1), maximum=True), **more)


def alone(layer: Layer, image: np.ndarray) -> Network:
    """A network of one layer over an image [pixels, channels]."""
    return Network("n", (layer,), (image.shape, layer.c_shape), (image, None))


def by_hand(layer: Layer, image: np.ndarray) -> np.ndarray:
    """The outputs, one by one, for a layer whose values stay as they are."""
    w, out = layer.window, np.empty((layer.m, layer.n), np.int64)
    for at, (y, x) in enumerate(np.ndindex(*w.out)):
        for channel in range(layer.n):
            seen = [int(layer.bias[channel])]
            for ky, kx in np.ndindex(*w.kernel):
                row = y * w.strides[0] + ky * w.dilations[0] - w.pads[0]
                column = x * w.strides[1] + kx * w.dilations[1] - w.pads[1]
                if 0 <= row < w.shape[0] and 0 <= column < w.shape[1]:
                    seen.append(int(image[row * w.row + column, channel]))
            out[at, channel] = max(seen)
    return np.clip(out, *layer.limits)


@pytest.mark.parametrize("window", [
    Window((6, 7), 3, (2, 2), (3, 3), (2, 2)),
    Window((5, 5), 1, (3, 3), (5, 5), pads=(1, 1)),
    Window((4, 9), 2, (1, 3), (4, 4), dilations=(1, 3), pitch=11),
    Window((2, 2), 2, (3, 3), (4, 4), pads=(3, 3)),  # some kernels see nothing of the image
], ids=["stride 2", "border", "dilated, rows apart", "outside"])
def test_the_definition(window):
    rng = np.random.default_rng(3)
    for bias in (LEAST, rng.integers(-128, 128, window.channels)):
        layer = largest(window, bias=np.broadcast_to(bias, window.channels).astype(np.int32), bounds=(-100, 90))
        image = rng.integers(-128, 128, (window.pixels, window.channels)).astype(np.int8)
        assert np.array_equal(run_network(alone(layer, image))[0], by_hand(layer, image))


@pytest.mark.parametrize(("change", "words"), [
    ({"window": Window((4, 4), 6, (2, 2), (3, 3), pad=LEAST, groups=3)}, "maxima of 6 channels in 3 groups, 6 outputs"),
    ({"window": Window((4, 4), 6, (2, 2), (3, 3), groups=6)}, "pad = 0 around an image of maxima: allowed is -128"),
    ({"weights": np.full((4, 6), 2, np.int8)}, "weights of maxima: allowed are ones"),
    ({"bias": np.full(6, 128, np.int32)}, "biases 128 .. 128 of maxima: allowed are -128 .. 127"),
    ({"window": None}, "layer 0 has maxima without a window: allowed are maxima under the places of a kernel"),
], ids=["groups", "pad", "weights", "bias", "window"])
def test_layers_that_are_no_maxima_are_refused_in_words(change, words):
    layer = replace(largest(Window((4, 4), 6, (2, 2), (3, 3))), **change)
    network = alone(layer, np.zeros((16, 6), np.int8))
    assert any(words in problem for problem in misplaced(network, random_platform("maxima", "decoupled")))


def test_maxima_need_the_option():
    network = alone(largest(Window((4, 4), 6, (2, 2), (3, 3))), np.zeros((16, 6), np.int8))
    p = random_platform("images", "decoupled")
    assert misplaced(network, p) == [f"layer 0 has maxima: it needs operators.maximum = true in platform {p.name}"]
    with_it, without = (Platform.model_validate({
        **CONVOLUTION, "operators": {"convolution": True, "maximum": maximum}}) for maximum in (True, False))
    assert misplaced(network, with_it) == []
    names = [{field.name for field in layer_layout(of).fields} for of in (with_it, without)]
    assert names[0] - names[1] == {"maximum"}


def test_platforms_that_have_no_maxima_are_refused_in_words():
    with pytest.raises(ValueError, match=r"operators.maximum = true: allowed are false, or operators.convolution = tr"):
        Platform.model_validate({"operators": {"maximum": True}})
    with pytest.raises(ValueError, match=r"operators.maximum = true: allowed are false, or array.cols of at least 3"):
        Platform.model_validate({**CONVOLUTION, "array": {"cols": 2}})
    Platform.model_validate({**CONVOLUTION, "array": {"cols": 4}})
    assert max(ComputeTiming.UPDATE, ComputeTiming.SHORTEST) == LEAST_MAXIMUM_COLUMNS


@pytest.mark.parametrize("channels", [1, 3, 11])
def test_a_panel_has_a_step_for_each_column_under_each_place(channels):
    """With fewer channels than columns too: the array needs that time between two places."""
    p, layer = random_platform("maxima", "decoupled"), largest(Window((8, 8), channels, (2, 2), (4, 4), (2, 2)))
    tiles = list(window_tiles(p, layer))
    assert tiles and not any(tile.rows for tile in tiles)  # never packed
    assert {patch_of(p, layer, tile).k for tile in tiles} == {4 * p.array.cols}
    assert describe(layer) == f"max 2x2 s2 on 8x8x{channels}"


def test_a_layer_of_maxima_and_a_sum_of_the_same_shape_are_mapped_apart():
    """The sum may be packed; what is known of one does not count for the other."""
    rng, p = np.random.default_rng(2), random_platform("maxima", "decoupled")
    greatest = largest(Window((16, 16), 4, (3, 3), (16, 16), pads=(1, 1)))
    sums = replace(greatest, maximum=False)
    image = rng.integers(-128, 128, (256, 4)).astype(np.int8)
    network = Network("n", (sums, replace(greatest, a=Place(1), c=Place(2))), ((256, 4),) * 3, (image, None, None))
    rows = [layer.mapping.tile.rows for layer in choose(p, network).layers]
    assert rows[0] > 0 == rows[1]
    assert network.macs == 256 * 9 * 4  # those of the sum


def test_a_layer_that_no_platform_can_have_ends_as_bad_input():
    p = random_platform("maxima", "decoupled")
    wide = largest(Window((40, 63), 4, (5, 5), (36, 59)))
    with pytest.raises(InputError, match=r"max 5x5 on 40x63x4 has more halo than a slot holds"):
        choose(p, alone(wide, np.zeros((40 * 63, 4), np.int8)))
