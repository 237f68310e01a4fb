"""From a platform to Verilog or RTLIL, for a device family."""

from amaranth.back import rtlil as rtlil_backend
from amaranth.back.verilog import find_yosys

from derca_sim.model.platform import Platform

from .family import Family
from .top import Derca

#: Name of the top module.
TOP = "derca"

#: What Yosys does between RTLIL and Verilog. Amaranth's own script keeps every process, and with them a wire for each
#: member of each port and structure, used or not. Here processes become registers and multiplexers, so that what
#: nobody reads can go, and operators shrink to the bits that are read: lint then speaks of the design alone.
_PASSES = (
    "proc -norom", "wreduce", "opt_clean -purge", "memory_collect", "opt_clean -purge",
    "attrmap -remove generator -remove top -remove src -remove full_case -remove parallel_case",
    "attrmap -modattr -remove generator -remove top -remove src",
    "write_verilog -norename",
)


def verilog(p: Platform, family: Family = Family.PORTABLE) -> str:
    """The whole system as Verilog-2005, top module `derca`."""
    source = rtlil_backend.convert(Derca(p), platform=family, name=TOP, emit_src=False)
    script = [f"read_rtlil <<end_of_rtlil\n{source}\nend_of_rtlil"]
    return find_yosys(lambda version: True).run(["-q", "-"], "\n".join([*script, *_PASSES]), ignore_warnings=True)


def rtlil(p: Platform, family: Family = Family.PORTABLE) -> str:
    """The whole system as RTLIL for Yosys, top module `derca`."""
    return rtlil_backend.convert(Derca(p), platform=family, name=TOP)
