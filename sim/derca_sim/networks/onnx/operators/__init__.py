"""ONNX's operators as those of a graph, one family in each file."""

from collections.abc import Callable, Sequence

from ...graph import Tensor
from ..reading.builder import UnsupportedError
from . import constants, contrib, elements, images, matrices, moves, quantised
from .found import Found

_RULES: dict[str, Callable[[Found], Tensor | Sequence[Tensor]]] = {
    **constants.RULES, **contrib.RULES, **elements.RULES, **images.RULES, **matrices.RULES, **moves.RULES,
    **quantised.RULES,
}


def take(found: Found) -> Sequence[Tensor]:
    """The outputs of a node of the file, of the graph's operators that compute it.

    Raises
    ------
    UnsupportedError, ShapeError
        If there are none.
    """
    call = found.call
    rule = _RULES.get(call.operator)
    if rule is None:
        raise UnsupportedError(f"operators of domain {call.domain} have no definition here" if call.domain
                               else "this operator is not implemented")
    made = rule(found)
    return (made,) if isinstance(made, Tensor) else made
