"""The adder of the swept job release, and the memories of times that it works on."""

import enum

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import SweptTiming

from ..blocks.ram import DISTRIBUTED, Buffer, table
from .common.ports import host_ports
from .rows import keeps_releases

#: Bits of times; keys have `scheduler.time_width` of them.
TIME_BITS = 32
#: Parameters by their place in memory.
PARAMETERS = (TaskReg.PERIOD, TaskReg.DEADLINE, TaskReg.OFFSET, TaskReg.SLACK)


class Time(enum.IntEnum):
    """The times that are kept of every task."""

    NEXT = 0  #: the next release
    LATE = 1  #: the deadline: of the kept release, if there is one, else of the job
    KEPT = 2  #: the time of the kept release


class Operand(enum.Enum):
    """Second operands that are no parameters."""

    NOW = "now"  #: the time
    DONE = "done"  #: the end of the task's job
    TRIGGER = "trigger"  #: the task's trigger
    ARMED = "armed"  #: the cycles from `arm` to the start of the task's timer


class AdderInterface(wiring.PureInterface):
    """An interface with `AdderSignature`, which `ask` and `put` drive."""

    def ask(self, m: Module, time: Time | None, operand: Operand | TaskReg | None = None, *, minus: bool = False,
            carry: bool = False) -> None:
        """Ask for `time` + `operand`, each 0 when it is None, as the result of the next cycle.

        With `minus` the result is the difference less 1. `carry` adds 1.
        """
        m.d.comb += [
            self.use.eq(time is not None), self.time.eq(time or 0), self.minus.eq(minus), self.carry.eq(carry),
            self.use_parameter.eq(isinstance(operand, TaskReg)),
            self.parameter.eq(PARAMETERS.index(operand) if isinstance(operand, TaskReg) else 0),
            *(getattr(self, f"use_{other.value}").eq(operand is other) for other in Operand),
        ]

    def compare(self, m: Module, time: Time, operand: Operand | None) -> None:
        """Ask whether `operand` is later than `time`: then `negative` is set in the next cycle."""
        self.ask(m, time, operand, minus=True, carry=True)

    def put(self, m: Module, time: Time) -> None:
        """Write this cycle's result as a time of the visited task."""
        m.d.comb += [self.write.eq(1), self.write_time.eq(time)]


class AdderSignature(wiring.Signature):
    """Commands to a `Datapath`.

    Members
    -------
    use, time
        The first operand is this `Time`, else 0.
    use_now, use_done, use_trigger, use_armed
        The second operand is this `Operand`.
    use_parameter, parameter
        The second operand is this entry of `PARAMETERS`.
    hold
        The second operand is the time of the cycle before once more.
    minus, carry
        Subtract the second operand and 1; add 1.
    write, write_time
        Write the result of this cycle as this `Time`.
    """

    def __init__(self):
        super().__init__({
            "use": Out(1),
            "time": Out(2),
            **{f"use_{operand.value}": Out(1) for operand in Operand},
            "use_parameter": Out(1),
            "parameter": Out(2),
            "hold": Out(1),
            "minus": Out(1),
            "carry": Out(1),
            "write": Out(1),
            "write_time": Out(2),
        })

    def create(self, *, path=None, src_loc_at=0):
        return AdderInterface(self, path=path, src_loc_at=1 + src_loc_at)


class Datapath(wiring.Component):
    """Adds two times of a task in every cycle, and keeps the times and parameters of all tasks.

    The sum of operands named in one cycle is the `result` of the next (`LATENCY` = 1). A result written in one cycle
    can be an operand named in the next. Operands that are not named are 0, so the second operand is the OR of all.

    The ends of jobs may stand among the parameters, where there is room (`ends`), because the host writes nothing there
    during a run. An end written in one cycle can be an operand named in the next.

    Attributes
    ----------
    adder : In(`AdderSignature`)
    now : In(32)
        The time.
    end, end_task, end_stamp : In
        With `ends`: the job of a task ends at a time.
    done : In(32)
        Without `ends`: the end of the last job of the task `at`.
    trigger : In(32)
        The last trigger of the task `at`.
    at, task : In
        Whose operands are read, and whose time is written.
    result : Out(32)
    negative : Out(1)
        The highest bit of the result.

    and `host_ports`.
    """

    LATENCY = 1

    def __init__(self, p: Platform):
        self._p = p
        task = self._bits = bits_for(p.scheduler.tasks - 1)
        self._slack = "least_slack" in p.scheduler.policies
        self._size = (1 + p.tables.shadow) << task
        # Three or four parameters in one memory or in two: whichever gives fewer levels to choose from.
        self._together = 4 * self._size <= DISTRIBUTED
        #: Whether the ends of jobs stand among the parameters, in the place of SLACK.
        self.ends = self._together and not (p.tables.shadow or self._slack)
        super().__init__({
            "adder": In(AdderSignature()),
            "now": In(TIME_BITS),
            **({"end": In(1), "end_task": In(task), "end_stamp": In(TIME_BITS)} if self.ends
               else {"done": In(TIME_BITS)}),
            "trigger": In(TIME_BITS),
            "at": In(task),
            "task": In(task),
            **host_ports(p),
            "result": Out(TIME_BITS),
            "negative": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        adder = self.adder
        first = self._time(m)
        second = self._parameter(m) | self._measured(m)
        minus = Signal()
        carry = Signal()
        total = Signal(TIME_BITS + 1)
        m.d.sync += [minus.eq(adder.minus), carry.eq(adder.carry)]
        m.d.comb += [
            total.eq(Cat(1, first) + Cat(carry, second ^ minus.replicate(TIME_BITS))),
            self.result.eq(total[1:]),
            self.negative.eq(total[-1]),
        ]
        return m

    def _time(self, m):
        """The first operand: a time of the task `at`, registered."""
        keeps, adder = keeps_releases(self._p), self.adder
        write, read = table(m, "times", TIME_BITS, (3 if keeps else 2) << self._bits)
        bits = 2 if keeps else 1
        first = Signal(TIME_BITS)
        m.d.comb += [
            read.addr.eq(Cat(self.at, adder.time[:bits])),
            write.addr.eq(Cat(self.task, adder.write_time[:bits])),
            write.data.eq(self.result),
            write.en.eq(adder.write),
        ]
        m.d.sync += first.eq(Mux(adder.use, read.data, 0))
        return first

    def _parameter(self, m):
        """A parameter of the task `at`, one cycle after it is named, else 0."""
        adder, config, shadow = self.adder, self.config, self._p.tables.shadow
        use = adder.use_parameter
        parameter = adder.parameter
        if self.ends:
            use = use | adder.use_done
            parameter = parameter | adder.use_done.replicate(2)  # the place of SLACK
        is_slack = config.p.field == TaskReg.SLACK >> 2
        written = (config.p.field <= TaskReg.OFFSET >> 2) | (is_slack if self._slack else 0)
        number = Cat(config.p.field[0] | is_slack, config.p.field[1] | is_slack)  # SLACK follows OFFSET
        found = 0
        for name, fields in (("parameters", 4),) if self._together else (("first", 2), ("second", 1 + self._slack)):
            m.submodules[name] = values = Buffer(TIME_BITS, self._size * fields, early=True)
            wide = fields.bit_length() - 1
            m.d.comb += [
                values.read.en.eq(1),
                values.read.addr.eq(Cat(self.at, parameter[:wide], self.page if shadow else [])),
                values.write.addr.eq(Cat(config.p.task, number[:wide], self.write_page if shadow else [])),
                values.write.data.eq(config.p.value),
                values.write.en.eq(
                    config.valid & written & (1 if self._together else number[1] == (name == "second"))),
            ]
            if self.ends:
                with m.If(self.end & ~config.valid):
                    m.d.comb += [
                        values.write.addr.eq(Cat(self.end_task, Const(PARAMETERS.index(TaskReg.SLACK), 2))),
                        values.write.data.eq(self.end_stamp),
                        values.write.en.eq(1),
                    ]
            used = Signal(name=f"use_{name}")
            m.d.sync += used.eq(use if self._together else use & (parameter[1] == (name == "second")))
            found |= Mux(used, values.read.data, 0)
        return found

    def _measured(self, m):
        """The OR of all other second operands, registered."""
        adder = self.adder
        now = Signal(TIME_BITS, name="operand_now")
        trigger = Signal(TIME_BITS, name="operand_trigger")
        with m.If(~adder.hold & ~adder.use_now):
            m.d.sync += now.eq(0)
        with m.Elif(~adder.hold):
            m.d.sync += now.eq(self.now)
        m.d.sync += trigger.eq(Mux(adder.use_trigger, self.trigger, 0))
        # Timers start one after the other, each ARM cycles after the one before.
        since = Cat(Const(1, (SweptTiming.ARM - 1).bit_length()), self.at)
        armed = Signal(len(since), name="operand_armed")
        m.d.sync += armed.eq(Mux(adder.use_armed, since, 0))
        if self.ends:
            return now | trigger | armed
        done = Signal(TIME_BITS, name="operand_done")
        m.d.sync += done.eq(Mux(adder.use_done, self.done, 0))
        return now | trigger | armed | done
