"""Waiting jobs as a binary min-heap beside a register for the winner."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from derca_sim.model.platform import Platform
from derca_sim.model.timing import SchedulerTiming

from ..layouts import Layouts
from .order import before
from .waiting import WaitingJobs


class HeapJobs(wiring.Component):
    """At most one waiting job per task; constant operation times.

    The winner stands apart from the heap: a release taken is compared with it and can be chosen in the next cycle; who
    loses is inserted, which keeps the heap busy for `SchedulerTiming.INSERT` cycles. When the winner becomes the
    running job, the root of the heap or the job that was preempted takes its place, as soon as the heap is idle and
    in one cycle; filling the root's place makes it `REMOVE` cycles in all.

    Members: see `WaitingJobs`.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._job = Layouts(p).job
        super().__init__({"jobs": In(WaitingJobs(p))})

    def elaborate(self, platform):
        m = Module()
        n, jobs, job = self._p.scheduler.tasks, self.jobs, self._job
        timing = SchedulerTiming(self._p)
        position = range(2 * n + 2)
        word = data.StructLayout({"job": job, "parity": 1})

        # The root at 1, children of i at 2i and 2i + 1. Two read ports (copies), one write port.
        m.submodules.low = low = Memory(shape=word, depth=n + 1, init=[])
        m.submodules.high = high = Memory(shape=word, depth=n + 1, init=[])
        read_low, read_high = low.read_port(domain="comb"), high.read_port(domain="comb")
        write_at = Signal(position)
        write_job = Signal(job)
        write_en = Signal()
        for port in (low.write_port(), high.write_port()):
            m.d.comb += [
                port.addr.eq(write_at), port.data.job.eq(write_job),
                port.data.parity.eq(write_job.as_value().xor()), port.en.eq(write_en),
            ]
        low_job, high_job = read_low.data.job, read_high.data.job
        read_low_valid = Signal()
        read_high_valid = Signal()
        low_fault = Signal()
        high_fault = Signal()
        m.d.comb += [
            low_fault.eq(read_low_valid & read_low.data.as_value().xor()),
            high_fault.eq(read_high_valid & read_high.data.as_value().xor()),
            jobs.fault.eq(low_fault | high_fault),
            jobs.fault_task.eq(Mux(low_fault, low_job.task, high_job.task)),
        ]

        size = Signal(range(n + 1))
        best = Signal(job)
        best_valid = Signal()
        hole = Signal()  # the winner was taken, and the next is not known yet
        # the preempted job, on its way back
        back = Signal(job)
        back_valid = Signal()
        carried = Signal(job)  # the job being moved through the heap
        place = Signal(position)
        placed = Signal()
        steps = Signal(range(max(timing.INSERT, timing.REMOVE) + 1))
        child = Signal(job)
        child_valid = Signal()
        child_at = Signal(position)
        released = Signal(job)
        m.d.comb += [
            released.task.eq(jobs.release.p.task),
            released.key.eq(jobs.release.p.key),
            jobs.best.eq(best),
            jobs.best_valid.eq(best_valid),
            jobs.settled.eq(~hole),
            jobs.empty.eq(~best_valid & ~hole & (size == 0)),
        ]

        with m.FSM():
            with m.State("IDLE"):
                with m.If(hole):
                    returns = Signal()
                    m.d.comb += [
                        read_low.addr.eq(1),
                        read_low_valid.eq(size != 0),
                        read_high.addr.eq(size),
                        read_high_valid.eq(size != 0),
                        returns.eq(back_valid & ((size == 0) | before(back, low_job))),
                    ]
                    m.d.sync += [
                        hole.eq(0),
                        best.eq(Mux(returns, back, low_job)),
                        best_valid.eq(back_valid | (size != 0)),
                        # The preempted job takes the root's place; without one, the last job of the heap does.
                        carried.eq(Mux(back_valid, back, high_job)),
                        placed.eq(returns | (size == 0)),
                        size.eq(size - (~back_valid & (size != 0))),
                        place.eq(1),
                        steps.eq(timing.REMOVE - 2),
                    ]
                    m.next = "COMPARE"
                with m.Else():
                    m.d.comb += jobs.release.ready.eq(~jobs.take)
                    with m.If(jobs.release.valid & ~jobs.take):
                        wins = Signal()
                        m.d.comb += wins.eq(~best_valid | before(released, best))
                        with m.If(wins):
                            m.d.sync += [best.eq(released), best_valid.eq(1)]
                        m.d.sync += [
                            carried.eq(Mux(wins, best, released)),
                            placed.eq(~best_valid),
                            size.eq(size + best_valid),
                            place.eq(size + 1),
                            steps.eq(timing.INSERT - 1),
                        ]
                        m.next = "UP"

            with m.State("UP"):
                parent = Signal(range(n + 1))
                m.d.comb += [
                    parent.eq(place >> 1),
                    read_low.addr.eq(parent),
                    read_low_valid.eq(~placed & (place != 1)),
                    write_at.eq(place),
                    write_en.eq(~placed),
                ]
                with m.If((place != 1) & before(carried, low_job)):
                    m.d.comb += write_job.eq(low_job)
                    m.d.sync += place.eq(parent)
                with m.Else():
                    m.d.comb += write_job.eq(carried)
                    m.d.sync += placed.eq(1)
                m.d.sync += steps.eq(steps - 1)
                with m.If(steps == 0):
                    m.next = "IDLE"

            with m.State("COMPARE"):  # pick the earlier child
                left = Signal()
                right = Signal()
                m.d.comb += [
                    read_low.addr.eq(place << 1),
                    read_high.addr.eq((place << 1) | 1),
                    left.eq((place << 1) <= size),
                    read_low_valid.eq(~placed & left),
                    read_high_valid.eq(~placed & (((place << 1) | 1) <= size)),
                    right.eq((((place << 1) | 1) <= size) & before(high_job, low_job)),
                ]
                m.d.sync += [
                    child.eq(Mux(right, high_job, low_job)),
                    child_at.eq((place << 1) | right),
                    child_valid.eq(left),
                    steps.eq(steps - 1),
                ]
                m.next = "DOWN"

            with m.State("DOWN"):  # move it up, or put the carried job here
                m.d.comb += [write_at.eq(place), write_en.eq(~placed)]
                with m.If(child_valid & before(child, carried)):
                    m.d.comb += write_job.eq(child)
                    m.d.sync += place.eq(child_at)
                with m.Else():
                    m.d.comb += write_job.eq(carried)
                    m.d.sync += placed.eq(1)
                m.d.sync += steps.eq(steps - 1)
                m.next = "COMPARE"
                with m.If(steps == 0):
                    m.next = "IDLE"

        with m.If(jobs.take):
            m.d.sync += [hole.eq(1), best_valid.eq(0), back.eq(jobs.running), back_valid.eq(jobs.put)]
        with m.If(jobs.clear):
            m.d.sync += [hole.eq(0), best_valid.eq(0), size.eq(0), placed.eq(1)]
        return m
