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
    OF_A_ROW,
    ROW_BITS,
    STOPPING,
    Fault,
    Interrupt,
    interrupt_sources,
    register_map,
    table_layouts,
)
from derca_sim.model.registers import Table as TableId
from derca_sim.model.tables import bits_for

from ..bus.axi_lite import LiteSlave, lite_ports
from ..kernel.writing import TableWrite, TaskConfig
from ..layouts import EVENT_TASK_BITS, Activity, Layouts, pulse
from .activity import Counters
from .events import EventCollector
from .interrupts import KINDS, Interrupts, happens
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
        for name, member in lite_ports(self._map.address_bits).items():
            ours, its = getattr(self, name), getattr(lite, name)
            m.d.comb += its.eq(ours) if member.flow == In else ours.eq(its)

        m.submodules.run_control = control = RunControl(p)
        active = Signal()  # the host wants a run
        locked = Signal()  # nothing may be changed until reset
        written, refused = self._writes(m, lite, active | ~control.still, locked, control.pending)
        fault = Signal()  # one that does not stand yet
        faults = self._faults(m, lite, written["FAULTS"], refused, events, fault)
        interrupts = self._interrupts(m, lite, written, events, fault) if p.supervision.interrupts else {}
        counters = self._counters(m, events, written["SNAPSHOT"]) if p.trace.counters else None
        self._reads(m, lite, events, counters, {
            "CONTROL": {"run": active, "lock": locked},
            "STATUS": {"running": self.running, "idle": self.idle, "locked": locked, "safe": self.safe,
                       "commit_pending": control.pending, "page": control.page, "start_pending": control.starting,
                       "quiet": control.still},
            "NOW": self.now,
            "EVENTS_DROPPED": events.dropped,
            **{name: getattr(self, name.lower()) for name in self._stored},
            **faults,
            **interrupts,
        })

        # -- run, lock, commit ---------------------------------------------------------------------------------------
        value, fields = lite.write_data, self._map["CONTROL"]
        m.d.comb += [
            control.run.eq(active),
            control.free.eq(self.free),
            control.quiet.eq(self.quiet),
            control.settled.eq(self.settled),
            control.reported.eq(events.reported),
            control.forgotten.eq(events.cleared),
            events.clear.eq(control.forget),
            lite.wait.eq(control.wait),
            self.running.eq(control.running),
            *(getattr(self, name).eq(getattr(control, name)) for name in RUN),
            self.config.page.eq(control.page),
            self.config.write_page.eq(control.write_page),
            self.table_write.page.eq(control.write_page),
        ]
        m.d.sync += self.now.eq(Mux(self.start, 0, self.now + self.running))
        with m.If(written["CONTROL"]):
            m.d.sync += [
                active.eq(value[fields["run"].low]), locked.eq(locked | value[fields["lock"].low]),
            ]
            m.d.comb += control.run.eq(value[fields["run"].low])
            if p.tables.shadow:
                m.d.comb += control.commit.eq(value[fields["commit"].low])
        return m

    # -- writes ------------------------------------------------------------------------------------------------------

    def _writes(self, m, lite, active, locked, pending):
        """Decode writes by the register map: a strobe per register, and one for a write that a guard refused."""
        p, value = self._p, lite.write_data
        array = self._map.tasks
        running_page = active & ~Const(p.tables.shadow, 1)
        guards = {
            Guard.NONE: Const(0, 1),
            Guard.STOPPED: locked | active,
            Guard.SHADOW: locked | pending | running_page,
        }
        in_globals, in_tasks, task, word = self._split(m, lite.write_word)
        complete = Signal()
        m.d.comb += complete.eq(lite.write & lite.write_whole)
        allowed = self._values_allowed(m, value, locked)
        written: dict[str, Signal] = {}
        done, blocked = [], []
        for registers, selected in ((self._map.registers, in_globals), (array.registers, in_tasks)):
            for r in registers:
                if not r.writable:
                    continue
                hit = Signal(name=f"write_{r.name.lower()}")
                strobe = written[r.name] = Signal(name=f"written_{r.name.lower()}")
                m.d.comb += [
                    hit.eq(selected & (word == r.offset >> 2)),
                    strobe.eq(complete & hit & ~guards[r.guard] & allowed.get(r.name, 1)),
                ]
                done.append(strobe)
                blocked.append(hit & guards[r.guard])
        refused = Signal()
        control = self._map["CONTROL"]
        commit_locked = in_globals & (word == control.offset >> 2) & ~allowed.get("CONTROL", Const(1, 1))
        m.d.comb += [
            lite.write_okay.eq(Cat(done).any()),
            refused.eq(complete & (Cat(blocked).any() | commit_locked)),
        ]
        for name in self._stored:
            with m.If(written[name]):
                m.d.sync += getattr(self, name.lower()).eq(value)
        parameters = [written[r.name] for r in array.registers if r.writable]
        m.d.comb += [
            self.config.write.valid.eq(Cat(parameters).any()),
            self.config.write.p.task.eq(task),
            self.config.write.p.field.eq(word),
            self.config.write.p.value.eq(value),
        ]
        if p.release.sporadic:
            m.d.comb += [
                self.trigger_valid.eq(written["TRIGGER"]),
                self.trigger_task.eq(value[:bits_for(p.scheduler.tasks - 1)]),
            ]
        self._tables(m, value, written)
        return written, refused

    def _split(self, m, address):
        """Word address -> (in the global registers, in the array, task, word within the block)."""
        array = self._map.tasks
        stride = (array.stride - 1).bit_length() - 2
        number = (array.count - 1).bit_length()
        base = array.base // 4
        if max(r.offset for r in self._map.registers) >= array.stride:
            raise ValueError("the global registers take more room than one element of the array")
        globals_ = Signal()
        tasks = Signal()
        task = address[stride:stride + number]
        m.d.comb += [
            globals_.eq(address[stride:] == 0),
            tasks.eq((address[stride + number:] == base >> (stride + number)) & (task < array.count)),
        ]
        return globals_, tasks, task, address[:stride]

    def _values_allowed(self, m, value, locked):
        """What registers demand of the value written, by name."""
        p = self._p
        out = {
            "TRIGGER": value < p.scheduler.tasks,
            "POLICY": value < len(p.scheduler.policies),
            "TABLE_DATA": self._pointer_valid(m),
        }
        if p.tables.shadow:
            out["CONTROL"] = ~(value[self._map["CONTROL"]["commit"].low] & locked)
        if p.release.trace:
            out["TRACE_LENGTH"] = value <= p.release.trace
        return out

    # -- tables ------------------------------------------------------------------------------------------------------

    def _pointer_valid(self, m):
        """The pointer, and whether it points at a word that exists.

        Row and word have the bits that one beyond the last of any table takes; `beyond` tells of the others.
        """
        layouts = table_layouts(self._p)
        most = max(layout.words for layout, _ in layouts.values())
        self._table = Signal(4)
        self._beyond = Signal()
        self._row = Signal(range(max(rows for _, rows in layouts.values()) + 1))
        self._word = Signal(range(most + 1))
        self._last_word = Signal(range(most))
        valid = Signal()
        m.d.comb += [self.table_write.row.eq(self._row), self.table_write.word.eq(self._word)]
        with m.Switch(self._table):
            for table, (layout, rows) in layouts.items():
                with m.Case(int(table)):
                    m.d.comb += [
                        self._last_word.eq(layout.words - 1),
                        valid.eq((self._row < rows) & (self._word < layout.words) & ~self._beyond),
                    ]
        return valid

    def _tables(self, m, value, written):
        pointer = self._map["TABLE_POINTER"]
        with m.If(written["TABLE_POINTER"]):
            beyond = []
            for name, signal in (("table", self._table), ("row", self._row), ("word", self._word)):
                field = pointer[name]
                m.d.sync += signal.eq(value[field.low:])
                beyond.append(value[field.low + len(signal):field.high + 1])
            m.d.sync += self._beyond.eq(Cat(beyond).any())
        with m.If(written["TABLE_DATA"]):
            m.d.sync += self._word.eq(self._word + 1)
            with m.If(self._word == self._last_word):
                m.d.sync += [self._word.eq(0), self._row.eq(self._row + 1)]
        data = written["TABLE_DATA"]
        m.d.comb += [
            self.table_write.table.eq(self._table),
            self.table_write.data.eq(value),
            self.table_write.en.eq(data & (self._table < TableId.TASK)),
            self.trace_write.eq(data & (self._table == TableId.TRACE)),
            self.regions.valid.eq(data & (self._table == TableId.TASK)),
            self.regions.p.task.eq(self.table_write.row),
            self.regions.p.value.eq(value),
        ]

    # -- faults ------------------------------------------------------------------------------------------------------

    def _faults(self, m, lite, clear, refused, events, shows):
        """Keep faults, report each as an event when it first shows, remember where the first stopping one was."""
        standing = Signal(len(Fault))
        unreported = Signal(len(Fault))
        strobes = Signal(len(Fault))
        number = Signal(4)
        where = Signal(ROW_BITS)
        kind = Signal(4)
        stopping = sum(1 << fault for fault in STOPPING)
        taken = Signal(len(Fault))
        event = events.fault
        whose = Signal(EVENT_TASK_BITS)  # task of the fault that is reported
        of_a_task = sum(1 << fault for fault in STOPPING if fault not in OF_A_ROW)
        with m.If((of_a_task >> number)[0] & (number == kind)):
            m.d.comb += whose.eq(where)
        m.d.comb += [
            strobes.eq(self.faults | refused << Fault.LOCKED_WRITE | events.lost << Fault.EVENTS_LOST),
            self.faulty.eq(standing.any()),
            shows.eq((strobes & ~standing).any()),
            event.valid.eq(unreported.any()),
            event.p.kind.eq(Kind.FAULT),
            event.p.cycle.eq(self.now),
            event.p.region.eq(number),
            event.p.task.eq(whose),
            taken.eq((event.valid & event.ready) << number),
        ]
        for fault in OF_A_JOB:
            task = getattr(self, f"{fault.name.lower()}_task")
            culprit = Signal.like(task, name=f"{fault.name.lower()}_culprit")
            with m.If(strobes[fault] & ~standing[fault]):
                m.d.sync += culprit.eq(task)
            with m.If(number == fault):
                m.d.comb += whose.eq(culprit)
        first = Signal(4)
        stops = strobes & stopping
        for fault in reversed(Fault):
            with m.If(unreported[fault]):
                m.d.comb += number.eq(fault)
            if fault in STOPPING:
                with m.If(strobes[fault]):
                    m.d.comb += first.eq(fault)
        m.d.sync += [
            standing.eq(standing & ~Mux(clear, lite.write_data, 0) | strobes),
            unreported.eq(unreported & ~taken | strobes & ~standing),
        ]
        with m.If(stops.any() & ~(standing & stopping).any()):
            m.d.sync += [where.eq(self.fault_where), kind.eq(first)]
        return {"FAULTS": standing, "FAULT_WHERE": {"where": where, "kind": kind}}

    def _interrupts(self, m, lite, written, events, fault):
        """The sources of `irq`, and what its registers read."""
        m.submodules.interrupts = interrupts = Interrupts(self._p)
        sources = [getattr(events, f"source_{i}") for i in range(len(self._kinds))]
        strobes = {source: happens(sources, self._kinds, kinds) for source, kinds in KINDS.items()}
        strobes |= {Interrupt.FAULT: fault, Interrupt.COMMIT: self.committed}
        m.d.comb += [
            *(getattr(interrupts, source.name.lower()).eq(strobes[source]) for source in interrupt_sources(self._p)),
            interrupts.write_enable.eq(written["IRQ_ENABLE"]),
            interrupts.clear.eq(written["IRQ_PENDING"]),
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
        in_globals, in_tasks, task, word = self._split(m, lite.read_word)
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
