"""From a Yosys netlist to resources per row of a table: LUT, REG, BRAM, DSP, or the columns of a vendor's report.

The design is synthesised with the blocks below kept as modules; every other module dissolves into the block that holds
it. So each cell of the netlist belongs to exactly one row, and the rows add up to the design by construction;
`summarise` checks it all the same. Cells are weighed in units of the target (see `TARGETS`). A cell without a weight is
an error, so that no sum leaves anything out.
"""

import re
from collections import Counter

from derca_sim.errors import CheckFailed

from .targets import Target

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
                            "(derca_flow/tools/cells.py, TARGETS)" for u in unknown))
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
        The output of `stat -json`.
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
    """Refuse a synthesis log that reports latches, combinational loops or multiple drivers, or that is cut off.

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
