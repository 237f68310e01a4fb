"""Waiting jobs as a binary min-heap, beside a register for the winner."""

from typing import NamedTuple

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import SchedulerTiming

from ..blocks.ram import Ram
from ..layouts import Layouts
from .order import before
from .waiting import WaitingJobs


class _Read(NamedTuple):
    """A read of a word of the heap, without latency."""

    at: Signal
    #: A job stands there; set by the reader.
    valid: Signal
    job: data.View


class _Words(NamedTuple):
    """The words of the heap: two are read and one is written per cycle."""

    low: _Read
    high: _Read
    at: Signal
    job: data.View
    en: Signal


class _Moved(NamedTuple):
    """A job on its way through the heap."""

    job: data.View
    #: Its present position in the heap.
    place: Signal
    #: It is at its place.
    placed: Signal
    #: Cycles left, less one.
    steps: Signal


class HeapJobs(wiring.Component):
    """Keeps waiting jobs in a heap, at most one per task; constant operation times.

    The winner stands apart from the heap. A release that is taken is compared with the winner, and can be chosen in the
    next cycle. The loser is inserted, which keeps the heap busy for `SchedulerTiming.INSERT` cycles. When the winner
    becomes the running job, the root of the heap or the preempted job replaces it, as soon as the heap is idle and in
    one cycle. With the filling of the root's place this takes `REMOVE` cycles in all.

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
        # The root is at 1, the children of i are at 2i and 2i + 1. Two copies give two read ports and one write port.
        word = data.StructLayout({"job": job, "parity": 1})
        m.submodules.low = low_copy = Memory(shape=word, depth=n + 1, init=[])
        m.submodules.high = high_copy = Memory(shape=word, depth=n + 1, init=[])
        words = self._words(m, low_copy, high_copy)
        low, high = words.low, words.high

        size = Signal(range(n + 1))
        best = Signal(job)
        best_valid = Signal()
        hole = Signal()  # the winner was taken, and the next is not known yet
        # the preempted job, on its way back to the heap
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
                        # The root's place goes to the preempted job, or if there is none to the heap's last job.
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
                self._up(m, words, moved)
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

            with m.State("DOWN"):  # move the child up, or put the carried job here
                self._store(m, words, moved, child_valid & before(child, carried), child, child_at)
                m.next = "COMPARE"
                with m.If(steps == 0):
                    m.next = "IDLE"

        with m.If(jobs.take):
            m.d.sync += [hole.eq(1), best_valid.eq(0), back.eq(jobs.running), back_valid.eq(jobs.put)]
        with m.If(jobs.clear):
            m.d.sync += [hole.eq(0), best_valid.eq(0), size.eq(0), placed.eq(1)]
        return m

    def _words(self, m, *copies: Memory) -> _Words:
        """Add the ports of the two copies of the heap's words, and the parity check of words that are read."""
        job, jobs = self._job, self.jobs
        write = _Words(None, None, Signal(range(2 * self._p.scheduler.tasks + 2), name="write_at"),
                       Signal(job, name="write_job"), Signal(name="write_en"))
        reads, faults = [], []
        for name, copy in zip(("low", "high"), copies, strict=True):
            into, out = copy.write_port(), copy.read_port(domain="comb")
            valid = Signal(name=f"read_{name}_valid")
            fault = Signal(name=f"{name}_fault")
            m.d.comb += [
                fault.eq(valid & out.data.as_value().xor()),
                into.addr.eq(write.at), into.data.job.eq(write.job),
                into.data.parity.eq(write.job.as_value().xor()), into.en.eq(write.en),
            ]
            reads.append(_Read(out.addr, valid, out.data.job))
            faults.append(fault)
        m.d.comb += [
            jobs.fault.eq(faults[0] | faults[1]),
            jobs.fault_task.eq(Mux(faults[0], reads[0].job.task, reads[1].job.task)),
        ]
        return write._replace(low=reads[0], high=reads[1])

    def _up(self, m, words: _Words, moved: _Moved):
        """Compare the job with the parent of its place."""
        parent = Signal(range(self._p.scheduler.tasks + 1))
        below_root = moved.place != 1
        m.d.comb += [
            parent.eq(moved.place >> 1),
            words.low.at.eq(parent),
            words.low.valid.eq(~moved.placed & below_root),
        ]
        self._store(m, words, moved, below_root & before(moved.job, words.low.job), words.low.job, parent)

    def _store(self, m, words: _Words, moved: _Moved, when, other, at):
        """Write a job to the place.

        If `when`, it is `other`, and the place moves to `at`, where that stood. Otherwise it is the moved job, which is
        then at its place.
        """
        m.d.comb += [words.at.eq(moved.place), words.en.eq(~moved.placed)]
        with m.If(when):
            m.d.comb += words.job.eq(other)
            m.d.sync += moved.place.eq(at)
        with m.Else():
            m.d.comb += words.job.eq(moved.job)
            m.d.sync += moved.placed.eq(1)
        m.d.sync += moved.steps.eq(moved.steps - 1)
