"""The scheduler as a binary min-heap of waiting jobs beside a register for the running one."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.timing import SchedulerTiming

from ..layouts import Layouts, pulse
from .issue import Issuer
from .order import before, earlier


class HeapScheduler(wiring.Component):
    """Earliest deadline first over at most one live job per task; constant operation times.

    The running job is held apart from the heap of waiting jobs, which makes the tie rule (running job first, then the
    lower task) a matter of one strict comparison, and lets a preempted job re-enter the heap by replacing its root.
    With `SchedulerTiming`: inserting a released job keeps the heap busy for `INSERT` cycles, taking its root for
    `REMOVE`. When idle, a waiting release goes first; otherwise a due decision is made: in the cycle of the feedback
    at the earliest, its instruction valid in the next cycle (`DECISION_LATENCY` = 1). Deadlines compare modulo
    2^time_width.

    Attributes
    ----------
    release : In(stream)
    feedback : In(1)
        The running region has ended; the accelerator waits for an instruction.
    instruction : Out(stream)
    regions : In(stream, always ready)
        Host writes: regions in a job of a task.
    event : Out(stream, always ready)
        READY and ISSUE.
    """

    DECISION_LATENCY = 1

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._lay = lay
        self._timing = SchedulerTiming(p)
        super().__init__({
            "now": In(32),
            "running": In(1),
            "release": In(stream.Signature(lay.release)),
            "feedback": In(1),
            "instruction": Out(stream.Signature(lay.instruction)),
            "regions": In(pulse(lay.task_write)),
            "event": Out(pulse(lay.event)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        n = p.scheduler.tasks
        job = self._lay.release
        timing = self._timing
        position = range(2 * n + 2)

        # Heap memory: the root at 1, children of i at 2i and 2i + 1. Two read ports (copies), one write port.
        m.submodules.low = low = Memory(shape=job, depth=n + 1, init=[])
        m.submodules.high = high = Memory(shape=job, depth=n + 1, init=[])
        writes = [low.write_port(), high.write_port()]
        read_low, read_high = low.read_port(domain="comb"), high.read_port(domain="comb")
        write_at, write_job, write_en = Signal(position), Signal(job), Signal()
        for port in writes:
            m.d.comb += [port.addr.eq(write_at), port.data.eq(write_job), port.en.eq(write_en)]

        m.submodules.issuer = issuer = Issuer(p)
        connect(m, flipped(self.regions), issuer.regions)
        connect(m, issuer.instruction, flipped(self.instruction))

        size = Signal(range(n + 1))
        root = Signal(job)  # copy of the heap's root, valid while the heap is idle and not empty
        current = Signal(job)
        current_valid = Signal()  # the running job has regions left
        due = Signal(init=1)  # feedback came (or nothing ever ran): a decision is due
        carried = Signal(job)  # the job being moved through the heap
        place = Signal(position)
        steps = Signal(range(max(timing.INSERT, timing.REMOVE) + 1))
        child, child_valid, child_at = Signal(job), Signal(), Signal(position)
        placed = Signal()

        decide = Signal()
        m.d.comb += decide.eq(due | self.feedback)
        with m.If(self.feedback):
            m.d.sync += due.eq(1)

        preempts = Signal()
        chosen = Signal(job)
        switch = Signal()
        m.d.comb += [
            preempts.eq((size != 0) & earlier(root.key, current.key)),  # the running job wins ties
            switch.eq(~current_valid | preempts),
            chosen.eq(Mux(switch, root, current)),
            issuer.task.eq(chosen.task),
            issuer.switch.eq(switch),
            issuer.preempt.eq(switch & current_valid),
            self.event.p.cycle.eq(self.now),
        ]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                with m.If(self.release.valid):
                    m.d.comb += [
                        self.release.ready.eq(1),
                        self.event.valid.eq(1),
                        self.event.p.kind.eq(Kind.READY),
                        self.event.p.task.eq(self.release.p.task),
                    ]
                    m.d.sync += [
                        carried.eq(self.release.p),
                        size.eq(size + 1),
                        place.eq(size + 1),
                        placed.eq(0),
                        steps.eq(timing.INSERT - 1),
                    ]
                    m.next = "UP"
                with m.Elif(decide & self.running & (current_valid | (size != 0)) & issuer.free):
                    m.d.comb += [
                        self.event.valid.eq(1),
                        self.event.p.kind.eq(Kind.ISSUE),
                        self.event.p.task.eq(chosen.task),
                        self.event.p.region.eq(issuer.region),
                        issuer.fire.eq(1),
                    ]
                    m.d.sync += [due.eq(0), current.eq(chosen), current_valid.eq(~issuer.last)]
                    with m.If(switch):
                        # The preempted job takes the root's place; without one, the last job of the heap does.
                        m.d.comb += read_low.addr.eq(size)
                        m.d.sync += [
                            carried.eq(Mux(current_valid, current, read_low.data)),
                            size.eq(Mux(current_valid, size, size - 1)),
                            place.eq(1),
                            placed.eq(0),
                            steps.eq(timing.REMOVE - 1),
                        ]
                        m.next = "COMPARE"

            with m.State("UP"):
                parent = Signal(range(n + 1))
                m.d.comb += [
                    parent.eq(place >> 1),
                    read_low.addr.eq(parent),
                    write_at.eq(place),
                    write_en.eq(~placed),
                ]
                with m.If((place != 1) & before(carried, read_low.data)):
                    m.d.comb += write_job.eq(read_low.data)
                    m.d.sync += place.eq(parent)
                with m.Else():
                    m.d.comb += write_job.eq(carried)
                    m.d.sync += placed.eq(1)
                    with m.If(~placed & (place == 1)):
                        m.d.sync += root.eq(carried)
                m.d.sync += steps.eq(steps - 1)
                with m.If(steps == 0):
                    m.next = "IDLE"

            with m.State("COMPARE"):  # pick the earlier child
                right = Signal()
                m.d.comb += [
                    read_low.addr.eq(place << 1),
                    read_high.addr.eq((place << 1) | 1),
                    right.eq((((place << 1) | 1) <= size) & before(read_high.data, read_low.data)),
                ]
                m.d.sync += [
                    child.eq(Mux(right, read_high.data, read_low.data)),
                    child_at.eq((place << 1) | right),
                    child_valid.eq((place << 1) <= size),
                    steps.eq(steps - 1),
                ]
                m.next = "DOWN"

            with m.State("DOWN"):  # move it up, or put the carried job here
                m.d.comb += [write_at.eq(place), write_en.eq(~placed)]
                with m.If(~placed):
                    with m.If(child_valid & before(child, carried)):
                        m.d.comb += write_job.eq(child)
                        m.d.sync += place.eq(child_at)
                    with m.Else():
                        m.d.comb += write_job.eq(carried)
                        m.d.sync += placed.eq(1)
                    with m.If(place == 1):
                        m.d.sync += root.eq(write_job)
                m.d.sync += steps.eq(steps - 1)
                m.next = "COMPARE"
                with m.If(steps == 0):
                    m.next = "IDLE"
        return m
