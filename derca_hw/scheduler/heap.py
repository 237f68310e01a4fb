"""Waiting jobs as a binary min-heap beside a register for the winner."""

from typing import NamedTuple

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import SchedulerTiming

from ..blocks.ram import Ram
from ..layouts import Layouts
from .order import before
from .waiting import WaitingJobs


class HeapWords(wiring.Component):
    """The words of a heap: one is written and two are read per cycle, without latency. Each has a parity bit.

    The root stands at 1, the children of i at 2i and 2i + 1.

    Attributes
    ----------
    low, high : In
        Reads: `at`, whether a job stands there (`valid`), and the job.
    write : In
        `at`, `job`, `en`.
    fault, fault_task : Out
        A job that is read fails its parity; whose.
    """

    def __init__(self, n: int, job):
        word = data.StructLayout({"job": job, "parity": 1})
        #: The same words twice: a memory has one read port.
        self.copies = {name: Memory(shape=word, depth=n + 1, init=[]) for name in ("low", "high")}
        read = wiring.Signature({"at": Out(range(n + 1)), "valid": Out(1), "job": In(job)})
        super().__init__({
            "low": In(read),
            "high": In(read),
            "write": In(wiring.Signature({"at": Out(range(2 * n + 2)), "job": Out(job), "en": Out(1)})),
            "fault": Out(1),
            "fault_task": Out(job["task"].shape),
        })

    def elaborate(self, platform):
        m = Module()
        faults = []
        for name, asked in (("low", self.low), ("high", self.high)):
            m.submodules[name] = memory = self.copies[name]
            read, write = memory.read_port(domain="comb"), memory.write_port()
            fault = Signal(name=f"{name}_fault")
            m.d.comb += [
                read.addr.eq(asked.at),
                asked.job.eq(read.data.job),
                fault.eq(asked.valid & read.data.as_value().xor()),
                write.addr.eq(self.write.at),
                write.data.job.eq(self.write.job),
                write.data.parity.eq(self.write.job.as_value().xor()),
                write.en.eq(self.write.en),
            ]
            faults.append(fault)
        m.d.comb += [
            self.fault.eq(faults[0] | faults[1]),
            self.fault_task.eq(Mux(faults[0], self.low.job.task, self.high.job.task)),
        ]
        return m


class _Moved(NamedTuple):
    """A job on its way through the heap."""

    job: data.View
    #: Where it would stand now.
    place: Signal
    #: It has its place.
    placed: Signal
    #: Cycles that are left, less one.
    steps: Signal


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

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        tasks = p.scheduler.tasks
        return [Ram(p.scheduler.time_width + bits_for(tasks - 1) + 1, tasks + 1, 2, "comb")]

    def elaborate(self, platform):
        m = Module()
        n, jobs, job = self._p.scheduler.tasks, self.jobs, self._job
        timing = SchedulerTiming(self._p)
        position = range(2 * n + 2)
        m.submodules.heap = heap = HeapWords(n, job)
        low, high, write = heap.low, heap.high, heap.write
        m.d.comb += [jobs.fault.eq(heap.fault), jobs.fault_task.eq(heap.fault_task)]

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
        moved = _Moved(carried, place, placed, steps)
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
                        low.at.eq(1),
                        low.valid.eq(size != 0),
                        high.at.eq(size),
                        high.valid.eq(size != 0),
                        returns.eq(back_valid & ((size == 0) | before(back, low.job))),
                    ]
                    m.d.sync += [
                        hole.eq(0),
                        best.eq(Mux(returns, back, low.job)),
                        best_valid.eq(back_valid | (size != 0)),
                        # The preempted job takes the root's place; without one, the last job of the heap does.
                        carried.eq(Mux(back_valid, back, high.job)),
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
                self._up(m, heap, moved)
                with m.If(steps == 0):
                    m.next = "IDLE"

            with m.State("COMPARE"):  # pick the earlier child
                left = Signal()
                right = Signal()
                m.d.comb += [
                    low.at.eq(place << 1),
                    high.at.eq((place << 1) | 1),
                    left.eq((place << 1) <= size),
                    low.valid.eq(~placed & left),
                    high.valid.eq(~placed & (((place << 1) | 1) <= size)),
                    right.eq((((place << 1) | 1) <= size) & before(high.job, low.job)),
                ]
                m.d.sync += [
                    child.eq(Mux(right, high.job, low.job)),
                    child_at.eq((place << 1) | right),
                    child_valid.eq(left),
                    steps.eq(steps - 1),
                ]
                m.next = "DOWN"

            with m.State("DOWN"):  # move it up, or put the carried job here
                self._store(m, write, moved, child_valid & before(child, carried), child, child_at)
                m.next = "COMPARE"
                with m.If(steps == 0):
                    m.next = "IDLE"

        with m.If(jobs.take):
            m.d.sync += [hole.eq(1), best_valid.eq(0), back.eq(jobs.running), back_valid.eq(jobs.put)]
        with m.If(jobs.clear):
            m.d.sync += [hole.eq(0), best_valid.eq(0), size.eq(0), placed.eq(1)]
        return m

    def _up(self, m, heap: HeapWords, moved: _Moved):
        """Compare the job with the parent of its place."""
        parent = Signal(range(self._p.scheduler.tasks + 1))
        below_root = moved.place != 1
        m.d.comb += [
            parent.eq(moved.place >> 1),
            heap.low.at.eq(parent),
            heap.low.valid.eq(~moved.placed & below_root),
        ]
        self._store(m, heap.write, moved, below_root & before(moved.job, heap.low.job), heap.low.job, parent)

    def _store(self, m, write, moved: _Moved, when, other, at):
        """Write another job to the place, which moves to where that stood, `when`; or else the job itself."""
        m.d.comb += [write.at.eq(moved.place), write.en.eq(~moved.placed)]
        with m.If(when):
            m.d.comb += write.job.eq(other)
            m.d.sync += moved.place.eq(at)
        with m.Else():
            m.d.comb += write.job.eq(moved.job)
            m.d.sync += moved.placed.eq(1)
        m.d.sync += moved.steps.eq(moved.steps - 1)
