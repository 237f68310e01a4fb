"""The host's writes that load tables and task registers, in the order a driver performs them."""

from collections.abc import Iterable, Sequence

from ..model.platform import Platform
from ..model.registers import TASK_BASE, TASK_STRIDE, Reg, Table, TaskReg
from ..model.tables import RowLayout, entry_layout, index_layout, layer_layout, task_layout
from .plan import TaskPlan

#: Rows the row field of `Reg.TABLE_POINTER` can name.
POINTER_ROWS = 1 << 16


def index_row(platform: Platform, task: int, region: int) -> int:
    """Row of the index table for a region of a task."""
    return (task << (platform.tables.regions - 1).bit_length()) + region


def _load(table: Table, first_row: int, layout: RowLayout, rows: Iterable[int]) -> list[tuple[int, int]]:
    """Point at a row of a table and write consecutive rows."""
    writes = [(int(Reg.TABLE_POINTER), table << 28 | first_row << 8)]
    writes += [(int(Reg.TABLE_DATA), word) for row in rows for word in layout.to_words(row)]
    return writes


#: Codes of overrun policies in `TaskReg.MODE`, bits 3..2.
OVERRUN_CODES = {"skip": 0, "queue": 1, "abort": 2}


def mode(task: TaskPlan) -> int:
    """`TaskReg.MODE` of a task that is enabled."""
    return int(task.sporadic) | 1 << 1 | OVERRUN_CODES[task.overrun] << 2


def host_writes(platform: Platform, layer_rows: Sequence[int], entry_rows: Sequence[int],
                index_rows: dict[tuple[int, int], int], tasks: Sequence[TaskPlan]) -> list[tuple[int, int]]:
    """(byte address, 32-bit value) of every AXI4-Lite write before the start: tables, task registers, enables."""
    index, task_row = index_layout(platform), task_layout(platform)
    writes = _load(Table.LAYER, 0, layer_layout(platform), layer_rows)
    writes += _load(Table.ENTRY, 0, entry_layout(platform), entry_rows)
    for task in tasks:
        rows = [index.pack(entry=index_rows[task.index, region.index]) for region in task.regions]
        writes += _load(Table.INDEX, index_row(platform, task.index, 0), index, rows)
    writes += _load(Table.TASK, 0, task_row, [task_row.pack(regions=len(task.regions)) for task in tasks])
    for task in tasks:
        base = TASK_BASE + task.index * TASK_STRIDE
        writes += [(base + TaskReg.PERIOD, task.period), (base + TaskReg.DEADLINE, task.deadline),
                   (base + TaskReg.OFFSET, task.offset), (base + TaskReg.MODE, mode(task)), (base + TaskReg.SLACK, task.slack & 0xFFFFFFFF)]
    enable = sum(1 << task.index for task in tasks)
    writes += [(int(Reg.ENABLE_LOW), enable & 0xFFFFFFFF), (int(Reg.ENABLE_HIGH), enable >> 32)]
    return writes
