"""From a Yosys netlist to LUT, REG, BRAM and DSP per row of the resource table.

The design is synthesised with the blocks below kept as modules; every other module dissolves into the block that
holds it. So each cell of the netlist belongs to exactly one row, and the rows add up to the design by construction;
`summarise` checks it all the same. Cells are weighed in units of the target (see `TARGETS`); a cell that has no weight
is an error, so that nothing is left out of a sum.
"""

import re
from collections import Counter
from dataclasses import dataclass

from .output import CheckFailed

#: Columns of the table.
KINDS = ("LUT", "REG", "BRAM", "DSP")

#: Instances in the top module `derca` -> row of the table, in the table's order.
BLOCKS = {
    "scheduler": "scheduler",
    "job_release": "job release",
    "memory_interface": "memory interface",
    "kernel_manager": "kernel management",
    "accelerator": "accelerator",
    "host_interface": "host interface",
}

#: Row of the cells that stand in the top module itself.
TOP_ROW = "top level"


def _lut(**weights: float) -> dict[str, dict[str, float]]:
    return {name: {"LUT": weight} for name, weight in weights.items()}


def _free(*names: str) -> dict[str, dict[str, float]]:
    return {name: {} for name in names}


@dataclass(frozen=True)
class Target:
    """A device family: the Yosys command for it, what its cells cost, and what to know when reading the figures."""

    name: str
    synthesis: str
    weights: dict[str, dict[str, float]]
    caption: str


TARGETS = {
    "ecp5": Target(
        name="ecp5",
        synthesis="synth_ecp5",
        weights={
            **_lut(LUT4=1, CCU2C=2, TRELLIS_DPR16X4=6),
            **_free("PFUMX", "L6MUX21", "VCC", "GND", "$scopeinfo"),
            "TRELLIS_FF": {"REG": 1},
            "DP16KD": {"BRAM": 1},
            "PDPW16KD": {"BRAM": 1},
            "MULT18X18D": {"DSP": 1},
            "ALU54B": {},
        },
        caption="Lattice ECP5. LUT in LUT4 (carry cell 2, 16 x 4 distributed RAM 6), BRAM in 18 Kbit blocks, "
                "DSP in 18 x 18 multipliers",
    ),
    "ice40": Target(
        name="ice40",
        synthesis="synth_ice40 -dsp",
        weights={
            **_lut(SB_LUT4=1),
            **_free("SB_CARRY", "$scopeinfo"),
            **{f"SB_DFF{kind}": {"REG": 1} for kind in ("", "E", "SR", "SS", "ESR", "ESS", "R", "S", "ER", "ES")},
            **{f"SB_RAM40_4K{edges}": {"BRAM": 1} for edges in ("", "NR", "NW", "NRNW")},
            "SB_MAC16": {"DSP": 1},
        },
        caption="Lattice iCE40 UltraPlus. LUT in LUT4 (carry free), BRAM in 4 Kbit blocks, DSP in SB_MAC16 blocks",
    ),
    "ultrascale": Target(
        name="ultrascale",
        synthesis="synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
        weights={
            **_lut(LUT1=1, LUT2=1, LUT3=1, LUT4=1, LUT5=1, LUT6=1, LUT6_2=1, INV=1, SRL16E=1, SRLC16E=1, SRLC32E=1),
            **_lut(RAM32X1S=1, RAM64X1S=1, RAM128X1S=2, RAM256X1S=4, RAM512X1S=8, RAM32X1D=2, RAM64X1D=2),
            **_lut(RAM128X1D=4, RAM256X1D=8, RAM32M=4, RAM64M=4, RAM32M16=8, RAM64M8=8),
            **_free("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "VCC", "GND", "$scopeinfo"),
            "FDRE": {"REG": 1}, "FDSE": {"REG": 1}, "FDCE": {"REG": 1}, "FDPE": {"REG": 1},
            "RAMB18E2": {"BRAM": 0.5},
            "RAMB36E2": {"BRAM": 1},
            "DSP48E2": {"DSP": 1},
        },
        caption="AMD UltraScale+ (xcup), the LUT6 family nearest to Versal that Yosys knows. LUT in LUT6 without "
                "pairing of LUT5, BRAM in 36 Kbit blocks, DSP in DSP48E2",
    ),
}


def weigh(cells: dict[str, int], target: Target) -> dict[str, float]:
    """LUT, REG, BRAM and DSP of a count of cells by type.

    Raises
    ------
    CheckFailed
        For cell types that the target gives no weight: one line each.
    """
    unknown = sorted(set(cells) - set(target.weights))
    if unknown:
        raise CheckFailed(*(f"{target.name}: {cells[u]} cells of type {u} have no weight in the resource table "
                            "(derca_cli/resources.py, TARGETS)" for u in unknown))
    out = dict.fromkeys(KINDS, 0)
    for cell, count in cells.items():
        for kind, weight in target.weights[cell].items():
            out[kind] += count * weight
    return {kind: int(v) if float(v).is_integer() else v for kind, v in out.items()}


def cells_by_row(stat: dict, blocks: dict[str, str], top: str = "derca") -> dict[str, Counter]:
    """Cells by type of every row of the table.

    Parameters
    ----------
    stat
        What `stat -json` wrote.
    blocks
        Module of the netlist -> row. A module may have several instances; every module below a block counts to it.
    top
        Name of the top module.

    Raises
    ------
    CheckFailed
        If a block is not in the netlist.
    """
    modules = {name.removeprefix("\\"): m["num_cells_by_type"] for name, m in stat["modules"].items()}
    missing = sorted(set(blocks) - set(modules))
    if missing or top not in modules:
        raise CheckFailed(*(f"module {m} of the resource table is not in the netlist" for m in missing or [top]))
    rows = {row: Counter() for row in [*blocks.values(), TOP_ROW]}

    def add(module: str, row: str, times: int) -> None:
        for cell, count in modules[module].items():
            if cell in modules:
                add(cell, blocks.get(cell, row), times * count)
            else:
                rows[row][cell] += times * count

    add(top, TOP_ROW, 1)
    return rows


def flat_cells(stat: dict) -> Counter:
    """Cells by type of the whole design, instances of modules left out."""
    modules = {name.removeprefix("\\") for name in stat["modules"]}
    return Counter({cell: n for cell, n in stat["design"]["num_cells_by_type"].items() if cell not in modules})


def summarise(stat: dict, blocks: dict[str, str], target: Target, top: str = "derca") -> list[dict]:
    """Rows of the table: {"module": name, "LUT": n, ...}, the last one being the total.

    Raises
    ------
    CheckFailed
        If the rows do not add up to the design, or a cell has no weight.
    """
    rows = cells_by_row(stat, blocks, top)
    design, summed = flat_cells(stat), sum(rows.values(), Counter())
    if design != summed:
        cells = sorted(c for c in design | summed if design[c] != summed[c])
        raise CheckFailed(*(f"{c}: the rows hold {summed[c]}, the design {design[c]}" for c in cells))
    table = [{"module": row, **weigh(cells, target)} for row, cells in rows.items()]
    return [*table, {"module": "total", **weigh(design, target)}]


#: Messages of Yosys that make a design unfit for synthesis, and their names.
_FATAL = {
    "latch": re.compile(r"(?<!no )latch inferred", re.IGNORECASE),
    "combinational loop": re.compile(r"(logic|combinat\w+) loop in|found.*\bloop\b", re.IGNORECASE),
    "multiple drivers": re.compile(r"multiple (conflicting )?drivers|driver-driver conflict", re.IGNORECASE),
}


def check_log(log: str) -> None:
    """Refuse a synthesis log that tells of latches, combinational loops or multiple drivers, or that is cut off.

    Raises
    ------
    CheckFailed
        One line per message of Yosys.
    """
    bad = dict.fromkeys(f"{kind}: {line.strip()}" for line in log.splitlines()
                        for kind, pattern in _FATAL.items() if pattern.search(line))
    if bad:
        raise CheckFailed(*bad)
    if "End of script." not in log:
        raise CheckFailed("the synthesis log is cut off; its warnings cannot be judged")


def blocks_of(rtlil: str, top: str = "derca") -> dict[str, str]:
    """Module -> row of `BLOCKS`, read from the instances in the top module of an RTLIL text.

    Raises
    ------
    CheckFailed
        If the top module or one of its blocks is not there.
    """
    body = re.search(rf"^module \\{re.escape(top)}$(.*?)^end$", rtlil, re.MULTILINE | re.DOTALL)
    if body is None:
        raise CheckFailed(f"the hardware has no top module {top}")
    instances = {name: module for module, name in re.findall(r"^\s+cell \\(\S+) \\(\S+)$", body[1], re.MULTILINE)}
    missing = [name for name in BLOCKS if name not in instances]
    if missing:
        raise CheckFailed(*(f"the top module has no instance {name}" for name in missing))
    return {instances[name]: row for name, row in BLOCKS.items()}
