"""What `derca import` shows of a model."""

from collections.abc import Iterator

from derca_sim.model.platform import Platform
from derca_sim.networks.graph import Graph, Tensor
from derca_sim.networks.lowering.mapping import Placed, totals
from derca_sim.networks.lowering.walk import Where
from derca_sim.timing.roofline import Roofline


def rows(placed: list[Placed], p: Platform | None) -> tuple[list[str], list[list]]:
    """Columns and rows of the table of operators."""
    columns = ["operator", "runs on", "shape", "MAC", "constant bytes", "value bytes", *(["least cycles"] if p else [])]
    return columns, [[
        each.node.name, each.where.value, each.what, each.macs or None, each.constants or None, each.values,
        *([_cycles(each, p)] if p else []),
    ] for each in placed]


def summary(graph: Graph, placed: list[Placed], p: Platform | None, batch: int) -> Iterator[tuple[str, str]]:
    """Named lines below the table."""
    for where, count, macs, constants, _ in totals(placed):
        work = f", {macs:,} multiply-accumulates, {constants:,} bytes of constants" if constants else ""
        yield where.value, f"{count} operators{work}"
    for title, names in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        yield title, "; ".join(_tensor(graph.tensors[name]) for name in names)
    if p is not None:
        need = memory_bytes(placed)
        fits = "fits" if need <= p.memory.size else "does not fit"
        cycles = sum(_cycles(each, p) or 0 for each in placed)
        yield "memory", f"about {need:,} bytes of {p.memory.size:,} on {p.name}: {fits}"
        yield "cycles", (f"at least {cycles:,} for {batch} sample{'s' * (batch > 1)} on {p.name}, "
                         f"{cycles / p.clock_mhz / 1000:,.3g} ms at {p.clock_mhz:g} MHz")


def described(graph: Graph, placed: list[Placed], p: Platform | None, batch: int) -> dict:
    """The same as one object."""
    out = {
        "model": graph.name, "batch": batch,
        "operators": [{
            "name": each.node.name, "kind": each.node.operator.kind, "where": each.where.value, "reason": each.reason,
            "shape": each.what, "macs": each.macs, "constant_bytes": each.constants, "value_bytes": each.values,
            **({"least_cycles": _cycles(each, p)} if p else {}),
        } for each in placed],
        "inputs": [_tensor(graph.tensors[name]) for name in graph.inputs],
        "outputs": [_tensor(graph.tensors[name]) for name in graph.outputs],
    }
    if p is not None:
        out |= {"platform": p.name, "memory_bytes": memory_bytes(placed), "fits": memory_bytes(placed) <= p.memory.size}
    return out


def memory_bytes(placed: list[Placed]) -> int:
    """Bytes of the constants and values of the operators of the accelerator, without padding."""
    return sum(each.constants + each.values for each in placed if each.where is Where.ACCELERATOR)


def _cycles(each: Placed, p: Platform) -> int | None:
    """Least cycles of an operator that the accelerator computes, or would: each byte moves once over the bus."""
    if not each.macs:
        return None
    return round(Roofline(each.macs / (p.array.rows * p.array.cols), (each.constants + each.values) / p.beat_bytes,
                          0).cycles)


def _tensor(tensor: Tensor) -> str:
    """A tensor in words: name, type, shape, quantisation."""
    q = tensor.quantisation
    scale = f", scale {q.scale:g}, zero point {q.zero_point}" if q is not None and q.per_tensor else ""
    return f"{tensor.name} {tensor.dtype} {list(tensor.shape)}{scale}"
