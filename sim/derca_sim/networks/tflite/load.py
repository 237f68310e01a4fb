"""A `.tflite` file as a graph."""

import struct
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..files import read_model
from ..graph import Arithmetic, Graph, Node, Tensor
from ..operators import Operator, Quantise, Unknown
from ..shapes import ShapeError, result_shapes
from .file import File, MalformedError
from .operators import Found, Taken, UnsupportedError, take


def load_tflite(path: Path) -> Graph:
    """Read a model.

    An operator that cannot be taken over becomes `Unknown`, with the reason.

    Raises
    ------
    InputError
        If the file cannot be read or is malformed, or if the package `tflite` is missing.
    """
    data = read_model(path, "a .tflite")
    try:
        return graph_of(Path(path).stem, data)
    except MalformedError as e:
        raise InputError(f"{path}: no TensorFlow Lite model that can be run: {e}") from None
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError) as e:
        why = " ".join(str(e).split())[:120] or type(e).__name__
        raise InputError(f"{path}: not a well-formed TensorFlow Lite model ({why}): it may be cut off or damaged") \
            from None


def graph_of(name: str, data: bytes) -> Graph:
    """The graph of the bytes of a file.

    Raises
    ------
    MalformedError, and what reading damaged bytes raises
    """
    file = File(data)
    tensors = {tensor.name: tensor for tensor in file.tensors}
    nodes = []
    for call in file.calls:
        found = Found(call, tuple(None if i < 0 else file.tensors[i] for i in call.inputs),
                      tuple(file.tensors[i] for i in call.outputs))
        taken = _taken(found)
        for tensor in taken.inputs:
            if tensor is not None:
                tensors.setdefault(tensor.name, tensor)
        nodes.append(Node(f"{call.index} {call.name}", taken.operator,
                          tuple(None if t is None else t.name for t in taken.inputs),
                          tuple(t.name for t in found.outputs)))
    names = [tensor.name for tensor in file.tensors]
    return Graph(name, tensors, tuple(nodes), tuple(names[i] for i in file.inputs),
                 tuple(names[i] for i in file.outputs), Arithmetic.TFLITE)


def _taken(found: Found) -> Taken:
    try:
        if not found.outputs:
            raise UnsupportedError("it has no outputs")
        if found.call.name != "PACK" and (not found.inputs or found.inputs[0] is None):
            raise UnsupportedError("it has no first input")
        taken = take(found)
        _check(taken.operator, taken.inputs, found)
        return taken
    except (UnsupportedError, ShapeError) as e:
        return Taken(Unknown(found.call.name, str(e)), tuple(t for t in found.inputs))


def _check(operator: Operator, inputs: tuple[Tensor | None, ...], found: Found) -> None:
    """Shapes and types that the operator has a definition for.

    Raises
    ------
    ShapeError, UnsupportedError
        If it has none.
    """
    declared = [t.shape for t in found.outputs]
    made = result_shapes(operator, [None if t is None else t.shape for t in inputs], declared)
    if made != declared:
        raise UnsupportedError(f"it makes {', '.join(str(list(s)) for s in made)}, but its outputs are declared "
                               f"{', '.join(str(list(s)) for s in declared)}")
    quantised = [t for t in (*inputs, *found.outputs) if t is not None and t.dtype in (np.int8, np.uint8, np.int16)]
    for tensor in quantised:
        if tensor.quantisation is None and not isinstance(operator, Quantise) and len(tensor.shape) > 1:
            raise UnsupportedError(f"tensor {tensor.name} of type {tensor.dtype} has no scale: quantise the model")
