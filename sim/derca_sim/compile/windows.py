"""The address windows of a task: the smallest ranges that contain what was placed for it."""

from collections.abc import Iterable, Sequence

from ..model.registers import READ_WINDOWS, WRITE_WINDOW, TaskReg
from .layout import Area, bias_bytes
from .plan import LayerPlan


def windows(layers: Sequence[LayerPlan]) -> dict[TaskReg, int]:
    """The window registers of a task: weights and biases, its own matrices, and the part of these that it writes."""
    p = layers[0].platform
    weights, read, written = [], [], [(layers[0].save, p.bank_bytes)]
    for plan in layers:
        weights.append((plan.bias_base, bias_bytes(p, plan.patch.n)))
        (weights if plan.layer.b is None else read).append(_range(plan.b.area))
        read.append(_range(plan.a.area))
        if plan.d is not None:
            read.append(_range(plan.d.area))
        written.append(_range(plan.c.area))
    areas = (weights, read + written[:1], written)
    return {
        register: value
        for registers, area in zip((*READ_WINDOWS, WRITE_WINDOW), areas, strict=True)
        for register, value in zip(registers, _bounds(area), strict=True)
    }


def _range(area: Area) -> tuple[int, int]:
    return area.address, area.size


def _bounds(areas: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """First and last byte of all the (address, bytes)."""
    areas = list(areas)
    return min(address for address, _ in areas), max(address + size for address, size in areas) - 1
