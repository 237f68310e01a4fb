"""Execution times of jobs in RAM, and the budgets of their tasks."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg
from derca_sim.model.tables import bits_for

from ..blocks.ram import BLOCK, Ram
from ..kernel.writing import TaskConfig


class Budgets(wiring.Component):
    """Counts the executed time of the running job, keeps it while another job runs, and reads the task's budgets.

    Two cycles after `load`, `executed` is the job's time before that cycle, and the budgets are there. One job runs at
    a time, and a region lasts at least 2 cycles.

    Attributes
    ----------
    config : In(`TaskConfig`)
        Writes of the host to JOB_BUDGET and REGION_BUDGET; 0 stands for no budget.
    load : In(1)
        A region begins.
    task : In
        With `load`: its task.
    switch : In(1)
        With `load`: the region belongs to another job than the last one.
    resume : In(1)
        With `load` and `switch`: the job has run before.
    active : In(1)
        The region runs: `executed` counts this cycle.
    end : In(1)
        This is the region's last cycle: keep the time.
    executed, job_budget, region_budget : Out(32)
        In cycles.
    """

    def __init__(self, p: Platform):
        self._p = p
        super().__init__({
            "config": In(TaskConfig(p)),
            "load": In(1),
            "task": In(bits_for(p.scheduler.tasks - 1)),
            "switch": In(1),
            "resume": In(1),
            "active": In(1),
            "end": In(1),
            "executed": Out(32),
            "job_budget": Out(32),
            "region_budget": Out(32),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        tasks = p.scheduler.tasks
        return [Ram(32, (p.tables.shadow << bits_for(tasks - 1)) + tasks, 2, "block"), Ram(32, tasks, 1, "block")]

    def elaborate(self, platform):
        m = Module()
        n, shadow = self._p.scheduler.tasks, self._p.tables.shadow
        stride = len(self.task)

        def memory(name: str, depth: int):
            """Add a memory; return its write port, its read address, and the register of what it reads."""
            m.submodules[name] = ram = Memory(shape=32, depth=depth, init=[], attrs=BLOCK)
            write, read = ram.write_port(), ram.read_port(domain="comb")
            answer = Signal(32, name=f"{name}_answer", reset_less=True)
            m.d.sync += answer.eq(read.data)
            return write, read.addr, answer

        loading = Signal()
        fresh = Signal()
        resumed = Signal()
        m.d.sync += [
            loading.eq(self.load),
            fresh.eq(self.load & self.switch & ~self.resume),
            resumed.eq(self.load & self.switch & self.resume),
        ]
        pages = (1 << stride) if shadow else 0
        for field, budget in ((TaskReg.JOB_BUDGET, self.job_budget), (TaskReg.REGION_BUDGET, self.region_budget)):
            write, address, answer = memory(field.name.lower(), pages + n)
            m.d.comb += [
                write.addr.eq(Cat(self.config.write.p.task, self.config.write_page & shadow)),
                write.data.eq(self.config.write.p.value),
                write.en.eq(self.config.write.valid & (self.config.write.p.field == field >> 2)),
                address.eq(Cat(self.task, self.config.page & shadow)),
            ]
            held = Signal(32, name=f"{field.name.lower()}_held", reset_less=True)
            m.d.comb += budget.eq(held)
            with m.If(loading):
                m.d.sync += held.eq(answer)

        write, address, answer = memory("time", n)
        after = Signal(32)
        running = Signal.like(self.task)
        m.d.comb += [
            after.eq(self.executed + self.active),
            write.addr.eq(running),
            write.data.eq(after),
            write.en.eq(self.end),
            address.eq(self.task),
        ]
        executed = Signal(32, reset_less=True)
        m.d.comb += self.executed.eq(executed)
        m.d.sync += executed.eq(Mux(resumed, answer, after))
        with m.If(fresh):
            m.d.sync += executed.eq(0)
        task = Signal.like(self.task)
        with m.If(self.load):
            m.d.sync += task.eq(self.task)
        with m.If(loading):
            m.d.sync += running.eq(task)
        return m
