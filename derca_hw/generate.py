"""From a platform to Verilog or RTLIL."""

from amaranth.back import rtlil as rtlil_backend
from amaranth.back import verilog as verilog_backend

from derca_sim.model.platform import Platform

from .top import Derca

#: Name of the top module.
TOP = "derca"


def verilog(p: Platform) -> str:
    """The whole system as Verilog-2005, top module `derca`."""
    return verilog_backend.convert(Derca(p), name=TOP, strip_internal_attrs=True)


def rtlil(p: Platform) -> str:
    """The whole system as RTLIL for Yosys, top module `derca`."""
    return rtlil_backend.convert(Derca(p), name=TOP)
