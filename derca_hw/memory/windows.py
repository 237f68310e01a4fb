"""Checks requests against the windows of their task."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg, register_map
from derca_sim.model.tables import bits_for

from ..blocks.ram import Ram, ram_style
from ..kernel.writing import TaskConfig
from ..layouts import Layouts, offset_bits
from .burst import BurstSplitter


class WindowCheck(wiring.Component):
    """Refuses a request unless every byte of it lies in one window of its task; one request per cycle.

    The answer comes in the cycle after the request was accepted. The windows are read from memories that the host
    writes when the request is accepted, and compared in the next cycle. A request is also refused if it wraps around
    the end of the address space, does not begin on a beat, or asks for no beats.

    Parameters
    ----------
    windows
        (Register of the first byte, register of the last byte) of each window of a task.

    Attributes
    ----------
    config : In(`TaskConfig`)
        The host's writes to a task's registers.
    start : In(1)
        A request is accepted.
    task, address, beats : In
        With `start`: its task, its byte address, and its size in beats.
    refused : Out(1)
        From the next cycle until another is accepted: the request must not be made.
    nothing : Out(1)
        For as long: the reason is that it asks for no beats.
    """

    def __init__(self, p: Platform, windows: Sequence[tuple[TaskReg, TaskReg]]):
        self._p, self._windows = p, windows
        lay = Layouts(p)
        super().__init__({
            "config": In(TaskConfig(p)),
            "start": In(1),
            "task": In(lay.job["task"].shape),
            "address": In(p.bus.address_width),
            "beats": In(bits_for(p.largest_request)),
            "refused": Out(1),
            "nothing": Out(1),
        })

    @staticmethod
    def memories(p: Platform, windows: Sequence[tuple[TaskReg, TaskReg]]) -> list[Ram]:
        """Its memories; none without `supervision.windows`, because then there is no check."""
        depth = (1 + p.tables.shadow) << bits_for(p.scheduler.tasks - 1)
        return [Ram(min(32, p.bus.address_width), depth, 2 * len(windows), "small")] * p.supervision.windows

    def elaborate(self, platform):
        m = Module()
        p, config, registers = self._p, self.config, register_map(self._p)
        shift = offset_bits(p)
        depth = (1 + p.tables.shadow) << len(self.task)

        def bound(register: TaskReg):
            """The bound in this register, of the task whose request was accepted last."""
            m.submodules[register.name.lower()] = memory = Memory(
                shape=registers[register.name].width, depth=depth, init=[],
                attrs=ram_style(depth, platform))
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(Cat(config.write.p.task, config.write_page)),
                write.data.eq(config.write.p.value),
                write.en.eq(config.write.valid & (config.write.p.field == register >> 2)),
                read.addr.eq(Cat(self.task, config.page)),
                read.en.eq(self.start),
            ]
            return read.data

        first = Signal.like(self.address)
        last_beat = Signal(p.bus.address_width - shift + 1)  # with a carry it lies beyond every window
        with m.If(self.start):
            m.d.sync += [
                first.eq(self.address),
                last_beat.eq(self.address[shift:] + (self.beats - 1)[:len(self.beats)]),
                self.nothing.eq(self.beats == 0),
            ]
        last = Cat(Const((1 << shift) - 1, shift), last_beat)
        inside = [(first >= bound(base)) & (last <= bound(end)) for base, end in self._windows]
        m.d.comb += self.refused.eq(self.nothing | first[:shift].any() | ~Cat(inside).any())
        return m


def split_checked(m, p: Platform, manager, windows: Sequence[tuple[TaskReg, TaskReg]], split: BurstSplitter) -> tuple:
    """Connect the requests of a read or write manager to its splitter, and to a check if the platform has windows.

    Returns `refused` and `nothing` of the check.
    """
    request = manager.request
    m.d.comb += [
        split.start.eq(request.valid & request.ready),
        split.address.eq(request.p.address),
        split.beats.eq(request.p.beats),
        request.ready.eq(split.ready),
    ]
    if not p.supervision.windows:
        return Const(0, 1), Const(0, 1)
    m.submodules.windows = windows = WindowCheck(p, windows)
    connect(m, flipped(manager.config), windows.config)
    m.d.comb += [
        windows.start.eq(split.start),
        windows.task.eq(request.p.task),
        windows.address.eq(request.p.address),
        windows.beats.eq(request.p.beats),
    ]
    return windows.refused, windows.nothing
