"""Images before a graph is lowered: pads become part of windows, and the host rearranges inputs where that pays.

A convolution takes the pads before it as pads of its own. The host may lay pixels of an input side by side, as further
channels: a window with strides then becomes one without, over fewer places. That is the way of strides that the
accelerator does not have, and of rows that panels would otherwise be cut at. Weights are zero where the kernel does not
reach.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np

from ...model.platform import MAX_KERNEL
from .. import operators as op
from ..graph import Graph, Node, Tensor
from ..passes.fold import needed
from ..passes.turn import turned
from .elements import MOVES
from .layers import is_product

#: Rows of the array for which the host's rearrangements are judged, and how much larger they may make an input.
_ROWS, _GROWTH = 8, 4
#: Largest stride of the accelerator.
MAX_STRIDE = 2


@dataclass(frozen=True)
class _Side:
    """A direction of a kernel over a rearranged image: pixels `step` apart, from each of `offsets` on, side by side."""

    offsets: tuple[int, ...]
    step: int
    kernel: int
    stride: int
    dilation: int
    kept: bool = False  # as it is, pads included


def arranged(graph: Graph) -> tuple[Graph, dict[str, str]]:
    """The graph with pads in windows and rearranged inputs, and for each convolution of these what the host does."""
    graph, told = turned(_padded(graph)), {}
    given = _given(graph)
    for node in graph.nodes:
        if isinstance(node.operator, op.Conv) and node.inputs[0] in given:
            sides = _best(graph, node)
            if sides is not None:
                graph = _rearranged(graph, node, sides)
                told[node.name] = "{} x {} pixels side by side".format(*(len(side.offsets) for side in sides))
    return needed(graph), told


def _padded(graph: Graph) -> Graph:
    """The graph whose convolutions take the image that was padded for them."""
    nodes = []
    for node in graph.nodes:
        while isinstance(node.operator, op.Conv) and (pad := graph.makers.get(node.inputs[0])) is not None and (
                _is_border(graph, pad)):
            window = node.operator.window
            around = (*pad.operator.before[1:3], *pad.operator.after[1:3])
            window = replace(window, pads=tuple(map(sum, zip(window.pads, around, strict=True))))
            node = replace(node, operator=replace(node.operator, window=window),
                           inputs=(pad.inputs[0], *node.inputs[1:]))
        nodes.append(node)
    return needed(replace(graph, nodes=tuple(nodes)))


def _is_border(graph: Graph, node: Node) -> bool:
    """Whether a node pads an image with its zero point, around its rows and columns alone."""
    if not isinstance(node.operator, op.Pad) or len(node.operator.before) != 4:
        return False
    x, y = graph.tensors[node.inputs[0]].quantisation, graph.tensors[node.outputs[0]].quantisation
    widths = (*node.operator.before[::3], *node.operator.after[::3])
    return not any(widths) and x is not None and y is not None and x.per_tensor and (
        y.per_tensor and (x.scale, x.zero_point) == (y.scale, y.zero_point))


def _given(graph: Graph) -> set[str]:
    """The tensors that the host makes of inputs without any layer."""
    given = set(graph.inputs) | {name for name, tensor in graph.tensors.items() if tensor.constant}
    for node in graph.nodes:
        if isinstance(node.operator, (op.Quantise, op.Dequantise, *MOVES)) and all(
                name is None or name in given for name in node.inputs):
            given.update(node.outputs)
    return given


def _best(graph: Graph, node: Node) -> tuple[_Side, _Side] | None:
    """How the host best lays the pixels of an input; None as they are.

    An image that does not grow too much counts first, then the fewest steps of the array, then the smallest image.
    """
    x, weights = (*graph.read(node),)[:2]
    y, = graph.made(node)
    if x.quantisation is None or not weights.constant or x.dtype != np.int8 or is_product(node.operator, weights):
        return None
    window, found = node.operator.window, []
    for sides in product(*(list(_ways(*way)) for way in
                           zip(weights.shape[1:3], window.strides, window.dilations, strict=True))):
        if any(side.stride > MAX_STRIDE or side.kernel > MAX_KERNEL for side in sides):
            continue
        shape, depth = _shape(x, y, sides), prod(len(side.offsets) for side in sides) * x.shape[3]
        width, out = shape[1], y.shape[2]
        even = shape == y.shape[1:3] and sides[0].kernel == sides[1].kernel == 1 or out % _ROWS == 0 or (
            sides[0].stride * width == sides[1].stride * out)
        pieces = 1 if even else min(y.shape[1], (_ROWS - 2) // out + 2)
        steps, size = pieces * prod(side.kernel for side in sides) * depth, prod(shape) * depth
        kept = all(side.kept for side in sides)
        found.append((not kept and size > _GROWTH * x.elements, steps, not kept, size, len(found), sides))
    *_, changed, _, _, sides = min(found, default=(False, None, None, None))
    return sides if changed else None


def _ways(kernel: int, stride: int, dilation: int) -> Iterator[_Side]:
    """The ways to lay pixels side by side in one direction: none, as many as a stride, all under the kernel."""
    yield _Side((0,), 1, kernel, stride, dilation, True)
    reach = (kernel - 1) * dilation + 1
    if stride > 1:
        yield _Side(tuple(range(stride)), stride, -(-reach // stride), 1, 1)
    yield _Side(tuple(range(0, reach, dilation)), stride, 1, 1, 1)


def _shape(x: Tensor, y: Tensor, sides: tuple[_Side, _Side]) -> tuple[int, int]:
    """Rows and columns of the rearranged image."""
    return tuple(have if side.kept else out + side.kernel - 1
                 for have, out, side in zip(x.shape[1:3], y.shape[1:3], sides, strict=True))


def _rearranged(graph: Graph, node: Node, sides: tuple[_Side, _Side]) -> Graph:
    """The graph whose host pads, cuts and joins the image before a convolution."""
    x, weights = (*graph.read(node),)[:2]
    y, = graph.made(node)
    shape, window = _shape(x, y, sides), node.operator.window
    tensors, nodes, made = dict(graph.tensors), [], []

    def add(what: str, operator: op.Operator, read: tuple[str, ...], of: tuple[int, ...]) -> str:
        name = f"{node.name}:{what}"
        tensors[name] = replace(x, name=name, shape=of)
        nodes.append(Node(name, operator, read, (name,)))
        return name

    before = tuple(0 if side.kept else pad for side, pad in zip(sides, window.pads, strict=False))
    ends = [have if side.kept else (rows - 1) * side.step + side.offsets[-1] + 1
            for have, rows, side in zip(x.shape[1:3], shape, sides, strict=True)]
    after = tuple(max(0, end - pad - have) for end, pad, have in zip(ends, before, x.shape[1:3], strict=True))
    whole = tuple(have + top + below for have, top, below in zip(x.shape[1:3], before, after, strict=True))
    image = x.name
    if any((*before, *after)):
        image = add("padded", op.Pad((0, *before, 0), (0, *after, 0)), (x.name,), (x.shape[0], *whole, x.shape[3]))
    each = x.shape[3] // node.operator.groups
    for channel, down, right in product(range(0, x.shape[3], each), sides[0].offsets, sides[1].offsets):
        last = [offset + (rows - 1) * side.step + 1 for offset, rows, side in
                zip((down, right), shape, sides, strict=True)]
        cut = op.Slice((0, down, right, channel), (x.shape[0], *last, channel + each),
                       (1, *(side.step for side in sides), 1))
        made.append(add(f"from {down}, {right}, {channel}", cut, (image,), (x.shape[0], *shape, each)))
    joined = add("side by side", op.Concat(3), tuple(made), (x.shape[0], *shape, each * len(made)))
    taken = _weights(weights, sides, window.dilations)
    tensors[taken.name] = taken
    pads = [(top, below) if side.kept else (0, 0)
            for side, top, below in zip(sides, window.pads[:2], window.pads[2:], strict=True)]
    placed = op.Window(*(tuple(getattr(side, name) for side in sides) for name in ("stride", "dilation")),
                       tuple(pad[0] for pad in pads) + tuple(pad[1] for pad in pads))
    conv = replace(node, operator=replace(node.operator, window=placed),
                   inputs=(joined, taken.name, *node.inputs[2:]))
    return replace(graph, tensors=tensors, nodes=(*(conv if n is node else n for n in graph.nodes), *nodes))


def _weights(weights: Tensor, sides: tuple[_Side, _Side], dilations: tuple[int, int]) -> Tensor:
    """The weights [m, kh', kw', pixels side by side x channels] of a rearranged image."""
    m, *kernel, channels = weights.shape
    out = np.zeros((m, sides[0].kernel, sides[1].kernel, len(sides[0].offsets), len(sides[1].offsets), channels),
                   weights.dtype)
    for at in np.ndindex(*out.shape[1:5]):
        taps = []
        for side, tap, offset, size, dilation in zip(sides, at[:2], at[2:], kernel, dilations, strict=True):
            place = tap * dilation if side.kept else tap * side.step + side.offsets[offset]
            taps.append(place // dilation if place % dilation == 0 and place // dilation < size else None)
        if None not in taps:
            out[:, *at] = weights.data[:, *taps]
    shape = (*out.shape[:3], prod(out.shape[3:]))
    return replace(weights, name=f"{weights.name}:side by side", shape=shape, data=out.reshape(shape))
