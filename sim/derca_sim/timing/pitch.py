"""Rows of images further apart in memory than they are wide, where that gives windows tiles or saves cycles.

Tiles of windows are whole rows of outputs, and whole panels. Rows of an odd number of pixels come together to panels
only after many of them, which may be too many for a slot or a bank; and panels that go over several rows are computed
in pieces. So outputs get some columns that nobody reads, which are computed like the others, and images under windows
have rows further apart. How many layers of an image have no tile then decides, and what the others cost, by the
compiler's estimate.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import product
from math import prod

import numpy as np

from ..compile.layout import ceil_div
from ..compile.mapping import estimate, tiles
from ..compile.patches import pieces_of
from ..model.network import Layer, Network, Place
from ..model.platform import Platform
from ..networks.lowering import elements

#: Pixels from row to row of some images, and the height and width of each, by the number of its matrix.
_Rows, _Sizes = dict[int, int], dict[int, tuple[int, int]]


#: Share of the cycles of the layers around an image that other rows must save.
_SAVED = 0.02


def pitched(p: Platform, network: Network) -> Network:
    """The network with rows further apart in those of its images where it pays."""
    windows = [layer for layer in network.layers if layer.window is not None]
    cost = _Cost(p)
    if all(pieces_of(layer.window, p.array.rows) == 1 and cost.of(layer) < math.inf for layer in windows):
        return network
    sizes, tied = _images(network)
    rows = {matrix: width for matrix, (_, width) in sizes.items()}
    for layer in windows:
        matrices = {min(tied[m]): m for m in (layer.a.matrix, layer.c.matrix) if m in sizes}.values()
        around = [x for x in network.layers if any(
            m in tied[at] for at in matrices for m in (x.a.matrix, x.c.matrix))]

        def total(way: _Rows, around=around) -> tuple[int, float]:
            costs = [cost.of(_with(x, sizes, way)) for x in around]
            return costs.count(math.inf), sum(each for each in costs if each < math.inf)

        best, least = rows, total(rows)
        for way in _ways(p, sizes, [tied[m] for m in matrices], rows):
            if (now := total(way)) < (least[0], least[1] * (1 - _SAVED)):
                best, least = way, now
        rows = best
    return _changed(network, sizes, {m: row for m, row in rows.items() if row != sizes[m][1]})


class _Cost:
    """The estimated cycles of layers with their best tiles: infinite where a window has none."""

    def __init__(self, p: Platform):
        self._p = p
        self._known: dict[tuple, float] = {}

    def of(self, layer: Layer) -> float:
        """Of one layer."""
        key = layer.m, layer.k, layer.n, layer.window, layer.maximum, layer.transposed, layer.mapping
        if key not in self._known:
            found = tiles(self._p, layer) if layer.mapping is None else (layer.mapping.tile,)
            costs = [estimate(self._p, layer, tile).cycles for tile in found]
            self._known[key] = min(costs, default=math.inf if layer.window is not None else 0)
        return self._known[key]


def _images(network: Network) -> tuple[_Sizes, dict[int, set[int]]]:
    """The matrices that are one image each for all layers, and for each those whose rows are as far apart.

    Windows tell the size of an image. Other layers take the pixels of one image to those of another.
    """
    sizes: dict[int, set] = {i: set() for i in range(len(network.matrices))}
    tied = {i: {i} for i in sizes}
    fixed = {at.matrix for layer in network.layers if layer.mapping is not None for at in (layer.a, layer.c)}
    for layer in network.layers:
        others = [getattr(layer, field.name) for field in fields(layer) if field.name not in ("a", "c")]
        fixed |= {place.matrix for place in others if isinstance(place, Place)}
        ends = ((layer.a, layer.m if layer.window is None else layer.window.pixels), (layer.c, layer.m))
        fixed |= {at.matrix for at, rows in ends
                  if at.row or rows != network.matrices[at.matrix][0] or layer.transposed}
        if layer.window is None:
            both = tied[layer.a.matrix] | tied[layer.c.matrix]
            tied |= dict.fromkeys(both, both)
        else:
            w = layer.window
            sizes[layer.a.matrix].add((w.shape[0], w.row))
            sizes[layer.c.matrix].add(w.out)
    if network.model is None:  # a reader of its outputs expects no further columns
        fixed |= {layer.c.matrix for layer in network.layers} - {layer.a.matrix for layer in network.layers}
    known = {i: set().union(*(sizes[member] for member in tied[i])) for i in sizes}
    found = {i: next(iter(size)) for i, size in known.items() if len(size) == 1 and not tied[i] & fixed}
    return found, {i: tied[i] for i in found}


def _ways(p: Platform, sizes: _Sizes, groups: Sequence[set[int]], rows: _Rows) -> Iterator[_Rows]:
    """Other distances of rows in some groups of images, each the same in all images of a group."""
    steps = (1, max(1, p.array.rows // 2), p.array.rows, p.turn)
    wider = [sorted({ceil_div(sizes[min(group)][1], step) * step for step in steps}) for group in groups]
    for way in product(*wider):
        yield rows | {matrix: row for group, row in zip(groups, way, strict=True) for matrix in group}


def _with(layer: Layer, sizes: _Sizes, rows: _Rows) -> Layer:
    """A layer between images whose rows are so far apart."""
    a, c, w = layer.a.matrix, layer.c.matrix, layer.window
    if w is None:
        return replace(layer, m=sizes[c][0] * rows[c]) if c in rows else layer
    w = replace(w, pitch=rows[a]) if a in rows else w
    w = replace(w, out=(w.out[0], rows[c])) if c in rows else w
    return replace(layer, window=w, m=prod(w.out))


def _changed(network: Network, sizes: _Sizes, rows: _Rows) -> Network:
    """The network with rows of some images further apart."""
    def moved(matrix: int, values: np.ndarray | None) -> np.ndarray | None:
        """The pixels of an image in their new places; the first of them in all others."""
        if values is None or matrix not in rows:
            return values
        (height, width), row = sizes[matrix], rows[matrix]
        out = np.broadcast_to(values[0], (height, row, values.shape[1])).copy()
        out[:, :width] = values.reshape(height, width, -1)
        return out.reshape(height * row, -1)

    return replace(
        network, **_placed(network, sizes, rows),
        inputs=tuple(moved(i, values) for i, values in enumerate(network.inputs)),
        model=None if network.model is None else _model(network, sizes, rows, moved))


def _placed(whole, sizes: _Sizes, rows: _Rows) -> dict[str, tuple]:
    """The changed `layers` and `matrices` of what has both, of one sample or of a batch."""
    return {
        "layers": tuple(_with(layer, sizes, rows) for layer in whole.layers),
        "matrices": tuple((sizes[i][0] * rows[i], shape[1]) if i in rows else shape
                          for i, shape in enumerate(whole.matrices)),
    }


def _model(network: Network, sizes: _Sizes, rows: _Rows, moved):
    """The model of a network, which fills and reads the changed matrices; its samples are alike."""
    batch, one = network.model, network.model.lowered
    return replace(batch, lowered=replace(
        one, **_placed(one, sizes, rows),
        given=tuple(moved(i, numbers) for i, numbers in enumerate(one.given)),
        read={name: _read(numbers, one.layers, sizes, rows) for name, numbers in one.read.items()}))


def _read(numbers: np.ndarray, layers: Sequence[Layer], sizes: _Sizes, rows: _Rows) -> np.ndarray:
    """Element numbers of layers' outputs, whose rows are now further apart."""
    out, of = numbers.copy(), elements.sources(numbers)
    for source in np.unique(of).tolist():
        matrix = layers[source].c.matrix
        if matrix in rows:
            own, width = of == source, sizes[matrix][1]
            row = elements.rows(numbers[own])
            out[own] += elements.down(row // width * (rows[matrix] - width))
    return out
