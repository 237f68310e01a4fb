"""The kernel manager: from an instruction to the metadata entries of the job, ahead of their execution."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import ROW_BITS
from derca_sim.model.registers import Table as TableId
from derca_sim.model.tables import bits_for, entry_layout, index_layout, layer_layout
from derca_sim.model.timing import KernelTiming

from ..layouts import REGION_BITS, Layouts, pulse, struct
from .tables import Table


class KernelManager(wiring.Component):
    """Executes instructions: grants the next region, or flushes and fetches another job's first entry.

    An instruction in cycle t is a grant in t (combinational). If it switches jobs, the first entry is offered in t + 4
    (`KernelTiming.SWITCH`): the row of the index table, registers, the rows of the entry and layer tables, their
    parity. Entries follow each other in the entry table and name the layer of the next, so after each one taken the
    next is offered 2 cycles later (`KernelTiming.NEXT`), across region boundaries, until the job's final entry: the
    accelerator prefetches a region before it is granted.

    A row that fails its parity (`tables.parity`) is reported once, when its entry would have been offered, or in t + 2
    (`KernelTiming.INDEX_FAULT`) for the index table; from then on there are neither entries nor grants until `start`.

    Attributes
    ----------
    instruction : In(stream, always ready)
    grant : Out(stream, always ready)
    entries : Out(stream)
        Withdrawn when a switch is granted.
    start : In
        A run begins: a manager that has stopped works again, entries still on offer are withdrawn.
    page : In
        The half of the tables that is read; changes only while there are no jobs. Unused without `tables.shadow`.
    write, write_page, write_table, write_row, write_word, write_data : In
        Table writes of the host; each is done one cycle later.
    index_fault, entry_fault, layer_fault : Out
        Strobes, one at a time: a row of this table is damaged.
    fault_row : Out
        That row, while a fault is reported.
    stopped : Out
        After a fault.
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
            "start": In(1),
            "page": In(1),
            "write": In(1),
            "write_page": In(1),
            "write_table": In(len(TableId).bit_length()),
            "write_row": In(ROW_BITS),
            "write_word": In(8),
            "write_data": In(32),
            "index_fault": Out(1),
            "entry_fault": Out(1),
            "layer_fault": Out(1),
            "fault_row": Out(ROW_BITS),
            "stopped": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        region_bits = bits_for(p.tables.regions - 1)
        options = {"pages": 1 + p.tables.shadow, "parity": p.tables.parity}
        m.submodules.index = index = Table(index_layout(p), p.scheduler.tasks << region_bits, **options)
        m.submodules.entry = entry = Table(entry_layout(p), p.tables.entries, **options)
        m.submodules.layer = layer = Table(layer_layout(p), p.tables.layers, **options)
        for table, number in ((index, TableId.INDEX), (entry, TableId.ENTRY), (layer, TableId.LAYER)):
            m.d.comb += [
                table.write.eq(self.write & (self.write_table == number)),
                table.write_page.eq(self.write_page),
                table.write_row.eq(self.write_row),
                table.write_word.eq(self.write_word),
                table.write_data.eq(self.write_data),
                table.page.eq(self.page),
            ]

        instruction, grant = self.instruction, self.grant
        switch = Signal()
        m.d.comb += [
            instruction.ready.eq(1),
            grant.valid.eq(instruction.valid & ~self.stopped),
            *(grant.p[name].eq(instruction.p[name]) for name, _ in lay.grant),
            switch.eq(grant.valid & instruction.p.switch),
        ]

        first, row = data.View(struct(index_layout(p)), index.row), data.View(lay.entry, entry.row)
        task = Signal.like(instruction.p.task)
        region = Signal(REGION_BITS)
        resume = Signal()
        # The rows that are read next, and those that are on offer. RAMs are slow: they get their addresses from
        # registers, and what they answer goes to registers, but for what is handed out.
        next_entry, next_layer = Signal.like(first.entry), Signal.like(first.layer)
        entry_at, layer_at = Signal.like(first.entry), Signal.like(first.layer)
        ends_region, ends_job = Signal(), Signal()
        out = self.entries
        m.d.comb += [
            out.p.layer.eq(layer.row),
            out.p.entry.eq(row),
            out.p.task.eq(task),
            out.p.region.eq(region),
            out.p.resume.eq(resume),
            index.address.eq(Cat(instruction.p.region[:region_bits], instruction.p.task)),
            index.read.eq(switch),
            entry.address.eq(next_entry),
            layer.address.eq(next_layer),
            layer.read.eq(entry.read),
        ]
        with m.If(entry.read):
            m.d.sync += [entry_at.eq(next_entry), layer_at.eq(next_layer), next_entry.eq(next_entry + 1)]

        # The states READ and OFFER as bits of their own: reading goes to every RAM, with as little before it as can be.
        reading, offering = Signal(), Signal()
        m.d.comb += entry.read.eq(reading | offering & out.ready)
        m.d.sync += reading.eq(0)

        def interrupts():
            with m.If(switch):
                m.d.sync += [reading.eq(0), offering.eq(0)]
                m.next = "INDEX"
            with m.If(self.start):
                m.d.sync += [reading.eq(0), offering.eq(0)]
                m.next = "NONE"

        with m.FSM():
            with m.State("NONE"):
                interrupts()
            with m.State("INDEX"):
                m.d.sync += [next_entry.eq(first.entry), next_layer.eq(first.layer)]
                m.d.sync += reading.eq(1)
                m.next = "READ"
                interrupts()
            with m.State("READ"):
                m.next = "ROWS"
                interrupts()
                with m.If(index.damaged):
                    m.d.comb += [self.index_fault.eq(1), self.fault_row.eq(Cat(region[:region_bits], task))]
                    m.next = "STOPPED"
            with m.State("ROWS"):
                m.d.sync += [
                    next_layer.eq(row.next_layer), ends_region.eq(row.preemptive), ends_job.eq(row.final),
                ]
                m.d.sync += offering.eq(1)
                m.next = "OFFER"
                interrupts()
            with m.State("OFFER"):
                damaged = Signal()
                m.d.comb += [damaged.eq(entry.damaged | layer.damaged), out.valid.eq(~switch & ~damaged)]
                with m.If(out.ready):  # a damaged row is not taken, but nothing follows it either
                    m.d.sync += [region.eq(region + ends_region), resume.eq(0), offering.eq(0)]
                    m.next = "ROWS"
                    with m.If(ends_job):
                        m.next = "NONE"
                interrupts()
                with m.If(entry.damaged):
                    m.d.comb += [self.entry_fault.eq(1), self.fault_row.eq(entry_at)]
                    m.d.sync += offering.eq(0)
                    m.next = "STOPPED"
                with m.Elif(layer.damaged):
                    m.d.comb += [self.layer_fault.eq(1), self.fault_row.eq(layer_at)]
                    m.d.sync += offering.eq(0)
                    m.next = "STOPPED"
            with m.State("STOPPED"):
                m.d.comb += self.stopped.eq(1)
                interrupts()
        with m.If(switch):
            m.d.sync += [
                task.eq(instruction.p.task), region.eq(instruction.p.region), resume.eq(instruction.p.resume),
            ]
        return m
