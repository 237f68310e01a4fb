"""Triggers from a recorded trace."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for


class TraceReplay(wiring.Component):
    """Triggers sporadic tasks at recorded cycles, one per cycle in the order of the trace.

    Times count from `arm` and must not decrease. An entry triggers in the cycle of its time, but not before the entry
    ahead of it, and `LATENCY` = 1 cycle after `arm` at the earliest.

    Attributes
    ----------
    now : In(32)
        The time.
    running : In(1)
        A run is under way.
    arm : In(1)
        Pulse: the trace starts from its beginning. This cycle is its time 0.
    write, write_row, write_word, write_data : In
        The host writes an entry: word 0 is the time, word 1 the task.
    length : In
        Entries in use.
    trigger_valid, trigger_task : Out
        A task is triggered.
    done : Out(1)
        All entries have triggered.

    Raises
    ------
    ValueError
        The platform has no entries for a trace.
    """

    LATENCY = 1

    def __init__(self, p: Platform):
        if not p.release.trace:
            raise ValueError("release.trace = 0: allowed are 1 .. 65536 entries for a trace replay; raise it or leave "
                             "the replay out")
        self._entries = p.release.trace
        self._task = bits_for(p.scheduler.tasks - 1)
        self._row = bits_for(self._entries - 1)
        super().__init__({
            "now": In(32),
            "running": In(1),
            "arm": In(1),
            "write": In(1),
            "write_row": In(self._row),
            "write_word": In(1),
            "write_data": In(32),
            "length": In(range(self._entries + 1)),
            "trigger_valid": Out(1),
            "trigger_task": Out(self._task),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        entry = data.StructLayout({"time": 32, "task": self._task})
        reads = {}
        row = Signal(range(self._entries + 1))  # the entry that triggers next
        ahead = Signal(range(self._entries + 2))  # the entry that is read
        for word, (name, shape) in enumerate(entry.members.items()):
            m.submodules[name] = memory = Memory(shape=shape, depth=self._entries, init=[])
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.write_row), write.data.eq(self.write_data),
                write.en.eq(self.write & (self.write_word == word)), read.addr.eq(ahead), read.en.eq(1),
            ]
            reads[name] = read.data
        epoch = Signal(32)
        shown = Signal()
        elapsed = Signal(32)
        m.d.comb += [
            elapsed.eq(self.now - epoch),
            self.done.eq(row >= self.length),
            self.trigger_valid.eq(self.running & shown & ~self.done & (elapsed >= reads["time"])),
            self.trigger_task.eq(reads["task"]),
            ahead.eq(Mux(self.arm, 0, row + self.trigger_valid)),
        ]
        m.d.sync += [row.eq(ahead), shown.eq(self.running & (shown | self.arm))]
        with m.If(self.arm):
            m.d.sync += epoch.eq(self.now)
        with m.If(~self.running):
            m.d.sync += row.eq(0)
        return m
