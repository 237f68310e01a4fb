"""Several samples of a model in one job: its network, what goes in, and what comes out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...errors import InputError
from ...model.network import Layer, Network, Place
from ...model.platform import MAX_DIMENSION
from ..graph import Graph
from ..interpreter import compute
from . import elements
from .walk import Lowered

#: Samples of every input of a model, by name: [batch, *shape].
Samples = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Batch:
    """The layers of a graph for `count` samples.

    Where every layer takes all rows of a matrix to all rows of another, the rows of all samples follow each other in
    each matrix. Otherwise each sample has matrices and layers of its own; the layers of all samples are next to each
    other and share their weights.
    """

    graph: Graph
    lowered: Lowered
    count: int

    @cached_property
    def stacked(self) -> bool:
        """Whether the samples share matrices."""
        rows = [shape[0] for shape in self.lowered.matrices]
        return all(layer.b is None and not layer.transposed and layer.window is None and all(
            place.row == 0 and layer.m == rows[place.matrix]
            for place in (layer.a, layer.c, *([layer.add.d] if layer.add else []))) for layer in self.lowered.layers)

    def network(self, name: str, samples: Samples) -> Network:
        """The network with the inputs of samples.

        Raises
        ------
        InputError
            If a matrix of all samples has too many rows.
        """
        one, count = self.lowered, self.count
        if not self.stacked:
            layers = tuple(_of_sample(layer, sample, len(one.matrices)) for layer in one.layers
                           for sample in range(count))
            return Network(name, layers, one.matrices * count, self.inputs(samples), model=self)
        most = max(rows for rows, _ in one.matrices)
        if count * most > MAX_DIMENSION:
            raise InputError(f"batch = {count}: allowed are 1 .. {MAX_DIMENSION // most}, so that matrices have at "
                             f"most {MAX_DIMENSION} rows")
        layers = tuple(replace(layer, m=count * layer.m) for layer in one.layers)
        shapes = tuple((count * rows, columns) for rows, columns in one.matrices)
        return Network(name, layers, shapes, self.inputs(samples), model=self)

    def inputs(self, samples: Samples) -> tuple[np.ndarray | None, ...]:
        """The matrices of the network that samples fill; None where layers write them."""
        filled = [list(self._filled({name: values[i] for name, values in samples.items()})) for i in range(self.count)]
        if not self.stacked:
            return tuple(matrix for sample in filled for matrix in sample)
        return tuple(None if parts[0] is None else np.concatenate(parts) for parts in zip(*filled, strict=True))

    def _filled(self, values: dict[str, np.ndarray]) -> Iterator[np.ndarray | None]:
        """The matrices of one sample."""
        values |= {name: tensor.data for name, tensor in self.graph.tensors.items() if tensor.constant}
        for node in self.lowered.before:
            values |= compute(self.graph, node, values)
        for numbers in self.lowered.given:
            yield None if numbers is None else _gathered(
                numbers, {i: values[name].reshape(-1) for i, name in enumerate(self.lowered.hosts)})

    def results(self, outputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Every output of the model, [batch, *shape], from the outputs [m, n] of all layers of the network."""
        made = [self._results(self._of_sample(outputs, sample)) for sample in range(self.count)]
        return {name: np.stack([values[name] for values in made]) for name in self.graph.outputs}

    def _of_sample(self, outputs: Sequence[np.ndarray], sample: int) -> list[np.ndarray]:
        if not self.stacked:
            return list(outputs[sample :: self.count])
        return [np.split(output, self.count)[sample] for output in outputs]

    def _results(self, outputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The model's outputs, and whatever else the host computes, from the outputs of one sample."""
        values = {name: tensor.data for name, tensor in self.graph.tensors.items() if tensor.constant}
        for name, numbers in self.lowered.read.items():
            values[name] = _elements(numbers, outputs)
        for node in self.lowered.after:
            values |= compute(self.graph, node, values)
        return values

    @property
    def output_layers(self) -> list[int]:
        """The layers of the network whose outputs the host reads."""
        return sorted({layer for own in self.stored_outputs.values() for layer in own})

    @property
    def stored_inputs(self) -> dict[str, list[int]]:
        """The tensors that the host stores, with the matrices of the network that hold their elements."""
        return {name: self._numbers(
            [i for i, numbers in enumerate(self.lowered.given) if numbers is not None
             and source in elements.sources(numbers)], len(self.lowered.matrices), 1)
            for source, name in enumerate(self.lowered.hosts)}

    @property
    def stored_outputs(self) -> dict[str, list[int]]:
        """The tensors that the host reads, with the layers of the network that make their elements."""
        return {name: self._numbers([int(i) for i in np.unique(elements.sources(numbers))], 1, self.count)
                for name, numbers in self.lowered.read.items()}

    def _numbers(self, of_sample: Sequence[int], sample: int, each: int) -> list[int]:
        """Numbers of all samples from those of one: `each` apart, and `sample` from sample to sample."""
        if self.stacked:
            return list(of_sample)
        return [i * each + s * sample for s in range(self.count) for i in of_sample]


def _of_sample(layer: Layer, sample: int, matrices: int) -> Layer:
    """A layer with the matrices of a sample."""
    def moved(place: Place | None) -> Place | None:
        return None if place is None else replace(place, matrix=place.matrix + sample * matrices)

    add = layer.add and replace(layer.add, d=moved(layer.add.d))
    return replace(layer, a=moved(layer.a), b=moved(layer.b), c=moved(layer.c), add=add)


def _gathered(numbers: np.ndarray, values: Mapping[int, np.ndarray]) -> np.ndarray:
    """Elements of the host's flat tensors, int8, in the shape of their numbers."""
    out, of = np.zeros(numbers.shape, np.int8), elements.sources(numbers)
    for source in np.unique(of):
        own = of == source
        out[own] = values[int(source)][elements.positions(numbers[own])]
    return out


def _elements(numbers: np.ndarray, outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Elements of the layers' outputs, in the shape of their numbers."""
    out, of = np.zeros(numbers.shape, np.int8), elements.sources(numbers)
    for source in np.unique(of):
        own = of == source
        out[own] = outputs[int(source)][elements.rows(numbers[own]), elements.columns(numbers[own])]
    return out
