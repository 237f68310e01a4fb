"""What every scheduler does with its choice: count regions and issue the instruction."""

from amaranth.hdl import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ..layouts import REGION_BITS, Layouts, pulse


class Issuer(wiring.Component):
    """The next region of each task, and the instruction register. An instruction is valid one cycle after `fire`.

    Attributes
    ----------
    task : In
        The chosen job's task; `region` is its next region and `last` whether that is its last.
    switch, preempt : In
        It is not the running job; the running job has regions left.
    fire : In
        Issue it; only while `free`.
    regions : In(stream, always ready)
        Host writes: regions in a job of a task.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "task": In(lay.release["task"].shape),
            "switch": In(1),
            "preempt": In(1),
            "fire": In(1),
            "free": Out(1),
            "region": Out(REGION_BITS),
            "last": Out(1),
            "regions": In(pulse(lay.task_write)),
            "instruction": Out(stream.Signature(lay.instruction)),
        })

    def elaborate(self, platform):
        m = Module()
        n = self._p.scheduler.tasks
        m.submodules.count = count = Memory(shape=REGION_BITS, depth=n, init=[])
        m.submodules.progress = progress = Memory(shape=REGION_BITS, depth=n, init=[])
        count_w, count_r = count.write_port(), count.read_port(domain="comb")
        next_w, next_r = progress.write_port(), progress.read_port(domain="comb")
        out = self.instruction
        m.d.comb += [
            count_w.addr.eq(self.regions.p.task),
            count_w.data.eq(self.regions.p.value),
            count_w.en.eq(self.regions.valid),
            count_r.addr.eq(self.task),
            next_r.addr.eq(self.task),
            self.region.eq(next_r.data),
            self.last.eq(self.region == count_r.data - 1),
            next_w.addr.eq(self.task),
            next_w.data.eq(Mux(self.last, 0, self.region + 1)),
            next_w.en.eq(self.fire),
            self.free.eq(~out.valid),
        ]
        with m.If(out.ready):
            m.d.sync += out.valid.eq(0)
        with m.If(self.fire):
            m.d.sync += [
                out.valid.eq(1),
                out.p.task.eq(self.task),
                out.p.region.eq(self.region),
                out.p.switch.eq(self.switch),
                out.p.preempt.eq(self.preempt),
                out.p.resume.eq(self.switch & (self.region != 0)),
            ]
        return m
