"""Dequantised operands, a real operator and the quantisation of its result become one quantised operator.

Quantised ONNX models are stored this way (QDQ). Products and means are then summed in integers, where the model sums
float32 values, so that a result differs from the model's by one step now and then. All other results stay the same.
"""

from dataclasses import dataclass, replace

import numpy as np

from .. import operators as op
from ..graph import Graph, Node, Quantisation, Tensor
from ..operators import Activation
from .clamp import CLAMPS, merge_clamps
from .fold import needed
from .moving import MOVING, moved, same

_PRODUCTS = (op.Conv, op.FullyConnected, op.MatMul)
_FUSED = (*_PRODUCTS, op.Add, op.Sub, op.Mul, op.AveragePool, op.Mean, op.Map, op.Softmax, op.Concat)
#: Types of quantised activations and weights.
_BYTES = (np.int8, np.uint8)
#: Relative difference of a bias's scale from that of its product that counts as rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class _Chain:
    """A real operator with the activation behind it, nodes that move its result, and all up to its quantisation."""

    operator: op.Operator
    moves: tuple[Node, ...]
    behind: tuple[Node, ...]
    result: str


def fuse_qdq(graph: Graph) -> Graph:
    """The graph with quantised operators, and with `Dequantise` only where real values are needed."""
    walk = _Walk(graph)
    for node in graph.nodes:
        walk.take(node)
    for name in graph.outputs:
        walk.output(name)
    return merge_clamps(needed(replace(graph, tensors=walk.tensors, nodes=tuple(walk.nodes))))


class _Walk:
    """The new graph, while the nodes of the old one are taken in order."""

    def __init__(self, graph: Graph):
        self.tensors = dict(graph.tensors)
        self.nodes: list[Node] = []
        self._graph = graph
        self._stored: dict[str, str] = {}  # real tensors that are the dequantised values of others
        self._same: dict[str, str] = {}  # quantised tensors that are others
        self._real: set[str] = set()  # keys of _stored that were dequantised nonetheless
        self._gone: set[str] = set()  # what nodes make that are part of a fused one

    def take(self, node: Node) -> None:
        """Add a node, fused with those around it, moved before a `Dequantise`, or as it is."""
        if node.outputs[0] in self._gone:
            return
        if isinstance(node.operator, op.Dequantise):
            self._stored[node.outputs[0]] = self._alias(node.inputs[0])
        elif isinstance(node.operator, op.Quantise) and node.inputs[0] in self._stored:
            self._requantised(node)
        elif not self._moved(node) and not self._fused(node):
            self._add(node, tuple(None if n is None else self._as_real(n) for n in node.inputs))

    def output(self, name: str) -> None:
        """Make an output of the graph a tensor again."""
        self._as_real(name)
        if name in self._same:
            self.nodes.append(Node(f"{name}:quantise", op.Quantise(), (self._same[name],), (name,)))

    def _add(self, node: Node, inputs: tuple[str | None, ...]) -> None:
        self.nodes.append(replace(node, inputs=inputs))

    def _alias(self, name: str) -> str:
        return self._same.get(name, name)

    def _as_real(self, name: str) -> str:
        """A tensor that other nodes can read."""
        if name in self._stored and name not in self._real:
            self._real.add(name)
            self.nodes.append(Node(f"{name}:dequantise", op.Dequantise(), (self._stored[name],), (name,)))
        return self._alias(name)

    def _quantisation(self, name: str | None) -> Quantisation | None:
        """That of the stored values of a real tensor, if they are bytes with one scale."""
        tensor = self.tensors[self._stored[name]] if name in self._stored else None
        good = tensor is not None and tensor.dtype in _BYTES and tensor.quantisation.per_tensor
        return tensor.quantisation if good else None

    def _requantised(self, node: Node) -> None:
        source, target = self.tensors[self._stored[node.inputs[0]]], self.tensors[node.outputs[0]]
        if source.dtype == target.dtype and same(source.quantisation, target.quantisation):
            self._same[target.name] = source.name
        else:
            self._add(node, (source.name,))

    def _moved(self, node: Node) -> bool:
        """Whether a node that only moves elements, of equal scales, could move the stored values instead."""
        found = [self._quantisation(name) for name in node.inputs]
        if not isinstance(node.operator, MOVING) or any(q is None or not same(q, found[0]) for q in found):
            return False
        inputs = tuple(self._stored[name] for name in node.inputs)
        if len({self.tensors[name].dtype for name in inputs}) != 1:
            return False
        outputs = tuple(self._fresh(name) for name in node.outputs)
        for name, old in zip(outputs, node.outputs, strict=True):
            self.tensors[name] = Tensor(name, self.tensors[old].shape, self.tensors[inputs[0]].dtype,
                                        moved(node.operator, found[0]))
            self._stored[old] = name
        self.nodes.append(Node(node.name, node.operator, inputs, outputs))
        return True

    def _fresh(self, name: str) -> str:
        name = f"{name}:stored"
        while name in self.tensors:
            name += "'"
        return name

    def _fused(self, node: Node) -> bool:
        """Whether a node could become a quantised one."""
        chain = self._chain(node) if isinstance(node.operator, _FUSED) else None
        target = None if chain is None else self.tensors[chain.result]
        if target is None or target.dtype not in _BYTES or not target.quantisation.per_tensor:
            return False
        if isinstance(node.operator, op.Concat):
            inputs = self._alike(node, target)
        elif isinstance(node.operator, _PRODUCTS):
            inputs = self._operands(node)
        else:
            whole = all(self._quantisation(name) is not None for name in node.inputs)
            inputs = tuple(self._stored[name] for name in node.inputs) if whole else None
        if inputs is None:
            return False
        self._add_chain(node, chain, inputs)
        self._gone.update(n.outputs[0] for n in chain.behind)
        return True

    def _add_chain(self, node: Node, chain: _Chain, inputs: tuple[str, ...]) -> None:
        """The fused node, and behind it the nodes that move what it stores."""
        names = [self._fresh(move.inputs[0]) for move in chain.moves] + [chain.result]
        for name, move in zip(names, chain.moves, strict=False):
            self.tensors[name] = replace(self.tensors[chain.result], name=name,
                                         shape=self.tensors[move.inputs[0]].shape)
        self.nodes.append(Node(node.name, chain.operator, inputs, (names[0],)))
        for move, x, y in zip(chain.moves, names, names[1:], strict=False):
            self.nodes.append(replace(move, inputs=(x,), outputs=(y,)))

    def _chain(self, node: Node) -> _Chain | None:
        """What is behind a node, if that is a quantisation, after clamps and moves, and no one else reads."""
        operator, moves, behind, made = node.operator, [], [], node.outputs[0]
        while made not in self._graph.outputs and len(self._graph.users[made]) == 1:
            next_, = self._graph.users[made]
            behind.append(next_)
            made = next_.outputs[0]
            if isinstance(next_.operator, op.Quantise):
                return _Chain(operator, tuple(moves), tuple(behind), made)
            if isinstance(next_.operator, op.Reshape | op.Transpose):
                moves.append(next_)
                continue
            clamp = CLAMPS.get(next_.operator.function) if isinstance(next_.operator, op.Map) else None
            if clamp is None or getattr(operator, "activation", None) is not Activation.NONE:
                return None
            operator = replace(operator, activation=clamp)
        return None

    def _alike(self, node: Node, target: Tensor) -> tuple[str, ...] | None:
        """The inputs of a `Concat` in the scale of its result; values of other scales are quantised anew."""
        if any(self._quantisation(name) is None for name in node.inputs):
            return None
        inputs = []
        for i, name in enumerate(node.inputs):
            tensor = self.tensors[self._stored[name]]
            if tensor.dtype != target.dtype or not same(tensor.quantisation, target.quantisation):
                anew = replace(target, name=self._fresh(f"{target.name}:{i}"), shape=tensor.shape)
                self.tensors[anew.name] = anew
                self.nodes.append(Node(anew.name, op.Quantise(), (tensor.name,), (anew.name,)))
                tensor = anew
            inputs.append(tensor.name)
        return tuple(inputs)

    def _operands(self, node: Node) -> tuple[str, ...] | None:
        """The stored operands of a product, and its bias in int32; None where one of them is real."""
        x, weights, *bias = node.inputs
        if self._quantisation(x) is None or weights not in self._stored:
            return None
        stored = self.tensors[self._stored[weights]]
        channel = 0 if not isinstance(node.operator, op.MatMul) else len(stored.shape) - 1
        if stored.dtype not in _BYTES or not (stored.quantisation.per_tensor or stored.quantisation.axis == channel):
            return None
        inputs = (self._stored[x], stored.name)
        if not bias or bias[0] is None:
            return inputs
        sums = self._sums(bias[0], self._quantisation(x).scale * stored.quantisation.scales)
        return None if sums is None else (*inputs, sums)

    def _sums(self, name: str, scales: np.ndarray) -> str | None:
        """A bias as int32 of the product's scales: as it is stored, or quantised if it is a real constant."""
        if name in self._stored:
            tensor = self.tensors[self._stored[name]]
            q = tensor.quantisation
            good = tensor.dtype == np.int32 and not q.zero_points.any() and np.allclose(q.scales, scales, _ROUNDING, 0)
            return tensor.name if good else None
        tensor = self.tensors[self._alias(name)]
        steps = None if tensor.data is None else np.rint(tensor.data.astype(np.float64) / scales)
        if steps is None or tensor.dtype != np.float32 or np.abs(steps).max(initial=0) >= 1 << 31:
            return None
        quantisation = Quantisation(scales.astype(np.float32), np.zeros(len(scales), np.int64))
        made = Tensor(self._fresh(name), tensor.shape, np.dtype(np.int32), quantisation, steps.astype(np.int32))
        self.tensors[made.name] = made
        return made.name
