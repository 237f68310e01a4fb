"""A scheduler against the EDF specification: environment, numbered properties of the anchors' list, races as covers."""

from amaranth.hdl import Mux, Signal

from derca_hw.scheduler.scheduler import Scheduler
from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import SchedulerTiming
from formal import core, heap, scan, tournament
from formal.edf import EdfMachine, regions_at_start
from formal.opened import Opened
from formal.properties import Properties, every, iff, implies, some
from formal.streams import keeps_its_word

#: The invariants of each kind of waiting set.
INVARIANTS = {"heap": heap.invariants, "scan": scan.invariants, "tournament": tournament.invariants}


def small(kind: str, tasks: int, width: int, *, release: str = "swept", regions: int = 3) -> Platform:
    """A platform as small as a proof needs; narrower than a user may configure."""
    base = Platform()
    return base.model_copy(
        update={
            "scheduler": base.scheduler.model_copy(update={"kind": kind, "tasks": tasks, "time_width": width}),
            "release": base.release.model_copy(update={"kind": release}),
            "tables": base.tables.model_copy(update={"regions": regions}),
        }
    )


class SchedulerProof(Properties):
    """One scheduler in a free environment, with the specification beside it.

    Parameters
    ----------
    p : Platform
    inductive : bool
        State the invariants over inner registers as well.
    cleared : bool
        Start as after the N cycles of clearing, for bounded proofs of many tasks.
    factory
        Makes the scheduler; planted bugs replace it.
    """

    def __init__(self, p: Platform, *, inductive: bool = False, cleared: bool = False, factory=Scheduler):
        super().__init__()
        m, n, width = self.m, p.scheduler.tasks, p.scheduler.time_width
        self.p = p
        timing = SchedulerTiming(p)
        task_bits, count_bits = bits_for(n - 1), bits_for(p.tables.regions)
        parallel = p.scheduler.kind == "tournament" and p.release.kind == "parallel"
        dut = factory(p)
        opened = Opened(dut)
        waiting, counters = Opened(opened.waiting), Opened(opened.counters)
        if cleared:
            opened.counters.clearing._init = 0
            counters.count.init = regions_at_start(p)
            if p.scheduler.kind == "scan":
                waiting.clearing._init = 0
        m.submodules.dut = dut

        # -- the environment ---------------------------------------------------------------------
        running, feedback, ready = self.free("running"), self.free("feedback"), self.free("ready")
        fail, base = self.free("fail"), self.free("base", width)
        offered, offered_task = self.free("offered"), self.free("offered_task", task_bits)
        offered_key = self.free("offered_key", width)
        writes, write_task = self.free("writes"), self.free("write_task", task_bits)
        write_value = self.free("write_value", count_bits)
        released = [self.free(f"released_{i}") for i in range(n)]
        keys = [self.free(f"keys_{i}", width) for i in range(n)]
        out, release = dut.instruction, dut.release
        m.d.comb += [
            dut.running.eq(running),
            dut.feedback.eq(feedback),
            dut.fail.eq(fail),
            out.ready.eq(ready),
            dut.now.eq(self.free("now", 32)),
            release.valid.eq(offered),
            release.p.task.eq(offered_task),
            release.p.key.eq(offered_key),
            dut.regions.valid.eq(writes),
            dut.regions.p.task.eq(write_task),
            dut.regions.p.value.eq(write_value),
        ]
        taken = Signal()
        m.d.comb += taken.eq(offered & release.ready)
        if parallel:
            for i in range(n):
                m.d.comb += [dut.released[i].eq(released[i]), dut.keys[i].eq(keys[i])]
            self.given(~offered)
            arrive, arriving = released, keys
        else:
            arrive, arriving = [taken & (offered_task == i) for i in range(n)], [offered_key] * n
        self.arrive, self.given_up = arrive, dut.given_up
        machine = self.machine = EdfMachine(
            p,
            m,
            running=running,
            feedback=feedback,
            ready=ready,
            arrive=arrive,
            arriving=arriving,
            count_write=(writes, write_task, write_value),
            given_up=dut.given_up,
            base=base,
            cleared=cleared,
        )

        def in_window(key):
            return ~(key - base)[:width][-1]

        self.given(every(implies(machine.live[i], in_window(machine.key[i])) for i in range(n)))
        if parallel:
            for i in range(n):
                self.given(
                    implies(
                        released[i],
                        ~machine.live[i] & in_window(keys[i]) & (machine.count[i] != 0) & ~(writes & (write_task == i)),
                    )
                )
        else:
            self.given(
                implies(
                    offered,
                    (offered_task < n)
                    & in_window(offered_key)
                    & ~machine.at(machine.live, offered_task)
                    & (machine.at(machine.count, offered_task) != 0)
                    & ~(writes & (write_task == offered_task)),
                )
            )
            held = self.before(offered & ~release.ready)
            self.given(
                implies(
                    held,
                    offered & (offered_task == self.before(offered_task)) & (offered_key == self.before(offered_key)),
                )
            )
        self.given(implies(writes, (write_task < n) & (write_value != 0) & ~machine.at(machine.live, write_task)))

        # -- the order, stated without the machine's choice ----------
        new = Signal()  # an instruction appears
        m.d.comb += new.eq(out.valid & ~self.before(out.valid & ~ready))
        heights = [(machine.key[i] - base)[:width] for i in range(n)]
        runs = [machine.current_valid & (machine.current == i) for i in range(n)]
        rivals = [machine.visible[i] | runs[i] for i in range(n)]
        earliest = [
            self.before(
                machine.live[t]
                & rivals[t]
                & every(implies(rivals[j], heights[t] <= heights[j]) for j in range(n) if j != t)
            )
            for t in range(n)
        ]
        in_order = [
            self.before(
                every(
                    [
                        implies(rivals[j] & (heights[j] == heights[t]), runs[t] | (~runs[j] & int(t < j)))
                        for j in range(n)
                        if j != t
                    ]
                )
            )
            for t in range(n)
        ]
        self.always(
            "1 the issued job lived and no visible job has an earlier key",
            implies(new, machine.at(earliest, out.p.task)),
        )
        self.always("2 ties: the running job, then the lower task", implies(new, machine.at(in_order, out.p.task)))
        self.always(
            "3 an instruction needs a feedback and a live job",
            implies(new, self.before((~machine.outstanding | feedback) & some(rivals) & running)),
        )

        # -- regions and flags, from the instructions alone ----------
        last_task, unfinished = Signal(task_bits), Signal()
        done = out.p.region + 1 == machine.at(machine.count, out.p.task)
        following = [Signal(count_bits, name=f"following_{i}") for i in range(n)]
        with m.If(new):
            m.d.sync += [last_task.eq(out.p.task), unfinished.eq(~done)]
            for i in range(n):
                with m.If(out.p.task == i):
                    m.d.sync += following[i].eq(Mux(done, 0, following[i] + 1))
        with m.If(dut.given_up):
            m.d.sync += unfinished.eq(0)
            for i in range(n):
                with m.If(last_task == i):
                    m.d.sync += following[i].eq(0)
        with m.If(machine.stop):
            m.d.sync += [unfinished.eq(0), *(f.eq(0) for f in following)]
        self.following, self.last_task, self.unfinished, self.new = following, last_task, unfinished, new
        proper = (out.p.task < n) & (out.p.region < machine.at(machine.count, out.p.task))
        self.always(
            "4 every job taken is given all its regions, and no job is invented",
            implies(new, machine.valid & (out.p.task == machine.out_task) & (out.p.region == machine.out_region)),
        )
        self.always(
            "5 regions count from 0, one per instruction, to the last",
            implies(new, proper & (out.p.region == machine.at(following, out.p.task))),
        )
        switches = ~unfinished | (out.p.task != last_task)
        self.always(
            "6 switch, preempt and resume describe the instruction before",
            implies(
                new,
                (
                    (out.p.switch == switches)
                    & implies(~machine.out_abort, out.p.preempt == (switches & unfinished))
                    & (out.p.resume == (switches & (out.p.region != 0)))
                    & (out.p.abort == machine.out_abort)
                ),
            ),
        )
        keeps_its_word(self, "instruction: valid holds, payload is stable", out.valid, ready, out.payload)
        self.always("4 idle only when no job lives", implies(dut.idle, ~some(machine.live) & ~out.valid))
        quiet = Signal(range(timing.LONGEST_REFILL + n + 2))
        nothing = ~some(machine.live) & ~some(arrive) & ~out.valid & ~machine.clearing
        with m.If(~nothing):
            m.d.sync += quiet.eq(0)
        with m.Elif(quiet != timing.LONGEST_REFILL + n + 1):
            m.d.sync += quiet.eq(quiet + 1)
        self.quiet = quiet
        self.always(
            "4 idle at last when no job lives", implies(nothing & (quiet == timing.LONGEST_REFILL + n + 1), dut.idle)
        )

        self.always(
            "16 only a failed job is given up, while its region runs and another job waits",
            implies(dut.given_up, every([
                fail, machine.current_valid, machine.outstanding, ~feedback, ~machine.issued, some(machine.visible),
            ])),
        )

        # -- timing ---------------------------------------------------------------------
        self.always("13 an instruction follows a decision at once, and nothing else", iff(out.valid, machine.valid))
        self.always("15 releases are taken when events alone say so", iff(release.ready, machine.settle.open))
        self.always("no fault without a fault", ~dut.fault)
        self.always("spurious feedback is reported", iff(dut.spurious, feedback & ~machine.outstanding))
        self.always("a release taken is reported", iff(dut.ready_event.valid, taken))
        since = Signal(range(timing.LONGEST_REFILL + 1))  # decisions ago
        self.since = since
        with m.If(machine.fire | machine.stop | machine.clearing):
            m.d.sync += since.eq(0)
        with m.Elif(since != timing.LONGEST_REFILL):
            m.d.sync += since.eq(since + 1)
        due = (~machine.outstanding | feedback) & machine.possible & running & ~out.valid & ~machine.clearing
        self.always(
            "13 a feedback LONGEST_REFILL after a decision, or later, is answered in DECISION cycles",
            implies(self.before(due & (since >= timing.LONGEST_REFILL - 1)), new),
        )
        if p.scheduler.kind != "heap":  # whose total is amortised over a burst
            closed = offered & ~release.ready & ~machine.clearing
            self.always("14 a release is refused in no two cycles in a row", ~(closed & self.before(closed)))

        self.sometimes("a failed job is given up", dut.given_up)
        self._covers(out, feedback, some(arrive), offered if p.scheduler.kind == "heap" else some(arrive))
        if inductive:
            core.invariants(self, opened, counters)
            INVARIANTS[p.scheduler.kind](self, waiting)

    def _covers(self, out, feedback, taken, offered):
        machine, new = self.machine, self.new
        n = machine.n
        ended = machine.issued & machine.ended
        lately = ended | self.before(ended)
        last_task = Mux(ended, machine.out_task, self.before(machine.out_task))
        self.sometimes("a job is preempted", new & out.p.preempt)
        self.sometimes("a job is resumed", new & out.p.resume)
        self.sometimes("release and feedback in one cycle", taken & feedback & machine.outstanding)
        self.sometimes("release in the cycle of a decision that switches", offered & machine.fire & machine.switch)
        self.sometimes(
            "the running job wins a tie",
            machine.fire
            & ~machine.switch
            & some(machine.visible[i] & (machine.key[i] == machine.current_key) for i in range(n)),
        )
        self.sometimes(
            "the lower task wins a tie",
            machine.fire
            & machine.switch
            & some(
                machine.visible[i] & machine.visible[j] & (machine.key[i] == machine.key[j]) & machine.first[i]
                for i in range(n)
                for j in range(i + 1, n)
            ),
        )
        self.sometimes(
            "a later key is the smaller number",
            machine.fire
            & some(
                machine.visible[i]
                & machine.current_valid
                & (machine.current != i)
                & ~machine.switch
                & (machine.key[i] < machine.current_key)
                for i in range(n)
            ),
        )
        self.sometimes(
            "the task of the job that ended is released again",
            lately & some(self.arrive[i] & (last_task == i) for i in range(n)),
        )
        self.sometimes(
            "stopped while jobs wait, and run again", new & self.before(machine.was_running) & self._stopped()
        )

    def _stopped(self):
        """Jobs were forgotten once."""
        once = Signal()
        with self.m.If(self.machine.stop & some(self.machine.live)):
            self.m.d.sync += once.eq(1)
        return once
