"""Cycles of layers on the RTL beside the roofline of their true shape, for each layer alone and for all in a row."""

from derca_flow.sessions.system import check_results, run_rtl
from derca_sim.errors import CheckFailed
from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.timing import roofline

from .. import cases

#: Cycles of a run beyond the roofline, which grow until all is finished: a share, and as many per layer.
SHARE, MARGIN = 0.25, 4_000


def utilisation(side: int, full: bool, progress=lambda detail: None) -> list[dict]:
    """One row per layer: alone from release to finish (`cold`), and within one job of all layers (`together`)."""
    p = cases.platform(side)
    groups = {
        "divisible": [cases.divisible(p, full)],
        "ragged": cases.ragged(p, 3 if full else 1, full),
        **cases.SMALL,
    }
    rows = []
    for group, shapes in groups.items():
        small = group in cases.SMALL
        if small and not full:
            shapes = [s for s in shapes if roofline.of_shape(p, *s).cycles <= cases.SHORT_RUN]
        together = _together(p, group, [shapes[-1], *shapes], progress)[1:] if small else [None] * len(shapes)
        for shape, cycles in zip(shapes, together, strict=True):
            progress(f"{side} x {side}, {group}, {' x '.join(map(str, shape))}")
            rows.append(_row(p, group, shape, _cold(p, group, shape), cycles))
    return rows


def _run(p: Platform, group: str, shapes, strategy: str):
    least = roofline.total(roofline.of_shape(p, *shape) for shape in shapes)
    horizon, finished = int((1 + SHARE) * least) + MARGIN * len(shapes), False
    while not finished:
        compiled = cases.compiled(p, [cases.task(0, "layers", shapes, horizon)], horizon, strategy)
        result = run_rtl(compiled, horizon)
        finished = len(result.finishes) == 1
        horizon *= 2
        if horizon > 100 * (least + MARGIN * len(shapes)):
            raise CheckFailed(f"{group} on {p.name}: the job does not finish")
    wrong = check_results(compiled, result.finishes).differences
    if wrong:
        raise CheckFailed(*(f"{group} on {p.name}: {w}" for w in wrong))
    return result


def _cold(p: Platform, group: str, shape) -> int:
    """Cycles from the release of a job to its last result in memory."""
    result = _run(p, group, [shape], "np")
    return result.finishes[0].cycle


def _together(p: Platform, group: str, shapes, progress) -> list[int]:
    """Cycles of each layer in one job, from the last operands of the layer before to its own last operands."""
    progress(f"{p.array.rows} x {p.array.cols}, {group}, one after the other")
    result = _run(p, group, shapes, "lw")
    ends = [0, *(e.cycle for e in result.events if e.kind == Kind.REGION_END)]
    return [b - a for a, b in zip(ends, ends[1:], strict=False)]


def _row(p: Platform, group: str, shape, cold: int, together: int | None) -> dict:
    bound = roofline.of_shape(p, *shape)
    return {
        "array": f"{p.array.rows} x {p.array.cols}", "group": group, "shape": list(shape), "limit": bound.limit,
        "roofline_cycles": round(bound.cycles, 1),
        "cold_cycles": cold, "cold_utilisation": round(bound.macs / cold, 4),
        "cold_times_roofline": round(cold / bound.cycles, 3),
        "together_cycles": together,
        "together_times_roofline": None if together is None else round(together / bound.cycles, 3),
    }
