"""The adder of the swept job release, and the memories it works on."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import SweptTiming

from ..blocks.ram import DISTRIBUTED, Buffer, table
from ..layouts import Layouts

#: Bits of times; keys have `scheduler.time_width` of them.
TIME_BITS = 32
#: Parameters by their place in memory.
PARAMETERS = (TaskReg.PERIOD, TaskReg.DEADLINE, TaskReg.OFFSET, TaskReg.SLACK)

def State(keeps: bool) -> data.StructLayout:
    """What the unit remembers of a task between visits."""
    return data.StructLayout({
        "live": 1,  # a job has been released and has not ended
        "missed": 1,  # the MISS of the deadline that LATE holds has been reported
        "owed": 1,  # sporadic: a release is due at NEXT
        "open": 1,  # sporadic: a period has passed since the last release
        **({"queued": 1} if keeps else {}),  # a release is kept
    })


class Datapath(wiring.Component):
    """One 32-bit sum per cycle: `ask` names its operands, the next cycle has `result`, which `put` writes back.

    The first operand is a time of the task `at` (or 0); the second, which may be subtracted, is the time (`now`), the
    end of the job (`done`), the trigger, a parameter, or the cycles since `arm`. Operands that are not asked for are 0,
    so the second operand is the OR of all. What is put in a cycle can be asked for from the next on.

    The ends of jobs may stand among the parameters, where there is room (`ends`): the host writes nothing there during
    a run. What is written as `end` can be asked for as `done` from the next cycle on.
    """

    #: Next release; deadline of the kept release, if there is one, else of the job; time of the kept release.
    NEXT, LATE, KEPT = range(3)

    def __init__(self, p: Platform):
        self._p = p
        task = self._bits = bits_for(p.scheduler.tasks - 1)
        self._keeps = p.release.overrun != ("skip",)
        slack, self._size = "least_slack" in p.scheduler.policies, (1 + p.tables.shadow) << task
        # Three or four parameters in one memory or in two: what gives fewer levels to choose from.
        self._together = 4 * self._size <= DISTRIBUTED
        #: Whether the ends of jobs stand among the parameters, in the place of SLACK.
        self.ends = self._together and not (p.tables.shadow or slack)
        super().__init__({
            "now": In(TIME_BITS),
            **({"end": In(1), "end_task": In(task), "end_stamp": In(TIME_BITS)} if self.ends
               else {"done": In(TIME_BITS), "use_done": In(1)}),
            "trigger": In(TIME_BITS),
            "at": In(task),
            "task": In(task),
            "page": In(1),
            "write_page": In(1),
            "config": In(Layouts(p).task_write),
            "config_valid": In(1),
            "field": In(2),
            "use": In(1),
            "parameter": In(2),
            "use_now": In(1),
            "use_trigger": In(1),
            "use_parameter": In(1),
            "use_armed": In(1),
            "hold": In(1),
            "minus": In(1),
            "carry": In(1),
            "write": In(1),
            "write_field": In(2),
            "result": Out(TIME_BITS),
            "negative": Out(1),
        })

    def ask(self, m, field, operand, *, minus=False, carry=False):
        """The operands of the next cycle; with `minus` the result is their difference less 1, `carry` adds 1."""
        m.d.comb += [
            self.use.eq(field is not None), self.field.eq(field or 0), self.minus.eq(minus), self.carry.eq(carry),
        ]
        if self.ends and operand == "done":
            operand = TaskReg.SLACK
        for name in ("now", "trigger", "armed", *([] if self.ends else ["done"])):
            m.d.comb += getattr(self, f"use_{name}").eq(operand == name)
        m.d.comb += [
            self.use_parameter.eq(isinstance(operand, TaskReg)),
            self.parameter.eq(PARAMETERS.index(operand) if isinstance(operand, TaskReg) else 0),
        ]

    def put(self, m, field):
        """Write this cycle's result as a time of `task`."""
        m.d.comb += [self.write.eq(1), self.write_field.eq(field)]

    def elaborate(self, platform):
        m = Module()
        p, shadow, bits = self._p, self._p.tables.shadow, self._bits
        slack = "least_slack" in p.scheduler.policies
        together = self._together
        times_w, times = table(m, "times", TIME_BITS, (3 if self._keeps else 2) << bits)
        config = self.config
        is_slack = config.field == TaskReg.SLACK >> 2
        kept = (config.field <= TaskReg.OFFSET >> 2) | (is_slack if slack else 0)
        page = [self.page] if shadow else []
        write_page = [self.write_page] if shadow else []
        number = Cat(config.field[0] | is_slack, config.field[1] | is_slack)  # SLACK follows OFFSET
        right = 0
        for name, fields in (("parameters", 4),) if together else (("first", 2), ("second", 1 + slack)):
            depth = self._size * fields
            m.submodules[name] = values = Buffer(TIME_BITS, depth, early=True)
            memory_w, memory = values.write, values.read
            wide = fields.bit_length() - 1
            m.d.comb += [
                memory.en.eq(1), memory.addr.eq(Cat(self.at, self.parameter[:wide], *page)),
                memory_w.addr.eq(Cat(config.task, number[:wide], *write_page)),
                memory_w.data.eq(config.value),
                memory_w.en.eq(self.config_valid & kept & (1 if together else number[1] == (name == "second"))),
            ]
            if self.ends:
                with m.If(self.end & ~self.config_valid):
                    m.d.comb += [
                        memory_w.addr.eq(Cat(self.end_task, Const(PARAMETERS.index(TaskReg.SLACK), 2))),
                        memory_w.data.eq(self.end_stamp), memory_w.en.eq(1),
                    ]
            use = Signal(name=f"use_{name}")
            m.d.sync += use.eq(
                self.use_parameter if together else self.use_parameter & (self.parameter[1] == (name == "second")))
            right |= Mux(use, memory.data, 0)
        field_bits = 2 if self._keeps else 1
        m.d.comb += [
            times.addr.eq(Cat(self.at, self.field[:field_bits])),
            times_w.addr.eq(Cat(self.task, self.write_field[:field_bits])),
            times_w.data.eq(self.result),
            times_w.en.eq(self.write),
        ]
        left = Signal(TIME_BITS)
        m.d.sync += left.eq(Mux(self.use, times.data, 0))
        for name, use, value in (
            ("now", self.use_now, self.now), ("trigger", self.use_trigger, self.trigger),
            *([] if self.ends else [("done", self.use_done, self.done)]),
            ("armed", self.use_armed, Cat(Const(1, (SweptTiming.ARM - 1).bit_length()), self.at)),
        ):
            held = Signal(len(value), name=f"operand_{name}")
            if name == "now":
                with m.If(~self.hold & ~use):
                    m.d.sync += held.eq(0)
                with m.Elif(~self.hold):
                    m.d.sync += held.eq(value)
            else:
                m.d.sync += held.eq(Mux(use, value, 0))
            right |= held
        total = Signal(TIME_BITS + 1)
        minus = Signal()
        carry = Signal()
        m.d.sync += [minus.eq(self.minus), carry.eq(self.carry)]
        m.d.comb += [
            total.eq(Cat(1, left) + Cat(carry, right ^ minus.replicate(TIME_BITS))),
            self.result.eq(total[1:]),
            self.negative.eq(total[-1]),
        ]
        return m
