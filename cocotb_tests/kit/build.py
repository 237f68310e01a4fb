"""One Amaranth component as a cocotb simulation, compiled once per content."""

from collections.abc import Callable
from pathlib import Path

from amaranth.back import rtlil, verilog
from amaranth.lib import wiring

from derca_cli.rtl import vpi
from derca_hw.ports import ports

#: Name of the top module and of the simulation binary.
TOP = "top"


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
