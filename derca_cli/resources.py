"""From a Yosys netlist to resources per row of the table: LUT, REG, BRAM, DSP, or the columns a vendor's report has.

The design is synthesised with the blocks below kept as modules; every other module dissolves into the block that
holds it. So each cell of the netlist belongs to exactly one row, and the rows add up to the design by construction;
`summarise` checks it all the same. Cells are weighed in units of the target (see `TARGETS`); a cell that has no weight
is an error, so that nothing is left out of a sum.
"""

import re
from collections import Counter
from dataclasses import dataclass

from .output import CheckFailed

#: Columns of the short table: resources in the order in which FPGA reports name them, and what each adds up.
_SUMS = {
    "LUT": {"Logic LUTs": 1, "LUTRAMs": 1, "SRLs": 1},
    "REG": {"FFs": 1},
    "BRAM": {"RAMB36": 1, "RAMB18": 0.5, "EBR": 1, "BSRAM": 1},
    "DSP": {"DSP": 1},
}
KINDS = tuple(_SUMS)
#: Blocks that a device may have beside these.
EXTRA_KINDS = ("URAM", "SPRAM")

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


def _each(column: str, **weights: float) -> dict[str, dict[str, float]]:
    return {name: {column: weight} for name, weight in weights.items()}


def _free(*names: str) -> dict[str, dict[str, float]]:
    return {name: {} for name in names}


@dataclass(frozen=True)
class Target:
    """A device family: how Yosys synthesises for it, what its cells cost, and what to know when reading the figures.

    Attributes
    ----------
    family
        Value of `derca_hw.family.Family` that the hardware is generated for.
    synthesis
        The Yosys command.
    columns
        Columns of the detailed table between "Total LUTs" and the end, in the order of Vivado's
        `report_utilization -hierarchical`: Logic LUTs, LUTRAMs, SRLs, FFs, memory blocks, DSP.
    weights
        Cell type -> what it takes of each column.
    caption
        Units and limits, for people.
    """

    name: str
    family: str
    synthesis: str
    columns: tuple[str, ...]
    weights: dict[str, dict[str, float]]
    caption: str


_ICE40_CELLS = {
    **_each("Logic LUTs", SB_LUT4=1),
    **_free("SB_CARRY", "SB_GB", "SB_PLL40_PAD", "SB_PLL40_CORE", "$scopeinfo"),
    **_each("FFs", **{f"SB_DFF{edge}{kind}": 1 for edge in ("", "N")
                      for kind in ("", "E", "SR", "SS", "ESR", "ESS", "R", "S", "ER", "ES")}),
    **_each("EBR", **{f"SB_RAM40_4K{edges}": 1 for edges in ("", "NR", "NW", "NRNW")}),
}

TARGETS = {target.name: target for target in (
    Target(
        name="ecp5", family="ecp5",
        synthesis="synth_ecp5",
        columns=("Logic LUTs", "LUTRAMs", "FFs", "EBR", "DSP"),
        weights={
            **_each("Logic LUTs", LUT4=1, CCU2C=2),
            **_each("LUTRAMs", TRELLIS_DPR16X4=6),
            **_free("PFUMX", "L6MUX21", "VCC", "GND", "EHXPLLL", "TRELLIS_IO", "ODDRX1F", "$scopeinfo"),
            **_each("FFs", TRELLIS_FF=1),
            **_each("EBR", DP16KD=1, PDPW16KD=1),
            **_each("DSP", MULT18X18D=1),
            "ALU54B": {},
        },
        caption="Lattice ECP5. LUT in LUT4 (carry cell 2, 16 x 4 distributed RAM 6), BRAM in 18 Kbit blocks, "
                "DSP in 18 x 18 multipliers",
    ),
    Target(
        name="ice40", family="ice40",
        synthesis="synth_ice40",  # -dsp cuts the addends of instantiated SB_MAC16 (Yosys 0.70)
        columns=("Logic LUTs", "FFs", "EBR", "SPRAM", "DSP"),
        weights={**_ICE40_CELLS, **_each("DSP", SB_MAC16=1), **_each("SPRAM", SB_SPRAM256KA=1)},
        caption="Lattice iCE40 UltraPlus. LUT in LUT4 (carry free), BRAM in 4 Kbit blocks, DSP in SB_MAC16 blocks",
    ),
    Target(
        name="ice40hx", family="ice40hx",
        synthesis="synth_ice40",
        columns=("Logic LUTs", "FFs", "EBR", "DSP"),
        weights=_ICE40_CELLS,
        caption="Lattice iCE40 HX. LUT in LUT4 (carry free), BRAM in 4 Kbit blocks; without DSP blocks "
                "multipliers are LUTs",
    ),
    Target(
        name="ultrascale", family="ultrascale",
        synthesis="synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
        columns=("Logic LUTs", "LUTRAMs", "SRLs", "FFs", "RAMB36", "RAMB18", "URAM", "DSP"),
        weights={
            **_each("Logic LUTs", LUT1=1, LUT2=1, LUT3=1, LUT4=1, LUT5=1, LUT6=1, LUT6_2=1, INV=1),
            **_each("SRLs", SRL16E=1, SRLC16E=1, SRLC32E=1),
            **_each("LUTRAMs", RAM32X1S=1, RAM64X1S=1, RAM128X1S=2, RAM256X1S=4, RAM512X1S=8, RAM32X1D=2, RAM64X1D=2,
                    RAM128X1D=4, RAM256X1D=8, RAM32M=4, RAM64M=4, RAM32M16=8, RAM64M8=8),
            **_free("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "VCC", "GND", "$scopeinfo"),
            **_each("FFs", FDRE=1, FDSE=1, FDCE=1, FDPE=1),
            **_each("RAMB18", RAMB18E2=1),
            **_each("RAMB36", RAMB36E2=1),
            **_each("URAM", URAM288=1),
            **_each("DSP", DSP48E2=1),
        },
        caption="AMD UltraScale+ (xcup), the LUT6 family nearest to Versal that Yosys knows. LUT in LUT6 without "
                "pairing of LUT5, BRAM in 36 Kbit blocks, DSP in DSP48E2",
    ),
    Target(
        name="gowin", family="portable",
        synthesis="synth_gowin -noiopads",
        columns=("Logic LUTs", "LUTRAMs", "FFs", "BSRAM", "DSP"),
        weights={
            **_each("Logic LUTs", LUT1=1, LUT2=1, LUT3=1, LUT4=1, ALU=1),
            **_each("LUTRAMs", RAM16SDP1=6, RAM16SDP2=6, RAM16SDP4=6),
            **_free(*(f"MUX2_LUT{n}" for n in range(5, 9)), "VCC", "GND", "GSR", "$scopeinfo"),
            **_each("FFs", **{f"DFF{edge}{kind}": 1 for edge in ("", "N")
                              for kind in ("", "E", "S", "SE", "R", "RE", "P", "PE", "C", "CE")}),
            **_each("BSRAM", SP=1, SPX9=1, SDPB=1, SDPX9B=1, DPB=1, DPX9B=1, pROM=1, pROMX9=1),
            **_each("DSP", MULT9X9=0.5, MULT18X18=1, MULT36X36=4),
        },
        caption="Gowin GW1N and GW2A. LUT in LUT4 (adder cell 1, 16 x 4 distributed RAM 6, as Gowin's reports count "
                "it), BRAM in 18 Kbit blocks, DSP in 18 x 18 multipliers (9 x 9: half). Yosys leaves the registers and "
                "the accumulators of the DSP blocks unused, and nextpnr has no timing of them: no clock rates here",
    ),
)}


def weigh(cells: dict[str, int], target: Target) -> dict[str, float]:
    """LUT, REG, BRAM and DSP of a count of cells by type.

    Raises
    ------
    CheckFailed
        For cell types that the target gives no weight: one line each.
    """
    columns = _columns(cells, target)
    return {kind: _tidy(sum(columns.get(column, 0) * weight for column, weight in sums.items()))
            for kind, sums in _SUMS.items()}


def weigh_in_detail(cells: dict[str, int], target: Target) -> dict[str, float]:
    """Total LUTs and the target's columns of a count of cells by type.

    Raises
    ------
    CheckFailed
        As `weigh`.
    """
    columns = _columns(cells, target)
    return {"Total LUTs": weigh(cells, target)["LUT"], **{name: _tidy(columns[name]) for name in target.columns}}


def _columns(cells: dict[str, int], target: Target) -> dict[str, float]:
    unknown = sorted(set(cells) - set(target.weights))
    if unknown:
        raise CheckFailed(*(f"{target.name}: {cells[u]} cells of type {u} have no weight in the resource table "
                            "(derca_cli/resources.py, TARGETS)" for u in unknown))
    out = dict.fromkeys(target.columns, 0)
    for cell, count in cells.items():
        for column, weight in target.weights[cell].items():
            out[column] += count * weight
    return out


def _tidy(value: float) -> float:
    return int(value) if float(value).is_integer() else value


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


def summarise(stat: dict, blocks: dict[str, str], target: Target, top: str = "derca", weigh=weigh) -> list[dict]:
    """Rows of the table: {"module": name, "LUT": n, ...}, the last one being the total; columns as `weigh` gives them.

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


def instances(rtlil: str, top: str) -> dict[str, str]:
    """Module -> name of its instance in a module of an RTLIL text.

    Raises
    ------
    CheckFailed
        If the module is not there.
    """
    body = re.search(rf"^module \\{re.escape(top)}$(.*?)^end$", rtlil, re.MULTILINE | re.DOTALL)
    if body is None:
        raise CheckFailed(f"the hardware has no top module {top}")
    return dict(re.findall(r"^\s+cell \\(\S+) \\(\S+)$", body[1], re.MULTILINE))


def blocks_of(rtlil: str, top: str = "derca") -> dict[str, str]:
    """Module -> row of `BLOCKS`, read from the instances in the top module of an RTLIL text.

    Raises
    ------
    CheckFailed
        If the top module or one of its blocks is not there.
    """
    found = {name: module for module, name in instances(rtlil, top).items()}
    missing = [name for name in BLOCKS if name not in found]
    if missing:
        raise CheckFailed(*(f"the top module has no instance {name}" for name in missing))
    return {found[name]: row for name, row in BLOCKS.items()}
