"""Verilog of a component as Amaranth writes it, for benches."""

from amaranth.back import verilog
from amaranth.lib import wiring

from derca_hw.bus.join import ports
from derca_hw.verilog.convert import without_garbage_collection


def plain_verilog(component: wiring.Component, name: str) -> str:
    """Verilog of a component as top module `name`, with its ports by flat name."""
    with without_garbage_collection():
        return verilog.convert(component, name=name, ports=ports(component), strip_internal_attrs=True)
