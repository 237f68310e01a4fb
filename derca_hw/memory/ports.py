"""The memory interface: both AXI4 managers behind one component."""

from amaranth.hdl import Module, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.model.platform import Platform

from ..blocks.ram import Ram
from ..bus.axi import Axi4, manager_options
from ..kernel.writing import TaskConfig
from ..layouts import Layouts, pulse
from .read import ReadManager
from .write import WriteManager


class MemoryInterface(wiring.Component):
    """Reads and writes main memory for the accelerator through independent AXI4 read and write managers.

    Latencies and throughput are those of `ReadManager` and `WriteManager`.

    All bursts have one ID. A reset while bursts are unanswered changes the ID. Memory that was not reset as well
    answers them with the old ID, and these answers are dropped.

    This is a safety net with two holes. A write burst that the reset cuts short cannot be completed: memory takes the
    next beats of data for its rest. And a second such reset brings the first ID back. So reset the memory together with
    this component, or wait for `quiet` first.

    Attributes
    ----------
    read_request, read_beat
        See `ReadManager`.
    write_request, write_beat, stored, room
        See `WriteManager`.
    config : In(`TaskConfig`)
        The host's writes of the tasks' windows.
    read_fault, write_fault : Out(stream, always ready)
        The task of a request that was refused, or answered with an error.
    writer : Out
        The task of the write request that is offered.
    suppress : In(1)
        That task may not write.
    stray : Out(1)
        Strobe: an answer was dropped. No burst since the last reset waits for it.
    busy : Out(1)
        Requests or commands are not complete.
    quiet : Out(1)
        No burst is on the bus, or waits to be put there. Stays high while nothing is requested.
    axi : Out
        The channels of AXI4.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "read_request": In(stream.Signature(lay.read_request)),
            "read_beat": Out(pulse(lay.read_beat)),
            "write_request": In(stream.Signature(lay.write_request)),
            "write_beat": In(stream.Signature(p.bus.data_width)),
            "stored": Out(1),
            "room": Out(1),
            "config": In(TaskConfig(p)),
            "read_fault": Out(pulse(lay.job_fault)),
            "write_fault": Out(pulse(lay.job_fault)),
            "writer": Out(lay.write_request["task"].shape),
            "suppress": In(1),
            "stray": Out(1),
            "busy": Out(1),
            "quiet": Out(1),
            "axi": Out(Axi4.of(p, **manager_options())),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [*ReadManager.memories(p), *WriteManager.memories(p)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.read = read = ReadManager(self._p)
        m.submodules.write = write = WriteManager(self._p)
        connect(m, flipped(self.read_request), read.request)
        connect(m, read.beat, flipped(self.read_beat))
        connect(m, read.axi.ar, flipped(self.axi.ar))
        connect(m, flipped(self.axi.r), read.axi.r)
        connect(m, flipped(self.write_request), write.request)
        connect(m, flipped(self.write_beat), write.beat)
        connect(m, write.axi.aw, flipped(self.axi.aw))
        connect(m, write.axi.w, flipped(self.axi.w))
        connect(m, flipped(self.axi.b), write.axi.b)
        connect(m, read.fault, flipped(self.read_fault))
        connect(m, write.fault, flipped(self.write_fault))
        number = Signal(reset_less=True)  # the ID of all bursts
        connect(m, flipped(self.config), read.config)
        connect(m, flipped(self.config), write.config)
        m.d.sync += number.eq(number ^ (ResetSignal(allow_reset_less=True) & ~self.quiet))
        m.d.comb += [
            read.id.eq(number),
            write.id.eq(number),
            self.stray.eq(read.stray | write.stray),
            self.stored.eq(write.stored),
            self.room.eq(write.room),
            self.writer.eq(self.write_request.p.task),
            write.suppress.eq(self.suppress),
            self.busy.eq(read.busy | write.busy),
            self.quiet.eq(~read.busy & write.quiet),
        ]
        return m
