"""Random second matrices that are added to the outputs of layers, on platforms that have these."""

from dataclasses import replace

import numpy as np

from derca_sim.model.network import FACTOR_SHIFTS, Add, Layer, Network, Place
from derca_sim.model.placing import Part, c_part, column_step
from derca_sim.model.platform import Platform


def added_at_random(network: Network, p: Platform, share: float = 0.5) -> Network:
    """The network where a `share` of the layers add a matrix, if the platform can; the same for the same network.

    It is an input, also one that others read, or a part of what any earlier layer makes.
    """
    if not p.operators.add:
        return network
    rng = np.random.default_rng([11, len(network.layers), network.layers[0].shift if np.ndim(
        network.layers[0].shift) == 0 else int(network.layers[0].shift[0]), network.layers[0].m])
    layers, matrices, inputs = [], list(network.matrices), list(network.inputs)
    for layer in network.layers:
        if rng.random() < share:
            places = [*_made(layer, layers, p, rng), *_given(layer, matrices, inputs, p, rng)]
            if not places or rng.random() < 0.3:
                places = [Place(len(matrices))]
                matrices.append((layer.m, layer.n))
                inputs.append(rng.integers(-128, 128, (layer.m, layer.n)).astype(np.int8))
            layer = replace(layer, add=random_add(rng, places[int(rng.integers(len(places)))]))
        layers.append(layer)
    return replace(network, layers=tuple(layers), matrices=tuple(matrices), inputs=tuple(inputs))


def random_add(rng: np.random.Generator, d: Place) -> Add:
    """A sum with zero points, scales and bounds from all that is allowed, mostly such that sums stay in range."""
    extreme = rng.random() < 0.2
    shift = int(rng.choice(FACTOR_SHIFTS)) if extreme else int(rng.integers(0, 5))
    factor = 1 << 30 if shift == 0 else int(rng.choice([1 << 30, (1 << 31) - 1, rng.integers(1 << 30, 1 << 31)]))
    low, high = np.sort(rng.integers(-128, 128, 2)) if rng.random() < 0.3 else (-128, 127)
    return Add(
        d, tuple(int(z) for z in rng.choice([-128, 127, 0, int(rng.integers(-128, 128))], 2)), bool(rng.integers(2)),
        factor, shift, int(rng.choice([1, (1 << 31) - 1])) if extreme else int(rng.integers(1 << 30, 1 << 31)),
        int(rng.choice([32, 62])) if extreme and rng.random() < 0.5 else int(rng.integers(48, 52)),
        int(rng.integers(-128, 128)), (int(low), int(high)))


def _made(layer: Layer, before: list[Layer], p: Platform, rng: np.random.Generator) -> list[Place]:
    """Places of [m, n] in what earlier layers make, that no layer so far has yet to write."""
    out = []
    for other in before:
        part = c_part(other)
        if part.rows >= layer.m and part.columns >= layer.n:
            down = p.array.rows * int(rng.integers((part.rows - layer.m) // p.array.rows + 1))
            right = column_step(p) * int(rng.integers((part.columns - layer.n) // column_step(p) + 1))
            out.append(Place(part.place.matrix, part.place.row + down, part.place.column + right))
    return out


def _given(layer: Layer, matrices: list, inputs: list, p: Platform, rng: np.random.Generator) -> list[Place]:
    return [Place(i) for i, given in enumerate(inputs) if given is not None
            and Part("D", Place(i), layer.m, layer.n).common(Part("all", Place(i), *matrices[i])) == layer.m * layer.n]
