"""The graph that a network is: operators over tensors.

Front ends produce a `Graph` and nothing else. `interpreter.run` computes it from the definitions of its operators.
Passes turn one graph into another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np

from ..errors import InputError
from .operators import Operator


class Arithmetic(Enum):
    """Whose integer arithmetic defines the results of a graph.

    TFLITE: that of the reference kernels of LiteRT: 32-bit multipliers and shifts, rounded in two steps.
    ONNX: that of ONNX Runtime: float32 scales, rounded half to even. Products and means are sums of integers times one
    float32 factor. Other operators compute with the real values in float32 and quantise what comes out.
    """

    TFLITE = "tflite"
    ONNX = "onnx"


@dataclass(frozen=True, eq=False)
class Quantisation:
    """real value = scale (stored value - zero point), per tensor or per slice along `axis`.

    `scales` is float32 [n] and `zero_points` int64 [n]; n is 1 for the whole tensor, else its size along `axis`.
    """

    scales: np.ndarray
    zero_points: np.ndarray
    axis: int = 0

    @property
    def per_tensor(self) -> bool:
        """Whether one scale holds for all elements."""
        return len(self.scales) == 1

    @property
    def scale(self) -> np.float32:
        """The scale of the whole tensor."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of the whole tensor."""
        return int(self.zero_points[0])


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of a graph: its shape, its type, how it is quantised, and its data where it is constant."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    quantisation: Quantisation | None = None
    data: np.ndarray | None = None

    @property
    def constant(self) -> bool:
        """Whether its data is known."""
        return self.data is not None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Node:
    """An operator with the names of its tensors; an optional input that is absent is None."""

    name: str
    operator: Operator
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes over tensors, with inputs and outputs by name.

    Raises
    ------
    InputError
        For a tensor that nobody makes, that two make, or that needs itself.
    """

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    arithmetic: Arithmetic
    metadata: dict = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "nodes", _ordered(self))

    @cached_property
    def makers(self) -> dict[str, Node]:
        """The node that makes each tensor."""
        return {name: node for node in self.nodes for name in node.outputs}

    @cached_property
    def users(self) -> dict[str, tuple[Node, ...]]:
        """The nodes that read each tensor."""
        found: dict[str, list[Node]] = {name: [] for name in self.tensors}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                if name is not None:
                    found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def read(self, node: Node) -> Iterator[Tensor | None]:
        """The input tensors of a node."""
        return (None if name is None else self.tensors[name] for name in node.inputs)

    def made(self, node: Node) -> Iterator[Tensor]:
        """The output tensors of a node."""
        return (self.tensors[name] for name in node.outputs)


def _ordered(graph: Graph) -> tuple[Node, ...]:
    """The nodes, each after those that make its inputs; nodes that do not depend on each other keep their order."""
    makers: dict[str, int] = {}
    for i, node in enumerate(graph.nodes):
        for name in node.outputs:
            if name in makers:
                raise InputError(f"{graph.name}: tensor {name} is made by {graph.nodes[makers[name]].name} and by "
                                 f"{node.name}: a tensor has one maker")
            makers[name] = i
    known = {name for name, tensor in graph.tensors.items() if tensor.constant} | set(graph.inputs)
    for name in graph.outputs:
        if name not in known and name not in makers:
            raise InputError(f"{graph.name}: output {name} is made by no node")
    order: list[int] = []
    state = [0] * len(graph.nodes)  # 0 new, 1 waits for its inputs, 2 done
    for first in range(len(graph.nodes)):
        path = [first]
        while path:
            i = path[-1]
            if state[i] == 0:
                state[i] = 1
                for name in graph.nodes[i].inputs:
                    if name is None or name in known:
                        continue
                    if name not in makers:
                        raise InputError(f"{graph.name}: tensor {name}, an input of {graph.nodes[i].name}, is made by "
                                         "no node")
                    maker = makers[name]
                    if state[maker] == 1:
                        raise InputError(f"{graph.name}: {graph.nodes[i].name} needs its own result (tensor {name}): "
                                         "a network has no cycles")
                    if state[maker] == 0:
                        path.append(maker)
            else:
                path.pop()
                if state[i] == 1:
                    state[i] = 2
                    order.append(i)
    return tuple(graph.nodes[i] for i in order)
