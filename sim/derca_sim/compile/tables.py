"""The host's writes that load tables and task registers, in the order a driver performs them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..model.platform import Platform
from ..model.registers import OVERRUN, ROW_BITS, Reg, Table, register_map
from ..model.tables import (
    RowLayout,
    activation_layout,
    entry_layout,
    index_layout,
    layer_layout,
    scale_layout,
    task_layout,
)
from .plan import TaskPlan
from .windows import windows

#: Rows the row field of `Reg.TABLE_POINTER` can name.
POINTER_ROWS = 1 << ROW_BITS


def index_row(platform: Platform, task: int, region: int) -> int:
    """Row of the index table for a region of a task."""
    return (task << (platform.tables.regions - 1).bit_length()) + region


def table_writes(platform: Platform, table: Table, first_row: int, layout: RowLayout,
                 rows: Iterable[int]) -> list[tuple[int, int]]:
    """Writes that point at a row of a table and fill consecutive rows."""
    pointer = register_map(platform)["TABLE_POINTER"]
    writes = [(pointer.offset, pointer.pack(table=table, row=first_row))]
    writes += [(int(Reg.TABLE_DATA), word) for row in rows for word in layout.to_words(row)]
    return writes


def host_writes(platform: Platform, layer_rows: Sequence[int], entry_rows: Sequence[int],
                index_rows: Mapping[tuple[int, int], int], tasks: Sequence[TaskPlan]) -> list[tuple[int, int]]:
    """(byte address, 32-bit value) of every AXI4-Lite write before the start: tables and task registers.

    The writes disable tasks of the platform that the set does not have.
    """
    index, task_row, registers = index_layout(platform), task_layout(platform), register_map(platform)
    writes = table_writes(platform, Table.LAYER, 0, layer_layout(platform), layer_rows)
    writes += table_writes(platform, Table.ENTRY, 0, entry_layout(platform), entry_rows)
    if platform.requant.channels:
        plans = {layer.scale: layer for task in tasks for layer in task.layers}  # tasks may share a network
        scales = [row for scale in sorted(plans) for row in plans[scale].packed_scales()]
        writes += table_writes(platform, Table.SCALE, 0, scale_layout(platform), scales)
    functions = {layer.activation: layer.layer.table for task in tasks for layer in task.layers
                 if layer.activation is not None}
    if functions:
        rows = np.concatenate([np.roll(functions[number], 128) for number in sorted(functions)]).view(np.uint8)
        writes += table_writes(platform, Table.ACTIVATION, 0, activation_layout(platform), map(int, rows))
    for task in tasks:
        rows = [index_rows[task.index, region.index] for region in task.regions]
        writes += table_writes(platform, Table.INDEX, index_row(platform, task.index, 0), index, rows)
    writes += table_writes(
        platform, Table.TASK, 0, task_row, [task_row.pack(regions=len(task.regions)) for task in tasks])
    for task in tasks:
        sporadic = {"sporadic": 1} if task.sporadic else {}
        mode = registers["MODE"].pack(**sporadic, enabled=1, overrun=OVERRUN[task.overrun])
        values = {"PERIOD": task.period, "DEADLINE": task.deadline, "OFFSET": task.offset, "MODE": mode}
        if "least_slack" in platform.scheduler.policies:
            values["SLACK"] = task.slack & ((1 << platform.scheduler.time_width) - 1)
        if platform.supervision.budgets:
            values["JOB_BUDGET"] = task.job_budget
        if platform.supervision.budgets or "least_slack" in platform.scheduler.policies:
            values["REGION_BUDGET"] = task.region_budget
        if platform.supervision.windows:
            values |= {register.name: value for register, value in windows(task.layers).items()}
        writes += [(registers.address(name, task.index), value) for name, value in values.items()]
    unused = set(range(platform.scheduler.tasks)) - {task.index for task in tasks}
    writes += [(registers.address("MODE", task), 0) for task in sorted(unused)]
    return writes
