"""Statistics per task, in RAM: counts of events, and the longest response time."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for

from ..blocks.ram import Buffer, Ram, table

#: Kinds that are counted, and the task register that shows each count. Of OVERRUN only arg 0, skipped releases.
COUNTED = {
    Kind.RELEASE: TaskReg.RELEASES,
    Kind.FINISH: TaskReg.FINISHES,
    Kind.MISS: TaskReg.MISSES,
    Kind.OVERRUN: TaskReg.OVERRUNS,
    Kind.PREEMPT: TaskReg.PREEMPTIONS,
    Kind.FAIL: TaskReg.FAILURES,
}
#: First statistics register of a task's block; all of them fit in `WORDS` words from there.
FIRST, WORDS = TaskReg.RELEASES >> 2, 7


class Statistics(wiring.Component):
    """Counts the events of each task, and keeps its longest response time, in RAM.

    It takes one event per cycle. A finish takes 2 cycles, and so does an event like the one before it. Clearing takes
    `CLEAR` cycles for every task.

    The counts stand in one RAM, the release times of live jobs in another. An event reads in the cycle in which it is
    taken and writes its count one cycle later. In that cycle a finish also reads the longest response, and one cycle
    later writes its own if that is longer. A finish whose release was not seen counts, but has no response. Where
    releases can be kept, a third RAM holds their times until they become jobs: a response counts from the release.

    Attributes
    ----------
    valid : In(1)
        There is an event; keep it as long as `stall`.
    kind, task : In
    cycle : In(32)
        When it occurred.
    arg : In(1)
        Of a release or an overrun: the release is or was kept. Absent where no release can be kept.
    stall : Out(1)
        The event is not taken in this cycle.
    read : In(1)
        A statistic is asked for; keep it until `read_done`.
    read_task, read_word : In
        Its task, and its word counted from `FIRST`.
    read_done : Out(1)
        `read_data` is the answer.
    read_data : Out(32)
    clear : In(1)
        Begin to set all statistics to 0. Events are not counted meanwhile.
    clearing : Out(1)
        Statistics are being cleared.
    cleared : Out(1)
        This is the last cycle of clearing.
    """

    #: Cycles of clearing per task; the number of tasks is rounded up to a power of two.
    CLEAR = WORDS

    def __init__(self, p: Platform):
        self._tasks = p.scheduler.tasks
        task = self._task_bits = bits_for(p.scheduler.tasks - 1)
        self._keeps = p.release.overrun != ("skip",)
        super().__init__({
            "valid": In(1),
            "kind": In(5),
            "task": In(task),
            "cycle": In(32),
            **({"arg": In(1)} if self._keeps else {}),
            "stall": Out(1),
            "read": In(1),
            "read_task": In(task),
            "read_word": In(3),
            "read_done": Out(1),
            "read_data": Out(32),
            "clear": In(1),
            "clearing": Out(1),
            "cleared": Out(1),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        bits = bits_for(p.scheduler.tasks - 1)
        return [Ram(32, WORDS << bits, 1, "buffer", 0, "statistics of tasks (trace.statistics, scheduler.tasks)"),
                Ram(33, 1 << bits, 1, "shallow"),
                *[Ram(32, 1 << bits, 1, "shallow")] * (p.release.overrun != ("skip",))]

    def elaborate(self, platform):
        m = Module()
        bits = self._task_bits
        m.submodules.counts = counts = Buffer(32, WORDS << bits)
        count_w, count_r = counts.write, counts.read
        release_w, release_r = table(m, "released", 33, 1 << bits)  # cycle of the release, and whether it is known

        # -- an event is taken ------------------------------------------------------------------------------------
        word = Signal(3)
        counted = Signal()
        is_finish = Signal()
        is_release = Signal()
        with m.Switch(self.kind):
            for kind, register in COUNTED.items():
                with m.Case(int(kind)):
                    kept = self.arg if self._keeps and kind == Kind.OVERRUN else Const(0)
                    m.d.comb += [word.eq((register >> 2) - FIRST), counted.eq(self.valid & ~kept)]
        address = Cat(self.task, word)
        step = Signal()  # an event was taken one cycle ago
        step_address = Signal(len(address))
        step_finish = Signal()
        take = Signal()
        m.d.comb += [
            is_finish.eq(self.kind == Kind.FINISH),
            is_release.eq(self.kind == Kind.RELEASE),
            self.stall.eq(step & (step_finish | (counted & (step_address == address)))),
            take.eq(counted & ~self.stall),
        ]
        m.d.sync += [
            step.eq(take & ~self.clear & ~self.clearing),
            step_address.eq(address),
            step_finish.eq(is_finish),
        ]

        # -- a finish: the response time, compared two cycles later -------------------------------------------------
        exceeds = Signal()
        known = Signal()  # the release of the event taken last was seen
        compare = Signal()  # a finish was taken two cycles ago and its release is known
        response = Signal(32)
        worst = Cat(step_address[:bits], Const((TaskReg.WORST_RESPONSE >> 2) - FIRST, 3))
        worst_address = Signal(len(address))
        m.d.comb += exceeds.eq(compare & (response > count_r.data))
        m.d.sync += [compare.eq(step & step_finish & known), worst_address.eq(worst)]
        with m.If(take):
            m.d.sync += [known.eq(release_r.data[32]), response.eq(self.cycle - release_r.data[:32])]

        # -- reading: events come first ----------------------------------------------------------------------------
        reading = Signal()
        m.d.comb += [
            self.read_data.eq(count_r.data),
            count_r.en.eq(1),
            self.read_done.eq(reading),
            count_r.addr.eq(Cat(self.read_task, self.read_word)),
            release_r.addr.eq(self.task),
        ]
        with m.If(step & step_finish):
            m.d.comb += count_r.addr.eq(worst)
        with m.Elif(counted):
            m.d.comb += count_r.addr.eq(address)
        m.d.sync += reading.eq(self.read & ~reading & ~counted & ~step & ~compare & ~self.clearing)

        released = self.cycle
        if self._keeps:
            kept_w, kept_r = table(m, "kept", 32, 1 << bits)
            m.d.comb += [
                kept_w.addr.eq(self.task), kept_w.data.eq(self.cycle), kept_r.addr.eq(self.task),
                kept_w.en.eq(self.valid & self.arg & (self.kind == Kind.OVERRUN)),
            ]
            released = Mux(self.arg, kept_r.data, self.cycle)

        # -- writing ---------------------------------------------------------------------------------------------
        pointer = Signal(len(address))
        m.d.comb += [
            self.cleared.eq(self.clearing & (pointer == (WORDS << bits) - 1)),
            count_w.en.eq(step | exceeds | self.clearing),
            count_w.addr.eq(Mux(self.clearing, pointer, Mux(compare, worst_address, step_address))),
            count_w.data.eq(Mux(self.clearing, 0, Mux(compare, response, count_r.data)) + step),
            release_w.en.eq((take & (is_release | is_finish)) | self.clearing),
            release_w.addr.eq(Mux(self.clearing, pointer, self.task)),
            release_w.data.eq(Cat(released, is_release & ~self.clearing)),
        ]
        m.d.sync += pointer.eq(Mux(self.clearing & ~self.clear, pointer + 1, 0))
        with m.If(self.clear):
            m.d.sync += self.clearing.eq(1)
        with m.Elif(self.cleared):
            m.d.sync += self.clearing.eq(0)
        return m
