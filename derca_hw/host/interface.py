"""The host interface: the registers of the register map, time, table loading, faults, the event stream."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.description import Access, Guard, Register
from derca_sim.model.platform import Platform
from derca_sim.model.registers import (
    OF_A_JOB,
    ROW_BITS,
    Fault,
    Interrupt,
    interrupt_sources,
    register_map,
)
from derca_sim.model.registers import Table as TableId
from derca_sim.model.tables import bits_for

from ..blocks.ram import Ram
from ..bus.axi_lite import LiteSlave, lite_ports
from ..bus.join import join
from ..kernel.writing import TableWrite, TaskConfig, store_tables
from ..layouts import Activity, Layouts, pulse
from .activity import Counters
from .checks import WriteChecks
from .events import EventCollector
from .faults import FaultKeeper
from .interrupts import KINDS, Interrupts, happens
from .pointer import TablePointer
from .reads import RegisterReads, placed
from .run_control import RunControl
from .statistics import FIRST

#: Outputs of `RunControl` to the blocks of a run, beside `running`.
RUN = ("start", "draining", "clear", "arm", "hold", "committed")


class HostInterface(wiring.Component):
    """AXI4-Lite slave with the registers that `register_map` describes; one access at a time.

    A write takes effect in the cycle in which address and data are both accepted. Read data follow the accepted address
    by one cycle. An access to a register that does not exist, or that the register map forbids at the time, is answered
    with SLVERR and changes nothing.

    `RunControl` decides when a run starts and when a commit is taken. `now` is 0 in the first cycle of a run, which is
    the one after `start`, and counts every cycle of the run. After a stop it keeps the number of cycles that the run
    had. Events that a source reports after the stop are dropped. Faults: see `FaultKeeper`.

    Parameters
    ----------
    kinds
        The kinds that each source of events sends.

    Attributes
    ----------
    s_axi_*
        The AXI4-Lite channels.
    now : Out(32)
        The time, in cycles.
    running, start, draining, clear, arm, hold, committed : Out(1)
        See `RunControl`.
    free, quiet, settled : In(1)
        See `RunControl`.
    config : Out(`TaskConfig`)
        Writes of task parameters, and the pages.
    regions : Out(stream, always ready)
        A row of the task table was written.
    table_write : Out(`TableWrite`)
        A word of one of the kernel manager's tables was written.
    trace_write : Out(1)
        A word of the trace was written: `row`, `word` and `data` of `table_write`.
    scale_write, activation_write : Out(1)
        Likewise of the tables of scales and of outputs, as `store_tables` names them.
    trigger_valid, trigger_task : Out
        The host releases a sporadic task. Absent without `release.sporadic`.
    policy, watchdog_warn, watchdog_limit, trace_length : Out
        Registers of these names. Absent if the platform does not have them.
    idle, safe : In(1)
        For STATUS.
    activity, read_request, write_request : In
        See `Counters`.
    faults : In
        A strobe per `Fault`.
    fault_where : In
        Row or task of the fault that stops.
    faulty : Out(1)
        A fault stands.
    irq : Out(1)
        See `Interrupts`. Absent without `supervision.interrupts`.
    bus_error_task, window_task : In
        With the strobe of that fault of a job: the task.
    source_0 .. : In(stream, always ready)
    event : Out(stream)
        See `EventCollector`.
    """

    def __init__(self, p: Platform, kinds: Sequence[tuple[Kind, ...]]):
        self._p = p
        self._kinds = kinds
        self._map = register_map(p)
        #: Registers that only store their value, which a port shows.
        self._stored = {
            r.name: r for r in self._map.registers if r.access == Access.READ_WRITE and r.guard == Guard.STOPPED
        }
        self._readable = {r.name for r in self._map.registers if r.readable}
        lay = Layouts(p)
        super().__init__({
            **lite_ports(self._map.address_bits),
            "now": Out(32),
            "running": Out(1),
            **{name: Out(1) for name in RUN},
            **{name: In(1) for name in ("free", "quiet", "settled")},
            "config": Out(TaskConfig(p)),
            "regions": Out(pulse(lay.task_write)),
            "table_write": Out(TableWrite()),
            "trace_write": Out(1),
            **{name: Out(1) for name in store_tables(p)},
            **({"trigger_valid": Out(1), "trigger_task": Out(bits_for(p.scheduler.tasks - 1))}
               if p.release.sporadic else {}),
            **{name.lower(): Out(_width(r)) for name, r in self._stored.items()},
            "idle": In(1),
            "safe": In(1),
            "activity": In(Activity),
            "read_request": In(pulse(lay.read_request)),
            "write_request": In(pulse(lay.write_request)),
            "faults": In(len(Fault)),
            "fault_where": In(ROW_BITS),
            "faulty": Out(1),
            **({"irq": Out(1)} if p.supervision.interrupts else {}),
            **{f"{fault.name.lower()}_task": In(bits_for(p.scheduler.tasks - 1)) for fault in OF_A_JOB},
            **{f"source_{i}": In(pulse(lay.event)) for i in range(len(kinds))},
            "event": Out(stream.Signature(lay.event)),
        })

    @staticmethod
    def memories(p: Platform, kinds: Sequence[tuple[Kind, ...]]) -> list[Ram]:
        """Its memories, and those of its parts, if the sources of events send `kinds`."""
        buffers, others = EventCollector.memories(p, kinds)
        return [*buffers, *others, *(Counters.memories(p) if p.trace.counters else [])]

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.events = events = EventCollector(p, self._kinds)
        m.d.comb += events.now.eq(self.now)
        for i, kinds in enumerate(self._kinds):
            ours, its = getattr(self, f"source_{i}"), getattr(events, f"source_{i}")
            always = Kind.COMMIT in kinds  # commits between runs are reported, too
            m.d.comb += [its.payload.eq(ours.payload), its.valid.eq(ours.valid & (self.running | always))]
        connect(m, events.event, flipped(self.event))
        m.submodules.lite = lite = LiteSlave(self._map.address_bits)
        join(m, self, lite, lite_ports(self._map.address_bits))
        m.submodules.checks = checks = WriteChecks(p)
        m.submodules.pointer = pointer = TablePointer(p)
        m.submodules.faults = faults = FaultKeeper(p)
        m.submodules.run_control = control = RunControl(p)
        active = Signal()  # the host wants a run
        locked = Signal()  # nothing may be changed until reset
        written = checks.written
        self._writes(m, lite, checks, pointer)
        interrupts = self._interrupts(m, lite, written, events, faults.shows) if p.supervision.interrupts else {}
        self._reads(m, lite, events, written.SNAPSHOT if p.trace.counters else None, {
            "CONTROL": {"run": active, "lock": locked},
            "STATUS": {"running": self.running, "idle": self.idle, "locked": locked, "safe": self.safe,
                       "commit_pending": control.pending, "page": control.page, "start_pending": control.starting,
                       "quiet": control.still},
            "NOW": self.now,
            "EVENTS_DROPPED": events.dropped,
            **{name: getattr(self, name.lower()) for name in self._stored},
            "FAULTS": faults.standing,
            "FAULT_WHERE": {"where": faults.where, "kind": faults.kind},
            **interrupts,
        })

        # -- faults --------------------------------------------------------------------------------------------------
        connect(m, faults.event, events.fault)
        join(m, self, faults, ("now", *(f"{fault.name.lower()}_task" for fault in OF_A_JOB)))
        m.d.comb += [
            faults.strobes.eq(
                self.faults | checks.refused << Fault.LOCKED_WRITE | events.lost << Fault.EVENTS_LOST),
            faults.at.eq(self.fault_where),
            faults.clear.eq(written.FAULTS),
            faults.value.eq(lite.write_data),
            self.faulty.eq(faults.standing.any()),
        ]

        # -- run, lock, commit ---------------------------------------------------------------------------------------
        value, fields = lite.write_data, self._map["CONTROL"]
        join(m, self, control, ("free", "quiet", "settled", "running", *RUN))
        m.d.comb += [
            checks.active.eq(active | ~control.still),
            checks.locked.eq(locked),
            checks.pending.eq(control.pending),
            control.run.eq(active),
            control.reported.eq(events.reported),
            control.forgotten.eq(events.cleared),
            events.clear.eq(control.forget),
            lite.wait.eq(control.wait),
            self.config.page.eq(control.page),
            self.config.write_page.eq(control.write_page),
            self.table_write.page.eq(control.write_page),
        ]
        m.d.sync += self.now.eq(Mux(self.start, 0, self.now + self.running))
        with m.If(written.CONTROL):
            m.d.sync += [
                active.eq(value[fields["run"].low]), locked.eq(locked | value[fields["lock"].low]),
            ]
            m.d.comb += control.run.eq(value[fields["run"].low])
            if p.tables.shadow:
                m.d.comb += control.commit.eq(value[fields["commit"].low])
        return m

    def _writes(self, m, lite, checks, pointer):
        """Apply the value of an allowed write."""
        value, written, table = lite.write_data, checks.written, pointer.table
        for name in self._stored:
            with m.If(getattr(written, name)):
                m.d.sync += getattr(self, name.lower()).eq(value)
        if self._p.release.sporadic:
            m.d.comb += [
                self.trigger_valid.eq(written.TRIGGER),
                self.trigger_task.eq(value[:bits_for(self._p.scheduler.tasks - 1)]),
            ]
        m.d.comb += [
            lite.write_okay.eq(checks.okay),
            checks.write.eq(lite.write & lite.write_whole),
            checks.address.eq(lite.write_word),
            checks.value.eq(value),
            checks.pointer_valid.eq(pointer.valid),
            pointer.set.eq(written.TABLE_POINTER),
            pointer.value.eq(value),
            pointer.step.eq(written.TABLE_DATA),
            self.config.write.valid.eq(checks.task_written),
            self.config.write.p.task.eq(checks.task),
            self.config.write.p.field.eq(checks.field),
            self.config.write.p.value.eq(value),
            self.table_write.en.eq(written.TABLE_DATA & (table < TableId.TASK)),
            self.table_write.table.eq(table),
            self.table_write.row.eq(pointer.row),
            self.table_write.word.eq(pointer.word),
            self.table_write.data.eq(value),
            self.trace_write.eq(written.TABLE_DATA & (table == TableId.TRACE)),
            *(getattr(self, name).eq(written.TABLE_DATA & (table == number))
              for name, number in store_tables(self._p).items()),
            self.regions.valid.eq(written.TABLE_DATA & (table == TableId.TASK)),
            self.regions.p.task.eq(pointer.row),
            self.regions.p.value.eq(value),
        ]

    def _interrupts(self, m, lite, written, events, fault):
        """Connect the sources of `irq`, and the contents of its registers."""
        m.submodules.interrupts = interrupts = Interrupts(self._p)
        sources = [getattr(events, f"source_{i}") for i in range(len(self._kinds))]
        strobes = {source: happens(sources, self._kinds, kinds) for source, kinds in KINDS.items()}
        strobes |= {Interrupt.FAULT: fault, Interrupt.COMMIT: self.committed}
        m.d.comb += [
            *(getattr(interrupts, source.name.lower()).eq(strobes[source]) for source in interrupt_sources(self._p)),
            interrupts.write_enable.eq(written.IRQ_ENABLE),
            interrupts.clear.eq(written.IRQ_PENDING),
            interrupts.value.eq(lite.write_data),
            self.irq.eq(interrupts.irq),
        ]
        return {"IRQ_ENABLE": interrupts.enable, "IRQ_PENDING": interrupts.pending}

    def _reads(self, m, lite, events, snapshot, contents):
        """Answer reads, also those of statistics and counters."""
        m.submodules.reads = reads = RegisterReads(self._p, [name for name in contents if name in self._readable])
        for name in reads.contents.signature.members:
            content = contents[name]
            m.d.comb += getattr(reads.contents, name).eq(
                placed(self._map[name], content) if isinstance(content, dict) else content)
        m.d.comb += [
            reads.read.eq(lite.read),
            reads.address.eq(lite.read_word),
            lite.read_done.eq(reads.done),
            lite.read_data.eq(reads.data),
            lite.read_okay.eq(reads.okay),
            events.read.eq(reads.statistic),
            events.read_task.eq(reads.task),
            events.read_word.eq(reads.word - FIRST),
            reads.statistic_done.eq(events.read_done),
            reads.statistic_data.eq(events.read_data),
        ]
        if not self._p.trace.counters:
            return
        m.submodules.counters = counters = Counters(self._p)
        join(m, self, counters, ("activity", "running", "read_request", "write_request"))
        join(m, reads, counters, ("of_task", "task", "word"))
        m.d.comb += [
            counters.clear.eq(events.clearing),
            counters.snapshot.eq(snapshot),
            counters.read.eq(reads.counter),
            reads.counter_done.eq(counters.done),
            reads.counter_data.eq(counters.data),
        ]


def _width(register: Register) -> int:
    """Bits that the register stores."""
    return max((f.high for f in register.fields), default=register.width - 1) + 1
