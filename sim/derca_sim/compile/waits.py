"""What a layer waits for: which operands other layers write, and how many tiles may still be on their way."""

from collections.abc import Sequence

from ..model.network import Network
from ..model.placing import a_part, b_part, c_part
from .layers import LayerPlan, Wait


def wait_of(network: Network, before: Sequence[LayerPlan]) -> Wait:
    """What the layer after those in `before` waits for.

    Tiles are stored in order, so it is the last layer that writes an operand which counts. All its tiles must be in
    memory. If it is the layer just before, and A alone depends on it, from its first row on, a row of tiles waits for
    the same rows only.
    """
    layer = network.layers[len(before)]
    makers = [[i for i, plan in enumerate(before) if part is not None and plan.layer.c.matrix == part.place.matrix
               and c_part(plan.layer).common(part)] for part in (a_part(layer), b_part(layer))]
    if not any(makers):
        return Wait()
    a, b = map(bool, makers)
    last = max(i for own in makers for i in own)
    previous = before[last]
    rowwise = (last == len(before) - 1 and not b and not previous.layer.transposed
               and layer.a.row == previous.layer.c.row and layer.m <= previous.layer.m)
    if rowwise:
        return Wait(a, b, (previous.m_tiles - 1) * previous.n_tiles, previous.n_tiles)
    return Wait(a, b, sum(plan.m_tiles * plan.n_tiles for plan in before[last + 1 :]))
