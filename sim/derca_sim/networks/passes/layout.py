"""Transposes move towards the outputs until they meet their inverse, so that images stay channels last.

A tensor that a transpose makes is not computed but remembered, as a `View` of the tensor that was transposed. Operators
that go well with any order of dimensions take what lies under their views, and make a view again. The others, and the
outputs of the graph, get a transpose. All results stay the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..graph import Graph, Node, Tensor
from ..operators import Add, Dequantise, Mul, Reshape, Sub, Transpose
from .fold import needed
from .moving import moved
from .orders import Order, composed, inverse, permuted, same_elements


@dataclass(frozen=True)
class View:
    """A tensor that is another one with its dimensions in another order."""

    source: str
    order: Order

    @property
    def plain(self) -> bool:
        """Whether it is the tensor itself."""
        return self.order == tuple(range(len(self.order)))


def channels_last(graph: Graph) -> Graph:
    """The graph with as few transposes around its operators as this pass finds."""
    walk = _Walk(graph)
    for node in graph.nodes:
        walk.take(node)
    for name in graph.outputs:
        walk.finish(name)
    return needed(replace(graph, tensors=walk.tensors, nodes=tuple(walk.nodes)))


class _Walk:
    """The new graph, while the nodes of the old one are taken in order."""

    def __init__(self, graph: Graph):
        self.tensors = {name: t for name, t in graph.tensors.items() if name not in graph.makers}
        self.nodes: list[Node] = []
        self._graph = graph
        self._views: dict[str, View] = {}
        self._made: dict[View, str] = {}  # views that became tensors
        self._makers: dict[str, Node] = {}

    def take(self, node: Node) -> None:
        """Add a node, or remember what it makes."""
        views = [None if name is None else self._view(name) for name in node.inputs]
        if isinstance(node.operator, Transpose):
            self._views[node.outputs[0]] = View(views[0].source, composed(views[0].order, node.operator.order))
        elif not (isinstance(node.operator, Reshape) and self._reshaped(node, views[0])) and not self._moved_on(
                node, views):
            self._add(replace(node, inputs=tuple(None if v is None else self._tensor(v) for v in views)))

    def finish(self, name: str) -> None:
        """Make an output of the graph a tensor."""
        if name in self.tensors:
            return
        view = self._view(name)
        made = self._graph.tensors[name]
        self.tensors[name] = made
        operator = Reshape() if view.plain else Transpose(view.order)
        self._add(Node(f"{name}:transpose", operator, (view.source,), (name,)))

    def _view(self, name: str) -> View:
        return self._views.get(name) or View(name, tuple(range(len(self._graph.tensors[name].shape))))

    def _add(self, node: Node) -> None:
        self.nodes.append(node)
        for name in node.outputs:
            self.tensors.setdefault(name, self._graph.tensors.get(name))
            self._makers[name] = node

    def _tensor(self, view: View) -> str:
        """The name of a view as a tensor. A transposed constant is computed; stored values are transposed first."""
        if view.plain:
            return view.source
        if view not in self._made:
            source, maker = self.tensors[view.source], self._makers.get(view.source)
            name = self._fresh(view.source)
            operator = Transpose(view.order)
            inputs: tuple[str, ...] = (view.source,)
            if maker is not None and isinstance(maker.operator, Dequantise):
                operator, inputs = maker.operator, (self._tensor(View(maker.inputs[0], view.order)),)
            self.tensors[name] = _transposed(source, name, view.order)
            if not source.constant:
                self._add(Node(name, operator, inputs, (name,)))
            self._made[view] = name
        return self._made[view]

    def _fresh(self, name: str) -> str:
        name = f"{name}:transposed"
        while name in self.tensors or name in self._graph.tensors:
            name += "'"
        return name

    def _reshaped(self, node: Node, view: View) -> bool:
        """A reshape needs no transpose before it if that moves only dimensions of size 1."""
        if view.plain or not same_elements(self.tensors[view.source].shape, view.order):
            return False
        self._add(replace(node, inputs=(view.source,)))
        return True

    def _moved_on(self, node: Node, views: Sequence[View | None]) -> bool:
        """Let a node take what lies under its views, if that goes."""
        orders = {v.order for v in views if v is not None and not self._constant(v)}
        if len(orders) != 1:
            return False
        order, = orders
        new = permuted(node.operator, order)
        constants = any(v is not None and self._constant(v) for v in views)
        if order == tuple(range(len(order))) or new is None or (constants and not self._fits(node, views, len(order))):
            return False
        inputs = tuple(self._under(v, order) if self._constant(v) else v.source for v in views)
        names = tuple(self._fresh(name) for name in node.outputs)
        for name, old in zip(names, node.outputs, strict=True):
            self.tensors[name] = _transposed(self._graph.tensors[old], name, inverse(new.order))
            self._views[old] = View(name, new.order)
        self._add(Node(node.name, new.operator, inputs, names))
        return True

    def _constant(self, view: View) -> bool:
        return self.tensors[view.source].constant

    def _fits(self, node: Node, views: Sequence[View], rank: int) -> bool:
        """Whether the constants of a sum or product can be transposed with the other operand."""
        return isinstance(node.operator, Add | Sub | Mul) and all(
            len(v.order) <= rank and v.plain for v in views if self._constant(v))

    def _under(self, view: View, order: Order) -> str:
        """A constant operand as it is under the view of the other operand."""
        tensor = self.tensors[view.source]
        if tensor.elements == 1 and len(tensor.shape) <= 1:
            return tensor.name
        shape = (1,) * (len(order) - len(tensor.shape)) + tensor.shape
        whole = replace(tensor, name=self._fresh(tensor.name), shape=shape, data=tensor.data.reshape(shape))
        whole = _transposed(whole, whole.name, inverse(order))
        self.tensors[whole.name] = whole
        return whole.name


def _transposed(tensor: Tensor, name: str, order: Order) -> Tensor:
    quantisation = None if tensor.quantisation is None else moved(Transpose(order), tensor.quantisation)
    data = None if tensor.data is None else np.transpose(tensor.data, order)
    return Tensor(name, tuple(tensor.shape[i] for i in order), tensor.dtype, quantisation, data)
