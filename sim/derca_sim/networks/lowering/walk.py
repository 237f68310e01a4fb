"""A graph as layers between matrices: which nodes the host computes before and after, and why the rest cannot run."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property

import numpy as np

from ...model.network import Layer, Place
from .. import operators as op
from ..graph import Graph, Node
from ..passes.fold import needed
from . import elements
from .arrangement import Arrangement, TakenError, Wanted
from .convolutions import over_image
from .functions import is_function, table_of
from .images import arranged
from .layers import UnmappedError
from .products import joined, products
from .sums import sum_of

#: Number of the first source that is a tensor of the host; sources below are outputs of layers.
_TENSORS = 1 << 20
#: Operators that become layers.
PRODUCTS = (op.FullyConnected, op.Conv, op.MatMul, op.Mean, op.AveragePool, op.MaxPool)
#: Operators that the host computes before the first layers and after the last, beside those that move elements.
HOST = (op.Quantise, op.Dequantise, op.Softmax, op.Pad)


class Where(Enum):
    """The place of an operator."""

    HOST = "host"
    ACCELERATOR = "accelerator"
    TABLE = "table of its layer"
    BEHIND = "behind its layer"
    VIEW = "in place"
    UNUSED = "not needed"
    NOWHERE = "not mapped"


class _Value(Enum):
    """What is known of a tensor that layers do not make."""

    BEFORE = auto()  #: the host has it before the first layer
    AFTER = auto()  #: the host has it after the last
    UNKNOWN = auto()  #: nobody makes it, for a reason that is told


@dataclass(frozen=True, eq=False)
class Lowered:
    """The layers of a graph for one sample, and what the host does around them.

    `given[i]` are the element numbers of matrix i, whose sources number `hosts`, tensors that nodes `before` make;
    layers write the other matrices. `read` are the element numbers of the tensors that the host reads, whose sources
    are the layers; nodes `after` make the outputs from them. `graph` has all nodes and tensors.
    """

    graph: Graph
    layers: tuple[Layer, ...]
    matrices: tuple[tuple[int, int], ...]
    given: tuple[np.ndarray | None, ...]
    hosts: tuple[str, ...]
    read: dict[str, np.ndarray]
    before: tuple[Node, ...]
    after: tuple[Node, ...]


class Walk:
    """Goes through a graph once.

    Attributes
    ----------
    places : for each node its place, and the reason if it has none.
    again : for each node the layers that compute a part of its result once more, to leave it otherwise.
    rearranged : for each convolution whose image the host lays otherwise, how.
    problems : of the graph as a whole.
    """

    def __init__(self, graph: Graph):
        self.places: dict[str, tuple[Where, str]] = {node.name: (Where.UNUSED, "") for node in graph.nodes}
        pads = [node.name for node in needed(graph).nodes if isinstance(node.operator, op.Pad)]
        self.places |= dict.fromkeys(pads, (Where.VIEW, ""))
        graph, self.rearranged = arranged(graph)
        self._graph = graph
        self._values: dict[str, np.ndarray | _Value] = {name: _Value.BEFORE for name, tensor in graph.tensors.items()
                                                        if tensor.constant or name in graph.inputs}
        self._hosts: dict[str, np.ndarray] = {}  # numbers of the host's tensors that layers read, in order
        self._given: dict[tuple, np.ndarray] = {}  # matrices that the host fills
        self._shapes: dict[int, tuple[int, int]] = {}  # of the layers' outputs
        self._arrangement = Arrangement(self._shapes)
        #: Layers with their operands A, B and D; a number is that of a matrix that is given.
        self._steps: list[tuple[Layer, Wanted | int, Wanted | int | None, Wanted | int | None]] = []
        self._makers: list[str] = []  # the node of each step
        self._copies: dict[int, int] = {}  # of sources, the last
        self.again: dict[str, list[Layer]] = {}
        self._before: list[Node] = []
        self._after: list[Node] = []
        self._live = live = needed(graph)
        self._outputs = {node.name: node.outputs[0] for node in live.nodes}
        self._inner = _inner(live)
        for node in live.nodes:
            self._visit(node)
        self.problems = list(self._problems())

    # -- nodes ------------------------------------------------------------------------------------------------------

    def _visit(self, node: Node) -> None:
        try:
            where, results = self._mapped(node)
            self.places[node.name] = where, ""
        except UnmappedError as e:
            self.places[node.name] = Where.NOWHERE, str(e)
            results = dict.fromkeys(node.outputs, _Value.UNKNOWN)
        self._values |= results

    def _mapped(self, node: Node) -> tuple[Where, dict[str, np.ndarray | _Value]]:
        """Where a node runs, and what is known of its outputs."""
        kind = type(node.operator)
        values = [self._values[tensor.name] for tensor in self._graph.read(node) if tensor and not tensor.constant]
        known = {value for value in values if isinstance(value, _Value)}

        def made(value):
            return dict.fromkeys(node.outputs, value)

        if kind is op.Unknown:
            raise UnmappedError(node.operator.reason)
        if kind in PRODUCTS:
            return Where.ACCELERATOR, self._product(node)
        if values and _Value.BEFORE not in known and _Value.AFTER not in known and is_function(self._graph, node) and (
                kind not in HOST or node.name in self._inner):
            return Where.TABLE, made(_Value.UNKNOWN if known else self._function(node))
        if kind is op.Add and any(value is not _Value.BEFORE for value in values):
            if _Value.AFTER in known:
                raise UnmappedError("the host makes an operand of it after the last layer: allowed are sums of what "
                                    "layers make")
            return Where.BEHIND, made(_Value.UNKNOWN if _Value.UNKNOWN in known else self._sum(node))
        if kind not in HOST and kind not in elements.MOVES:
            raise UnmappedError("the accelerator has no kernel for it yet")
        if all(value is _Value.BEFORE for value in values):
            self._before.append(node)
            return Where.HOST, made(_Value.BEFORE)
        if node.name in self._inner and not elements.moves(node):
            raise UnmappedError(
                "it pads what a layer makes: allowed are pads of rows and columns, for convolutions alone"
                if kind is op.Pad else
                "it stands between layers: allowed are quantisation, dequantisation and softmax before the first and "
                "after the last" if kind in HOST else
                "it clamps what it moves between layers: allowed is none; clamp in the layers before")
        if _Value.UNKNOWN in known:
            return Where.VIEW if node.name in self._inner else Where.HOST, made(_Value.UNKNOWN)
        if node.name not in self._inner:
            if _Value.BEFORE in known:
                raise UnmappedError("it joins an input with what layers make: allowed is one of them on the host")
            self._after.append(node)
            return Where.HOST, made(_Value.AFTER)
        numbers = {name: self._numbers(name) for name in node.inputs if name is not None}
        return Where.VIEW, elements.moved(self._graph, node, numbers)

    def _product(self, node: Node) -> dict[str, np.ndarray | _Value]:
        found = products(self._graph, node)
        read = (*node.inputs, None)[:2]
        if any(self._values[name] is _Value.UNKNOWN for name in read if name is not None):
            return {node.outputs[0]: _Value.UNKNOWN}
        y, = self._graph.made(node)
        made = []
        for each in found:
            layer, a = self._first(each.layer, each.a(self._numbers(read[0])))
            b = None if each.b is None else self._operand(each.b(self._numbers(read[1])))
            source = self._step(node.name, layer, a, b, None)
            made.append(elements.matrix(source, layer.m, layer.n))
        return {y.name: joined(self._graph, node, made)}

    def _first(self, layer: Layer, numbers: np.ndarray) -> tuple[Layer, Wanted | int]:
        """A layer with its operand A: an image where that is no matrix as layers make it."""
        try:
            return layer, self._operand(numbers)
        except TakenError:
            raise
        except UnmappedError:
            makers = [self._makers[i] for i in np.unique(elements.sources(numbers)).tolist() if i < len(self._makers)]
            shape = self._graph.tensors[self._outputs[makers[0]]].shape[1:3] if makers else ()
            image = over_image(layer, numbers, shape)
            if image is None:
                raise
            return image[0], self._operand(image[1])

    def _function(self, node: Node) -> np.ndarray:
        """Let the results of layers go through a table; its results lie where theirs did."""
        name, = {t.name for t in self._graph.read(node) if t is not None and not t.constant}
        if not self._owned(name):
            raise UnmappedError(f"others take elements of {name} as well, or some are left out: allowed are functions "
                                "of all that layers make, which nothing else takes")
        layers = self._layers(name)
        if any(self._steps[source][0].add is not None for source in layers):
            raise UnmappedError(f"{name} is a sum: allowed are functions of what layers make before they add; a clamp "
                                "can be part of the sum")
        for source in layers:
            layer, *operands = self._steps[source]
            self._steps[source] = replace(layer, table=table_of(self._graph, node, layer.table)), *operands
        return self._values[name]

    def _sum(self, node: Node) -> np.ndarray:
        """Let layers add the one operand of a sum to the other, which they make; the sum lies where that did."""
        own = [i for i, name in enumerate(node.inputs) if not self._graph.tensors[name].constant and self._owned(name)]
        if not own:
            raise UnmappedError("others take both its operands as well, or elements are left out: allowed is a sum "
                                "with all that layers make, which nothing else takes")
        latest = max(own, key=lambda i: self._layers(node.inputs[i])[-1])
        add, numbers, others = sum_of(self._graph, node, latest), *(
            self._numbers(node.inputs[i]) for i in (latest, 1 - latest))
        for source in self._layers(node.inputs[latest]):
            layer, a, b, _ = self._steps[source]
            of = elements.sources(numbers) == source
            d = np.empty((layer.m, layer.n), np.int64)
            d[elements.rows(numbers[of]), elements.columns(numbers[of])] = others[of]
            if layer.add is not None:
                raise UnmappedError(f"{node.inputs[latest]} is a sum already: allowed is one sum behind a layer")
            made = elements.sources(d)
            if (made[made < _TENSORS] >= source).any():
                raise UnmappedError(f"{node.inputs[1 - latest]} is computed after {node.inputs[latest]}, and others "
                                    "take it as well: allowed is a sum with the operand that is computed last")
            self._steps[source] = replace(layer, add=add), a, b, self._operand(d)
        return numbers

    def _layers(self, name: str) -> list[int]:
        """The layers that make elements of a tensor, by number."""
        return np.unique(elements.sources(self._values[name])).tolist()

    def _owned(self, name: str) -> bool:
        """Whether a tensor is all that layers make, and nothing but one operator takes it."""
        numbers = self._values[name]
        if isinstance(numbers, _Value):
            return False
        made = sum(np.prod(self._shapes.get(source, 0)) for source in self._layers(name))  # none by the host
        return made == numbers.size == len(np.unique(numbers)) and self._alone(name)

    def _alone(self, name: str) -> bool:
        """Whether nothing but one operator takes a tensor, and the results of layers from which it is moved."""
        maker = self._live.makers.get(name)
        moved = maker is not None and elements.moves(maker)
        return len(self._live.users[name]) == 1 and name not in self._graph.outputs and all(
            self._alone(t.name) for t in (self._graph.read(maker) if moved else ()) if t and not t.constant)

    def _step(self, node: str, layer: Layer, *operands: Wanted | int | None) -> int:
        """Add a layer with its operands A, B and D; return its number as a source."""
        source = len(self._steps)
        self._shapes[source] = layer.m, layer.n
        self._steps.append((layer, *operands))
        self._makers.append(node)
        return source

    def _operand(self, numbers: np.ndarray) -> Wanted | int:
        """An operand of a layer, or the number of the matrix that the host fills for it."""
        of_host = elements.sources(numbers) >= _TENSORS
        if not of_host.any():
            return self._arranged(numbers)
        if not of_host.all():
            raise UnmappedError("it takes elements of an input or a constant together with those of layers: allowed is "
                                "one of them for an operand; multiply both alone and add up")
        key = numbers.shape, numbers.tobytes()
        self._given.setdefault(key, numbers)
        return list(self._given).index(key)

    def _arranged(self, numbers: np.ndarray) -> Wanted:
        """An operand of layers' outputs; where others have them otherwise, they are computed again."""
        try:
            return self._arrangement.operand(numbers)
        except TakenError as e:
            taken = e
        latest = {source: self._copies.get(source, source) for source in np.unique(elements.sources(numbers)).tolist()}
        with suppress(TakenError):
            return self._arrangement.operand(elements.renamed(numbers, latest))
        for source, copy in latest.items():
            if self._arrangement.taken(copy):
                latest[source] = self._copies[source] = self._step(self._makers[source], *self._steps[source])
                self.again.setdefault(self._makers[source], []).append(self._steps[source][0])
        try:
            return self._arrangement.operand(elements.renamed(numbers, latest))
        except TakenError:
            raise taken from None

    def _numbers(self, name: str) -> np.ndarray:
        """The element numbers of a tensor that is known."""
        value = self._values[name]
        if value is not _Value.BEFORE:
            return value
        if name not in self._hosts:
            shape = self._graph.tensors[name].shape
            self._hosts[name] = elements.tensor(_TENSORS + len(self._hosts), shape)
        return self._hosts[name]

    # -- the whole --------------------------------------------------------------------------------------------------

    def _problems(self) -> Iterator[str]:
        """What keeps the graph as a whole from running, once every operator has a place."""
        graph = self._graph
        if any(where is Where.NOWHERE for where, _ in self.places.values()):
            return
        if not self._steps:
            yield "it has no operator that the accelerator computes"
            return
        for name in graph.outputs:
            if self._values[name] is _Value.BEFORE:
                yield f"its output {name} comes from no layer: allowed are outputs that layers make"
        for name, numbers in self._read.items():
            if (elements.sources(numbers) >= _TENSORS).any():
                yield f"{name} joins an input with what layers make: allowed is one of them on the host"

    @property
    def _read(self) -> dict[str, np.ndarray]:
        """What the host reads of the layers' outputs."""
        names = dict.fromkeys((*self._graph.outputs, *(name for node in self._after for name in node.inputs)))
        return {name: self._values[name] for name in names
                if name is not None and isinstance(self._values[name], np.ndarray)}

    @cached_property
    def lowered(self) -> Lowered:
        """The layers, placed in matrices: first those that the host fills."""
        given = list(self._given.values())
        shapes, places = self._arrangement.matrices()

        def place(wanted: Wanted | int) -> Place:
            if isinstance(wanted, int):
                return Place(wanted)
            matrix, spot = places[wanted.source]
            return Place(len(given) + matrix, spot.row - wanted.spot.row, spot.column - wanted.spot.column)

        layers = []
        for source, (layer, a, b, d) in enumerate(self._steps):
            matrix, spot = places[source]
            if d is not None:
                layer = replace(layer, add=replace(layer.add, d=place(d)))
            layers.append(replace(layer, a=place(a), b=None if b is None else place(b),
                                  c=Place(len(given) + matrix, spot.row, spot.column), transposed=spot.turned))
        return Lowered(
            self._graph, tuple(layers), tuple(numbers.shape for numbers in given) + tuple(shapes),
            tuple(elements.without(numbers, _TENSORS) for numbers in given) + (None,) * len(shapes),
            tuple(self._hosts), self._read, tuple(self._before), tuple(self._after))


def _inner(graph: Graph) -> set[str]:
    """The nodes whose results go into a product, or into a sum behind one."""
    inner: set[str] = set()
    for node in reversed(graph.nodes):
        users = [user for name in node.outputs for user in graph.users[name]]
        if any(user.name in inner or isinstance(user.operator, PRODUCTS) or isinstance(user.operator, op.Add)
               and not is_function(graph, user) for user in users):
            inner.add(node.name)
    return inner
