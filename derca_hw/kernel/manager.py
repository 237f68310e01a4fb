"""The kernel manager: from an instruction to the metadata entries of the job, ahead of their execution."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import Table as TableId
from derca_sim.model.tables import bits_for, entry_layout, index_layout, layer_layout
from derca_sim.model.timing import KernelTiming

from ..layouts import REGION_BITS, Layouts, pulse
from .tables import Table


class KernelManager(wiring.Component):
    """Executes instructions: grants the next region, or flushes and fetches another job's first entry.

    An instruction in cycle t is a grant in t (combinational). If it switches jobs, the first entry is offered in
    t + 3 (index, entry, layer tables: one cycle each). Entries follow each other in the entry table, so after each one
    taken the next is offered 2 cycles later, across region boundaries, until the job's final entry: the accelerator
    prefetches a region before it is granted.

    Attributes
    ----------
    instruction : In(stream, always ready)
    grant : Out(stream, always ready)
    entries : Out(stream)
        Withdrawn when a switch is granted.
    host : In
        Table writes: `write` strobe, `table`, `row`, `word`, `data`.
    """

    #: Cycles from an instruction that switches to the offer of the first entry.
    SWITCH_LATENCY = KernelTiming.SWITCH
    #: Cycles from an entry taken to the offer of the next.
    NEXT_LATENCY = KernelTiming.NEXT

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        super().__init__({
            "instruction": In(stream.Signature(lay.instruction)),
            "grant": Out(pulse(lay.grant)),
            "entries": Out(stream.Signature(lay.metadata)),
            "write": In(1),
            "write_table": In(2),
            "write_row": In(16),
            "write_word": In(8),
            "write_data": In(32),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        region_bits = bits_for(p.tables.regions - 1)
        depth = p.scheduler.tasks << region_bits
        m.submodules.index = index = Table(index_layout(p), depth)
        m.submodules.entry = entry = Table(entry_layout(p), p.tables.entries)
        m.submodules.layer = layer = Table(layer_layout(p), p.tables.layers)
        for table, number in ((index, TableId.INDEX), (entry, TableId.ENTRY), (layer, TableId.LAYER)):
            m.d.comb += [
                table.write.eq(self.write & (self.write_table == number)),
                table.write_row.eq(self.write_row),
                table.write_word.eq(self.write_word),
                table.write_data.eq(self.write_data),
            ]

        instruction = self.instruction
        switch = Signal()
        m.d.comb += [
            instruction.ready.eq(1),
            self.grant.valid.eq(instruction.valid),
            self.grant.p.switch.eq(instruction.p.switch),
            self.grant.p.preempt.eq(instruction.p.preempt),
            self.grant.p.abort.eq(instruction.p.abort),
            switch.eq(instruction.valid & instruction.p.switch),
        ]

        row = data.View(lay.entry, entry.row)
        task = Signal.like(instruction.p.task)
        region = Signal(REGION_BITS)
        resume = Signal()
        pointer = Signal(bits_for(p.tables.entries - 1))  # the entry being offered
        out = self.entries
        m.d.comb += [
            out.p.layer.eq(layer.row),
            out.p.entry.eq(row),
            out.p.task.eq(task),
            out.p.region.eq(region),
            out.p.resume.eq(resume),
            index.address.eq(Cat(instruction.p.region[:region_bits], instruction.p.task)),
            index.read.eq(switch),
            layer.address.eq(row.layer),
        ]
        def on_switch():
            with m.If(switch):
                m.next = "INDEX"

        with m.FSM():
            with m.State("NONE"):
                on_switch()
            with m.State("INDEX"):
                m.d.comb += [entry.address.eq(index.row), entry.read.eq(1)]
                m.d.sync += pointer.eq(index.row)
                m.next = "ENTRY"
                on_switch()
            with m.State("ENTRY"):
                m.d.comb += layer.read.eq(1)
                m.next = "OFFER"
                on_switch()
            with m.State("OFFER"):
                m.d.comb += out.valid.eq(~switch)
                with m.If(out.valid & out.ready):
                    m.d.comb += [entry.address.eq(pointer + 1), entry.read.eq(1)]
                    m.d.sync += [
                        pointer.eq(pointer + 1),
                        region.eq(region + row.preemptive),
                        resume.eq(0),
                    ]
                    m.next = "ENTRY"
                    with m.If(row.final):
                        m.next = "NONE"
                on_switch()
        with m.If(switch):
            m.d.sync += [
                task.eq(instruction.p.task), region.eq(instruction.p.region), resume.eq(instruction.p.resume),
            ]
        return m
