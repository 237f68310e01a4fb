"""Measured areas for the estimate: every block of a platform synthesised by itself, kept by content.

`derca report` keeps blocks apart, so a block alone gives the same cells. A block that two platforms share is
synthesised once.
"""

import json
import re
from pathlib import Path

from derca_flow.rtl.content import python_sources
from derca_flow.tools import nextpnr
from derca_flow.tools.caching import BOARDS, read_json
from derca_flow.tools.cells import BLOCKS, TOP_ROW, blocks_of, flat_cells, instances, weigh
from derca_flow.tools.targets import TARGETS
from derca_flow.tools.yosys import cached, synthesise
from derca_hw.families.family import Family
from derca_sim.model.board import Board
from derca_sim.model.platform import Platform

_MODULE = re.compile(r"^(?:attribute [^\n]*\n)*module \\(\S+)\n.*?^end$", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^\s+cell \\(\S+) ", re.MULTILINE)
_SOURCE = re.compile(r'^\s*attribute \\src "[^"]*"\n', re.MULTILINE)
_PORT = re.compile(r"^  wire .*(?:input|output) \d+ +\\\S+$", re.MULTILINE)


def areas(p: Platform, family: str) -> dict[str, dict[str, float]]:
    """LUT, REG, BRAM and DSP of every row of the resource table, blocks kept apart."""
    def fill(work: Path) -> None:
        (work / "areas.json").write_text(json.dumps(_measure(p, family)))

    inputs = [python_sources("derca_hw", "derca_sim.model").decode(errors="replace"), p.model_dump_json(), family,
              TARGETS[family].synthesis, repr(sorted(TARGETS[family].weights.items()))]
    return read_json(cached("estimate", inputs, fill) / "areas.json")


def flattened(p: Platform, family: str) -> dict[str, float]:
    """LUT, REG, BRAM and DSP with all blocks dissolved."""
    return weighed(_design(p, family), family, "derca")


def around(board: Board, p: Platform) -> dict[str, float]:
    """LUT, REG, BRAM and DSP of the parts of a board's top around the accelerator."""
    from derca_hw.generate import BOARD_TOP, TOP, board_rtlil

    design = board_rtlil(board, p)
    derca = {module: name for module, name in instances(design, BOARD_TOP).items() if name == TOP}
    return weighed(pieces(design, BOARD_TOP, derca)[TOP_ROW][0], board.target, BOARD_TOP)


def built(board: Board, p: Platform) -> dict[str, float]:
    """LUT, REG, BRAM and DSP of a board's netlist."""
    from derca_hw.generate import BOARD_TOP, board_rtlil

    target = TARGETS[board.target]
    netlist = nextpnr.netlist(board_rtlil(board, p), target, BOARD_TOP, BOARDS, dense=True)
    return weigh(flat_cells(read_json(netlist.parent / "stat.json")), target)


def pieces(design: str, top: str, kept: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Per row of the resource table: RTLIL of the block alone, and the name of its module.

    `kept` are the blocks, module -> row; in the top's own piece they are black boxes.
    """
    modules = {found[1]: found[0] for found in _MODULE.finditer(design)}

    def closure(name: str, stop: set[str]) -> dict[str, str]:
        out = {name: modules[name]}
        for cell in _CELL.findall(modules[name]):
            if cell in modules and cell not in out and cell not in stop:
                out |= closure(cell, stop)
        return out

    out = {row: ("\n".join(closure(module, set()).values()) + "\n", module) for module, row in kept.items()}
    boxes = [_box(module, modules[module]) for module in kept]
    out[TOP_ROW] = ("\n".join([*closure(top, set(kept)).values(), *boxes]) + "\n", top)
    return out


def _box(name: str, text: str) -> str:
    return "\n".join(["attribute \\blackbox 1", f"module \\{name}", *_PORT.findall(text), "end"])


def _design(p: Platform, family: str) -> str:
    from derca_hw.generate import rtlil

    return _SOURCE.sub("", rtlil(p, Family(TARGETS[family].family)))


def _measure(p: Platform, family: str) -> dict[str, dict[str, float]]:
    design = _design(p, family)
    found = pieces(design, "derca", blocks_of(design))
    return {row: weighed(found[row][0], family, found[row][1]) for row in [*BLOCKS.values(), TOP_ROW]}


def weighed(design: str, family: str, top: str) -> dict[str, float]:
    """LUT, REG, BRAM and DSP of a design; black boxes count nothing."""
    target = TARGETS[family]
    boxes = set(re.findall(r"^attribute \\blackbox 1\nmodule \\(\S+)$", design, re.MULTILINE))
    cells = flat_cells(synthesise(design, target, top=top))
    return weigh({cell: count for cell, count in cells.items() if cell not in boxes}, target)
