"""Random roundings and bounds of layers, as far as a platform has them."""

from dataclasses import replace

import numpy as np

from derca_sim.model.network import Layer, Network
from derca_sim.model.platform import Platform
from derca_sim.model.rounding import Rounding


def requantised_at_random(network: Network, p: Platform) -> Network:
    """The network with other roundings and bounds, the same for the same network."""
    rng = np.random.default_rng([7, len(network.layers), network.layers[0].multiplier])
    return replace(network, layers=tuple(_drawn(layer, p, rng) for layer in network.layers))


def _drawn(layer: Layer, p: Platform, rng: np.random.Generator) -> Layer:
    if p.requant.tflite:
        allowed = [r for r in Rounding if r is not Rounding.TWICE or layer.shift >= 32]
        layer = replace(layer, rounding=allowed[int(rng.integers(len(allowed)))])
    if p.requant.clamp and rng.random() < 0.7:
        low, high = (int(b) for b in np.sort(rng.integers(-128, 128, 2)))
        layer = replace(layer, bounds=(low, high))
    return layer
