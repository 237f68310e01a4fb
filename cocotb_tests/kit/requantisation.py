"""Random roundings, bounds and tables of layers, as far as a platform has them."""

from dataclasses import replace

import numpy as np

from derca_sim.model.network import Layer, Network
from derca_sim.model.platform import Platform
from derca_sim.model.rounding import Rounding


def requantised_at_random(network: Network, p: Platform) -> Network:
    """The network with other roundings, bounds and tables, the same for the same network."""
    rng = np.random.default_rng([7, len(network.layers), network.layers[0].multiplier])
    return replace(network, layers=tuple(_drawn(layer, p, rng) for layer in network.layers))


def _drawn(layer: Layer, p: Platform, rng: np.random.Generator) -> Layer:
    if p.requant.channels and rng.random() < 0.8:  # within a step of its own shift, so that outputs stay in range
        layer = replace(layer, multiplier=rng.integers(1 << 30, 1 << 31, layer.n),
                        shift=layer.shift + rng.integers(-1, 2, layer.n))
    if p.requant.tflite:
        count = layer.n if p.requant.channels else 1
        drawn = np.array([rng.choice([r for r in Rounding if r is not Rounding.TWICE or layer.scales[1][i] >= 32])
                          for i in range(count)])
        layer = replace(layer, rounding=drawn if p.requant.channels else Rounding(int(drawn[0])))
    if p.requant.clamp and rng.random() < 0.7:
        low, high = (int(b) for b in np.sort(rng.integers(-128, 128, 2)))
        layer = replace(layer, bounds=(low, high))
    if p.requant.tables and rng.random() < 0.5:  # all networks together have no more than there is room for
        function = np.random.default_rng(rng.integers(p.requant.tables))
        layer = replace(layer, table=function.integers(-128, 128, 256).astype(np.int8))
    return layer
