"""Waiting jobs as one record per task in registers under a tree of comparators."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from derca_sim.model.platform import Platform
from derca_sim.model.timing import SchedulerTiming

from ..blocks.ram import Ram
from ..layouts import Layouts
from .order import earlier
from .waiting import WaitingJobs


class TournamentRecords(wiring.Component):
    """Finds the waiting job with the smallest key, with one record per task under a tree of comparators.

    A change of a record reaches the root after ceil(log2 N) cycles (`SchedulerTiming.VISIBLE`, `REFILL`), a level per
    cycle. All releases of a cycle are taken in that cycle: with `release.kind = "parallel"` all of `released` with
    their `keys`, otherwise one from the stream.

    Records are registers, so area grows with N. The running job keeps its record, which does not take part while the
    job has regions left. Liveness is stored twice, and keys have parity. Every record is checked in every cycle, before
    the tree uses it.

    Members: see `WaitingJobs`, and with parallel release `released` and `keys`.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._job = lay.job
        n, time = p.scheduler.tasks, p.scheduler.time_width
        super().__init__({
            "jobs": In(WaitingJobs(p)),
            "released": In(n),
            "keys": In(data.ArrayLayout(time, n)),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """None: records are registers."""
        return []

    def elaborate(self, platform):
        m = Module()
        p, jobs = self._p, self.jobs
        n, time = p.scheduler.tasks, p.scheduler.time_width
        parallel = p.release.kind == "parallel"
        rekeys = "least_slack" in p.scheduler.policies

        # -- records -----------------------------------------------------------------------------------------------
        live = Signal(n)
        empty = Signal(n, init=-1)  # the inverse, stored apart: synthesis would merge two equal registers
        parity = Signal(n)
        keys = [Signal(time, name=f"key_{i}") for i in range(n)]
        taken = Signal()
        m.d.comb += [
            jobs.release.ready.eq(~jobs.issued if rekeys else 1),
            jobs.waits.eq(live.bit_select(jobs.release.p.task, 1)),
            taken.eq(jobs.release.valid & jobs.release.ready & (~jobs.release.p.abort | jobs.waits)),
        ]
        key = Signal(time)
        m.d.comb += key.eq(jobs.release.p.key)
        if rekeys:
            with m.If(jobs.issued):
                m.d.comb += key.eq(jobs.rekey)
        for i in range(n):
            runs = Signal(name=f"runs_{i}")
            load = Signal(name=f"load_{i}")
            m.d.comb += runs.eq(jobs.running.task == i)
            sources = [] if parallel else [taken & (jobs.release.p.task == i)]
            m.d.comb += load.eq(Cat(*sources).any())
            if rekeys:
                sources.append(jobs.issued & runs)
            with m.If(Cat(*sources).any() if sources else 0):
                m.d.sync += [keys[i].eq(key), parity[i].eq(key.xor())]
            if parallel:
                with m.If(self.released[i]):
                    m.d.comb += load.eq(1)
                    m.d.sync += [keys[i].eq(self.keys[i]), parity[i].eq(self.keys[i].xor())]
            with m.If((jobs.ended | jobs.gone) & runs):
                m.d.sync += [live[i].eq(0), empty[i].eq(1)]
            with m.If(load):
                m.d.sync += [live[i].eq(1), empty[i].eq(0)]
        with m.If(jobs.clear):
            m.d.sync += [live.eq(0), empty.eq(~0)]

        # -- tree --------------------------------------------------------------------------------------------------
        node_layout = data.StructLayout({"valid": 1, "key": time, "task": self._job["task"].shape})
        nodes = []
        for i in range(n):
            leaf = Signal(node_layout, name=f"leaf_{i}")
            m.d.comb += [
                leaf.valid.eq(live[i] & ~(jobs.running_valid & (jobs.running.task == i))),
                leaf.key.eq(keys[i]),
                leaf.task.eq(i),
            ]
            nodes.append(leaf)
        level = 0
        while len(nodes) > 1:
            following = []
            for i in range(0, len(nodes), 2):
                node = Signal(node_layout, name=f"level_{level}_{i // 2}")
                if i + 1 == len(nodes):
                    m.d.sync += node.eq(nodes[i])
                else:
                    left, right = nodes[i], nodes[i + 1]
                    second = Signal(name=f"second_{level}_{i // 2}")
                    m.d.comb += second.eq(right.valid & (~left.valid | earlier(right.key, left.key)))
                    m.d.sync += [
                        node.valid.eq(left.valid | right.valid),
                        node.key.eq(Mux(second, right.key, left.key)),
                        node.task.eq(Mux(second, right.task, left.task)),
                    ]
                following.append(node)
            nodes, level = following, level + 1
        root = nodes[0]

        # -- settling ----------------------------------------------------------------------------------------------
        refill = SchedulerTiming(p).REFILL
        left_cycles = Signal(range(refill + 1))
        replaced = taken & jobs.release.p.abort
        with m.If(jobs.take | jobs.clear | replaced):
            m.d.sync += left_cycles.eq(refill - 1)
        with m.Elif(left_cycles != 0):
            m.d.sync += left_cycles.eq(left_cycles - 1)
        wrong = Signal(n)
        m.d.comb += [
            jobs.settled.eq(left_cycles == 0),
            jobs.best.task.eq(root.task),
            jobs.best.key.eq(root.key),
            jobs.best_valid.eq(root.valid),
            jobs.empty.eq(~live.any()),
            jobs.fault.eq(wrong.any()),
        ]
        for i in range(n):
            m.d.comb += wrong[i].eq((live[i] & (keys[i].xor() ^ parity[i])) | (live[i] == empty[i]))
            with m.If(wrong[i]):
                m.d.comb += jobs.fault_task.eq(i)
        return m

