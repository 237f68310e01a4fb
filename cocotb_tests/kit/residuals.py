"""Random second matrices that are added to the outputs of layers, on platforms that have these."""

from dataclasses import dataclass, field, replace

import numpy as np

from derca_sim.model.network import FACTOR_SHIFTS, Add, Layer, Network, Place, random_network
from derca_sim.model.placing import c_part, column_step
from derca_sim.model.platform import Platform


def added_at_random(network: Network, p: Platform, share: float = 0.5, makers: int = 2) -> Network:
    """The network where a `share` of the layers add a matrix, if the platform can; the same for the same network.

    It is an input, also one that others read, a part of what an earlier layer makes, or of what one makes that is put
    somewhere before; there are at most so many `makers`.
    """
    if not p.operators.add:
        return network
    first = network.layers[0]
    rng = np.random.default_rng([11, len(network.layers), first.m, int(np.ravel(first.multiplier)[0])])
    draft = _Draft(list(network.matrices), list(network.inputs))
    for layer in network.layers:
        if rng.random() < share:
            places = draft.made(layer, p, rng)
            kind = rng.integers(4)
            if kind == 0 or (not places and draft.makers == makers):
                places = draft.given(layer) if rng.random() < 0.5 else []
                places = places or [draft.new((layer.m, layer.n), rng)]
            elif not places or kind == 1 and draft.makers < makers:
                places = [draft.maker(layer, p, rng)]
            layer = replace(layer, add=random_add(rng, places[int(rng.integers(len(places)))]))
        draft.layers.append(layer)
    return replace(network, layers=tuple(draft.layers), matrices=tuple(draft.matrices), inputs=tuple(draft.inputs))


def halves(rng: np.random.Generator, d: Place) -> Add:
    """A sum of small parts, in which every rounding of halves shows if the other operand is at its zero point."""
    return Add(d, (int(rng.integers(-9, 9)), int(rng.integers(-9, 9))), bool(rng.integers(2)),
               int(rng.integers(1, 64)) << int(rng.integers(9, 11)), int(rng.integers(0, 3)), (1 << 31) - 1,
               int(rng.integers(32, 35)), 0, (-128, 127))


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


@dataclass
class _Draft:
    """A network so far."""

    matrices: list[tuple[int, int]]
    inputs: list[np.ndarray | None]
    layers: list[Layer] = field(default_factory=list)
    makers: int = 0

    def new(self, shape: tuple[int, int], rng: np.random.Generator | None) -> Place:
        """A new matrix, given if a generator is."""
        self.matrices.append(shape)
        self.inputs.append(None if rng is None else rng.integers(-128, 128, shape).astype(np.int8))
        return Place(len(self.matrices) - 1)

    def maker(self, layer: Layer, p: Platform, rng: np.random.Generator) -> Place:
        """The place of [m, n] in the output of a new layer, just before `layer` or earlier."""
        rows, down = layer.m + p.array.rows * int(rng.integers(2)), 0
        if rows > layer.m:
            down = p.array.rows * int(rng.integers(2))
        k = int(rng.integers(1, 2 * p.tile.k))
        made, = random_network("maker", [(rows, k, layer.n, False)], int(rng.integers(1 << 30))).layers
        made = replace(made, a=self.new((rows, k), rng), c=self.new((rows, layer.n), None))
        at = len(self.layers) if rng.random() < 0.6 else int(rng.integers(len(self.layers) + 1))
        self.layers.insert(at, made)
        self.makers += 1
        return replace(made.c, row=down)

    def made(self, layer: Layer, p: Platform, rng: np.random.Generator) -> list[Place]:
        """Places of [m, n] in what earlier layers make."""
        out = []
        for part in map(c_part, self.layers):
            if part.rows >= layer.m and part.columns >= layer.n:
                down = p.array.rows * int(rng.integers((part.rows - layer.m) // p.array.rows + 1))
                right = column_step(p) * int(rng.integers((part.columns - layer.n) // column_step(p) + 1))
                out.append(Place(part.place.matrix, part.place.row + down, part.place.column + right))
        return out

    def given(self, layer: Layer) -> list[Place]:
        """The inputs that hold [m, n]."""
        return [Place(i) for i, given in enumerate(self.inputs)
                if given is not None and given.shape[0] >= layer.m and given.shape[1] >= layer.n]
