"""Job release with one timer comparator per task."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import ANNOUNCE, OFFER, ParallelTiming

from ..layouts import Layouts, Source, pulse


class ParallelRelease(wiring.Component):
    """Releases jobs: periodic ones by timer, sporadic ones by `trigger`, each in its exact cycle.

    Events are announced one per cycle from the next cycle on, releases and overruns before early triggers, lowest task
    first. Early triggers are announced in rounds, each of which takes one of every task that has one. An announced job
    is offered to the scheduler in the following cycle (`OFFER_LATENCY` = 2 cycles after the release if it is alone),
    lowest task first; with the tournament all jobs of a cycle go to the scheduler in that very cycle (`released`,
    `keys`), and the announcement adds READY. A release whose previous job still lives is an overrun: it is skipped. A
    job that finishes in the cycle of the next release does not overrun. A trigger sooner than a period after the last
    release (EARLY) is deferred until the period has passed; later ones count into it, and one in the very cycle of the
    deferred release is early for the next; of two that wait to be announced, one EARLY tells. A MISS is noticed in the
    cycle after the deadline, at the earliest when the release is announced, and reported one per cycle on `miss_event`.
    How long each waits: `ParallelTiming`.

    No job may end before its release has been announced, at most as many cycles after it as there are tasks.

    After `arm` timers start one per cycle; nothing is announced before all run, and the tournament sees no sporadic
    release before that. Periods must be longer than twice the number of tasks + 2, and `now` counts every cycle.

    Attributes
    ----------
    now, running, arm, hold, page, write_page, policy : In
        As in `SweptRelease`.
    trigger : In
        One bit per task.
    config : In(stream, always ready)
        Writes of the host: task, field (a `TaskReg` word index), value.
    release : Out(stream)
    aborted : In(1)
        Unused: this unit skips overruns.
    released, keys : Out
        With the tournament.
    finish : In(stream, always ready)
        A completed store command; `final` ends the task's job, with `failed` it is a FAIL and no FINISH.
    release_event, finish_event, miss_event, ready_event : Out(stream, always ready)
    idle : Out(1)
        No job lives, and nothing waits to be announced.
    settled : Out(1)
        As of `SweptRelease`: always.
    """

    #: Cycles from a lone release to the offer to the scheduler.
    OFFER_LATENCY = ANNOUNCE + OFFER

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._time = p.scheduler.time_width
        self._n = p.scheduler.tasks
        self._task = bits_for(self._n - 1)
        self._at_once = p.scheduler.kind == "tournament"
        super().__init__({
            "now": In(32),
            "running": In(1),
            "arm": In(1),
            "hold": In(1),
            "page": In(1),
            "write_page": In(1),
            "policy": In(bits_for(len(p.scheduler.policies) - 1)),
            "trigger": In(self._n),
            "config": In(pulse(lay.task_write)),
            "finish": In(pulse(lay.done)),
            "release_event": Out(pulse(lay.event)),
            "finish_event": Out(pulse(lay.event)),
            "miss_event": Out(pulse(lay.event)),
            "idle": Out(1),
            "settled": Out(1),
            **({
                "released": Out(self._n),
                "keys": Out(data.ArrayLayout(self._time, self._n)),
                "ready_event": Out(pulse(lay.event)),
            } if self._at_once else {
                "release": Out(stream.Signature(lay.release)),
                "aborted": In(1),
            }),
        })

    def sources(self):
        """Streams of events."""
        out = [
            Source(self.finish_event, (Kind.FINISH, Kind.FAIL)),  # in this order: see EventCollector
            Source(self.release_event, (Kind.RELEASE, Kind.OVERRUN, Kind.EARLY)),
            Source(self.miss_event, (Kind.MISS,)),
        ]
        if self._at_once and self._p.trace.enabled:
            out.append(Source(self.ready_event, (Kind.READY,)))
        return out

    def _lowest(self, m, vector, name):
        """(any, index) of the lowest set bit of `vector`."""
        index = Signal(self._task, name=name)
        for i in reversed(range(self._n)):
            with m.If(vector[i]):
                m.d.comb += index.eq(i)
        return vector.any(), index

    def elaborate(self, platform):
        m = Module()
        n, time, policies = self._n, self._time, self._p.scheduler.policies
        stamp_bits = ParallelTiming(self._p).STAMP_BITS
        shadow = self._p.tables.shadow
        config = self.config
        now = self.now[:time]

        def table(name, width, depth=n):
            m.submodules[name] = memory = Memory(shape=width, depth=depth, init=[])
            return memory.write_port(), memory.read_port(domain="comb")

        # -- parameters, one or two pages -------------------------------------------------------------------------
        looked_up = Signal(self._task)  # whose parameters are read: the task that is announced, or armed
        parameters = {}
        for name, field in (("period", TaskReg.PERIOD), ("relative", TaskReg.DEADLINE), ("offset", TaskReg.OFFSET),
                            ("slack", TaskReg.SLACK)):
            if name == "slack" and "least_slack" not in policies:
                continue
            write, read = table(name, time, (1 << self._task) * (1 + shadow))
            m.d.comb += [
                write.addr.eq(Cat(config.p.task, self.write_page) if shadow else config.p.task),
                write.data.eq(config.p.value),
                write.en.eq(config.valid & (config.p.field == field >> 2)),
                read.addr.eq(Cat(looked_up, self.page) if shadow else looked_up),
            ]
            parameters[name] = read.data
        # As the other parameters, which stand in memories, modes outlast a reset.
        modes = [Signal(2 * n, name=f"mode_{page}", reset_less=True) for page in range(1 + shadow)]
        for page, mode in enumerate(modes):
            mine = self.write_page == page if shadow else 1
            with m.If(config.valid & (config.p.field == TaskReg.MODE >> 2) & mine):
                m.d.sync += mode.word_select(config.p.task, 2).eq(config.p.value[:2])
        mode = Mux(self.page, modes[1], modes[0]) if shadow else modes[0]

        live, announce, overran, early, owed, ripe, watch, missed, offer = (
            Signal(n, name=name)
            for name in ("live", "announce", "overran", "early", "owed", "ripe", "watch", "missed", "offer"))
        timers, miss_times = (
            Array(Signal(time, name=f"{name}_{i}") for i in range(n)) for name in ("timer", "miss_time"))
        stamps, overrun_stamps, early_stamps, miss_stamps, ready_stamps = (
            Array(Signal(stamp_bits, name=f"{name}_stamp_{i}") for i in range(n))
            for name in ("release", "overrun", "early", "miss", "ready"))

        def when(stamp):
            """The cycle of a stamp, in full."""
            age = Signal(stamp_bits)
            m.d.comb += age.eq(self.now[:stamp_bits] - stamp)
            return (self.now - age)[:32]

        # -- start: one timer per cycle ------------------------------------------------------------------------------
        arming = Signal()
        armed = Signal(self._task)
        epoch = Signal(time)
        first = Signal(time)
        past = Signal()
        with m.If(self.arm):
            m.d.sync += [arming.eq(1), armed.eq(0), epoch.eq(now)]
        with m.Elif(arming):
            m.d.sync += [armed.eq(armed + 1), arming.eq(armed != n - 1)]
        starting = self.arm | arming
        m.d.comb += [
            first.eq(epoch + parameters["offset"]),
            past.eq(parameters["offset"] <= armed + 1),  # not later than this cycle
        ]

        # -- announcement: one per cycle -----------------------------------------------------------------------------
        urgent = (announce | overran).any()
        waiting, turns, this_round = (Signal(n, name=name) for name in ("waiting", "turns", "this_round"))
        m.d.comb += [
            this_round.eq(Mux((early & turns).any(), turns, ~0)),
            waiting.eq(Mux(urgent, announce | overran, early & this_round)),
        ]
        some, task = self._lowest(m, waiting, "announce_task")
        announces = Signal()
        is_release = Signal()
        is_overrun = Signal()
        stamp = Signal(32)
        m.d.comb += [
            announces.eq(some & ~starting),
            looked_up.eq(Mux(arming, armed, task)),
            is_release.eq(announces & announce.bit_select(task, 1)),
            is_overrun.eq(announces & urgent & ~is_release),
            stamp.eq(when(Mux(is_release, stamps[task], Mux(is_overrun, overrun_stamps[task], early_stamps[task])))),
        ]
        with m.If(announces & ~urgent):
            m.d.sync += turns.eq(this_round & ~(1 << task)[:n])
        advance = Signal(time)
        m.d.comb += advance.eq(Mux(arming, first, stamp[:time] + parameters["period"]))
        relative, slack = parameters["relative"], parameters.get("slack", 0)
        key = Signal(time)
        with m.Switch(self.policy):
            for i, policy in enumerate(policies):
                with m.Case(i):
                    m.d.comb += key.eq({
                        "edf": stamp[:time] + relative, "fifo": stamp[:time], "deadline_monotonic": relative,
                        "least_slack": stamp[:time] + slack,
                    }[policy])
        key_w, key_r = table("key", time)
        due = Signal(time)
        already = Signal()  # the deadline has passed before the release could be announced
        m.d.comb += [
            due.eq(stamp[:time] + relative),
            already.eq((due - now)[:time][-1]),
            key_w.addr.eq(task), key_w.data.eq(key), key_w.en.eq(is_release),
        ]
        event = self.release_event
        m.d.comb += [
            event.valid.eq(announces), event.p.cycle.eq(stamp), event.p.task.eq(task),
            event.p.kind.eq(Mux(is_release, Kind.RELEASE, Mux(is_overrun, Kind.OVERRUN, Kind.EARLY))),
        ]

        # -- finish --------------------------------------------------------------------------------------------------
        finished = Signal()
        is_late = Signal()
        expires = Signal(n)  # the cycle after the deadline of a job that is watched
        m.d.comb += [
            finished.eq(self.finish.valid & self.finish.p.final),
            # Not from the deadline, which compares only within half the range of time.
            is_late.eq((expires | ~watch).bit_select(self.finish.p.task, 1)),
            self.finish_event.valid.eq(finished), self.finish_event.p.cycle.eq(self.now),
            self.finish_event.p.kind.eq(Mux(self.finish.p.failed, Kind.FAIL, Kind.FINISH)),
            self.finish_event.p.task.eq(self.finish.p.task),
            self.finish_event.p.arg.eq(is_late),
        ]

        # -- misses: one told per cycle ------------------------------------------------------------------------------
        any_miss, misser = self._lowest(m, missed, "misser")
        event = self.miss_event
        m.d.comb += [
            event.valid.eq(any_miss), event.p.cycle.eq(when(miss_stamps[misser])), event.p.kind.eq(Kind.MISS),
            event.p.task.eq(misser), event.p.arg.eq(1),
        ]

        # -- to the scheduler ------------------------------------------------------------------------------------------
        taken = Signal()
        offered = Signal(self._task)
        if self._at_once:
            event = self.ready_event
            m.d.comb += [
                event.valid.eq(is_release), event.p.cycle.eq(when(ready_stamps[task])), event.p.kind.eq(Kind.READY),
                event.p.task.eq(task),
            ]
        else:  # the task is latched so that the payload is stable until it is taken
            any_offer, lowest = self._lowest(m, offer, "lowest_offer")
            held = Signal()
            held_task = Signal(self._task)
            m.d.comb += [
                offered.eq(Mux(held, held_task, lowest)), key_r.addr.eq(offered),
                self.release.valid.eq(any_offer), self.release.p.task.eq(offered), self.release.p.key.eq(key_r.data),
                taken.eq(self.release.valid & self.release.ready),
            ]
            m.d.sync += [held.eq(self.release.valid & ~self.release.ready), held_task.eq(offered)]
        m.d.comb += [self.idle.eq(~(live | announce | overran | early | missed).any()), self.settled.eq(1)]
        retained = Signal(n)  # with the tournament: triggers that come while timers start
        addends = [Signal(time, name=f"addend_{i}") for i in range(n)] if self._at_once else []
        timeless = Signal()  # the policy's key does not count from the release
        if self._at_once:
            addend = Signal(time)
            with m.Switch(self.policy):
                for i, policy in enumerate(policies):
                    with m.Case(i):
                        m.d.comb += [
                            timeless.eq(policy == "deadline_monotonic"),
                            addend.eq({"fifo": 0, "least_slack": slack}.get(policy, relative)),
                        ]

        with m.If(~self.running):
            m.d.sync += turns.eq(0)
        for i in range(n):
            sporadic, enabled = mode[2 * i], mode[2 * i + 1]
            starts, fires, is_ripe, hit, ends, triggered = (
                Signal(name=f"{name}_{i}") for name in ("starts", "fires", "is_ripe", "hit", "ends", "triggered"))
            begins = Signal(time, name=f"begins_{i}")
            m.d.comb += [
                starts.eq(arming & (armed == i)),
                fires.eq(~starting & (timers[i] == now) | starts & past
                         | arming & (armed > i) & (timers[i] == now)),
                is_ripe.eq(ripe[i] | self.arm | fires & ~starts),  # from `arm` on, but not after a release since then
                triggered.eq(self.trigger[i] & enabled & sporadic & self.running & ~self.hold),
                begins.eq(Mux(starts & ~sporadic, first, now)),
                ends.eq(finished & (self.finish.p.task == i)),
                hit.eq(self.running & ~self.hold & enabled & Mux(sporadic, is_ripe & (owed[i] | triggered), fires)),
            ]
            with m.If(self.arm):
                m.d.sync += [ripe[i].eq(1), owed[i].eq(0)]
            with m.If(sporadic & fires & ~starts):
                m.d.sync += ripe[i].eq(1)
            if self._at_once:
                with m.If(starting & self.trigger[i]):
                    m.d.sync += retained[i].eq(1)
                with m.Elif(~starting):
                    m.d.sync += retained[i].eq(0)
                m.d.comb += triggered.eq(
                    (self.trigger[i] | retained[i]) & enabled & sporadic & self.running & ~self.hold & ~starting)
                with m.If(starts):
                    m.d.sync += addends[i].eq(addend)
                base = Mux(timeless, 0, begins)
                m.d.comb += [
                    self.released[i].eq(hit & (~live[i] | ends)),
                    self.keys[i].eq(base + Mux(starts, addend, addends[i])),
                ]
            with m.If(starts | (is_release | is_overrun) & (task == i)):
                m.d.sync += timers[i].eq(advance)
            # A trigger that does not release, or comes with the deferred release, is early.
            with m.If(triggered & (owed[i] | ~is_ripe)):
                m.d.sync += [owed[i].eq(1), early[i].eq(1), early_stamps[i].eq(self.now[:stamp_bits])]
            with m.Else():
                with m.If(hit & sporadic):
                    m.d.sync += owed[i].eq(0)
                with m.If(announces & ~is_release & ~is_overrun & (task == i)):
                    m.d.sync += early[i].eq(0)
            with m.If(hit & sporadic):
                m.d.sync += ripe[i].eq(0)
            with m.If(ends):
                m.d.sync += [live[i].eq(0), watch[i].eq(0)]
            with m.If(is_release & (task == i)):
                m.d.sync += [
                    announce[i].eq(0), offer[i].eq(not self._at_once), watch[i].eq(~already & ~ends),
                    miss_times[i].eq(due + 1),
                ]
            with m.If(is_overrun & (task == i)):
                m.d.sync += overran[i].eq(0)
            with m.If(any_miss & (misser == i)):
                m.d.sync += missed[i].eq(0)
            m.d.comb += expires[i].eq(watch[i] & (miss_times[i] == now))
            with m.If(is_release & (task == i) & already):
                m.d.sync += [missed[i].eq(1), miss_stamps[i].eq(due + 1)]
            with m.Elif(expires[i]):
                m.d.sync += [missed[i].eq(1), watch[i].eq(0), miss_stamps[i].eq(now)]
            with m.If(taken & (offered == i)):
                m.d.sync += offer[i].eq(0)
            with m.If(hit & live[i] & ~ends):
                m.d.sync += [overran[i].eq(1), overrun_stamps[i].eq(begins)]
            with m.Elif(hit):
                m.d.sync += [
                    announce[i].eq(1), stamps[i].eq(begins), live[i].eq(1), ready_stamps[i].eq(self.now[:stamp_bits]),
                ]
            with m.If(~self.running):
                m.d.sync += [live[i].eq(0), announce[i].eq(0), overran[i].eq(0), early[i].eq(0), watch[i].eq(0),
                             missed[i].eq(0), offer[i].eq(0), owed[i].eq(0), retained[i].eq(0)]
        return m
