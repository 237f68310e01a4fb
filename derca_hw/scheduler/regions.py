"""Counters of the next region of each task's job."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ..blocks.ram import Ram
from ..layouts import REGION_BITS, Layouts, pulse


class RegionCounters(wiring.Component):
    """Counts the regions of every task's job in RAM; `region` and `last` appear one cycle after `read`, and stay.

    Attributes
    ----------
    read : In(1)
        Look up task `task`.
    task : In
    region : Out
        The task's next region.
    begun : Out(1)
        It is not the first region of the job.
    last : Out(1)
        It is the last region of the job.
    step : In(1)
        In the cycle after `read`: the region is issued. Count on; after the last region from 0 again.
    step_task : In
        The task of `step` and `reset`.
    reset : In(1)
        The next region of `step_task` is 0.
    clear : In(1)
        Set all counters to 0, as after reset; takes a cycle per task.
    clearing : Out(1)
        That is under way.
    regions : In(stream, always ready)
        Host writes: regions in a job of a task.
    page : In(1)
        The page of these numbers that is in use.
    write_page : In(1)
        The page that the host writes. Without `tables.shadow` it equals `page`.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        task = lay.job["task"].shape
        super().__init__({
            "read": In(1),
            "task": In(task),
            "region": Out(REGION_BITS),
            "begun": Out(1),
            "last": Out(1),
            "step": In(1),
            "step_task": In(task),
            "reset": In(1),
            "clear": In(1),
            "clearing": Out(1, init=1),
            "regions": In(pulse(lay.task_write)),
            "page": In(1),
            "write_page": In(1),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        bits, tasks = bits_for(p.tables.regions), p.scheduler.tasks
        return [Ram(bits, (1 + p.tables.shadow) << bits_for(tasks - 1)), Ram(bits, tasks)]

    def elaborate(self, platform):
        m = Module()
        n, width = self._p.scheduler.tasks, bits_for(self._p.tables.regions)
        shadow, task_bits = self._p.tables.shadow, len(self.task)
        m.submodules.count = count = Memory(shape=width, depth=(1 + shadow) << task_bits, init=[])
        m.submodules.progress = progress = Memory(shape=width, depth=n, init=[])
        count_w, count_r = count.write_port(), count.read_port()
        next_w, next_r = progress.write_port(), progress.read_port()
        following = (next_r.data + 1)[:width]
        pointer = Signal(bits_for(n - 1))
        m.d.comb += [
            count_w.addr.eq(Cat(self.regions.p.task, self.write_page)),
            count_w.data.eq(self.regions.p.value),
            count_w.en.eq(self.regions.valid),
            count_r.addr.eq(Cat(self.task, self.page)),
            next_r.addr.eq(self.task),
            count_r.en.eq(self.read),
            next_r.en.eq(self.read),
            self.region.eq(next_r.data),
            self.begun.eq(next_r.data != 0),
            self.last.eq(following == count_r.data),
            next_w.addr.eq(Mux(self.clearing, pointer, self.step_task)),
            next_w.data.eq(Mux(self.last | self.reset | self.clearing, 0, following)),
            next_w.en.eq(self.step | self.reset | self.clearing),
        ]
        with m.If(self.clearing):
            m.d.sync += pointer.eq(pointer + 1)
            with m.If(pointer == n - 1):
                m.d.sync += [pointer.eq(0), self.clearing.eq(0)]
        with m.If(self.clear):
            m.d.sync += [pointer.eq(0), self.clearing.eq(1)]
        return m
