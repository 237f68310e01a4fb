"""Waiting jobs as one record per task in RAM, compared one after the other with a single comparator."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ..blocks.ram import Ram
from ..layouts import Layouts
from .order import before
from .waiting import WaitingJobs


class ScanRecords(wiring.Component):
    """Finds the waiting job with the smallest key, with one record per task in RAM. Logic hardly grows with N.

    A release can be chosen `SchedulerTiming.VISIBLE` cycles after it was taken. One release is taken in every cycle but
    the one after a decision. It is written to its record, read back, and compared with the winner. When the winner
    becomes the running job, a scan looks at every record, one in each cycle without a release (`REFILL`).

    The running job keeps its record. The record does not take part while the job has regions left, so that a preempted
    job waits again without a write.

    Members: see `WaitingJobs`.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._job = lay.job
        super().__init__({"jobs": In(WaitingJobs(p))})

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        tasks = p.scheduler.tasks
        return [Ram(p.scheduler.time_width + 2, tasks), *[Ram(1, tasks, 1, "comb")] * ("abort" in p.release.overrun)]

    def elaborate(self, platform):
        m = Module()
        p, jobs = self._p, self.jobs
        n = p.scheduler.tasks
        task_bits = bits_for(n - 1)
        aborts = "abort" in p.release.overrun
        record_layout = data.StructLayout({"key": p.scheduler.time_width, "live": 1, "parity": 1})
        m.submodules.records = records = Memory(shape=record_layout, depth=n, init=[])
        write, read = records.write_port(), records.read_port()

        clearing = Signal(init=1)
        scanning = Signal()
        pointer = Signal(task_bits)
        last_record = Signal()
        m.d.comb += last_record.eq(pointer == n - 1)

        # -- writes: releases, the end of the running job, clearing --------------------------------------------------
        taken = Signal()
        m.d.comb += [
            jobs.release.ready.eq(~clearing & ~jobs.issued),
            taken.eq(jobs.release.valid & jobs.release.ready),
            write.addr.eq(Mux(clearing, pointer, Mux(jobs.issued | jobs.gone, jobs.running.task, jobs.release.p.task))),
            write.data.key.eq(jobs.release.p.key),
            write.data.live.eq(~clearing & ~jobs.issued & ~jobs.gone),
            write.en.eq(clearing | jobs.ended | jobs.gone | taken),
        ]
        if "least_slack" in p.scheduler.policies:
            with m.If(jobs.issued):
                m.d.comb += [write.data.key.eq(jobs.rekey), write.data.live.eq(~jobs.ended), write.en.eq(1)]
        m.d.comb += write.data.parity.eq(Cat(write.data.key, write.data.live).xor())

        # -- reads: a release just taken, else the next record of a scan -----------------------------------------------
        fresh = Signal()
        fresh_task = Signal(task_bits)
        candidate = Signal(self._job)
        read_valid = Signal()
        m.d.comb += [
            read.addr.eq(Mux(fresh, fresh_task, pointer)),
            candidate.key.eq(read.data.key),
        ]
        replaced = Signal()  # a job was replaced: the winner must be found again
        rescan = Signal()
        m.d.comb += rescan.eq(jobs.take | replaced)
        if aborts:
            m.submodules.live = live = Memory(shape=1, depth=n, init=[])
            live_w, live_r = live.write_port(), live.read_port(domain="comb")
            m.d.comb += [
                live_w.addr.eq(write.addr), live_w.data.eq(write.data.live), live_w.en.eq(write.en),
                live_r.addr.eq(jobs.release.p.task),
                jobs.waits.eq(live_r.data),
                replaced.eq(taken & jobs.release.p.abort & jobs.waits),
            ]
            with m.If(jobs.release.p.abort & ~jobs.waits):
                m.d.comb += taken.eq(0)
        m.d.sync += [fresh.eq(taken), fresh_task.eq(jobs.release.p.task)]
        m.d.sync += [candidate.task.eq(read.addr), read_valid.eq(~clearing & (fresh | scanning))]

        with m.If(clearing | (scanning & ~fresh)):
            m.d.sync += pointer.eq(pointer + 1)
            with m.If(last_record):
                m.d.sync += [pointer.eq(0), clearing.eq(0), scanning.eq(0)]
        # A scan begins two cycles after the switch, when it is known whether the new running job has regions left.
        begin = Signal()
        m.d.sync += begin.eq(rescan)
        with m.If(begin):
            m.d.sync += [scanning.eq(1), pointer.eq(0)]

        # -- the winner ------------------------------------------------------------------------------------------------
        best = Signal(self._job)
        best_valid = Signal()
        takes_part = Signal()
        wins = Signal()
        outdated = Signal()  # the record read may be the running job's, from before it was given up
        m.d.sync += outdated.eq(jobs.gone)
        m.d.comb += [
            takes_part.eq(read_valid & read.data.live
                          & ~((jobs.running_valid | outdated) & (candidate.task == jobs.running.task))),
            wins.eq(takes_part & (~best_valid | before(candidate, best))),
            jobs.best.eq(best),
            jobs.best_valid.eq(best_valid),
        ]
        with m.If(wins):
            m.d.sync += [best.eq(candidate), best_valid.eq(1)]
        with m.If(rescan | begin | clearing):  # records read before the replacement are not compared
            m.d.sync += best_valid.eq(0)

        scanned = Signal()  # the last record's word is being compared
        m.d.sync += scanned.eq(scanning)
        m.d.comb += [
            jobs.settled.eq(~(clearing | begin | scanning | scanned)),
            jobs.empty.eq(jobs.settled & ~best_valid & ~fresh & ~read_valid),
            jobs.fault_task.eq(candidate.task),
            jobs.fault.eq(read_valid & Cat(read.data.key, read.data.live, read.data.parity).xor()),
        ]
        with m.If(jobs.clear):
            m.d.sync += [clearing.eq(1), scanning.eq(0), pointer.eq(0), begin.eq(0), fresh.eq(0), read_valid.eq(0),
                         best_valid.eq(0)]
        return m
