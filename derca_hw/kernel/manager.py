"""The kernel manager: from an instruction to the entries and regions of the job, ahead of their execution."""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.model.platform import Platform
from derca_sim.model.registers import ROW_BITS
from derca_sim.model.registers import Table as TableId
from derca_sim.model.tables import Strategy, WordOrder, bits_for, entry_layout, index_layout, layer_layout

from ..blocks.ram import Ram
from ..layouts import REGION_BITS, Layouts, pulse, struct
from .tables import Table
from .words import WordTables
from .writing import TableWrite


class _Job(NamedTuple):
    """The job in work, as the parts of the manager need it."""

    #: Another job is granted in this cycle.
    switch: Signal
    #: A row is damaged: nothing is offered any more.
    fault: Signal
    #: The job's task, from the cycle after `switch` on.
    task: Signal
    #: The job has run before.
    resume: Signal


class KernelManager(wiring.Component):
    """Executes instructions: grants the next region, or flushes and fetches another job's first entry and regions.

    An instruction in cycle t is a grant in t (combinational). If it switches jobs, the first entry is offered in t +
    `KernelTiming.SWITCH`: one cycle each for the row of the index table, for registers, for the rows of the entry and
    layer tables, and for their parity. An entry names the next one. So the next entry is offered
    `KernelTiming.NEXT` cycles after one was taken, across region boundaries, up to the job's final entry: the
    accelerator prefetches a region before it is granted.

    Regions have a stream of their own. The first one is offered in t + 2. The others follow at most every 2 cycles, as
    they are taken, up to the job's last.

    With `tables.read = "word"` an entry and its layer come as words in the order of `WordOrder` while `want` is high.
    The first word comes in t + 3 and the last in t + `KernelTiming.SWITCH`, one per cycle except for one cycle between
    the entry and its layer.

    With `tables.parity` a row with bad parity is reported once, in the cycle in which it would have been offered. A row
    of the index table is reported `KernelTiming.INDEX_FAULT` cycles after it was read. The manager then offers no entry
    and no region, and grants nothing, until a reset.

    Attributes
    ----------
    instruction : In(stream, always ready)
    grant : Out(stream, always ready)
    entries : Out(stream)
        Withdrawn when a switch is granted. Absent with `tables.read = "word"`, which has the next two ports instead.
    want : In(1)
        The walker has no entry, or lacks words of one.
    words : Out(stream, always ready)
        One word of the entry or of its layer.
    regions : Out(stream)
        Withdrawn when a switch is granted.
    page : In(1)
        The half of the tables that is read. It changes only while there are no jobs. Unused without `tables.shadow`.
    write : In(`TableWrite`)
        Table writes of the host. Each is done at most one cycle later.
    index_fault, entry_fault, layer_fault : Out(1)
        Strobes, one at a time: a row of this table is damaged.
    fault_row : Out
        That row, while a fault is reported.
    stopped : Out(1)
        After a fault.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        self._by_words = p.tables.read == "word"
        super().__init__({
            "instruction": In(stream.Signature(lay.instruction)),
            "grant": Out(pulse(lay.grant)),
            **({"want": In(1), "words": Out(pulse(lay.word))} if self._by_words else
               {"entries": Out(stream.Signature(lay.metadata))}),
            "regions": Out(stream.Signature(lay.region)),
            "page": In(1),
            "write": In(TableWrite()),
            "index_fault": Out(1),
            "entry_fault": Out(1),
            "layer_fault": Out(1),
            "fault_row": Out(ROW_BITS),
            "stopped": Out(1),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        t = p.tables
        options = {"pages": 1 + t.shadow, "parity": t.parity}
        index = Table.memories(index_layout(p), p.scheduler.tasks << bits_for(t.regions - 1),
                               part="table of regions (tables.regions, scheduler.tasks)", **options)
        if t.read == "word":
            return [*index, *WordTables.memories(p)]
        return [*index,
                *Table.memories(entry_layout(p), t.entries, part="table of entries (tables.entries)", **options),
                *Table.memories(layer_layout(p), t.layers, part="table of layers (tables.layers)", **options)]

    def elaborate(self, platform):
        m = Module()
        p = self._p
        region_bits = bits_for(p.tables.regions - 1)
        options = {"pages": 1 + p.tables.shadow, "parity": p.tables.parity}
        m.submodules.index = index = Table(
            index_layout(p), p.scheduler.tasks << region_bits, registered=not self._by_words, **options)
        tables = {(TableId.INDEX,): index}
        if self._by_words:
            m.submodules.words = words = WordTables(p)
            tables[TableId.ENTRY, TableId.LAYER] = words
        else:
            m.submodules.entry = entry = Table(entry_layout(p), p.tables.entries, **options)
            m.submodules.layer = layer = Table(layer_layout(p), p.tables.layers, **options)
            tables |= {(TableId.ENTRY,): entry, (TableId.LAYER,): layer}
        for numbers, table in tables.items():
            connect(m, flipped(self.write), table.write)
            m.d.comb += [
                table.written.eq(Cat(self.write.table == number for number in numbers).any()),
                table.page.eq(self.page),
            ]

        instruction, grant = self.instruction, self.grant
        switch = Signal()
        fault = Signal()
        task = Signal.like(instruction.p.task)
        resume = Signal()
        m.d.comb += [
            instruction.ready.eq(1),
            grant.valid.eq(instruction.valid & ~self.stopped),
            *(grant.p[name].eq(instruction.p[name]) for name, _ in grant.p.shape()),
            switch.eq(grant.valid & instruction.p.switch),
            fault.eq(self.index_fault | self.entry_fault | self.layer_fault),
        ]
        with m.If(switch):
            m.d.sync += [task.eq(instruction.p.task), resume.eq(instruction.p.resume)]
        with m.If(fault):
            m.d.sync += self.stopped.eq(1)
        job = _Job(switch, fault, task, resume)
        self._regions(m, index, job)
        if self._by_words:
            self._words(m, index, words, job)
        else:
            self._entries(m, index, entry, layer, job)
        return m

    def _regions(self, m, index, job: _Job):
        """Offer the rows of the index table, one after the other, from the row of the instruction on.

        The row offered is in a register while the RAM reads the next one. With `tables.read = "word"` it stays in the
        RAM, which saves the register.
        """
        switch, fault, task, resume = job
        instruction, out = self.instruction, self.regions
        layout = struct(index_layout(self._p))
        read = data.View(layout, index.row)
        row = read if self._by_words else Signal(layout, name="row")
        region = Signal.like(out.p.region)  # the region that is offered or read
        following = Signal.like(region)
        # One bit per state: `read` drives every RAM, so little logic may stand before it.
        latching = Signal()
        offering = Signal()
        first = Signal()  # the instruction's own region
        fresh = Signal()  # the first cycle of an offer
        redo = Signal()
        taken = Signal()
        m.d.comb += [
            taken.eq(out.valid & out.ready),
            following.eq(region + 1),
            index.address.eq(Mux(
                instruction.valid & instruction.p.switch,
                Cat(instruction.p.region[:len(region)], instruction.p.task), Cat(following, task))),
            index.read.eq(switch | (taken if self._by_words else offering)),
            redo.eq(first & resume & (row.in_strategy == Strategy.RECOMPUTE)),
            out.valid.eq(offering & ~switch & ~(fresh & index.damaged)),
            out.p.slices.eq(Mux(redo, row.redone, row.slices)),
            out.p.region.eq(region),
            out.p.strategy.eq(row.out_strategy if self._p.preemption == "slice" else Strategy.LAYER),
            self.index_fault.eq(offering & fresh & index.damaged),
        ]
        m.d.sync += [latching.eq(0), fresh.eq(0)]
        with m.If(latching):
            m.d.sync += [offering.eq(1), fresh.eq(1)]
            if not self._by_words:
                m.d.sync += row.eq(read)
        with m.If(taken):
            m.d.sync += [offering.eq(0), latching.eq(~row.last), region.eq(following), first.eq(0)]
        with m.If(switch):
            m.d.sync += [latching.eq(1), offering.eq(0), first.eq(1), region.eq(instruction.p.region)]
        with m.If(fault):
            m.d.sync += [latching.eq(0), offering.eq(0)]
        with m.If(self.index_fault):
            m.d.comb += self.fault_row.eq(Cat(region, task))

    def _entries(self, m, index, entry, layer, job: _Job):
        """Offer the entries, from that of the instruction's region on, with the rows of their layers."""
        switch, fault, task, resume = job
        instruction, out = self.instruction, self.entries
        first = data.View(struct(index_layout(self._p)), index.row)
        row = data.View(self._lay.entry, entry.row)
        region = Signal(REGION_BITS)
        in_strategy = Signal(Strategy)
        begins = Signal()  # the next entry offered is the first one of the switch
        # The rows that are read next, and those that are offered. RAMs are slow: their addresses come from registers,
        # and their data go to registers, except for the data that are offered.
        next_entry = Signal.like(first.entry)
        next_layer = Signal.like(first.layer)
        entry_at = Signal.like(first.entry)
        layer_at = Signal.like(first.layer)
        ends_job = Signal()
        # One bit per state: `read` drives every RAM, so little logic may stand before it.
        pointing = Signal()
        reading = Signal()
        arriving = Signal()
        offering = Signal()
        damaged = Signal()
        m.d.comb += [
            damaged.eq(entry.damaged | layer.damaged),
            out.valid.eq(offering & ~switch & ~damaged),
            out.p.layer.eq(layer.row),
            out.p.entry.eq(row),
            out.p.task.eq(task),
            out.p.region.eq(region),
            out.p.resume.eq(begins & resume),
            out.p.in_strategy.eq(in_strategy if self._p.preemption == "slice" else Strategy.LAYER),
            entry.address.eq(next_entry),
            layer.address.eq(next_layer),
            entry.read.eq(reading | offering & out.ready),
            layer.read.eq(entry.read),
        ]
        with m.If(entry.read):
            m.d.sync += [entry_at.eq(next_entry), layer_at.eq(next_layer)]
        m.d.sync += [pointing.eq(0), reading.eq(pointing), arriving.eq(reading)]
        with m.If(pointing):
            m.d.sync += [next_entry.eq(first.entry), next_layer.eq(first.layer), in_strategy.eq(first.in_strategy)]
        with m.If(arriving):
            m.d.sync += [next_entry.eq(row.next), next_layer.eq(row.next_layer), ends_job.eq(row.final)]
            m.d.sync += offering.eq(1)
        with m.If(offering & out.ready):  # also for a damaged row, which is not taken: nothing follows it
            m.d.sync += [offering.eq(0), arriving.eq(~ends_job), begins.eq(0)]
        with m.If(offering & ~self.index_fault):
            with m.If(entry.damaged):
                m.d.comb += [self.entry_fault.eq(1), self.fault_row.eq(entry_at)]
            with m.Elif(layer.damaged):
                m.d.comb += [self.layer_fault.eq(1), self.fault_row.eq(layer_at)]
        with m.If(switch):
            m.d.sync += [pointing.eq(1), begins.eq(1), region.eq(instruction.p.region)]
        with m.If(switch | fault):
            m.d.sync += [reading.eq(0), arriving.eq(0), offering.eq(0)]
        with m.If(fault):
            m.d.sync += pointing.eq(0)

    def _words(self, m, index, words, job: _Job):
        """Offer the words of the entries, from that of the instruction's region on, and of their layers."""
        switch, fault, task, resume = job
        instruction, out, order = self.instruction, self.words, WordOrder(self._p)
        first = data.View(struct(index_layout(self._p)), index.row)
        row = self._lay.entry
        word = data.View(row, Cat(words.data, Const(0, row.size - 32)))  # the entry's first word, in its fields
        region = Signal.like(self.regions.p.region)
        in_strategy = Signal(Strategy)
        begins = Signal()  # the entry is the first one of the switch
        entry = Signal.like(first.entry)
        layer = Signal.like(first.layer)
        final = Signal()
        number = Signal(range(order.end + 1))  # number of the word that is read next
        # One bit per state; `leading`: there is an entry to be read
        pointing = Signal()
        leading = Signal()
        arrived = Signal()
        reading = Signal()
        of_entry = Signal()
        complete = Signal()
        m.d.comb += [
            of_entry.eq(arrived & (number == order.layer)),  # the word that names the next entry and the layer
            complete.eq(number == order.end),
            reading.eq(leading & self.want & ~of_entry & ~complete),
            words.read.eq(reading),
            words.layer.eq(number[order.bits]),
            words.word.eq(Mux(words.layer, number, ~number)),
            words.row.eq(Mux(words.layer, layer, entry)),
            out.valid.eq(arrived & ~words.damaged),
            out.p.data.eq(words.data),
            out.p.next.eq(number),
            out.p.last.eq(complete),
            out.p.task.eq(task),
            out.p.region.eq(region),
            out.p.resume.eq(begins & resume),
            out.p.in_strategy.eq(in_strategy if self._p.preemption == "slice" else Strategy.LAYER),
        ]
        m.d.sync += [pointing.eq(0), arrived.eq(reading)]
        with m.If(pointing):
            m.d.sync += [entry.eq(first.entry), in_strategy.eq(first.in_strategy), leading.eq(1)]
        with m.If(reading):
            m.d.sync += number.eq(number + 1)
        with m.If(of_entry):
            m.d.sync += [entry.eq(word.next), layer.eq(word.layer), final.eq(word.final)]
        with m.If(out.valid & complete):
            m.d.sync += [number.eq(order.first), leading.eq(~final), begins.eq(0)]
        with m.If(arrived & words.damaged & ~self.index_fault):
            with m.If(words.layer & ~of_entry):
                m.d.comb += [self.layer_fault.eq(1), self.fault_row.eq(layer)]
            with m.Else():
                m.d.comb += [self.entry_fault.eq(1), self.fault_row.eq(entry)]
        with m.If(switch):
            m.d.sync += [pointing.eq(1), begins.eq(1), region.eq(instruction.p.region), number.eq(order.first)]
        with m.If(switch | fault):
            m.d.sync += [leading.eq(0), arrived.eq(0)]
        with m.If(fault):
            m.d.sync += pointing.eq(0)
