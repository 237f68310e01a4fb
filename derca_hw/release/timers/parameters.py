"""The parameters of tasks, as the host has written them."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg

from ..common.ports import host_ports
from .turns import task_bits


class Parameters(wiring.Component):
    """Keeps the parameters of every task.

    Those of `task` show in the same cycle (`LATENCY` = 0). What the host writes shows from the next cycle on.

    Attributes
    ----------
    task : In
    period, relative, offset, slack : Out(time_width)
        The task's period, relative deadline, offset, and slack (0 without the policy `least_slack`).
    sporadic, enabled : Out
        A bit per task.

    and `host_ports`.
    """

    LATENCY = 0

    def __init__(self, p: Platform):
        self._p = p
        time, tasks = p.scheduler.time_width, p.scheduler.tasks
        super().__init__({
            **host_ports(p),
            "task": In(task_bits(p)),
            "period": Out(time),
            "relative": Out(time),
            "offset": Out(time),
            "slack": Out(time),
            "sporadic": Out(tasks),
            "enabled": Out(tasks),
        })

    def elaborate(self, platform):
        m = Module()
        n, shadow, config = self._p.scheduler.tasks, self._p.tables.shadow, self.config
        fields = [("period", TaskReg.PERIOD), ("relative", TaskReg.DEADLINE), ("offset", TaskReg.OFFSET)]
        if "least_slack" in self._p.scheduler.policies:
            fields.append(("slack", TaskReg.SLACK))
        for name, field in fields:
            shape, depth = self._p.scheduler.time_width, (1 + shadow) << len(self.task)
            m.submodules[name] = memory = Memory(shape=shape, depth=depth, init=[])
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(Cat(config.p.task, self.write_page if shadow else [])),
                write.data.eq(config.p.value),
                write.en.eq(config.valid & (config.p.field == field >> 2)),
                read.addr.eq(Cat(self.task, self.page if shadow else [])),
                getattr(self, name).eq(read.data),
            ]
        # As the other parameters, which stand in memories, modes outlast a reset.
        modes = [Signal(2 * n, name=f"mode_{page}", reset_less=True) for page in range(1 + shadow)]
        for page, mode in enumerate(modes):
            mine = self.write_page == page if shadow else 1
            with m.If(config.valid & (config.p.field == TaskReg.MODE >> 2) & mine):
                m.d.sync += mode.word_select(config.p.task, 2).eq(config.p.value[:2])
        mode = Mux(self.page, modes[1], modes[0]) if shadow else modes[0]
        m.d.comb += [self.sporadic.eq(Cat(mode[2 * i] for i in range(n))),
                     self.enabled.eq(Cat(mode[2 * i + 1] for i in range(n)))]
        return m
