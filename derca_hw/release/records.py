"""What the swept job release keeps of every task: mode, flags, and the ends and triggers that no visit has seen yet."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for

from ..blocks.ram import table
from ..layouts import Layouts, pulse
from .common.ports import host_ports
from .datapath import TIME_BITS
from .rows import MARKS, RowSignature, State, StoreSignature, keeps_releases
from .stamps import Stamps


class Records(wiring.Component):
    """Keeps a row per task: its mode, its flags, whether its job has ended or a trigger has come, and when.

    `row` shows the row of the task `at` one cycle after `load` (`LATENCY` = 1), until the next `load`. What is stored
    can be loaded from the next cycle on.

    Parameters
    ----------
    ends_kept
        Keep the times of ends here, for `done`. Otherwise they leave with `end`, one cycle after `finish`.

    Attributes
    ----------
    now : In(32)
        The time.
    at, task : In
        Whose row is loaded, and whose is stored.
    load : In(1)
    row : Out(`RowSignature`)
    store : In(`StoreSignature`)
    finish : In(stream, always ready)
        As of the job release unit.
    trigger_valid, trigger_task : In
        A task is triggered, `release.sporadic` only.
    done, trigger : Out(32)
        When the last job of the task `at` has ended (with `ends_kept`), and when the task was triggered. Both follow
        `at` in the same cycle.
    end, end_task, end_stamp : Out
        Without `ends_kept`: a job of a task has ended at a time.
    early_event : Out(stream, always ready)
        EARLY, for a trigger that comes before a visit has dealt with the previous one.

    and `host_ports`.
    """

    LATENCY = 1

    def __init__(self, p: Platform, *, ends_kept: bool):
        self._p = p
        self._ends_kept = ends_kept
        lay = Layouts(p)
        task = bits_for(p.scheduler.tasks - 1)
        super().__init__({
            "now": In(TIME_BITS),
            "at": In(task),
            "task": In(task),
            "load": In(1),
            "row": Out(RowSignature(p)),
            "store": In(StoreSignature(p)),
            "finish": In(pulse(lay.done)),
            "trigger_valid": In(1),
            "trigger_task": In(task),
            **({"done": Out(TIME_BITS)} if ends_kept
               else {"end": Out(1), "end_task": Out(task), "end_stamp": Out(TIME_BITS)}),
            "trigger": Out(TIME_BITS),
            "early_event": Out(pulse(lay.event)),
            **host_ports(p),
        })

    def elaborate(self, platform):
        m = Module()
        p, row, store = self._p, self.row, self.store
        tasks, task_bits, shadow = p.scheduler.tasks, len(self.task), p.tables.shadow
        state_shape = State(keeps_releases(p))
        mode_w, mode_r, *mode_of_trigger = table(
            m, "mode", 4 if keeps_releases(p) else 2, (1 + shadow) << task_bits, reads=1 + p.release.sporadic)
        flags_w, flags_r = table(m, "flags", data.StructLayout({"state": state_shape, "seen": MARKS}), tasks)
        # The marks once more, for the units that set them.
        seen_w, seen_end, seen_trigger = table(m, "seen", MARKS, tasks, reads=2)
        m.d.comb += [
            mode_w.addr.eq(Cat(self.config.p.task, self.write_page if shadow else [])),
            mode_w.data.eq(self.config.p.value),
            mode_w.en.eq(self.config.valid & (self.config.p.field == TaskReg.MODE >> 2)),
            mode_r.addr.eq(Cat(self.at, self.page if shadow else [])),
            flags_r.addr.eq(self.at),
            flags_w.addr.eq(self.task),
            flags_w.data.state.eq(store.state),
            flags_w.data.seen.eq(store.seen),
            flags_w.en.eq(store.en),
            seen_w.addr.eq(self.task),
            seen_w.data.eq(store.seen),
            seen_w.en.eq(store.en),
        ]
        ends, failed = self._ends(m, seen_end)
        marks = Signal(MARKS)
        news = Signal(MARKS)  # what `marks` does not show yet
        m.d.comb += [marks.end.eq(ends.mark), news.end.eq(ends.news)]
        if p.release.sporadic:
            triggers = self._triggers(m, seen_trigger, *mode_of_trigger)
            m.d.comb += [marks.trigger.eq(triggers.mark), news.trigger.eq(triggers.news)]
        loaded_news = Signal(MARKS)
        with m.If(self.load):
            m.d.sync += [
                row.mode.eq(mode_r.data),
                row.state.eq(flags_r.data.state),
                row.seen.eq(flags_r.data.seen),
                row.failed.eq(failed),
                row.marks.eq(marks),
                loaded_news.eq(news),
            ]
        m.d.comb += [
            row.ended.eq(row.marks.end ^ row.seen.end | loaded_news.end),
            row.triggered.eq((row.marks.trigger ^ row.seen.trigger | loaded_news.trigger) & p.release.sporadic),
        ]
        return m

    def _ends(self, m, seen):
        """Add the stamps of ends; return them, and whether the last end of the task `at` was a failure.

        `seen` is a read port of marks.
        """
        m.submodules.ends = ends = Stamps(self._p, keeps=self._ends_kept)
        failures_w, failures_r = table(m, "failures", 1, self._p.scheduler.tasks)
        final = Signal()
        m.d.comb += [
            final.eq(self.finish.valid & self.finish.p.final),
            failures_w.addr.eq(self.finish.p.task),
            failures_w.data.eq(self.finish.p.failed),
            failures_w.en.eq(final),
            failures_r.addr.eq(self.at),
            ends.now.eq(self.now),
            ends.valid.eq(final),
            ends.task.eq(self.finish.p.task),
            ends.at.eq(self.at),
            seen.addr.eq(ends.task),
            ends.seen.eq(seen.data.end),
        ]
        if self._ends_kept:
            m.d.comb += self.done.eq(ends.stamp)
        else:
            m.d.comb += [
                self.end.eq(ends.write), self.end_task.eq(ends.write_task), self.end_stamp.eq(ends.write_stamp),
            ]
        return ends, failures_r.data

    def _triggers(self, m, seen, mode):
        """Add the stamps of triggers and return them; `seen` and `mode` are read ports of marks and modes."""
        m.submodules.triggers = triggers = Stamps(self._p, repeats=True)
        event = self.early_event
        m.d.comb += [
            triggers.now.eq(self.now),
            triggers.valid.eq(self.trigger_valid),
            triggers.task.eq(self.trigger_task),
            triggers.at.eq(self.at),
            seen.addr.eq(triggers.task),
            triggers.seen.eq(seen.data.trigger),
            mode.addr.eq(Cat(triggers.latest, self.page if self._p.tables.shadow else [])),
            triggers.counts.eq(mode.data[:2].all()),  # `sporadic` and `enabled` of `MODE`
            self.trigger.eq(triggers.stamp),
            event.valid.eq(triggers.merged),
            event.p.cycle.eq(triggers.merged_stamp),
            event.p.kind.eq(Kind.EARLY),
            event.p.task.eq(triggers.merged_task),
        ]
        return triggers
