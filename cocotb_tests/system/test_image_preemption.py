"""Forced preemption inside layers over images, packed ones and maxima too. Results bit-exact, cycles the golden's."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from campaigns.forced_preemption import boundaries, compile_tasks, force, of_kind
from campaigns.random_sets import CONTROL, random_platform
from derca_sim.compile.mapping import tile_counts
from derca_sim.compile.patches import window_tiles
from derca_sim.events import Kind
from derca_sim.model.network import Network, Place, Window, random_network
from derca_sim.model.tables import Strategy
from derca_sim.model.tile import Mapping
from kit.image_networks import maxima
from kit.requantisation import requantised_at_random


def chained(p, name: str, seed: int, *windows: tuple[Window, int, tuple[int, int, int], str]) -> Network:
    """Layers of (window, outputs, tiles along M, N and K at least, kind), one after the other, in few tiles."""
    rng, layers, shapes = np.random.default_rng(seed), [], [(prod(windows[0][0].shape), windows[0][0].channels)]
    for i, (w, n, least, kind) in enumerate(windows):
        shape = prod(w.out), prod(w.kernel) * w.channels // w.groups, n, bool(i % 2)
        layer, = random_network(name, [shape], seed + i).layers
        layer = replace(layer, window=w, a=Place(i), c=Place(i + 1))
        layer = maxima(layer, rng) if kind == "maxima" else layer
        tile = min((tile for tile in window_tiles(p, layer) if (tile.rows > 1) == (kind == "packed")
                    and all(have >= need for have, need in zip(tile_counts(p, layer, tile), least, strict=True))),
                   key=lambda tile, layer=layer: (prod(tile_counts(p, layer, tile)), tile))
        layers.append(replace(layer, mapping=Mapping(tile, int(rng.integers(p.buffers.ahead + 1)))))
        shapes.append(layer.c_shape)
    given = rng.integers(-128, 128, shapes[0]).astype(np.int8)
    return requantised_at_random(Network(name, tuple(layers), tuple(shapes), (given, *[None] * len(layers))), p)


def networks(p) -> list[Network]:
    """Packed tiles along M and N and then windows in tiles along K; packed ones of stride 2; and groups."""
    return [
        chained(p, "victim", 1,
                (Window((12, 8), 5, (3, 3), (12, 8), pads=(1, 1), pad=3, groups=5), 5, (2, 2, 1), "packed"),
                (Window((12, 8), 5, (3, 2), (6, 4), (2, 2), pads=(1, 0)), 3, (1, 1, 2), "windows")),
        chained(p, "first", 2, (Window((9, 7), 3, (3, 3), (4, 3), (2, 2), pad=-7, groups=3), 3, (1, 1, 1), "packed")),
        chained(p, "second", 3, (Window((4, 6), 4, (2, 2), (3, 5), groups=4), 4, (1, 2, 1), "windows")),
    ]


def networks_of_maxima(p) -> list[Network]:
    """Maxima in pieces, over the rim, of stride 2, of one channel and of many, between products."""
    return [
        chained(p, "victim", 4,
                (Window((9, 6), 11, (3, 3), (9, 6), pads=(1, 1), groups=11), 11, (1, 2, 1), "maxima"),
                (Window((9, 6), 11, (2, 2), (4, 3), (2, 2), groups=11), 11, (1, 2, 1), "maxima"),
                (Window((4, 3), 11, (2, 2), (3, 2)), 5, (1, 1, 1), "windows")),
        chained(p, "first", 5,
                (Window((16, 8), 1, (3, 2), (8, 4), (2, 2), pads=(1, 0), groups=1), 1, (2, 1, 1), "maxima")),
        chained(p, "second", 6, (Window((7, 5), 2, (2, 2), (6, 4)), 3, (1, 1, 1), "windows"),
                (Window((6, 4), 3, (1, 4), (6, 1), groups=3), 3, (1, 1, 1), "maxima")),
    ]


@pytest.mark.parametrize("name", [pytest.param("windows", marks=pytest.mark.full), "maxima"])
@pytest.mark.parametrize(("pipeline", "strategy"), [
    ("decoupled", "mixed"),
    *(pytest.param(pipeline, strategy, marks=pytest.mark.full) for pipeline, strategy in (
        ("decoupled", "recompute"), ("decoupled", "persist"), ("decoupled", "park"), ("lockstep", "flexible"))),
])
def test_every_boundary(name, pipeline, strategy):
    p = random_platform(name, pipeline, *CONTROL)
    compiled = compile_tasks(p, (networks_of_maxima if name == "maxima" else networks)(p), strategy, 3)
    last = boundaries(compiled, 0)[-1]
    scenarios = [[(0, b, 1 + b % 2)] for b in boundaries(compiled, 0)]
    scenarios += [[(0, b, 2 - b % 2), (0, b + 1, 1 + b % 2)] for b in boundaries(compiled, 0)[:-1:2]]
    scenarios += [[(0, (7 * c) % last, 1), (1, c, 2)] for c in boundaries(compiled, 1)]
    print(f"{p.name}, {strategy}: {len(scenarios)} scenarios")
    forced = force(compiled, scenarios, 5)
    assert not forced.judged.problems, "\n".join(forced.judged.problems)
    assert forced.judged.error == 0 and not forced.misplaced(scenarios)
    seen = {e.arg for e in of_kind(forced.judged.result.events, Kind.PREEMPT)}
    assert strategy != "mixed" or seen == set(Strategy)
