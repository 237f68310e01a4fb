"""Parts of matrices: which of them layers read and write, and what a platform cannot place."""

from collections.abc import Iterator
from dataclasses import dataclass

from .images import unfit
from .needs import Need
from .network import Layer, Network, Place
from .platform import Platform


@dataclass(frozen=True)
class Part:
    """A part of a matrix of a network: `name` says whose it is, in words."""

    name: str
    place: Place
    rows: int
    columns: int

    def common(self, other: "Part") -> int:
        """Number of elements that two parts share."""
        a, b = self.place, other.place
        if a.matrix != b.matrix:
            return 0
        rows = min(a.row + self.rows, b.row + other.rows) - max(a.row, b.row)
        columns = min(a.column + self.columns, b.column + other.columns) - max(a.column, b.column)
        return max(rows, 0) * max(columns, 0)


def a_part(layer: Layer) -> Part:
    """What a layer reads as A, or the image whose windows are A."""
    w = layer.window
    return Part("A", layer.a, layer.m, layer.k) if w is None else Part("image", layer.a, w.pixels, w.channels)


def b_part(layer: Layer) -> Part | None:
    """What a layer reads as the transpose of B; None if B are weights."""
    return None if layer.b is None else Part("B", layer.b, layer.n, layer.k)


def c_part(layer: Layer) -> Part:
    """What a layer writes."""
    return Part("C", layer.c, *layer.c_shape)


def d_part(layer: Layer) -> Part | None:
    """What a layer adds to its outputs; None if nothing."""
    return None if layer.add is None else Part("D", layer.add.d, layer.m, layer.n)


def misplaced(network: Network, p: Platform) -> list[str]:
    """What the platform cannot place, a line for each part of a matrix and each option that is missing.

    Parts begin at whole panels and whole beats, lie in their matrices, and are written once, before they are read.
    """
    out = [need.text for need in lacking(network, p)] + _shapes(network, p)
    written: dict[int, list[tuple[int, Part]]] = {}
    for i, layer in enumerate(network.layers):
        own = c_part(layer)
        for part in filter(None, (a_part(layer), b_part(layer), d_part(layer), own)):
            at = part.place
            where = f"layer {i}: {part.name} at row {at.row}, column {at.column} of matrix {at.matrix}"
            problems = list(_bounds(network, part)) or list(_alignment(part, p))
            if not problems and part is own:
                problems = list(_writable(network, own, written))
            elif not problems and network.inputs[at.matrix] is None:
                problems = list(_readable(part, written))
            out += [f"{where}: {text}" for text in problems]
        written.setdefault(layer.c.matrix, []).append((i, own))
    return out


def lacking(network: Network, p: Platform) -> list[Need]:
    """The operators that the platform lacks, each with the first layer that needs it."""
    out = []
    for option, has, does in (
            ("add", lambda layer: layer.add is not None, "adds a matrix to its outputs"),
            ("matmul", lambda layer: layer.b is not None, "multiplies two computed matrices"),
            ("transpose", lambda layer: layer.transposed, "stores its transpose"),
            ("convolution", lambda layer: layer.window is not None, "has a window"),
            ("maximum", lambda layer: layer.maximum, "has maxima")):
        first = next((i for i, layer in enumerate(network.layers) if has(layer)), None)
        if first is not None and not getattr(p.operators, option):
            key = f"operators.{option}"
            out.append(Need(key, True, f"layer {first} {does}: it needs {key} = true in {p.where}"))
    return out


def _shapes(network: Network, p: Platform) -> list[str]:
    """Windows and maxima that no platform computes, or this one does not with its array."""
    out = []
    for i, layer in enumerate(network.layers):
        if layer.window is not None and p.operators.convolution:
            out += [f"layer {i}: {text}" for text in (*unfit(layer), *_uneven(layer, p))]
        if layer.maximum and layer.window is None:
            out.append(f"layer {i} has maxima without a window: allowed are maxima under the places of a kernel")
    return out


def _uneven(layer: Layer, p: Platform) -> Iterator[str]:
    groups = layer.window.groups
    if groups > 1 and p.array.cols % max(1, layer.n // groups):
        yield (f"{groups} groups of {layer.n // groups} outputs: allowed are groups whose outputs divide array.cols = "
               f"{p.array.cols}")


def _bounds(network: Network, part: Part) -> Iterator[str]:
    place = part.place
    if not 0 <= place.matrix < len(network.matrices):
        yield f"allowed are the network's matrices 0 .. {len(network.matrices) - 1}"
        return
    rows, columns = network.matrices[place.matrix]
    if min(place.row, place.column) < 0 or place.row + part.rows > rows or place.column + part.columns > columns:
        yield f"its {part.rows} x {part.columns} elements do not lie in the matrix of {rows} x {columns}"


def _alignment(part: Part, p: Platform) -> Iterator[str]:
    place, step = part.place, column_step(p)
    if place.row % p.array.rows:
        yield f"allowed are rows that are multiples of array.rows = {p.array.rows}"
    if place.column % step:
        yield (f"allowed are columns that are multiples of {step}, so that a part begins with a beat of "
               f"{p.beat_bytes} bytes (bus.data_width)")


def column_step(p: Platform) -> int:
    """Columns of a panel of A that fill a beat, at least 1: parts of matrices begin at their multiples."""
    return p.steps_per_beat(p.a_lanes)


def vectors(network: Network, p: Platform) -> set[int]:
    """The matrices of one row that are stored without padding, with `operators.vectors`.

    Layers read them as A and write them as they are, in parts that begin with whole beats. None adds them as D.
    """
    if not p.operators.vectors:
        return set()
    step = p.beat_bytes // p.array.element_bytes
    out = {i for i, (rows, _) in enumerate(network.matrices) if rows == 1}
    for layer in network.layers:
        out -= {place.matrix for place in (layer.a, layer.c) if place.column % step}
        out -= {layer.c.matrix} if layer.transposed else set()
        out -= {layer.a.matrix} if layer.window is not None else set()
        out -= {place.matrix for place in (layer.b, layer.add and layer.add.d) if place is not None}
    return out


def _readable(part: Part, written: dict[int, list[tuple[int, Part]]]) -> Iterator[str]:
    missing = part.rows * part.columns - sum(part.common(other) for _, other in written.get(part.place.matrix, ()))
    if missing:
        yield f"{missing} of its elements are not written before: allowed are inputs, and what earlier layers write"


def _writable(network: Network, own: Part, written: dict[int, list[tuple[int, Part]]]) -> Iterator[str]:
    if network.inputs[own.place.matrix] is not None:
        yield "the matrix is an input: allowed are others"
    for i, other in written.get(own.place.matrix, ()):
        if own.common(other):
            yield f"layer {i} writes elements of it as well: allowed is one layer"
            return
