"""An `.onnx` file as a graph.

ONNX stores images channels first, a graph channels last. Inputs and outputs of the graph keep the order that the file
gives them. Each operator that wants channels last is read with a transpose before and after it; `channels_last` then
moves these until they meet and vanish. What remains stands mostly behind the inputs and before the outputs.
"""

from pathlib import Path

from ...errors import InputError
from ..files import read_model
from ..graph import Graph
from ..passes.absorb import absorb
from ..passes.flatten import flatten
from ..passes.fold import fold
from ..passes.layout import channels_last
from ..shapes import ShapeError
from .operators import take
from .operators.found import Found
from .reading.builder import Builder, UnsupportedError
from .reading.file import Call, File, MalformedError
from .reading.package import short

#: What reading a damaged model raises.
DAMAGE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, MemoryError)


def load_onnx(path: Path) -> Graph:
    """Read a model of operator set 13 or later with fixed shapes.

    An operator that cannot be taken over becomes `Unknown`, with the reason.

    Raises
    ------
    InputError
        If the file cannot be read or is malformed, or if the package `onnx` is missing.
    """
    data = read_model(path, "an .onnx")
    try:
        return simplified(graph_of(Path(path).stem, data, Path(path).parent))
    except MalformedError as e:
        raise InputError(f"{path}: no ONNX model that can be run: {e}") from None
    except DAMAGE as e:
        raise InputError(f"{path}: not a well-formed ONNX model ({short(e)}): onnx.checker.check_model tells more") \
            from None


def graph_of(name: str, data: bytes, folder: Path = Path()) -> Graph:
    """The graph of the bytes of a file, node by node; its external data lies in a folder.

    Raises
    ------
    MalformedError, InputError
        If they are no model that is taken over.
    """
    file = File(data, folder)
    builder = Builder(file)
    for call in file.calls:
        _take(call, file, builder)
    return builder.graph(name)


def simplified(graph: Graph) -> Graph:
    """The graph with few transposes, batch normalisations in the products before them, and no computed constants."""
    return fold(flatten(absorb(channels_last(graph))))


def _take(call: Call, file: File, builder: Builder) -> None:
    builder.begin(call)
    try:
        found = Found(call, builder, tuple(builder.tensor(name) for name in call.inputs),
                      tuple(file.declared.get(name) for name in call.outputs))
        builder.end(call, take(found))
    except (UnsupportedError, ShapeError) as e:
        builder.unknown(call, str(e))
    except DAMAGE as e:
        raise MalformedError(f"node {call.label} is not well-formed ({short(e)}): onnx.checker.check_model tells "
                             "more") from None
