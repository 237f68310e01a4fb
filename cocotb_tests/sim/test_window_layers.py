"""Windows over images: what the fields of tables feed to the array, what is requested, what waits for what."""

from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest

from campaigns.random_sets import IMAGE_PLATFORMS, mapped_at_random, random_platform
from derca_sim.compile import compile_taskset
from derca_sim.compile.mapping import ranked
from derca_sim.compile.patches import describe, holds, window_tiles
from derca_sim.errors import InputError
from derca_sim.golden.iteration import Iteration
from derca_sim.model.network import Layer, Network, Place, Window
from derca_sim.model.numerics import run_network
from derca_sim.model.tile import Mapping, Tile
from derca_sim.networks.interpreter.products import patches
from derca_sim.networks.operators import Window as Positions
from derca_sim.timing.mapping import alone, choose
from derca_sim.workload.taskset import Task, TaskSet, load_platform
from kit.image_networks import image_network
from oracles.waits import check_waits
from oracles.windows import Tile as LoadedTile
from oracles.windows import gathered, next_channels, next_rows


def compiled(p, network, strategy: str = "np", every: int | None = None):
    """A network as the only task of a set."""
    task = Task("t", 0, network, 10**6, 10**6, 0, False, ())
    return compile_taskset(TaskSet("images", Path("images"), p, 10**6, (task,)), strategy, every)


def drawn(seed: int, name: str, most: int = 13):
    """A random network of a seed on a platform, with random tiles."""
    print(f"seed {seed}")
    rng, p = np.random.default_rng([31, seed]), random_platform(name, "decoupled")
    return rng, p, mapped_at_random(image_network("drawn", rng, p, 3, most), p, rng)


def definition(layer: Layer, matrix: np.ndarray) -> np.ndarray:
    """int64 [m, n]: sums with biases, or maxima, of a layer, by the interpreter's view of what lies under a kernel."""
    w, at = layer.window, layer.a
    if w is None:
        return matrix[at.row:, at.column:][:layer.m, :layer.k].astype(np.int64) @ layer.weights + layer.bias
    image = matrix[at.row:, at.column:][:w.shape[0] * w.row, :w.channels].reshape(1, w.shape[0], w.row, w.channels)
    image = image[:, :, :w.shape[1]]
    beyond = [max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - pad - side) for
              out, stride, kernel, dilation, pad, side in
              zip(w.out, w.strides, w.kernel, w.dilations, w.pads, w.shape, strict=True)]
    under = patches(image, w.kernel, Positions(w.strides, w.dilations, (*w.pads, *beyond)), w.pad)
    under = under[0, :w.out[0], :w.out[1]].transpose(0, 1, 3, 4, 2).reshape(layer.m, prod(w.kernel), w.groups, -1)
    if layer.maximum:
        return np.maximum(under.max(axis=1)[:, :, 0], layer.bias)
    each = layer.n // w.groups
    return np.concatenate([
        under[:, :, g].reshape(layer.m, layer.k).astype(np.int64) @ layer.weights[:, g * each:(g + 1) * each]
        for g in range(w.groups)], axis=1) + layer.bias


def walked(plan, entry: dict, memory: np.ndarray) -> np.ndarray:
    """int64 [m, n]: the sums or maxima of a layer as its fields and memory say; compares the golden's requests."""
    p, layer, fields = plan.platform, plan.layer, plan.fields()
    rows, cols, sums = p.array.rows, p.array.cols, np.zeros((layer.m, layer.n), np.int64)
    spread = cols if fields["packed"] else 1
    row = {name: entry[name] for name in ("m", "a_row", "channel", "panels_left", "y")}
    for iteration in (Iteration(plan, number) for number in range(plan.iterations)):
        m, n, k = iteration.m, iteration.n, iteration.k
        at = {**row, "a_row": row["a_row"] % (1 << p.bus.address_width)}
        for _ in range(n if fields["grouped"] else k):
            at = next_channels(fields, at)
        last = "".join(name for name, here, count in
                       (("m", m, plan.m_tiles), ("n", n, plan.n_tiles), ("k", k, plan.k_tiles)) if here == count - 1)
        tile = LoadedTile(p, fields, at, last)
        assert tile.requests() == iteration.a_reads()
        assert tile.steps == iteration.steps
        b = plan.weights[k * plan.tile.k:][:tile.k_steps].astype(np.int64)
        bank = np.zeros((iteration.panels, iteration.columns, rows), np.int64)
        if k == 0:
            biases = fields["bias_base"] + 4 * n * plan.tile.n
            bank += memory[biases:biases + 4 * iteration.columns].view("<i4").astype(np.int64)[:, None]
        for n_panel in range(plan.tile_n_panels(n)):
            own = slice(n_panel * cols, min((n_panel + 1) * cols, iteration.columns))
            weights = b[:, n * plan.tile.n:][:, own]
            weights = np.tile(weights, (tile.steps // tile.k_steps, 1))
            for m_panel, fed in enumerate(tile.operands(memory, n_panel).view(np.int8)):
                if fields.get("maximum"):
                    places = zip(*(of.reshape(-1, fields["depth"], of.shape[1]) for of in (weights, fed)), strict=True)
                    each = [copy.T @ of.astype(np.int64) for copy, of in places]
                    floor = layer.bias[n * plan.tile.n:][own, None]
                    bank[m_panel, own] = np.maximum(np.max(each, axis=0), floor)
                else:
                    bank[m_panel, own] += weights.T @ fed.astype(np.int64)
        part = sums[m * plan.c_panels * rows:, n * plan.tile.n // spread:]
        part = part[:plan.c_panels * rows, :iteration.columns // spread]
        if fields["packed"]:
            pixels = fields["last_pixels" if "m" in last else "pixels"]
            outputs, reads = gathered(p, fields, bank, pixels)
            part[:pixels] += outputs
            assert [np.repeat(np.arange(len(x)), x).tolist() for x in reads] == [
                list(iteration.gathered(panel)) for panel in range(len(iteration.write_panels(False)))]
        else:
            part += bank.transpose(0, 2, 1).reshape(-1, iteration.columns)[:len(part)]
        if (n, k) == (plan.n_tiles - 1, plan.k_tiles - 1):
            row = next_rows(fields, row)
    return sums


@pytest.mark.parametrize("name", IMAGE_PLATFORMS)
def test_fields_feed_the_definition_to_the_array(name):
    seen = {"pieces": 0, "split": 0, "grouped": 0, "packed": 0, "top": 0, "rows": 0, "channels": 0, "groups": 0}
    for seed in range(25):
        _, p, network = drawn(seed, name)
        task = compiled(p, network).tasks[0]
        memory = compiled(p, network).image.copy()
        memory = np.concatenate([memory, np.zeros(1 << 12, np.uint8)])
        matrices = list(network.inputs)
        for plan, output in zip(task.layers, run_network(network), strict=True):
            layer, area = plan.layer, plan.a.area
            packed = area.pack(matrices[layer.a.matrix])
            memory[area.address:area.address + len(packed)] = packed
            matrices[layer.c.matrix] = output.T if layer.transposed else output
            wanted = definition(layer, matrices[layer.a.matrix])
            found = walked(plan, task.entries[plan.index].fields(), memory)
            where = f"layer {plan.index}, tile {plan.tile}: {layer.window and describe(layer)}"
            assert np.array_equal(found, wanted), where
            if layer.maximum and layer.multiplier == 1 << 30:
                assert np.array_equal(output, np.clip(wanted, *layer.limits)), where
            fields = plan.fields()
            seen["pieces"] += fields["last_piece"] > 0
            seen["rows"] += plan.m_tiles > 1 and layer.window is not None
            seen["channels"] += plan.k_tiles > 1 and layer.window is not None
            seen["groups"] += plan.m_tiles > 1 and fields["packed"]
            for key in ("split", "grouped", "packed", "top"):
                seen[key] += fields[key] > 0
    print(seen)
    assert all(seen.values())


@pytest.mark.parametrize("name", IMAGE_PLATFORMS)
def test_entries_go_on_where_the_walk_is(name):
    """An entry inside a layer has the state of the walk from the layer's first entry on."""
    inside = 0
    for seed in range(10):
        _, p, network = drawn(seed, name)
        for entry in compiled(p, network, "recompute", 3).tasks[0].entries:
            plan, fields = entry.layer, entry.layer.fields()
            start = {"m": 0, "a_row": plan.a_row(0), "channel": 0, "panels_left": entry.layer.patch.total
                     - entry.layer.patch.begin(0), "y": 0}
            m, n, k = plan.coordinates(entry.start[0])
            for _ in range(m):
                start = next_rows(fields, start)
            for _ in range(n if fields["grouped"] else k):
                start = next_channels(fields, start)
            found, start["a_row"] = entry.fields(), start["a_row"] % (1 << p.bus.address_width)
            assert {key: found[key] for key in start} == start
            assert found["n_panel"] * plan.tile_m_panels(m) + found["m_panel"] == entry.start[1]
            inside += entry.start[1] > 0
    assert inside


def test_tiles_wait_for_the_rows_that_they_need_and_for_no_tile_of_their_own():
    rowwise, halo = 0, 0
    for seed in range(70):
        _, p, network = drawn(seed, IMAGE_PLATFORMS[seed % 2], 24)
        plans = compiled(p, network).tasks[0].layers
        for before, plan in zip(plans, plans[1:], strict=False):
            if plan.wait.a:
                check_waits(plans, before, plan)
                rowwise += plan.wait.prev_n_tiles > 0
                halo += 0 < plan.wait.rows < plan.m_tiles - 1 and plan.layer.window is not None
    print(rowwise, halo)
    assert rowwise > 5 and halo


def image_layer(window: Window, n: int = 8, k: int | None = None) -> Layer:
    """A layer of ones with a window."""
    k = prod(window.kernel) * window.channels // window.groups if k is None else k
    return Layer(prod(window.out), k, n, np.ones((k, n), np.int8), np.zeros(n, np.int32), 1, 1, 0, False, window=window)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_the_largest_tiles_lie_in_their_slots(strides):
    """The interpreter writes every word of a slot that is loaded: beyond the slot it fails."""
    p, memory = random_platform("windows", "decoupled"), np.zeros(1 << 16, np.uint8)
    for width in range(4, 16):
        out = tuple((side - 1) // stride + 1 for side, stride in zip((12, width), strides, strict=True))
        layer = image_layer(Window((12, width), 64, (3, 3), out, strides, pads=(1, 1)))
        network = Network("n", (replace(layer, c=Place(1)),), ((12 * width, 64), layer.c_shape),
                          (np.zeros((12 * width, 64), np.int8), None))
        for tile in window_tiles(p, layer):
            part = replace(network, layers=(replace(network.layers[0], mapping=Mapping(tile, 0)),))
            plan = compiled(p, part).tasks[0].layers[0]
            at = {"m": 0, "a_row": plan.a_row(0), "channel": 0, "panels_left": plan.patch.total - plan.patch.begin(0)}
            LoadedTile(p, plan.fields(), at, "m" * (plan.m_tiles == 1)).load(memory)


def test_fewer_reads_of_an_image_cost_no_more_cycles_than_allowed(pytestconfig):
    """A 3 x 3 layer of ResNet-8: the fastest tile reads twice as much as one that is 2 % slower."""
    fastest = load_platform(pytestconfig.rootpath / "sim" / "platforms" / "tinyml.toml")
    layer = replace(image_layer(Window((32, 32), 16, (3, 3), (32, 32), pads=(1, 1)), 16), c=Place(1))
    image = Network("n", (layer,), ((1024, 16), (1024, 16)), (np.zeros((1024, 16), np.int8), None))
    read, cycles = [], []
    for share in (0.0, 0.04):
        p = fastest.model_copy(update={"tile": fastest.tile.model_copy(update={"fewer_reads": share})})
        network = choose(p, image)
        plan = compiled(p, network).tasks[0].layers[0]
        loaded = [Iteration(plan, number, number == 0) for number in range(plan.iterations)]
        read.append(sum(beats for one in loaded for new, requests in (
            (one.new_a, one.a_reads), (one.new_b, one.b_reads)) if new for _, beats in requests()))
        cycles.append(alone(p, network))
    print(read, cycles)
    assert read[1] < 0.5 * read[0]
    assert cycles[0] <= cycles[1] <= 1.04 * cycles[0]


def test_a_window_that_fits_no_slot_is_refused_with_what_would_fit():
    p = random_platform("images", "decoupled")
    wide = image_layer(Window((40, 63), 4, (5, 5), (36, 59)))
    with pytest.raises(InputError, match=r"conv 5x5 on 40x63x4 has more halo than a slot holds: .*tile.m x tile.k of"):
        ranked(p, wide)
    assert not holds(p, wide, Tile(64, 25, 8))
    even = image_layer(Window((40, 16), 4, (5, 5), (40, 16), pads=(2, 2)))
    assert all(holds(p, even, tile) for tile in ranked(p, even))


@pytest.mark.parametrize(("window", "n", "words"), [
    (Window((8, 8), 2, (33, 3), (1, 6)), 8, "a kernel of 33 x 3: allowed are 1 .. 32"),
    (Window((8, 8), 2, (3, 3), (2, 2), (3, 3)), 8, "strides of 3 x 3: allowed are 1 .. 2"),
    (Window((1024, 2), 2, (1, 1), (1024, 2)), 8, "an image of 1024 x 2: allowed are 1 .. 1023"),
    (Window((8, 8), 6, (3, 3), (6, 6), groups=4), 8, "4 groups of 6 channels and 8 outputs: allowed are divisors"),
    (Window((8, 8), 6, (3, 3), (6, 6), groups=2), 6, "2 groups of 3 outputs: allowed are groups whose outputs divide"),
    (Window((8, 8), 2, (3, 3), (6, 6), pad=200), 8, "pad = 200: allowed are -128 .. 127"),
])
def test_windows_that_the_hardware_has_not_are_refused_in_words(window, n, words):
    layer = replace(image_layer(window, n), c=Place(1))
    network = Network("n", (layer,), ((prod(window.shape), window.channels), layer.c_shape),
                      (np.zeros((prod(window.shape), window.channels), np.int8), None))
    with pytest.raises(InputError, match=words):
        compiled(random_platform("images", "decoupled"), network)


def test_a_window_needs_the_option():
    layer = image_layer(Window((8, 8), 2, (3, 3), (6, 6)))
    network = Network("n", (layer,), ((64, 2), (36, 8)), (np.zeros((64, 2), np.int8), None))
    with pytest.raises(InputError, match="layer 0 has a window: it needs operators.convolution = true"):
        compiled(random_platform("narrow", "decoupled"), network)
