"""The scheduler: decides in the cycle of the feedback which job runs next."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import SchedulerTiming

from ..blocks.ram import Ram
from ..kernel.writing import TaskConfig
from ..layouts import Layouts, pulse
from .heap import HeapJobs
from .order import earlier
from .regions import RegionCounters
from .scan import ScanRecords
from .tournament import TournamentRecords

#: The sets of waiting jobs by `scheduler.kind`.
WAITING = {"heap": HeapJobs, "scan": ScanRecords, "tournament": TournamentRecords}


class Scheduler(wiring.Component):
    """Runs the job with the earliest key: at most one live job per task, preemptive between regions.

    A decision is made in the cycle of the feedback, and its instruction is valid in the next one
    (`SchedulerTiming.DECISION`), whatever the number of tasks, their keys and pending releases. It waits only while the
    winner among the waiting jobs is looked for after a switch (`SchedulerTiming.REFILL`). That search is over before
    the end of any region that is longer. Without live jobs the decision is made as soon as a job is visible.

    The order is: key modulo 2^time_width, then the running job, then the lower task. The running job is held apart from
    the set of waiting jobs, so that the winner is known beforehand.

    Attributes
    ----------
    now : In(32)
        The time, in cycles.
    running : In(1)
        The run state. While low there is no decision. When it falls, all jobs are dropped, in a cycle per task, and a
        region that still runs is awaited.
    release : In(stream)
    aborted : Out(1)
        Answers a taken release with `abort`. High: its predecessor was given up and replaced. Low: the predecessor's
        last region had been issued, and the release was not taken over.
    released, keys : In
        With `tournament` and parallel release: all releases of the cycle, a bit and a key per task, instead of the
        stream.
    halt : In(1)
        Safe state: no decision until `running` has fallen.
    feedback : In(1)
        The running region ends: the accelerator can take an instruction from the next cycle on.
    fail : In(1)
        The running job has failed. It is given up while its region runs, if another job can be chosen. This is as if
        the region were its last, except that the next instruction has `abort`.
    given_up : Out(1)
        The failed job is given up in this cycle.
    instruction : Out(stream)
    regions : In(stream, always ready)
        Host writes: regions in a job of a task.
    config : In(`TaskConfig`)
        Host writes to a task's registers, of which least_slack uses REGION_BUDGET. Its pages are those of `regions`
        too.
    policy : In
        Index into `scheduler.policies`.
    spurious : Out(1)
        Feedback while no region runs, which is ignored.
    fault : Out(1)
        A stored job has bad parity. Nothing more is issued until `running` falls.
    fault_task : Out
        With `fault`: the job's task.
    ready_event, issue_event : Out(stream, always ready)
    idle : Out(1)
        No job lives here.
    settled : Out(1)
        After a reset: the memories have been cleared.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        n, time = p.scheduler.tasks, p.scheduler.time_width
        self.timing = SchedulerTiming(p)
        super().__init__({
            "now": In(32),
            "running": In(1),
            "release": In(stream.Signature(lay.release)),
            "aborted": Out(1),
            "released": In(n),
            "keys": In(data.ArrayLayout(time, n)),
            "halt": In(1),
            "feedback": In(1),
            "fail": In(1),
            "given_up": Out(1),
            "instruction": Out(stream.Signature(lay.instruction)),
            "regions": In(pulse(lay.task_write)),
            "config": In(TaskConfig(p)),
            "policy": In(bits_for(len(p.scheduler.policies) - 1)),
            "spurious": Out(1),
            "fault": Out(1),
            "fault_task": Out(bits_for(n - 1)),
            "ready_event": Out(pulse(lay.event)),
            "issue_event": Out(pulse(lay.event)),
            "idle": Out(1),
            "settled": Out(1),
        })

    @staticmethod
    def kinds(p: Platform) -> dict[str, tuple[Kind, ...]]:
        """The kinds of events that each event stream sends, by the name of the stream."""
        return {"ready_event": (Kind.READY,), "issue_event": (Kind.ISSUE,)}

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        tasks = bits_for(p.scheduler.tasks - 1)
        work = [Ram(p.scheduler.time_width, (1 + p.tables.shadow) << tasks)] * ("least_slack" in p.scheduler.policies)
        return [*RegionCounters.memories(p), *work, *WAITING[p.scheduler.kind].memories(p)]

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        aborts = "abort" in p.release.overrun
        m.submodules.waiting = waiting = WAITING[p.scheduler.kind](p)
        m.submodules.counters = counters = RegionCounters(p)
        jobs = waiting.jobs
        connect(m, flipped(self.regions), counters.regions)

        current = Signal(lay.job)
        current_valid = Signal()
        outstanding = Signal()  # a region was issued, and its feedback is still to come
        issued = Signal()  # the instruction became valid in this cycle
        switched = Signal()
        preempted = Signal()
        abandoned = Signal()
        broken = Signal()
        dropped = Signal()  # the running job was aborted; nothing has been issued since
        was_running = Signal()
        stop = Signal()
        m.d.sync += was_running.eq(self.running)
        m.d.comb += stop.eq(was_running & ~self.running)

        # -- the decision --------------------------------------------------------------------------------------------
        fire = Signal()
        switch = Signal()
        out = self.instruction
        m.d.comb += [
            switch.eq(~current_valid | (jobs.best_valid & earlier(jobs.best.key, current.key))),
            fire.eq(
                (~outstanding | self.feedback) & jobs.settled & (jobs.best_valid | current_valid)
                & self.running & ~broken & ~self.halt & ~jobs.fault & ~out.valid & ~counters.clearing
            ),
            jobs.take.eq(fire & switch),
            jobs.put.eq(current_valid),
            jobs.running.eq(current),
            jobs.running_valid.eq(current_valid),
            counters.read.eq(fire),
            counters.page.eq(self.config.page),
            counters.write_page.eq(self.config.write_page),
            counters.task.eq(Mux(switch, jobs.best.task, current.task)),
            self.spurious.eq(self.feedback & ~outstanding),
            self.fault.eq(jobs.fault),
            self.fault_task.eq(jobs.fault_task),
            self.idle.eq(jobs.empty & ~current_valid & ~out.valid),
            self.settled.eq(jobs.settled & ~counters.clearing),
        ]
        m.d.sync += [issued.eq(fire), broken.eq(broken | jobs.fault | self.halt)]
        with m.If(self.feedback):
            m.d.sync += outstanding.eq(0)
        with m.If(out.ready):
            m.d.sync += out.valid.eq(0)
        with m.If(fire):
            m.d.sync += [
                out.valid.eq(1),
                outstanding.eq(1),
                switched.eq(switch),
                preempted.eq(switch & (current_valid | dropped)),
                abandoned.eq(dropped),
                dropped.eq(0),
                current_valid.eq(1),
            ]
            with m.If(switch):
                m.d.sync += current.eq(jobs.best)

        # -- the instruction, and its effect on the running job --------------------------------------------------------
        ended = Signal()
        m.d.comb += [
            ended.eq(issued & counters.last),
            jobs.issued.eq(issued),
            jobs.ended.eq(ended),
            counters.step.eq(issued),
            counters.step_task.eq(current.task),
            out.p.task.eq(current.task),
            out.p.region.eq(counters.region),
            out.p.switch.eq(switched),
            out.p.preempt.eq(preempted),
            out.p.abort.eq(abandoned),
            out.p.resume.eq(switched & counters.begun),
        ]
        with m.If(ended):
            m.d.sync += current_valid.eq(0)
        if "least_slack" in p.scheduler.policies:
            self._slack(m, jobs, current, issued, ended, fire)

        # -- releases ------------------------------------------------------------------------------------------------
        taken = Signal()
        self._offer(m, waiting, taken)
        if aborts:
            # Not in the cycle of a decision, nor in the next one, which shows whether the region is the job's last.
            runs = Signal()
            m.d.comb += runs.eq(current_valid & (self.release.p.task == current.task))
            with m.If(self.release.p.abort):
                with m.If(fire | issued):
                    m.d.comb += [jobs.release.valid.eq(0), self.release.ready.eq(0)]
                with m.Else():
                    m.d.comb += self.aborted.eq(jobs.waits)
                    with m.If(taken & jobs.waits):
                        m.d.comb += [counters.step_task.eq(self.release.p.task), counters.reset.eq(1)]
                        with m.If(runs):
                            m.d.sync += [current_valid.eq(0), dropped.eq(1)]

        # -- a failed job: given up when that disturbs no release ------------------------------------------------------
        m.d.comb += [
            self.given_up.eq(
                self.fail & current_valid & jobs.settled & jobs.best_valid & outstanding & ~self.feedback & ~issued
                & ~self.release.valid),
            jobs.gone.eq(self.given_up),
        ]
        with m.If(self.given_up):
            m.d.comb += counters.reset.eq(1)
            m.d.sync += [current_valid.eq(0), dropped.eq(1)]
        m.d.comb += [jobs.clear.eq(stop), counters.clear.eq(stop)]
        with m.If(stop):  # the next instruction gives up what the accelerator holds of a job
            m.d.sync += [current_valid.eq(0), dropped.eq((current_valid & ~ended) | dropped)]
        with m.If(~self.running):  # in all cycles between runs: the safe state lasts until the next run
            m.d.sync += broken.eq(0)

        self._events(m, jobs, taken, issued, current, counters)
        return m

    def _offer(self, m, waiting, taken):
        """Offer releases to the waiting jobs."""
        release = waiting.jobs.release
        m.d.comb += [
            release.payload.eq(self.release.payload),
            release.valid.eq(self.release.valid),
            self.release.ready.eq(release.ready),
            taken.eq(self.release.valid & self.release.ready),
        ]
        if self._p.scheduler.kind == "tournament":
            m.d.comb += [waiting.released.eq(self.released), waiting.keys.eq(self.keys)]

    def _events(self, m, jobs, taken, issued, current, counters):
        """Report READY of a release that was taken, and ISSUE of an instruction."""
        ready, issue = self.ready_event, self.issue_event
        m.d.comb += [
            ready.valid.eq(taken & (~self.release.p.abort | jobs.waits)),
            ready.p.cycle.eq(self.now),
            ready.p.kind.eq(Kind.READY),
            ready.p.task.eq(self.release.p.task),
            issue.valid.eq(issued),
            issue.p.cycle.eq(self.now),
            issue.p.kind.eq(Kind.ISSUE),
            issue.p.task.eq(current.task),
            issue.p.region.eq(counters.region),
        ]

    def _slack(self, m, jobs, current, issued, ended, fire):
        """Move the running job's key by the budget of each region issued, which counts as work done."""
        p = self._p
        m.submodules.work = work = Memory(
            shape=p.scheduler.time_width, depth=(1 + p.tables.shadow) << len(current.task), init=[])
        write, read = work.write_port(), work.read_port()
        config = self.config
        selected = Signal()
        m.d.comb += [
            write.addr.eq(Cat(config.write.p.task, config.write_page)),
            write.data.eq(config.write.p.value),
            write.en.eq(config.write.valid & (config.write.p.field == TaskReg.REGION_BUDGET >> 2)),
            read.addr.eq(Cat(Mux(jobs.take, jobs.best.task, current.task), config.page)),
            read.en.eq(fire),
            selected.eq(self.policy == p.scheduler.policies.index("least_slack")),
            jobs.rekey.eq(current.key + Mux(selected, read.data, 0)),
        ]
        with m.If(issued):
            m.d.sync += current.key.eq(jobs.rekey)
