"""A graph on the accelerator: the host's part before and after it, and the layers in between."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...model.network import Layer, Network
from ...model.platform import Platform
from ...model.rounding import Rounding
from ..graph import Graph, Node, Tensor
from ..interpreter import compute, run
from ..onnx import load_onnx
from ..passes.flatten import flatten
from ..passes.fold import fold
from ..passes.fuse_qdq import fuse_qdq
from ..passes.signed import signed
from ..tflite import load_tflite
from .functions import table_of
from .layers import lowered
from .mapping import Where, place, reasons
from .samples import load_samples


def _quantised_onnx(path: Path) -> Graph:
    return fold(signed(flatten(fuse_qdq(load_onnx(path)))))


#: Formats of others by suffix, and what reads them.
FORMATS = {".tflite": load_tflite, ".onnx": _quantised_onnx}


def open_graph(path: Path) -> Graph:
    """Read the graph of a model in any of `FORMATS`.

    Raises
    ------
    InputError
        If it cannot be read, or is in none of them.
    """
    reader = FORMATS.get(Path(path).suffix.lower())
    if reader is None:
        raise InputError(f"{path}: allowed are models whose names end in {', '.join(FORMATS)}")
    return reader(path)


def load_model(path: Path) -> "Model":
    """Read a model and decide what runs where.

    Raises
    ------
    InputError
        If it cannot be read, or with the reason for each operator that cannot run.
    """
    return Model(open_graph(path))


@dataclass(frozen=True)
class Stage:
    """A layer: its product, and the functions of one element that follow."""

    product: Node
    functions: tuple[Node, ...] = ()

    @property
    def last(self) -> Node:
        """The node whose result the layer stores."""
        return (self.product, *self.functions)[-1]


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
        self.parts  # noqa: B018 - all reasons now

    @cached_property
    def parts(self) -> tuple[tuple[Node, ...], tuple["Stage", ...], tuple[Node, ...]]:
        """The nodes of the host before the layers, the layers, and the nodes of the host after them."""
        placed = [p for p in place(self.graph) if p.where is not Where.UNUSED]
        problems = reasons(self.graph, placed)
        if problems:
            raise InputError(*problems)
        own = [i for i, p in enumerate(placed) if p.where in (Where.ACCELERATOR, Where.TABLE)]
        nodes, stages = [p.node for p in placed], []
        for i in own:
            if placed[i].where is Where.ACCELERATOR:
                stages.append(Stage(nodes[i]))
            else:
                stages[-1] = replace(stages[-1], functions=(*stages[-1].functions, nodes[i]))
        return tuple(nodes[: own[0]]), tuple(stages), tuple(nodes[own[-1] + 1 :])

    def network(self, name: str, samples: Path | None, first: int, batch: int) -> Network:
        """The layers for a batch, with inputs: `batch` samples of a file from `first` on, or drawn ones."""
        inputs = load_samples(self.graph, samples, first, batch)
        rows = self.quantised(inputs)
        layers = tuple(replace(lowered(self.graph, stage.product, batch), chained=i > 0,
                               table=table_of(self.graph, stage.functions))
                       for i, stage in enumerate(self.parts[1]))
        return Network(name, layers, (rows, *[None] * (len(layers) - 1)), model=self)

    def quantised(self, samples: np.ndarray) -> np.ndarray:
        """The rows [m, k] of the first layer for samples [batch, ...] of the model's input."""
        before, _, _ = self.parts
        rows = []
        for sample in samples:
            values = {self.graph.inputs[0]: sample}
            for node in before:
                values |= compute(self.graph, node, values)
            rows.append(values[self.first.name].reshape(-1, self._k))
        return np.concatenate(rows)

    def results(self, rows: np.ndarray) -> list[np.ndarray]:
        """The model's output for each sample, from the last layer's rows [m, n]."""
        _, _, after = self.parts
        out = []
        for part in rows.reshape(-1, *self.last.shape):
            values = {self.last.name: part, **{n: t.data for n, t in self.graph.tensors.items() if t.constant}}
            for node in after:
                values |= compute(self.graph, node, values)
            out.append(values[self.graph.outputs[0]])
        return out

    def expected(self, samples: np.ndarray) -> list[np.ndarray]:
        """The model's output for each sample, as the graph defines it."""
        name, output = self.graph.inputs[0], self.graph.outputs[0]
        return [run(self.graph, {name: sample})[output] for sample in samples]

    @property
    def first(self) -> Tensor:
        """The input of the first layer, as stored."""
        return self.graph.tensors[self.parts[1][0].product.inputs[0]]

    @property
    def last(self) -> Tensor:
        """The output of the last layer, as stored."""
        return self.graph.tensors[self.parts[1][-1].last.outputs[0]]

    @property
    def rows(self) -> int:
        """Rows of the first layer for one sample."""
        return self.first.elements // self._k

    @property
    def _k(self) -> int:
        weights = self.graph.tensors[self.parts[1][0].product.inputs[1]]
        return weights.elements // weights.shape[0]


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
    for option, needs, value in (("tflite", _rounds, "true"), ("clamp", _clamps, "true"),
                                 ("channels", _scales, sum(layer.n for layer in network.layers)),
                                 ("tables", _maps, len({x.table.tobytes() for x in network.layers if _maps(x)}))):
        layers = [i for i, layer in enumerate(network.layers) if needs(layer)]
        if layers and not getattr(p.requant, option):
            problems.append(f"layer {layers[0]} needs requant.{option} = {value} in the platform")
    if problems:
        raise InputError(*problems)


def _rounds(layer: Layer) -> bool:
    return bool((layer.scales[2] != Rounding.AWAY).any())


def _scales(layer: Layer) -> bool:
    return layer.per_channel


def _maps(layer: Layer) -> bool:
    return layer.table is not None


def _clamps(layer: Layer) -> bool:
    return layer.bounds is not None
