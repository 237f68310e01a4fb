"""Rows of images further apart in memory, where no tile holds the windows over them as they are.

Tiles of windows are whole rows of outputs, and whole panels. Rows of an odd number of pixels come together to panels
only after many of them: too many for a slot or a bank. So outputs get some columns that nobody reads, which are
computed like the others, and images under windows have rows further apart than they are wide.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import product
from math import prod

import numpy as np

from ..compile.patches import window_tiles
from ..model.network import Layer, Network, Place
from ..model.platform import Platform
from ..networks.lowering import elements

#: Pixels from row to row of some images, and the height and width of each, by the number of its matrix.
_Rows, _Sizes = dict[int, int], dict[int, tuple[int, int]]


def pitched(p: Platform, network: Network) -> Network:
    """The network with images that have tiles, if it has some without and there is a way."""
    if not any(_lacks_tiles(p, layer) for layer in network.layers):
        return network
    sizes, tied = _images(network)
    rows = {matrix: width for matrix, (_, width) in sizes.items()}
    for _ in range(len(rows) + 1):
        lacking = [x for x in network.layers if _lacks_tiles(p, _with(x, sizes, rows))]
        if not lacking:
            return _changed(network, sizes, {m: row for m, row in rows.items() if row != sizes[m][1]})
        better = next((way for way in _ways(p, lacking[0], sizes, rows)
                       if not _lacks_tiles(p, _with(lacking[0], sizes, way))), None)
        if better is None:
            break
        rows = {matrix: max(better[member] for member in tied[matrix]) for matrix in rows}
    return network


def _lacks_tiles(p: Platform, layer: Layer) -> bool:
    """Whether a layer has a window that no tile holds."""
    return layer.window is not None and layer.mapping is None and next(window_tiles(p, layer), None) is None


def _images(network: Network) -> tuple[_Sizes, dict[int, set[int]]]:
    """The matrices that are one image each for all layers, and for each those whose rows are as far apart.

    Windows tell the size of an image. Other layers take the pixels of one image to those of another.
    """
    sizes: dict[int, set] = {i: set() for i in range(len(network.matrices))}
    tied = {i: {i} for i in sizes}
    fixed = set()
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
    if network.model is None:  # whoever reads its outputs knows nothing of further columns
        fixed |= {layer.c.matrix for layer in network.layers} - {layer.a.matrix for layer in network.layers}
    known = {i: set().union(*(sizes[member] for member in tied[i])) for i in sizes}
    found = {i: next(iter(size)) for i, size in known.items() if len(size) == 1 and not tied[i] & fixed}
    return found, {i: tied[i] for i in found}


def _ways(p: Platform, layer: Layer, sizes: _Sizes, rows: _Rows) -> Iterator[_Rows]:
    """Rows further apart on both sides of a layer, the ones with the fewest pixels first."""
    matrices = [matrix for matrix in dict.fromkeys((layer.a.matrix, layer.c.matrix)) if matrix in sizes]
    wider = [sorted({-(-rows[matrix] // step) * step for step in (1, p.array.rows // 2 or 1, p.array.rows, p.turn)})
             for matrix in matrices]
    heights = [sizes[matrix][0] for matrix in matrices]
    for way in sorted(product(*wider), key=lambda way: np.dot(heights, way)):
        yield rows | dict(zip(matrices, way, strict=True))


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

    shapes = tuple((sizes[i][0] * rows[i], shape[1]) if i in rows else shape
                   for i, shape in enumerate(network.matrices))
    return replace(
        network, layers=tuple(_with(layer, sizes, rows) for layer in network.layers), matrices=shapes,
        inputs=tuple(moved(i, values) for i, values in enumerate(network.inputs)),
        model=None if network.model is None else _model(network, sizes, rows, moved))


def _model(network: Network, sizes: _Sizes, rows: _Rows, moved):
    """The model of a network, which fills and reads the changed matrices; its samples are alike."""
    batch = network.model
    one, shapes = batch.lowered, batch.lowered.matrices
    return replace(batch, lowered=replace(
        one, layers=tuple(_with(layer, sizes, rows) for layer in one.layers),
        matrices=tuple((sizes[i][0] * rows[i], shape[1]) if i in rows else shape for i, shape in enumerate(shapes)),
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
