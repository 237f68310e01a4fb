"""Job release whose timers stand in memory and are visited in turn: logic does not grow with the number of tasks."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for

from ..blocks.ram import table
from ..layouts import Layouts, Source, pulse
from .datapath import Datapath, State
from .stamps import Stamps

#: Codes of `TaskReg.MODE`, bits 3..2.
SKIP, QUEUE, ABORT = range(3)


class SweptRelease(wiring.Component):
    """Visits one task after the other: `SweptTiming.VISIT` = 2 cycles where nothing is to be done, a lap of all tasks
    within `SweptTiming(p).LAP` cycles whatever happens, plus the cycles a release waits for the scheduler to take the
    one before.

    Times are exact although they are noticed late: a periodic job is released at its timer, a sporadic one at its
    trigger or, if that came earlier than a period after the last release (EARLY), as soon as the period has passed.
    The deadline counts from there. At most one deferred release per task; a trigger that finds one counts into it, as
    does a trigger that comes before the unit has looked at the previous one of the task (EARLY at once, on
    `early_event`). A trigger in the very cycle of a deferred release is early for the next.

    A release overruns when the task's previous job has not ended by its cycle: an end in that cycle is in time. It is
    skipped (OVERRUN, arg 0) or kept (arg 1), at most one per task. A kept release becomes a job when the previous one
    ends (RELEASE, arg 1, at that cycle), its deadline counts from the OVERRUN. With the policy `abort` it is also
    offered at once with `abort` set: if the scheduler answers `aborted`, the old job is over (ABORT and RELEASE in the
    cycle of acceptance), else it stays kept. A MISS carries the cycle after the deadline; a kept release that misses
    its deadline is reported within a lap, too, before it has become a job.

    Deadlines are no longer than periods. So a job that lives at a release is late, and the unit watches one deadline
    per task: that of the kept release, if there is one, else that of the job.

    After a reset the unit forgets what its memories say of an earlier run: `SweptTiming.CLEAR` cycles per task. After
    `arm`, `SweptTiming.ARM` cycles per task pass before the first visit; the first releases are at `now` + offset all
    the same. All this holds while a lap, with its waiting, is shorter than every period.

    Attributes
    ----------
    now, running : In
        Time, run state.
    arm : In(1)
        Pulse: all timers start, this cycle is time 0 of the offsets. Only once after a reset, when `settled`.
    hold : In(1)
        No job is released by the visits that begin from now on, and triggers are dropped.
    page, write_page : In(1)
        Which set of parameters is in force, and which one `config` writes (only with `tables.shadow`).
    policy : In
        Index into `scheduler.policies`.
    trigger_valid, trigger_task : In
        A sporadic task is triggered; unused, like `early_event`, without `release.sporadic`.
    config : In(stream, always ready)
        Writes of the host: task, field (a `TaskReg` word index), value.
    release : Out(stream)
    aborted : In(1)
        With the acceptance of a release with `abort`: the old job was replaced.
    finish : In(stream, always ready)
        A completed store command; `final` ends the task's job, with `failed` it is a FAIL and no FINISH.
    event, early_event : Out(stream, always ready)
    idle : Out(1)
        No job lives or waits to be offered, and with `hold` none will be. Seen at the beginning of a visit.
    settled : Out(1)
        After a reset: what an earlier run left is forgotten.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = self._lay = Layouts(p)
        self._task = bits_for(p.scheduler.tasks - 1)
        super().__init__({
            "now": In(32),
            "running": In(1),
            "arm": In(1),
            "hold": In(1),
            "page": In(1),
            "write_page": In(1),
            "policy": In(bits_for(len(p.scheduler.policies) - 1)),
            "trigger_valid": In(1),
            "trigger_task": In(self._task),
            "config": In(pulse(lay.task_write)),
            "release": Out(stream.Signature(lay.release)),
            "aborted": In(1),
            "finish": In(pulse(lay.done)),
            "event": Out(pulse(lay.event)),
            "early_event": Out(pulse(lay.event)),
            "idle": Out(1),
            "settled": Out(1),
        })

    def sources(self):
        """Streams of events."""
        release = self._p.release
        kinds = (Kind.FINISH, Kind.FAIL, Kind.MISS, Kind.RELEASE, Kind.OVERRUN)
        if "abort" in release.overrun:
            kinds += (Kind.ABORT,)
        if not release.sporadic:
            return [Source(self.event, kinds)]
        return [Source(self.event, (*kinds, Kind.EARLY)), Source(self.early_event, (Kind.EARLY,))]

    def elaborate(self, platform):
        m = Module()
        p, n = self._p, self._p.scheduler.tasks
        queues, aborts = (kind in p.release.overrun for kind in ("queue", "abort"))
        keeps = queues or aborts
        policies = p.scheduler.policies

        # -- who is visited ----------------------------------------------------------------------------------------
        # `at` is whose memories are read: `task`, but in the last step of a visit, and wherever it may turn out to be
        # the last, the next one already. It is a register, so that no late result selects an address.
        task, following, at = (Signal(self._task, name=name) for name in ("task", "following", "at"))
        m.d.comb += following.eq(Mux(at == n - 1, 0, at + 1))

        # -- what is known of it: parameters, times, flags, and whether its job has ended or a trigger has come --------
        m.submodules.datapath = path = Datapath(p)
        shadow = p.tables.shadow
        mode_w, mode_r, *mode_of_trigger = table(
            m, "mode", 4 if keeps else 2, (1 + shadow) << self._task, reads=1 + p.release.sporadic)
        # Beside the flags: marks of the ends and triggers that have been dealt with; again for either side.
        flags_w, flags_r = table(m, "flags", data.StructLayout({"state": State(keeps), "seen": 2}), n)
        seen_w, seen_end, seen_trigger = table(m, "seen", 2, n, reads=2)
        failures_w, failures_r = table(m, "failures", 1, n)  # whether the end was a failure
        m.submodules.ends = ends = Stamps(p, keeps=not path.ends)
        final = Signal()
        m.d.comb += [
            final.eq(self.finish.valid & self.finish.p.final),
            failures_w.addr.eq(self.finish.p.task), failures_w.data.eq(self.finish.p.failed), failures_w.en.eq(final),
            failures_r.addr.eq(at),
            ends.now.eq(self.now), ends.valid.eq(final), ends.task.eq(self.finish.p.task), ends.at.eq(at),
            path.now.eq(self.now), path.at.eq(at), path.task.eq(task), path.page.eq(self.page),
            path.write_page.eq(self.write_page), path.config.eq(self.config.p),
            path.config_valid.eq(self.config.valid),
            mode_w.addr.eq(Cat(self.config.p.task, self.write_page) if shadow else self.config.p.task),
            mode_w.data.eq(self.config.p.value),
            mode_w.en.eq(self.config.valid & (self.config.p.field == TaskReg.MODE >> 2)),
            mode_r.addr.eq(Cat(at, self.page) if shadow else at),
            flags_r.addr.eq(at), flags_w.addr.eq(task),
            seen_w.addr.eq(task), seen_w.data.eq(flags_w.data.seen), seen_w.en.eq(flags_w.en),
        ]
        if path.ends:
            m.d.comb += [
                path.end.eq(ends.write), path.end_task.eq(ends.write_task), path.end_stamp.eq(ends.write_stamp),
            ]
        else:
            m.d.comb += path.done.eq(ends.stamp)
        m.d.comb += [seen_end.addr.eq(ends.task), ends.seen.eq(seen_end.data[0])]
        trigger_mark = Signal()
        trigger_news = Signal()
        if p.release.sporadic:
            m.submodules.triggers = triggers = Stamps(p, repeats=True)
            m.d.comb += [
                triggers.now.eq(self.now), triggers.valid.eq(self.trigger_valid & self.running & ~self.hold),
                triggers.task.eq(self.trigger_task), triggers.at.eq(at), path.trigger.eq(triggers.stamp),
                seen_trigger.addr.eq(triggers.task), triggers.seen.eq(seen_trigger.data[1]),
                trigger_mark.eq(triggers.mark), trigger_news.eq(triggers.news),
                mode_of_trigger[0].addr.eq(Cat(triggers.latest, self.page) if shadow else triggers.latest),
                triggers.counts.eq(mode_of_trigger[0].data[:2].all()),  # the task is sporadic and enabled
                self.early_event.valid.eq(triggers.merged), self.early_event.p.cycle.eq(triggers.merged_stamp),
                self.early_event.p.kind.eq(Kind.EARLY), self.early_event.p.task.eq(triggers.merged_task),
            ]

        load = Signal()  # registers take what the memories say of the task `at`
        mode = Signal(4)
        read = Signal(State(keeps))
        seen = Signal(2)
        failed = Signal()
        marks = Signal(2)
        news = Signal(2)
        with m.If(load):
            m.d.sync += [
                mode.eq(mode_r.data), read.eq(flags_r.data.state), seen.eq(flags_r.data.seen),
                failed.eq(failures_r.data),
                marks.eq(Cat(ends.mark, trigger_mark)), news.eq(Cat(ends.news, trigger_news)),
            ]
        sporadic, enabled, overrun = mode[0] if p.release.sporadic else Const(0), mode[1], mode[2:4]
        state = Signal(State(keeps))
        ended = Signal()
        triggered = Signal()
        used = Signal()
        late, due, early, lived, queued_job, gone = (
            Signal(name=name) for name in ("late", "due", "early", "lived", "queued_job", "gone"))
        negative, result = path.negative, path.result

        # -- the offer -----------------------------------------------------------------------------------------------
        valid = Signal()
        key = Signal(p.scheduler.time_width)
        abort = Signal()
        offered = Signal(self._task)
        m.d.comb += [
            self.release.valid.eq(valid), self.release.p.task.eq(offered),
            self.release.p.key.eq(key), self.release.p.abort.eq(abort),
        ]
        with m.If(self.release.ready):
            m.d.sync += valid.eq(0)

        def take_key(policy):
            """The result of this step orders jobs under `policy`, if that is selected."""
            if policy in policies:
                with m.If((self.policy == policies.index(policy)) & offers):
                    m.d.sync += key.eq(result[:p.scheduler.time_width])

        lives = Signal(range(n + 1))
        born = Signal()
        died = Signal()
        m.d.sync += lives.eq(lives + born - died)
        held = Signal()  # `hold` as the present visit found it
        between = Signal()  # a visit begins: with `hold` it will not release a job
        m.d.comb += self.idle.eq((lives == 0) & ~valid & between)

        # -- events: the result of a step is the cycle of its event --------------------
        event = self.event
        m.d.comb += [event.p.task.eq(task), event.p.cycle.eq(result)]

        def log(kind, arg=0):
            m.d.comb += [event.valid.eq(1), event.p.kind.eq(kind), event.p.arg.eq(arg)]

        # -- the visit -----------------------------------------------------------------------------------------------
        wants, releases, offers, keep = (Signal(name=name) for name in ("wants", "releases", "offers", "keep"))
        judge = Signal()
        trigger = Signal()
        dealt = Signal(2)
        full = state.queued if keeps else Const(0)
        m.d.comb += [
            dealt.eq(seen ^ Cat(ended, trigger & used)),
            judge.eq(state.live & (ended | late & ~state.missed)),
            trigger.eq(triggered if p.release.sporadic else 0),
            wants.eq(enabled & ~held & due & (~sporadic | state.owed)),
            releases.eq(queued_job | wants & ~lived),
            keep.eq(wants & lived & ~full & ~queued_job & (
                (queues & (overrun == QUEUE)) | (aborts & (overrun == ABORT)))),
            offers.eq(releases | keep & aborts & (overrun == ABORT) & ~gone),
        ]

        def restart(following):
            m.d.sync += [task.eq(following), at.eq(following)]

        def follow(fresh):
            """The visit ends: write the flags, go on to the next task, whose deadline has been asked for."""
            m.d.comb += [load.eq(1), flags_w.en.eq(1), flags_w.data.state.eq(fresh)]
            m.d.sync += task.eq(at)
            m.next = "CHECK LATE"

        with m.FSM(init="FORGET READ"):
            with m.State("FORGET READ"):
                m.d.comb += load.eq(1)
                m.next = "FORGET"
            with m.State("FORGET"):
                m.d.comb += [flags_w.en.eq(1), flags_w.data.seen.eq(marks)]
                restart(following)
                m.next = "FORGET READ"
                with m.If(task == n - 1):
                    m.next = "SETTLED"
            with m.State("SETTLED"):
                m.d.comb += self.settled.eq(1)
                with m.If(self.arm):
                    m.next = "ARM 0"
            # NEXT = offset + now - the cycles since `arm`
            with m.State("ARM 0"):
                path.ask(m, None, "now")
                m.d.comb += load.eq(1)
                m.next = "ARM 1"
            with m.State("ARM 1"):
                m.d.comb += [flags_w.en.eq(1), flags_w.data.seen.eq(seen)]
                path.put(m, path.NEXT)
                m.next = "ARM 2"
            with m.State("ARM 2"):
                path.ask(m, path.NEXT, TaskReg.OFFSET)
                m.next = "ARM 3"
            with m.State("ARM 3"):
                path.put(m, path.NEXT)
                m.next = "ARM 4"
            with m.State("ARM 4"):
                path.ask(m, path.NEXT, "armed", minus=True, carry=True)
                m.next = "ARM 5"
            with m.State("ARM 5"):
                path.put(m, path.NEXT)
                m.next = "ARM 6"
            with m.State("ARM 6"):
                m.next = "ARM 7"
            with m.State("ARM 7"):
                restart(following)
                m.next = "ARM 0"
                with m.If(task == n - 1):
                    m.next = "START"
            with m.State("START"):
                path.ask(m, path.LATE, "now", minus=True, carry=True)
                m.d.comb += load.eq(1)
                m.next = "CHECK LATE"
            with m.State("CHECK LATE"):
                path.ask(m, path.NEXT, None, minus=True, carry=True)  # the same now > next
                m.d.comb += [path.hold.eq(1), between.eq(1)]
                m.d.sync += [  # now > late
                    held.eq(self.hold),
                    at.eq(following), late.eq(negative), state.eq(read), ended.eq(marks[0] ^ seen[0] | news[0]),
                    triggered.eq(marks[1] ^ seen[1] | news[1]),
                    used.eq(0), gone.eq(0), queued_job.eq(0),
                ]
                m.next = "CHECK DUE"
            with m.State("CHECK DUE"):
                path.ask(m, path.LATE, "now", minus=True, carry=True)
                m.d.sync += due.eq(negative)
                m.d.comb += flags_w.data.seen.eq(seen ^ ended)
                act = Signal()
                m.d.comb += act.eq(
                    judge | trigger | enabled & ~held & negative & (~sporadic | state.owed))
                with m.If(act):
                    m.d.sync += at.eq(task)
                    m.next = "TURN"
                with m.Else():
                    fresh = Signal(State(keeps))
                    m.d.comb += [fresh.eq(state), fresh.open.eq(state.open | negative)]
                    follow(fresh)

            def release_or_close():
                path.ask(m, path.NEXT, "done", minus=True, carry=True)  # done > next
                m.next = "LIVED"

            def judged():
                if not p.release.sporadic:
                    return release_or_close()
                with m.If(trigger):
                    path.ask(m, path.NEXT, "trigger", minus=True)  # trigger >= next
                    m.next = "TRIGGER"
                with m.Else():
                    release_or_close()

            with m.State("TURN"):
                with m.If(judge):
                    path.ask(m, path.LATE, "done", minus=True, carry=True)  # done > late
                    m.next = "JUDGE"
                with m.Else():
                    judged()
            with m.State("JUDGE"):
                with m.If(ended & ~full):
                    m.d.sync += late.eq(negative)
                path.ask(m, path.LATE, None, carry=True)
                m.next = "MISS"
            with m.State("MISS"):
                with m.If(late & ~state.missed):
                    log(Kind.MISS, 1)
                    m.d.sync += state.missed.eq(1)
                path.ask(m, None, "done")
                m.next = "FINISH"
            with m.State("FINISH"):
                with m.If(ended):
                    log(Mux(failed, Kind.FAIL, Kind.FINISH), state.missed | full)
                    m.d.comb += died.eq(1)
                    m.d.sync += [state.live.eq(0), gone.eq(1)]
                judged()
            if p.release.sporadic:
                with m.State("TRIGGER"):
                    m.d.sync += early.eq(~state.open & ~negative)
                    path.ask(m, None, "trigger")
                    m.next = "TRIGGERED"
                with m.State("TRIGGERED"):
                    with m.If(early):
                        log(Kind.EARLY)
                        m.d.sync += [state.owed.eq(1), used.eq(1)]
                    with m.Elif(~state.owed):
                        path.put(m, path.NEXT)
                        m.d.sync += [state.owed.eq(1), used.eq(1), due.eq(1)]
                    m.next = "TRIGGER END"
                with m.State("TRIGGER END"):
                    release_or_close()
            with m.State("LIVED"):
                m.d.sync += lived.eq(state.live | gone & negative)
                if keeps:
                    m.d.sync += queued_job.eq(gone & state.queued & ~(wants & negative))
                m.next = "DECIDE"
            with m.State("DECIDE"):
                with m.If(queued_job):
                    path.ask(m, None, "done")
                with m.Else():
                    path.ask(m, path.NEXT, None)
                with m.If(~wants & ~queued_job):
                    m.d.sync += at.eq(following)
                    m.next = "CLOSE"
                with m.Elif(~(offers & valid)):
                    m.next = "RELEASE"
            # From here on `wants`, `lived` and the state hold: they are updated in the last step.
            with m.State("RELEASE"):
                with m.If(releases):
                    log(Kind.RELEASE, queued_job)
                    m.d.comb += born.eq(1)
                with m.Else():
                    log(Kind.OVERRUN, keep)
                if keeps:
                    with m.If(keep):
                        path.put(m, path.KEPT)
                take_key("fifo")
                path.ask(m, path.NEXT, TaskReg.DEADLINE)
                if keeps:
                    with m.If(queued_job):
                        path.ask(m, path.KEPT, TaskReg.DEADLINE)
                m.next = "DEADLINE"
            extra = [
                (name, policy, field, operand) for name, policy, field, operand in (
                    ("SLACK", "least_slack", True, TaskReg.SLACK),
                    ("RELATIVE", "deadline_monotonic", False, TaskReg.DEADLINE),
                    ("KEPT", "fifo", True, None),
                ) if policy in policies and (name != "KEPT" or keeps)
            ]
            steps = [("DEADLINE", "edf", None, None), *extra, ("NEXT", None, True, TaskReg.PERIOD)]
            for (name, policy, *_), (then, _, field, operand) in zip(steps, steps[1:], strict=False):
                with m.State(name):
                    if name == "DEADLINE":
                        with m.If(releases | keep):
                            path.put(m, path.LATE)
                    take_key(policy)
                    path.ask(m, path.NEXT if field else None, operand)
                    if keeps and field:
                        with m.If(queued_job):
                            path.ask(m, path.KEPT, operand)
                    if then == "NEXT":
                        m.d.sync += at.eq(following)
                    m.next = then
            with m.State("NEXT"):
                with m.If(~queued_job):
                    path.put(m, path.NEXT)
                fresh = Signal(State(keeps))
                m.d.comb += [fresh.eq(state), flags_w.data.seen.eq(dealt)]
                path.ask(m, path.LATE, "now", minus=True, carry=True)
                with m.If(releases):
                    m.d.comb += fresh.live.eq(1)
                with m.If(releases & ~queued_job | keep):  # the deadline of a kept release has been watched already
                    m.d.comb += fresh.missed.eq(0)
                if keeps:
                    m.d.comb += fresh.queued.eq((state.queued & ~queued_job) | keep)
                with m.If(~queued_job):
                    m.d.comb += [fresh.owed.eq(0), fresh.open.eq(0)]
                with m.If(offers):
                    m.d.sync += [valid.eq(1), offered.eq(task), abort.eq(keep)]
                follow(fresh)
                if keeps:
                    with m.If(gone & ~queued_job & fresh.queued):  # its turn came within this visit
                        m.d.comb += load.eq(0)
                        m.d.sync += [task.eq(task), at.eq(task), state.eq(fresh), queued_job.eq(1), due.eq(0)]
                        m.next = "DECIDE"
                if aborts:
                    with m.If(offers & keep):  # stay with the task until the scheduler has answered
                        m.d.comb += load.eq(0)
                        m.d.sync += [task.eq(task), at.eq(task), state.eq(fresh)]
                        m.next = "ANSWER"
            with m.State("CLOSE"):
                m.d.comb += flags_w.data.seen.eq(dealt)
                path.ask(m, path.LATE, "now", minus=True, carry=True)
                follow(state)
            if aborts:
                with m.State("ANSWER"):
                    path.ask(m, None, "now")
                    with m.If(self.release.ready):
                        m.d.sync += at.eq(following)
                        m.next = "CLOSE"
                        with m.If(self.aborted):
                            m.d.sync += at.eq(task)
                            m.next = "ABORT"
                with m.State("ABORT"):
                    log(Kind.ABORT)
                    m.d.comb += path.hold.eq(1)
                    m.next = "REPLACE"
                with m.State("REPLACE"):
                    log(Kind.RELEASE, 1)
                    m.d.sync += [state.queued.eq(0), at.eq(following)]
                    m.next = "CLOSE"
        return m
