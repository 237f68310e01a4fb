"""Inputs of a model: from a file, or drawn from the range of its input."""

from pathlib import Path

import numpy as np

from ...errors import InputError
from ...model.network import read_npz
from ..graph import Graph, Tensor
from ..interpreter.values import dequantised

#: Seed of inputs that are drawn.
_SEED = 1


def load_samples(graph: Graph, path: Path | None, first: int, batch: int) -> np.ndarray:
    """Samples `first` .. `first + batch - 1` of the model's input: [batch, *shape], in its type.

    Parameters
    ----------
    path : an `.npz` file with an array [count, *shape] of the input's name, or a single one of any name; None draws
        them, the same in every call.

    Raises
    ------
    InputError
        If the file has no such array, or not as many samples.
    """
    tensor = graph.tensors[graph.inputs[0]]
    if path is None:
        return drawn(graph, first + batch)[first:]
    arrays = read_npz(path)
    name = tensor.name if tensor.name in arrays or len(arrays) != 1 else next(iter(arrays))
    if name not in arrays:
        raise InputError(f"{path}: {name}, the input of {graph.name}, is not among its {len(arrays)} arrays: allowed "
                         "is that name, or a single array of any")
    try:
        return fitting(graph, arrays[name][first:], batch)
    except InputError as e:
        raise InputError(f"{path}: {name} from sample {first} on: {e}") from None


def fitting(graph: Graph, samples: np.ndarray, batch: int) -> np.ndarray:
    """The first samples of an array, as [batch, *shape] of the model's input.

    Raises
    ------
    InputError
        If they have another shape or type, or are too few.
    """
    tensor = graph.tensors[graph.inputs[0]]
    # A sample may leave out a leading dimension of size 1.
    shape = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
    if samples.dtype != tensor.dtype or samples.shape[1:] not in (shape, tensor.shape) or len(samples) < batch:
        raise InputError(f"{samples.dtype} {list(samples.shape)}: allowed are {tensor.dtype} arrays of shape [count, "
                         f"{', '.join(map(str, shape))}], count from {batch} on")
    return samples[:batch].reshape(batch, *tensor.shape)


def drawn(graph: Graph, count: int) -> np.ndarray:
    """Random samples [count, *shape] that cover the range of the model's input."""
    tensor = graph.tensors[graph.inputs[0]]
    stored = _stored(graph, tensor)
    kind = np.iinfo(stored.dtype)
    values = np.random.default_rng(_SEED).integers(kind.min, kind.max, (count, *tensor.shape), stored.dtype, True)
    return values if stored is tensor else np.stack([dequantised(value, stored) for value in values])


def _stored(graph: Graph, tensor: Tensor) -> Tensor:
    """The quantised tensor of an input: itself, or what its quantisation makes.

    Raises
    ------
    InputError
        If it is not quantised.
    """
    for candidate in (tensor, *(t for node in graph.users[tensor.name] for t in graph.made(node))):
        if candidate.quantisation is not None:
            return candidate
    raise InputError(f"{graph.name}: input {tensor.name} is not quantised: give samples, or quantise the model")
