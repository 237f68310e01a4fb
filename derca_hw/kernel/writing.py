"""Writes of the host to the accelerator: words of tables, and parameters of tasks."""

from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import ROW_BITS, WORD_NUMBER_BITS
from derca_sim.model.registers import Table as TableId
from derca_sim.model.tables import bits_for

from ..layouts import Layouts, pulse


class TableWrite(wiring.Signature):
    """A word of a table, seen from the host.

    Members
    -------
    en : Out(1)
        Strobe: the word is written.
    table : Out
        The kernel manager's table: LAYER, ENTRY or INDEX of the register map.
    page : Out(1)
        The half of the tables that is written; 0 without `tables.shadow`.
    row : Out
        Row of the table, which exists.
    word : Out
        Number of the 32-bit word in the row, which exists.
    data : Out(32)
    """

    def __init__(self):
        super().__init__({
            "en": Out(1),
            "table": Out(bits_for(TableId.INDEX)),
            "page": Out(1),
            "row": Out(ROW_BITS),
            "word": Out(WORD_NUMBER_BITS),
            "data": Out(32),
        })


def store_tables(p: Platform) -> dict[str, TableId]:
    """The tables of the store engine, by the name of the port for their writes."""
    return {
        **({"scale_write": TableId.SCALE} if p.requant.channels else {}),
        **({"activation_write": TableId.ACTIVATION} if p.requant.tables else {}),
    }


class TaskConfig(wiring.Signature):
    """Parameters of tasks, seen from the host.

    Members
    -------
    write : Out(stream, always ready)
        A parameter is written; `field` is the word index of its `TaskReg`.
    page : Out(1)
        The page in use; 0 without `tables.shadow`.
    write_page : Out(1)
        The page that is written; 0 without `tables.shadow`.
    """

    def __init__(self, p: Platform):
        super().__init__({
            "write": Out(pulse(Layouts(p).task_write)),
            "page": Out(1),
            "write_page": Out(1),
        })
