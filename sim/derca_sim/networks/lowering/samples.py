"""Samples of a model's inputs: from a file, or drawn from the range of each."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...file_kinds import expect
from ...model.network_files import read_npz
from ..graph import Graph, Tensor
from ..interpreter.values import dequantised
from ..passes.moving import MOVING

#: Seed of inputs that are drawn.
_SEED = 1


def load_samples(graph: Graph, path: Path | None, first: int, batch: int) -> dict[str, np.ndarray]:
    """Samples `first` .. `first + batch - 1` of the model's inputs: by name [batch, *shape], in their types.

    Parameters
    ----------
    path : an `.npz` file with an array [count, *shape] of each input's name, or a single one of any name for a model
        with one input; None draws them, the same in every call.

    Raises
    ------
    InputError
        If the file has no such arrays, or not as many samples.
    """
    if path is None:
        return {name: values[first:] for name, values in drawn(graph, first + batch).items()}
    expect(path, "samples")
    arrays = read_npz(path)
    if len(graph.inputs) == len(arrays) == 1:
        arrays = {graph.inputs[0]: next(iter(arrays.values()))}
    for name in graph.inputs:
        if name not in arrays:
            raise InputError(f"{path}: {name}, an input of {graph.name}, is not among its {len(arrays)} arrays: "
                             "allowed is that name, or a single array of any for a model with one input")
    try:
        return fitting(graph, {name: np.atleast_1d(arrays[name])[first:] for name in graph.inputs}, batch)
    except InputError as e:
        raise InputError(*(f"{path}: from sample {first} on: {line}" for line in e.problems)) from None


def fitting(graph: Graph, samples: Mapping[str, np.ndarray], batch: int) -> dict[str, np.ndarray]:
    """The first samples of an array for each of the model's inputs, as [batch, *shape].

    Raises
    ------
    InputError
        If they have another shape or type, or are too few.
    """
    out, problems = {}, []
    for name in graph.inputs:
        values, tensor = samples[name], graph.tensors[name]
        # A sample may leave out a leading dimension of size 1.
        shape = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
        if values.dtype != tensor.dtype or values.shape[1:] not in (shape, tensor.shape) or len(values) < batch:
            problems.append(f"{name}: {values.dtype} {list(values.shape)}: allowed are {tensor.dtype} arrays of shape "
                            f"[{', '.join(map(str, ('count', *shape)))}], count from {batch} on")
        else:
            out[name] = values[:batch].reshape(batch, *tensor.shape)
    if problems:
        raise InputError(*problems)
    return out


def drawn(graph: Graph, count: int) -> dict[str, np.ndarray]:
    """Random samples [count, *shape] of the model's inputs by name, which cover the range of each."""
    rng, out = np.random.default_rng(_SEED), {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        stored = _stored(graph, tensor)
        kind = np.iinfo(stored.dtype)
        values = rng.integers(kind.min, kind.max, (count, *tensor.shape), stored.dtype, True)
        out[name] = values if stored is tensor else np.stack([dequantised(value, stored) for value in values])
    return out


def _stored(graph: Graph, tensor: Tensor) -> Tensor:
    """The quantised tensor of an input: itself, or what its quantisation makes, also after moves.

    Raises
    ------
    InputError
        If it is not quantised.
    """
    waiting = [tensor]
    for candidate in waiting:
        if candidate.quantisation is not None:
            return candidate
        waiting += [t for node in graph.users[candidate.name] for t in graph.made(node)
                    if t.quantisation is not None or isinstance(node.operator, MOVING)]
    raise InputError(f"{graph.name}: input {tensor.name} is not quantised: give samples, or quantise the model")
