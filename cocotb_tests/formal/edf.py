"""The specification of every scheduler: the earliest key first, preemptive between regions.

It is a machine of plain registers. For each task they hold whether a job lives, its key, the cycles since it was taken,
and its next region. Keys are compared as integers above a moving base, so the specification does not depend on the
hardware's comparison modulo 2^width.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from derca_hw.layouts import REGION_BITS
from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import SchedulerTiming
from formal.properties import every, some
from formal.settle import Settle


def regions_at_start(p: Platform) -> list[int]:
    """Regions of each task where a proof starts with cleared tables: 1 to `tables.regions`."""
    return [1 + i % p.tables.regions for i in range(p.scheduler.tasks)]


class EdfMachine:
    """What a scheduler must do in each cycle.

    Parameters
    ----------
    m : Module
        Where its registers go.
    running, feedback, ready
        Inputs of the scheduler: run state, feedback, the instruction is taken.
    arrive, arriving
        For each task: its release is taken in this cycle, with which key.
    count_write
        (enable, task, value): the host writes the number of regions.
    given_up
        The running job gets no further region.
    base
        No live key lies before it, nor half the range behind it.
    cleared
        Start as after the N cycles of clearing, with the numbers of regions written.

    Attributes
    ----------
    live, key, age, region, count : per task
    current, current_valid : the running job, while it has regions left
    fire : a decision is made in this cycle
    valid, issued, out_* : the instruction; `issued` in its first cycle
    """

    def __init__(
        self,
        p: Platform,
        m: Module,
        *,
        running,
        feedback,
        ready,
        arrive,
        arriving,
        count_write,
        given_up,
        base,
        cleared: bool = False,
    ):
        n, width = p.scheduler.tasks, p.scheduler.time_width
        timing = self.timing = SchedulerTiming(p)
        task = bits_for(n - 1)
        self.n = n

        def register(name, shape=1, init=0):
            return Signal(shape, name=f"spec_{name}", init=init)

        self.live = [register(f"live_{i}") for i in range(n)]
        self.key = [register(f"key_{i}", width) for i in range(n)]
        self.age = [register(f"age_{i}", range(timing.VISIBLE + 1)) for i in range(n)]
        self.region = [register(f"region_{i}", bits_for(p.tables.regions)) for i in range(n)]
        self.count = [
            register(f"count_{i}", bits_for(p.tables.regions), init=regions_at_start(p)[i] if cleared else 0)
            for i in range(n)
        ]
        self.current, self.current_valid = register("current", task), register("current_valid")
        self.outstanding, self.valid, self.issued = register("outstanding"), register("valid"), register("issued")
        self.ended = register("ended")  # the decision before this cycle was for a job's last region
        self.out_task, self.out_region = register("out_task", task), register("out_region", REGION_BITS)
        self.out_switch, self.out_preempt, self.out_resume = (
            register(f"out_{k}") for k in ("switch", "preempt", "resume")
        )
        self.out_abort = register("out_abort")
        self.dropped = register("dropped")  # the running job was given up, and nothing was decided since
        self.was_running = register("was_running")
        self.clear_left = register("clear_left", range(n + 1), init=0 if cleared else n)

        stop = Signal(name="spec_stop")
        self.stop, self.clearing = stop, Signal(name="spec_clearing")
        m.d.sync += self.was_running.eq(running)
        m.d.comb += [stop.eq(self.was_running & ~running), self.clearing.eq(self.clear_left != 0)]

        # -- who is first ---------------------------------------------------------------------
        def rank(i):
            """The rank of a job: its key above the base, then its task. All ranks differ."""
            return Cat(Const(i, task), (self.key[i] - base)[:width])

        self.ranks = [rank(i) for i in range(n)]
        runs = [self.current_valid & (self.current == i) for i in range(n)]
        self.waiting = [self.live[i] & ~runs[i] for i in range(n)]
        self.visible = [self.waiting[i] & (self.age[i] == timing.VISIBLE) for i in range(n)]
        #: First among those visible, first of all waiting.
        self.first = [
            self.visible[i] & every(~self.visible[j] | (self.ranks[i] < self.ranks[j]) for j in range(n) if j != i)
            for i in range(n)
        ]
        self.current_key = Signal(width, name="spec_current_key")
        for i in range(n):
            with m.If(self.current == i):
                m.d.comb += self.current_key.eq(self.key[i])
        height = Signal(width, name="spec_height")  # of the running job's key above the base
        m.d.comb += height.eq(self.current_key - base)
        overtakes = some(self.visible[i] & ((self.key[i] - base)[:width] < height) for i in range(n))
        self.switch, self.fire = Signal(name="spec_switch"), Signal(name="spec_fire")
        self.choice = Signal(task, name="spec_choice")
        m.d.comb += [self.switch.eq(~self.current_valid | overtakes), self.choice.eq(self.current)]
        for i in range(n):
            with m.If(self.switch & self.first[i]):
                m.d.comb += self.choice.eq(i)

        # -- when ---------------------------------------------------------------------
        self.taken = some(arrive)
        settle = self.settle = Settle(
            p,
            m,
            switch=self.fire & self.switch,
            taken=self.taken,
            issued=self.issued,
            stop=stop,
            clearing=self.clearing,
        )
        self.possible = Signal(name="spec_possible")
        m.d.comb += [
            self.possible.eq(some(self.visible) | self.current_valid),
            self.fire.eq(
                (~self.outstanding | feedback) & settle.settled & self.possible & running & ~self.valid & ~self.clearing
            ),
        ]

        # -- what then ---------------------------------------------------------------------
        region, last = Signal.like(self.region[0]), Signal(name="spec_last")
        m.d.sync += [self.issued.eq(self.fire), self.ended.eq(self.fire & last)]
        for i in range(n):
            with m.If(self.choice == i):
                m.d.comb += [region.eq(self.region[i]), last.eq(self.region[i] + 1 == self.count[i])]
            with m.If(count_write[0] & (count_write[1] == i)):
                m.d.sync += self.count[i].eq(count_write[2])
            with m.If(self.live[i] & (self.age[i] != timing.VISIBLE)):
                m.d.sync += self.age[i].eq(self.age[i] + 1)
            with m.If(self.fire & (self.choice == i)):
                m.d.sync += [self.region[i].eq(Mux(last, 0, self.region[i] + 1)), self.live[i].eq(~last)]
            with m.If(arrive[i]):
                m.d.sync += [self.live[i].eq(1), self.key[i].eq(arriving[i]), self.age[i].eq(1)]
            with m.If(stop | (given_up & (self.current == i))):
                m.d.sync += [self.live[i].eq(0), self.region[i].eq(0)]
        with m.If(feedback):
            m.d.sync += self.outstanding.eq(0)
        with m.If(ready):
            m.d.sync += self.valid.eq(0)
        with m.If(self.fire):
            m.d.sync += [
                self.valid.eq(1),
                self.outstanding.eq(1),
                self.current.eq(self.choice),
                self.current_valid.eq(~last),
                self.out_task.eq(self.choice),
                self.out_region.eq(region),
                self.out_switch.eq(self.switch),
                self.out_preempt.eq(self.switch & (self.current_valid | self.dropped)),
                self.out_abort.eq(self.dropped),
                self.dropped.eq(0),
                self.out_resume.eq(self.switch & (region != 0)),
            ]
        with m.If(self.clearing):
            m.d.sync += self.clear_left.eq(self.clear_left - 1)
        with m.If(given_up):
            m.d.sync += [self.current_valid.eq(0), self.dropped.eq(1)]
        with m.If(stop):
            m.d.sync += [self.current_valid.eq(0), self.dropped.eq(self.current_valid | self.dropped)]
            m.d.sync += self.clear_left.eq(n)

    def at(self, values: list, task) -> Value:
        """The value of `task`."""
        result = values[0]
        for i in range(1, self.n):
            result = Mux(task == i, values[i], result)
        return result
