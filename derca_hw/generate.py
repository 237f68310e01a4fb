"""From a platform to Verilog or RTLIL, for a device family."""

import re

from amaranth.back import rtlil as rtlil_backend
from amaranth.back.verilog import find_yosys
from amaranth.lib import wiring

from derca_sim.model.board import Board
from derca_sim.model.platform import Platform

from .board.system import BoardSystem
from .family import Family
from .ip import TOP as IP_TOP
from .ip import DercaIp, interface_attributes
from .top import Derca

#: Names of the top modules: the accelerator, and a board.
TOP, BOARD_TOP = "derca", "derca_board"

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
    return _verilog(Derca(p), family, TOP)


def ip_verilog(p: Platform, family: Family = Family.PORTABLE, base: int = 0) -> str:
    """The whole system as vendor tools take it (`DercaIp`) as Verilog-2005, top module `derca_ip`."""
    component = DercaIp(p, base)
    attributes = interface_attributes(p, component.signature.members)

    def annotated(port: re.Match) -> str:
        lines = [f'  (* {name} = "{value}" *)\n' for name, value in attributes.get(port["name"], {}).items()]
        return "".join([*lines, port[0]])

    source = _verilog(component, family, IP_TOP)
    # Not as attributes of the signals: ports that are the same net would share them after Yosys has cleaned up.
    before, module, rest = source.partition(f"module {IP_TOP}(")
    body, end, rest = rest.partition("endmodule")
    return "".join([before, module, _PORT.sub(annotated, body), end, rest])


#: A port in the text of a module.
_PORT = re.compile(r"^  (?:input|output) (?:\[\d+:0\] )?(?P<name>\w+);$", re.MULTILINE)


def rtlil(p: Platform, family: Family = Family.PORTABLE) -> str:
    """The whole system as RTLIL for Yosys, top module `derca`."""
    return rtlil_backend.convert(Derca(p), platform=family, name=TOP, emit_src=False)


def board_verilog(board: Board, p: Platform, divisor: int | None = None) -> str:
    """A board's top as portable Verilog-2005 for simulation, top module `derca_board`.

    `divisor`: core clock cycles per bit on the UART instead of the board's.
    """
    return _verilog(BoardSystem(p, board, divisor), Family.PORTABLE, BOARD_TOP)


def board_rtlil(board: Board, p: Platform) -> str:
    """A board's top for its device as RTLIL for Yosys, top module `derca_board`."""
    return rtlil_backend.convert(BoardSystem(p, board), platform=Family(board.target), name=BOARD_TOP,
                                 emit_src=False)


def _verilog(top: wiring.Component, family: Family, name: str) -> str:
    source = rtlil_backend.convert(top, platform=family, name=name, emit_src=False)
    script = [f"read_rtlil <<end_of_rtlil\n{source}\nend_of_rtlil"]
    text = find_yosys(lambda version: True).run(["-q", "-"], "\n".join([*script, *_PASSES]), ignore_warnings=True)
    return zeros_in_loops(text)


#: A memory whose words are all set to zero, one by one: most of the text where memories are large.
_ZEROS = re.compile(r"^  initial begin\n    (?P<name>\w+)\[0\] = (?P<zero>\d+'h0+);\n"
                    r"(?P<others>(?:    (?P=name)\[\d+\] = (?P=zero);\n)*)  end\n", re.MULTILINE)


def zeros_in_loops(verilog: str) -> str:
    """The same Verilog with a loop for every memory of nothing but zeros."""
    def loop(memory: re.Match) -> str:
        name, row = memory["name"], f"{memory['name']}_row"
        return (f"  integer {row};\n  initial\n"
                f"    for ({row} = 0; {row} < {1 + memory['others'].count(chr(10))}; {row} = {row} + 1)\n"
                f"      {name}[{row}] = {memory['zero']};\n")

    return _ZEROS.sub(loop, verilog)
