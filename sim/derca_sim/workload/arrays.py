"""Arrays in and out of a network: quantised ones as the network has them, or floats with its scales."""

from collections.abc import Mapping

import numpy as np

from ..errors import InputError
from ..model.network import Network
from ..networks.graph import Tensor
from ..networks.interpreter.arithmetic import half_away
from ..networks.interpreter.values import dequantised, finish

#: The name of the only input, and of the only output, of a network that is not of a model.
ONLY = ""


def input_names(network: Network) -> tuple[str, ...]:
    """The inputs of a network."""
    return (ONLY,) if network.model is None else tuple(network.model.graph.inputs)


def as_stored(network: Network, given: object) -> tuple[dict[str, np.ndarray], bool]:
    """Arrays [count, *shape] by input in the types of the network; whether floats were quantised.

    Parameters
    ----------
    given
        An array, or one for each input by name. Floats for a quantised input are quantised with its scale, halves away
        from zero, and saturate.

    Raises
    ------
    InputError
        If an input is missing, is not known, holds no numbers, or the arrays have not the same number of samples.
    """
    names = input_names(network)
    arrays = given if isinstance(given, Mapping) else {names[0]: given}
    if set(arrays) != set(names):
        raise InputError(f"inputs of {network.name}: {', '.join(map(repr, arrays)) or 'none'}: allowed is "
                         + ("an array for each of " + ", ".join(names) if len(names) > 1 else "one array"))
    out, scaled = {}, False
    for name in names:
        values = np.asarray(arrays[name])
        if values.dtype.kind not in "biuf" or not values.ndim:
            raise InputError(f"input {name or network.name}: {values.dtype} {list(values.shape)}: allowed are arrays "
                             "of numbers [count, *shape]")
        if values.dtype.kind == "f" and network.model is not None:
            tensor = network.model.graph.tensors[name]
            scaled |= tensor.quantisation is not None
            values = quantised(values, tensor) if tensor.quantisation is not None else values.astype(np.float32)
        out[name] = values
    counts = {len(values) for values in out.values()}
    if len(counts) != 1 or not min(counts):
        raise InputError(f"inputs of {network.name}: {', '.join(str(len(v)) for v in out.values())} samples: allowed "
                         "is the same number for each input, from 1 on")
    return out, scaled


def as_given(network: Network, results: Mapping[str, np.ndarray], floats: bool) -> np.ndarray | dict[str, np.ndarray]:
    """Results by output as a caller gets them: one array if there is one output; floats if `floats`."""
    out = dict(results)
    if floats:
        tensors = network.model.graph.tensors
        out = {name: np.stack([dequantised(value, tensors[name]) for value in values])
               if tensors[name].quantisation is not None else values for name, values in out.items()}
    return out if len(out) > 1 else next(iter(out.values()))


def quantised(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Stored values of floats."""
    scaled = np.nan_to_num(values.astype(np.float32) / tensor.quantisation.scale)
    return finish(half_away(scaled), tensor)
