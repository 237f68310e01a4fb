"""The host interface: the registers of the register map, time, table loading, faults, the event stream."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal
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
from ..kernel.writing import TableWrite, TaskConfig
from ..layouts import Activity, Layouts, pulse
from .activity import Counters
from .checks import WriteChecks, locate
from .events import EventCollector
from .faults import FaultKeeper
from .interrupts import KINDS, Interrupts, happens
from .pointer import TablePointer
from .run_control import RunControl
from .statistics import FIRST, WORDS

#: What `RunControl` gives to the blocks of a run, beside `running`.
RUN = ("start", "draining", "clear", "arm", "hold", "committed")


class HostInterface(wiring.Component):
    """AXI4-Lite slave with the registers that `register_map` describes; one access at a time.

    A write takes effect in the cycle in which address and data are both accepted; read data follow the accepted
    address by one cycle. What the map does not have, or refuses at the time, is answered with SLVERR and changes
    nothing. `RunControl` decides when a run starts and a commit is taken. `now` is 0 in the first cycle of a run, the
    one after `start`, and counts every cycle of it; after a stop it keeps the number of cycles that the run had. What a
    source reports after the stop is not passed on. A fault shows in FAULTS and as an event from the next cycle on;
    faults that stand already are not events again.

    Parameters
    ----------
    kinds : what each source of events sends

    Attributes
    ----------
    s_axi_* : the AXI4-Lite channels
    now, running, start, draining, clear, arm, hold, committed : Out
        Time, and what else `RunControl` gives.
    free, quiet, settled : In
        What it needs.
    config : Out
        The parameters of tasks that are written, and the pages.
    regions : Out(stream, always ready)
        A row of the task table was written.
    table_write : Out
        A word of one of the kernel manager's tables was written.
    trace_write : Out
        A word of the trace was written: `row`, `word` and `data` of `table_write`.
    trigger_valid, trigger_task : Out
        The host releases a sporadic task; absent without `release.sporadic`.
    policy, watchdog_warn, watchdog_limit, trace_length : Out
        Registers of these names; absent if the platform does not have them.
    idle, safe : In
        For STATUS.
    activity, read_request, write_request : In
        What `Counters` count.
    faults, fault_where : In
        A strobe per `Fault`; row or task of the one that stops.
    faulty : Out
        A fault stands.
    irq : Out
        See `Interrupts`; absent without `supervision.interrupts`.
    bus_error_task, window_task : In
        With the strobes of the faults of a job: whose.
    """

    def __init__(self, p: Platform, kinds: Sequence[tuple[Kind, ...]]):
        self._p = p
        self._kinds = kinds
        self._map = register_map(p)
        #: Registers that are nothing but storage, and the ports that show them.
        self._stored = {
            r.name: r for r in self._map.registers if r.access == Access.READ_WRITE and r.guard == Guard.STOPPED
        }
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
        """Its memories, and those of its parts, for sources that send these kinds."""
        buffers, others = EventCollector.memories(p, kinds)
        return [*buffers, *others, *(Counters.memories(p) if p.trace.counters else [])]

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.events = events = EventCollector(p, self._kinds)
        m.d.comb += events.now.eq(self.now)
        for i, kinds in enumerate(self._kinds):
            ours, its = getattr(self, f"source_{i}"), getattr(events, f"source_{i}")
            always = Kind.COMMIT in kinds  # a commit between runs is reported, too
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
        counters = self._counters(m, events, written.SNAPSHOT) if p.trace.counters else None
        self._reads(m, lite, events, counters, {
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
        """What is done with the value of an allowed write."""
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
            self.regions.valid.eq(written.TABLE_DATA & (table == TableId.TASK)),
            self.regions.p.task.eq(pointer.row),
            self.regions.p.value.eq(value),
        ]

    def _interrupts(self, m, lite, written, events, fault):
        """The sources of `irq`, and what its registers read."""
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

    # -- reads -------------------------------------------------------------------------------------------------------

    def _counters(self, m, events, snapshot):
        m.submodules.counters = counters = Counters(self._p)
        for name in ("read_request", "write_request"):
            connect(m, flipped(getattr(self, name)), getattr(counters, name))
        m.d.comb += [
            counters.activity.eq(self.activity),
            counters.running.eq(self.running),
            counters.clear.eq(events.clearing),
            counters.snapshot.eq(snapshot),
        ]
        return counters

    def _reads(self, m, lite, events, counters, contents):
        counted = {f"{a.name}_{half}" for a in Activity for half in ("LOW", "HIGH")}
        in_globals, in_tasks, task, word = locate(self._map, lite.read_word)
        statistic = Signal()
        counter = Signal()
        words = {r.offset >> 2 for r in self._map.tasks.registers if r.readable}
        statistics = {w for w in words if FIRST <= w < FIRST + WORDS}
        m.d.comb += [
            statistic.eq(in_tasks & Cat(word == w for w in sorted(statistics)).any()),
            events.read.eq(lite.read & statistic),
            events.read_task.eq(task),
            events.read_word.eq(word - FIRST),
        ]
        with m.If(in_globals):
            with m.Switch(word):
                for r in self._map.registers:
                    with m.Case(r.offset >> 2):
                        if r.name in counted:
                            m.d.comb += counter.eq(1)
                        elif r.readable:
                            content = contents.get(r.name, Const(r.reset, 32))
                            m.d.comb += [
                                lite.read_data.eq(_place(r, content) if isinstance(content, dict) else content),
                                lite.read_okay.eq(1),
                            ]
        with m.Elif(in_tasks):
            m.d.comb += counter.eq(Cat(word == w for w in sorted(words - statistics)).any())
        m.d.comb += lite.read_done.eq(~(statistic | counter))
        with m.If(statistic):
            m.d.comb += [lite.read_done.eq(events.read_done), lite.read_data.eq(events.read_data), lite.read_okay.eq(1)]
        if counters is not None:
            m.d.comb += [
                counters.read.eq(lite.read & counter),
                counters.of_task.eq(in_tasks),
                counters.task.eq(task),
                counters.word.eq(word),
            ]
            with m.If(counter):
                m.d.comb += [lite.read_done.eq(counters.done), lite.read_data.eq(counters.data), lite.read_okay.eq(1)]


def _width(register: Register) -> int:
    """Bits that the register stores."""
    return max((f.high for f in register.fields), default=register.width - 1) + 1


def _place(register: Register, contents: dict):
    """Contents of the fields at their bits; fields without content read 0."""
    parts, at = [], 0
    for field in sorted(register.fields, key=lambda f: f.low):
        parts += [Const(0, field.low - at), contents.get(field.name, Const(0, field.width))[:field.width]]
        at = field.high + 1
    return Cat(parts)
