"""The address windows of a task: the smallest ranges that contain what was placed for it."""

from collections.abc import Iterable, Sequence

from ..model.registers import READ_WINDOWS, WRITE_WINDOW, TaskReg
from .layout import a_bytes, b_bytes, bias_bytes
from .plan import LayerPlan


def windows(layers: Sequence[LayerPlan]) -> dict[TaskReg, int]:
    """The window registers of a task: weights and biases, its own matrices, and the part of these that it writes."""
    p = layers[0].platform
    weights, read, written = [], [], [(layers[0].save, p.bank_bytes)]
    for plan in layers:
        m, k, n = plan.layer.m, plan.layer.k, plan.layer.n
        weights += [(plan.b_base, b_bytes(p, k, n)), (plan.bias_base, bias_bytes(p, n))]
        read.append((plan.a_base, a_bytes(p, m, k)))
        written.append((plan.c_base, a_bytes(p, *plan.layer.stored)))
    areas = (weights, read + written[:1], written)
    return {
        register: value
        for registers, area in zip((*READ_WINDOWS, WRITE_WINDOW), areas, strict=True)
        for register, value in zip(registers, _bounds(area), strict=True)
    }


def _bounds(areas: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """First and last byte of all the (address, bytes)."""
    areas = list(areas)
    return min(address for address, _ in areas), max(address + size for address, size in areas) - 1
