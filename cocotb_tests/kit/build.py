"""One Amaranth component as a cocotb simulation, compiled once per content."""

from collections.abc import Callable
from pathlib import Path

from amaranth.back import rtlil, verilog
from amaranth.hdl import Const, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from derca_cli.rtl import vpi

#: Name of the top module and of the simulation binary.
TOP = "top"


def ports(component: wiring.Component) -> dict:
    """Ports of a component by flat name, as `release__payload`; constant members (`ready` of pulses) are left out."""
    out = {}
    for path, member, value in component.signature.flatten(component):
        value = Value.cast(value)
        if not isinstance(value, Const):
            direction = PortDirection.Output if member.flow == wiring.Out else PortDirection.Input
            out["__".join(map(str, path))] = (value, direction)
    return out


def build(factory: Callable[[], wiring.Component], *, waves: bool = False, models: str = "") -> Path:
    """Compile a component for cocotb; return the folder with the binary `TOP`.

    Parameters
    ----------
    factory
        Makes a fresh component.
    waves
        Build waveform output (VCD) in.
    models
        Verilog of the primitives that the component instantiates.

    Raises
    ------
    MissingToolError, BuildError
        As `derca_cli.rtl.vpi.build`.
    """
    component = factory()
    text = rtlil.convert(component, name=TOP, ports=ports(component), emit_src=False)

    def source() -> str:
        fresh = factory()
        return verilog.convert(fresh, name=TOP, ports=ports(fresh), strip_internal_attrs=True) + models

    return vpi.build((text + models).encode(), source, TOP, waves=waves)
