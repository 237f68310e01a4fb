"""Models that are exported for any number of samples."""

from collections.abc import Iterable, Iterator


def one_sample(graph, given: Iterable[str]) -> None:
    """Make the first dimension of each input 1 where the file leaves it open, in place.

    A name that it has there means 1 in all declared shapes. It stays open if a later dimension of an input has it too:
    then it counts more than samples.

    Parameters
    ----------
    graph : of the package `onnx`.
    given : names of the inputs whose values the file stores.
    """
    given = set(given)
    inputs = [_dimensions(value) for value in graph.input if value.name not in given]
    elsewhere = {d.dim_param for dimensions in inputs for d in dimensions[1:]} - {""}
    first = [d for dimensions in inputs for d in dimensions[:1]
             if not d.HasField("dim_value") and d.dim_param not in elsewhere]
    names = {d.dim_param for d in first} - {""}
    for d in (*first, *_named(graph, names)):
        d.dim_value = 1


def _dimensions(value) -> list:
    return list(value.type.tensor_type.shape.dim) if value.type.HasField("tensor_type") else []


def _named(graph, names: set[str]) -> Iterator:
    """The dimensions of results that have one of the names."""
    for value in (*graph.output, *graph.value_info):
        yield from (d for d in _dimensions(value) if d.dim_param in names)
