"""Counters of a run: cycles by what the compute engine did in them, and bytes read and written by task."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import COUNTER_BITS, TASK_STRIDE, Reg, TaskReg
from derca_sim.model.tables import bits_for

from ..blocks.ram import KNOWN, Ram
from ..layouts import Activity, Layouts, offset_bits, pulse

#: Cycles of a lap over the counters of activities: a power of two.
LAP = 8


def clear_cycles(p: Platform) -> int:
    """Cycles for which `clear` of `Counters` must be high: a lap of the activities, and one cycle per task."""
    return max(LAP, 1 << bits_for(p.scheduler.tasks - 1))


class ActivityCounters(wiring.Component):
    """Counts one activity per cycle while `running`; a snapshot takes at most `SNAPSHOT` cycles.

    The counts stand in RAM and are visited in turn. Once per lap the cycles counted meanwhile are taken over for all
    activities at once, so at the end of a lap the RAM holds the counts of a single cycle. A snapshot copies the first
    lap that begins with `snapshot` or later. Every cycle belongs to one activity, so the sum of the counts is the
    number of cycles counted.

    Attributes
    ----------
    activity : In(`Activity`)
    running : In(1)
    clear : In(1)
        Set the counts to 0; keep it high for a lap at least.
    snapshot : In(1)
        Strobe: copy the counts.
    row : In
        Activity whose count is read.
    value : Out
        The count, in cycles, one cycle after `row`.
    settled : Out(1)
        No snapshot is being made.
    """

    #: Cycles after `snapshot` in which it may still be unfinished.
    SNAPSHOT = 2 * LAP - 1

    def __init__(self):
        super().__init__({
            "activity": In(Activity),
            "running": In(1),
            "clear": In(1),
            "snapshot": In(1),
            "row": In(bits_for(LAP - 1)),
            "value": Out(COUNTER_BITS),
            "settled": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.counts = counts = Memory(shape=COUNTER_BITS, depth=LAP, init=[])
        m.submodules.copies = copies = Memory(
            shape=COUNTER_BITS, depth=LAP, init=[], attrs=KNOWN)  # the host may read it before the first snapshot
        old, new = counts.read_port(), counts.write_port()
        copy, shown = copies.write_port(), copies.read_port()
        place = Signal(range(LAP))
        before = Signal(range(LAP))
        turn = Signal()  # a lap ends
        m.d.comb += turn.eq(place == LAP - 1)
        m.d.sync += [place.eq(place + 1), before.eq(place)]

        due = Array(Signal(range(LAP + 1), name=f"due_{i}") for i in range(LAP))
        for activity in Activity:
            here = Signal(name=f"in_{activity.name}")
            count = Signal(range(LAP), name=f"new_{activity.name}")
            total = Signal(range(LAP + 1), name=f"lap_{activity.name}")
            m.d.comb += [here.eq(self.running & (self.activity == activity)), total.eq(count + here)]
            m.d.sync += count.eq(Mux(turn | self.clear, 0, total))
            with m.If(turn):
                m.d.sync += due[activity.value].eq(total)

        wanted = Signal()
        copying = Signal()
        with m.If(turn):
            m.d.sync += [copying.eq(wanted | self.snapshot), wanted.eq(0)]
        with m.Elif(self.snapshot):
            m.d.sync += wanted.eq(1)
        m.d.comb += [
            old.addr.eq(place),
            new.en.eq(1),
            new.addr.eq(before),
            new.data.eq(Mux(self.clear, 0, old.data + due[before])),
            copy.en.eq(copying),
            copy.addr.eq(before),
            copy.data.eq(new.data),
            shown.addr.eq(self.row),
            self.value.eq(shown.data),
            self.settled.eq(~(wanted | copying)),
        ]
        return m


class ByteCounter(wiring.Component):
    """Counts the bytes of each task; one addition per cycle, which shows in the RAM 3 cycles later.

    Attributes
    ----------
    valid : In(1)
        A request is to be counted.
    task, beats : In
        Its task, and its size in beats.
    clear : In(1)
        Set the counts to 0, one task per cycle while it is high.
    read_task : In
        Task whose count is read.
    taken : Out(1)
        `read_task` is looked up in this cycle, because no request is.
    value : Out
        The count, in bytes, one cycle after `taken`.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._task = bits_for(p.scheduler.tasks - 1)
        super().__init__({
            "valid": In(1),
            "task": In(self._task),
            "beats": In(bits_for(p.largest_request)),
            "clear": In(1),
            "read_task": In(self._task),
            "taken": Out(1),
            "value": Out(COUNTER_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        shift = offset_bits(self._p)
        m.submodules.counts = counts = Memory(shape=COUNTER_BITS - shift, depth=1 << self._task, init=[])
        new = counts.write_port()
        old = counts.read_port(transparent_for=(new,))
        fetch = Signal()
        add = Signal()
        fetch_task, add_task, pointer = (Signal(self._task, name=f"{n}_task") for n in ("fetch", "add", "clear"))
        fetch_beats = Signal.like(self.beats)
        add_beats = Signal.like(self.beats)
        m.d.sync += [
            fetch.eq(self.valid), fetch_task.eq(self.task), fetch_beats.eq(self.beats),
            add.eq(fetch), add_task.eq(fetch_task), add_beats.eq(fetch_beats),
            pointer.eq(Mux(self.clear, pointer + 1, 0)),
        ]
        m.d.comb += [
            old.addr.eq(Mux(fetch, fetch_task, self.read_task)),
            self.taken.eq(~fetch),
            new.en.eq(add | self.clear),
            new.addr.eq(Mux(self.clear, pointer, add_task)),
            new.data.eq(Mux(self.clear, 0, old.data + add_beats)),
            self.value.eq(old.data << shift),
        ]
        return m


class Counters(wiring.Component):
    """All counters of a run, read through the registers that show them.

    A read is answered one cycle after it was looked up.

    Attributes
    ----------
    activity : In(`Activity`)
        The activity of the cycle.
    read_request, write_request : In(stream, always ready)
        Requests as the memory interface accepts them.
    running, snapshot : In(1)
        See `ActivityCounters`.
    clear : In(1)
        Set all counts to 0; keep it high for `clear_cycles` cycles at least.
    read : In(1)
        A register is asked for; keep it until `done`.
    of_task : In(1)
        The register is in the block of `task`, otherwise among the global registers.
    task : In
    word : In
        The word of the block, or of the global registers.
    done : Out(1)
        `data` is the answer. A read of an activity waits until a snapshot is complete.
    data : Out(32)
        For the upper word of a count of bytes: its value when a lower word was last read.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "activity": In(Activity),
            "read_request": In(pulse(lay.read_request)),
            "write_request": In(pulse(lay.write_request)),
            "running": In(1),
            "clear": In(1),
            "snapshot": In(1),
            "read": In(1),
            "of_task": In(1),
            "task": In(bits_for(p.scheduler.tasks - 1)),
            "word": In(bits_for((TASK_STRIDE >> 2) - 1)),
            "done": Out(1),
            "data": Out(32),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [Ram(COUNTER_BITS, LAP, 2), Ram(COUNTER_BITS - offset_bits(p), 1 << bits_for(p.scheduler.tasks - 1), 2)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.activities = activities = ActivityCounters()
        m.d.comb += [
            activities.activity.eq(self.activity),
            activities.running.eq(self.running),
            activities.clear.eq(self.clear),
            activities.snapshot.eq(self.snapshot),
            activities.row.eq(self.word[1:] - (Reg.IDLE_LOW >> 3)),
        ]
        directions = {}
        for name in ("read", "write"):
            request = getattr(self, f"{name}_request")
            m.submodules[name] = directions[name] = counter = ByteCounter(self._p)
            m.d.comb += [
                counter.valid.eq(request.valid & self.running),
                counter.task.eq(request.p.task),
                counter.beats.eq(request.p.beats),
                counter.clear.eq(self.clear),
                counter.read_task.eq(self.task),
            ]
        read, written = directions.values()
        of_written = Signal()
        high = Signal()
        looked_up = Signal()
        value = Signal(COUNTER_BITS)
        upper = Signal(COUNTER_BITS - 32)
        m.d.comb += [
            of_written.eq(self.word >= TaskReg.WRITTEN_LOW >> 2),
            high.eq(self.word[0]),
            looked_up.eq(Mux(self.of_task, Mux(of_written, written.taken, read.taken), activities.settled)),
            value.eq(Mux(self.of_task, Mux(of_written, written.value, read.value), activities.value)),
            self.data.eq(Mux(high, Mux(self.of_task, upper, value[32:]), value[:32])),
        ]
        m.d.sync += self.done.eq(self.read & looked_up & ~self.done)
        with m.If(self.done & self.of_task & ~high):
            m.d.sync += upper.eq(value[32:])
        return m
