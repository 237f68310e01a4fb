"""The host interface: AXI4-Lite registers, time, table loading, the event stream."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.model.platform import Platform
from derca_sim.model.registers import ADDRESS_BITS, ID_VALUE, TASK_BASE, TASK_STRIDE, VERSION_VALUE, Reg, TaskReg
from derca_sim.model.registers import Table as TableId
from derca_sim.model.tables import bits_for, entry_layout, index_layout, layer_layout, task_layout

from ..layouts import Layouts, pulse
from .events import EventCollector

#: The AXI4-Lite slave port.
LITE_PORTS = {
    "s_axi_awaddr": In(ADDRESS_BITS),
    "s_axi_awvalid": In(1),
    "s_axi_awready": Out(1),
    "s_axi_wdata": In(32),
    "s_axi_wstrb": In(4),
    "s_axi_wvalid": In(1),
    "s_axi_wready": Out(1),
    "s_axi_bresp": Out(2),
    "s_axi_bvalid": Out(1),
    "s_axi_bready": In(1),
    "s_axi_araddr": In(ADDRESS_BITS),
    "s_axi_arvalid": In(1),
    "s_axi_arready": Out(1),
    "s_axi_rdata": Out(32),
    "s_axi_rresp": Out(2),
    "s_axi_rvalid": Out(1),
    "s_axi_rready": In(1),
}


class HostInterface(wiring.Component):
    """AXI4-Lite slave for the register map in `derca_sim.model.registers`; one access at a time.

    A write takes effect in the cycle in which address and data are both accepted; read data follow the accepted
    address by one cycle. `now` is 0 in the first cycle of a run and counts every cycle of it.

    Attributes
    ----------
    s_axi_* : the AXI4-Lite channels
    task_write : Out(stream, always ready)
        A register of a task's block was written.
    regions : Out(stream, always ready)
        A row of the task table was written.
    table_* : Out
        A word of one of the kernel manager's tables was written.
    """

    def __init__(self, p: Platform, sources: int):
        self._p = p
        self._sources = sources
        lay = Layouts(p)
        n = p.scheduler.tasks
        super().__init__({
            **LITE_PORTS,
            "now": Out(32),
            "running": Out(1),
            "enable": Out(n),
            "trigger_in": In(n),
            "trigger": Out(n),
            "task_write": Out(pulse(lay.task_write)),
            "regions": Out(pulse(lay.task_write)),
            "table_write": Out(1),
            "table": Out(2),
            "table_row": Out(16),
            "table_word": Out(8),
            "table_data": Out(32),
            "idle": In(1),
            "error": In(1),
            **{f"source_{i}": In(pulse(lay.event)) for i in range(sources)},
            "event": Out(stream.Signature(lay.event)),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        n = p.scheduler.tasks
        m.submodules.events = events = EventCollector(p, self._sources)
        for i in range(self._sources):
            connect(m, flipped(getattr(self, f"source_{i}")), getattr(events, f"source_{i}"))
        connect(m, events.event, flipped(self.event))

        # -- writes ------------------------------------------------------------------------------------------------
        write = Signal()
        address, value = self.s_axi_awaddr, self.s_axi_wdata
        m.d.comb += [
            write.eq(self.s_axi_awvalid & self.s_axi_wvalid & ~self.s_axi_bvalid),
            self.s_axi_awready.eq(write),
            self.s_axi_wready.eq(write),
        ]
        with m.If(write):
            m.d.sync += self.s_axi_bvalid.eq(1)
        with m.Elif(self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)

        enable = Signal(64)
        run = self.running
        error_seen = Signal()
        pointer_table, pointer_row, pointer_word = Signal(4), Signal(16), Signal(8)
        trigger = Signal(n)
        whole = Signal()  # partial writes are ignored
        m.d.comb += [
            whole.eq(write & self.s_axi_wstrb.all()),
            self.enable.eq(enable),
            self.trigger.eq(trigger | self.trigger_in),
            self.table.eq(pointer_table),
            self.table_row.eq(pointer_row),
            self.table_word.eq(pointer_word),
            self.table_data.eq(value),
        ]
        rows = {
            TableId.LAYER: layer_layout(p), TableId.ENTRY: entry_layout(p),
            TableId.INDEX: index_layout(p), TableId.TASK: task_layout(p),
        }
        last_word = Signal(range(max(layout.words for layout in rows.values())))
        with m.Switch(pointer_table):
            for table, layout in rows.items():
                with m.Case(int(table)):
                    m.d.comb += last_word.eq(layout.words - 1)

        m.d.sync += self.now.eq(self.now + run)
        with m.If(self.error):
            m.d.sync += error_seen.eq(1)
        in_task_block = Signal()
        task_bits = bits_for(n - 1)
        stride_bits = TASK_STRIDE.bit_length() - 1
        m.d.comb += in_task_block.eq(address[12] == TASK_BASE >> 12)
        for out in (self.task_write, self.regions):
            m.d.comb += out.p.value.eq(value)
        m.d.comb += [
            self.task_write.p.task.eq(address[stride_bits:stride_bits + task_bits]),
            self.task_write.p.field.eq(address[2:5]),
            self.task_write.valid.eq(whole & in_task_block & (address[stride_bits:12] < n)),
            self.regions.p.task.eq(pointer_row),
        ]
        with m.If(whole & ~in_task_block):
            with m.Switch(address[:12]):
                with m.Case(Reg.CONTROL):
                    m.d.sync += run.eq(value[0])
                    with m.If(value[0] & ~run):
                        m.d.sync += self.now.eq(0)
                with m.Case(Reg.ENABLE_LOW):
                    m.d.sync += enable[:32].eq(value)
                with m.Case(Reg.ENABLE_HIGH):
                    m.d.sync += enable[32:].eq(value)
                with m.Case(Reg.TRIGGER_LOW):
                    m.d.comb += trigger[:32].eq(value)
                with m.Case(Reg.TRIGGER_HIGH):
                    m.d.comb += trigger[32:].eq(value)
                with m.Case(Reg.TABLE_POINTER):
                    m.d.sync += [
                        pointer_word.eq(value[:8]), pointer_row.eq(value[8:24]), pointer_table.eq(value[28:]),
                    ]
                with m.Case(Reg.TABLE_DATA):
                    m.d.comb += [
                        self.table_write.eq(pointer_table != TableId.TASK),
                        self.regions.valid.eq((pointer_table == TableId.TASK) & (pointer_row < n)),
                    ]
                    m.d.sync += pointer_word.eq(pointer_word + 1)
                    with m.If(pointer_word == last_word):
                        m.d.sync += [pointer_word.eq(0), pointer_row.eq(pointer_row + 1)]

        # -- reads ---------------------------------------------------------------------------------------------------
        read = Signal()
        where = self.s_axi_araddr
        m.d.comb += [
            read.eq(self.s_axi_arvalid & ~self.s_axi_rvalid),
            self.s_axi_arready.eq(read),
            events.stat_task.eq(where[stride_bits:stride_bits + task_bits]),
            events.stat_kind.eq(where[2:4]),
        ]
        with m.If(read):
            m.d.sync += [self.s_axi_rvalid.eq(1), self.s_axi_rdata.eq(0)]
            with m.If(where[12] == TASK_BASE >> 12):
                with m.If((where[2:5] >= TaskReg.RELEASES >> 2) & (where[stride_bits:12] < n)):
                    m.d.sync += self.s_axi_rdata.eq(events.stat)
            with m.Else():
                with m.Switch(where[:12]):
                    for register, content in (
                        (Reg.ID, Const(ID_VALUE, 32)),
                        (Reg.VERSION, Const(VERSION_VALUE, 32)),
                        (Reg.CONFIG_HASH, Const(p.config_hash, 32)),
                        (Reg.CONTROL, run),
                        (Reg.STATUS, Cat(run, self.idle, error_seen)),
                        (Reg.NOW, self.now),
                        (Reg.ENABLE_LOW, enable[:32]),
                        (Reg.ENABLE_HIGH, enable[32:]),
                        (Reg.EVENTS_DROPPED, events.dropped),
                    ):
                        with m.Case(register):
                            m.d.sync += self.s_axi_rdata.eq(content)
        with m.Elif(self.s_axi_rready):
            m.d.sync += self.s_axi_rvalid.eq(0)
        return m
