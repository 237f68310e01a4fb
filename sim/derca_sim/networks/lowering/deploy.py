"""A model from its file to a network."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...file_kinds import expect
from ...model.loading import as_toml
from ...model.needs import Need, Unsuited
from ...model.network import Layer, Network
from ...model.placing import lacking, misplaced
from ...model.platform import Platform
from ...model.rounding import Rounding
from ..graph import Graph
from ..interpreter import run
from ..onnx import load_onnx
from ..passes.flatten import flatten
from ..passes.fold import fold
from ..passes.fuse_qdq import fuse_qdq
from ..passes.signed import signed
from ..tflite import load_tflite
from .batch import Batch, Samples
from .mapping import reasons
from .samples import load_samples
from .walk import Lowered, Walk


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
    expect(path, "model")
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


@dataclass(frozen=True, eq=False)
class Model:
    """A graph whose products run on the accelerator; the host computes what is before and after them.

    Raises
    ------
    InputError
        With the reason for each operator that cannot run.
    """

    graph: Graph

    def __post_init__(self):
        self.lowered  # noqa: B018 - all reasons now

    @cached_property
    def lowered(self) -> Lowered:
        """The layers for one sample."""
        walk = Walk(self.graph)
        problems = reasons(self.graph, walk)
        if problems:
            raise InputError(*problems)
        return walk.lowered

    def network(self, name: str, samples: Path | None, first: int, batch: int) -> Network:
        """The layers for a batch, with inputs: `batch` samples of a file from `first` on, or drawn ones.

        Raises
        ------
        InputError
            If the samples do not fit, or are too many for a job.
        """
        values = load_samples(self.graph, samples, first, batch)
        return Batch(self.lowered.graph, self.lowered, batch).network(name, values)

    def expected(self, samples: Samples) -> dict[str, np.ndarray]:
        """The model's outputs [count, *shape] for samples, as the graph defines them."""
        each = [run(self.graph, dict(zip(samples, values, strict=True)))
                for values in zip(*samples.values(), strict=True)]
        return {name: np.stack([values[name] for values in each]) for name in self.graph.outputs}


def check_platform(network: Network, p: Platform) -> None:
    """Refuse a network that the platform cannot compute, or whose matrices it cannot place.

    Raises
    ------
    Unsuited
        With a line for each option that is missing, and the first layer that needs it.
    """
    needs = []
    dtype = network.layers[0].dtype
    if dtype != p.array.dtype:
        needs.append(Need("array.dtype", dtype, f"its layers are {dtype}, and array.dtype is {p.array.dtype} in "
                                                f"{p.where}"))
    for option, has, value in (("tflite", _rounds, True), ("clamp", _clamps, True),
                               ("channels", _scales, sum(layer.n for layer in network.layers)),
                               ("tables", _maps, len({x.table.tobytes() for x in network.layers if _maps(x)}))):
        layers = [i for i, layer in enumerate(network.layers) if has(layer)]
        if layers and not getattr(p.requant, option):
            key = f"requant.{option}"
            needs.append(Need(key, value, f"layer {layers[0]} needs {key} = {as_toml(value)} in {p.where}"))
    problems = [*(need.text for need in needs), *misplaced(network, p)]
    if problems:
        raise Unsuited(*problems, needs=(*needs, *lacking(network, p)))


def _rounds(layer: Layer) -> bool:
    return bool((layer.scales[2] != Rounding.AWAY).any())


def _scales(layer: Layer) -> bool:
    return layer.per_channel


def _maps(layer: Layer) -> bool:
    return layer.table is not None


def _clamps(layer: Layer) -> bool:
    return layer.bounds is not None
