"""A graph on the accelerator: the host's part before and after it, and the layers in between."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..model.network import Layer, Network
from ..model.platform import Platform
from ..model.rounding import Rounding
from .graph import Graph, Node
from .interpreter import compute, run
from .layers import UnmappedError, lowered
from .operators import Dequantise, FullyConnected, Quantise, Reshape, Softmax
from .samples import load_samples
from .tflite import load_tflite

#: Formats of others by suffix, and what reads them.
FORMATS = {".tflite": load_tflite}
#: Operators that the host computes before the first layer and after the last.
_HOST = (Quantise, Dequantise, Reshape, Softmax)


def load_model(path: Path) -> "Model":
    """Read a model and decide what runs where.

    Raises
    ------
    InputError
        If it cannot be read, or with the reason for each operator that cannot run.
    """
    return Model(FORMATS[Path(path).suffix.lower()](path))


@dataclass(frozen=True, eq=False)
class Model:
    """A graph whose layers run on the accelerator one after the other.

    Raises
    ------
    InputError
        With the reason for each operator that cannot.
    """

    graph: Graph

    def __post_init__(self):
        object.__setattr__(self, "graph", without_unused(self.graph))
        self.parts  # noqa: B018 - find all reasons now

    @cached_property
    def parts(self) -> tuple[tuple[Node, ...], tuple[Node, ...], tuple[Node, ...]]:
        """The nodes of the host before the accelerator, those of the accelerator, and those of the host after it."""
        graph, reasons = self.graph, []
        if len(graph.inputs) != 1:
            reasons.append(f"{graph.name} has {len(graph.inputs)} inputs: allowed is 1")
        core = [i for i, node in enumerate(graph.nodes) if not isinstance(node.operator, _HOST)]
        if not core:
            raise InputError(*reasons, f"{graph.name} has no layer that the accelerator computes")
        before, inside, after = (graph.nodes[: core[0]], graph.nodes[core[0] : core[-1] + 1],
                                 graph.nodes[core[-1] + 1 :])
        value = graph.inputs[0]
        for node in graph.nodes:
            if node.inputs[0] != value:
                reasons.append(f"{graph.name}: {node.name} does not continue the chain of layers: allowed are networks "
                               "in which each operator takes the result of the one before")
            value = node.outputs[0]
        for node in inside:
            try:
                if isinstance(node.operator, FullyConnected):
                    lowered(graph, node, 1)
                elif not isinstance(node.operator, Reshape):
                    why = getattr(node.operator, "reason", "the accelerator has no kernel for it")
                    raise UnmappedError(f"{node.operator.kind} is not mapped: {why}")
            except UnmappedError as e:
                reasons.append(f"{graph.name}: {node.name}: {e}")
        if reasons:
            raise InputError(*reasons)
        return before, tuple(node for node in inside if not isinstance(node.operator, Reshape)), after

    def network(self, name: str, samples: Path | None, first: int, batch: int) -> Network:
        """The layers for a batch, with inputs: `batch` samples of a file from `first` on, or drawn ones."""
        inputs = load_samples(self.graph, samples, first, batch)
        rows = self.quantised(inputs)
        layers = tuple(replace(lowered(self.graph, node, batch), chained=i > 0)
                       for i, node in enumerate(self.parts[1]))
        return Network(name, layers, (rows, *[None] * (len(layers) - 1)), metadata={"model": self.graph.name})

    def quantised(self, samples: np.ndarray) -> np.ndarray:
        """The rows [m, k] of the first layer for samples [batch, ...] of the model's input."""
        before, inside, _ = self.parts
        rows = []
        for sample in samples:
            values = {self.graph.inputs[0]: sample}
            for node in before:
                values |= compute(self.graph, node, values)
            rows.append(values[inside[0].inputs[0]].reshape(-1, self._k))
        return np.concatenate(rows)

    def results(self, rows: np.ndarray) -> list[np.ndarray]:
        """The model's output for each sample, from the last layer's rows [m, n]."""
        _, inside, after = self.parts
        last = self.graph.tensors[inside[-1].outputs[0]]
        out = []
        for part in rows.reshape(-1, *last.shape):
            values = {last.name: part, **{n: t.data for n, t in self.graph.tensors.items() if t.constant}}
            for node in after:
                values |= compute(self.graph, node, values)
            out.append(values[self.graph.outputs[0]])
        return out

    def expected(self, samples: np.ndarray) -> list[np.ndarray]:
        """The model's output for each sample, as the graph defines it."""
        name, output = self.graph.inputs[0], self.graph.outputs[0]
        return [run(self.graph, {name: sample})[output] for sample in samples]

    @property
    def _k(self) -> int:
        return self.graph.tensors[self.parts[1][0].inputs[1]].shape[1]


def without_unused(graph: Graph) -> Graph:
    """The graph without nodes whose results nobody needs."""
    needed, nodes = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if needed & set(node.outputs):
            nodes.append(node)
            needed |= set(node.inputs)
    return replace(graph, nodes=tuple(reversed(nodes)))


def check_platform(network: Network, p: Platform) -> None:
    """Refuse a network that the platform's requantisation cannot compute.

    Raises
    ------
    InputError
        With a line for each option that is missing, and the first layer that needs it.
    """
    problems = []
    dtype = network.layers[0].weights.dtype
    if dtype != p.array.dtype:
        problems.append(f"its layers are {dtype}, and array.dtype of the platform is {p.array.dtype}")
    for option, needs in (("tflite", _rounds), ("clamp", _clamps)):
        layers = [i for i, layer in enumerate(network.layers) if needs(layer)]
        if layers and not getattr(p.requant, option):
            problems.append(f"layer {layers[0]} needs requant.{option} = true in the platform")
    if problems:
        raise InputError(*problems)


def _rounds(layer: Layer) -> bool:
    return layer.rounding is not Rounding.AWAY


def _clamps(layer: Layer) -> bool:
    return layer.bounds is not None
