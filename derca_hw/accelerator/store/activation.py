"""Tables of outputs: functions of one element behind the requantisation."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.model.platform import Platform
from derca_sim.model.tables import ACTIVATION_ENTRIES, activation_layout, bits_for

from ...blocks.ram import Ram
from ...kernel.tables import Table
from ...kernel.writing import TableWrite


class Activation(wiring.Component):
    """Replaces outputs by what the layer's table makes of them, one per lane and cycle, in `StoreTiming.TABLE` cycles.

    Every lane has a copy of all tables. Parameters are those of the layer while its outputs pass.

    Attributes
    ----------
    write : In(`TableWrite`)
        A word of the tables is written.
    page : In(1)
        The page in use; 0 without `tables.shadow`.
    enabled : In(1)
        Outputs go through a table; otherwise they stay as they are.
    table : In
        Number of the table.
    values, results : In, Out
        Outputs of all lanes.
    """

    def __init__(self, p: Platform):
        self._p = p
        outputs = 8 * p.store.requant_lanes
        super().__init__({
            "write": In(TableWrite()),
            "page": In(1),
            "enabled": In(1),
            "table": In(bits_for(p.requant.tables - 1)),
            "values": In(outputs),
            "results": Out(outputs),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories: those of a lane, as often as there are lanes."""
        depth = ACTIVATION_ENTRIES * p.requant.tables
        return Table.memories(activation_layout(p), depth, 1 + p.tables.shadow, False,
                              "tables of functions (requant.tables, store.requant_lanes)") * p.store.requant_lanes

    def elaborate(self, platform):
        m = Module()
        p = self._p
        value = Signal.like(self.values)
        unchanged = Signal.like(self.values)
        m.d.sync += [value.eq(self.values), unchanged.eq(value)]
        results, depth = [], ACTIVATION_ENTRIES * p.requant.tables
        for i in range(p.store.requant_lanes):
            m.submodules[f"lane_{i}"] = lane = Table(
                activation_layout(p), depth, pages=1 + p.tables.shadow, registered=False)
            connect(m, flipped(self.write), lane.write)
            m.d.comb += [
                lane.written.eq(1),
                lane.page.eq(self.page),
                lane.read.eq(1),
                lane.address.eq(Cat(value.word_select(i, 8), self.table)),
            ]
            results.append(lane.row)
        m.d.comb += self.results.eq(Mux(self.enabled, Cat(results), unchanged))
        return m
