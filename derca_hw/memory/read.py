"""The AXI4 read manager: from read requests to labelled beats."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import READ_WINDOWS

from ..blocks.arithmetic import count
from ..blocks.fifo import LateFifo
from ..blocks.ram import Ram
from ..bus.axi import OKAY, AxiRead, incrementing, manager_options
from ..kernel.writing import TaskConfig
from ..layouts import Layouts, pulse
from .burst import BurstSplitter
from .windows import WindowCheck, split_checked


def _tracked(p: Platform) -> data.StructLayout:
    """The data kept of a burst until its last beat."""
    lay = Layouts(p)
    source = data.StructLayout({"target": lay.target, "task": lay.read_request["task"].shape})
    return data.StructLayout({"source": source, "first": 1, "last": 1, "refused": 1})


class ReadManager(wiring.Component):
    """Turns read requests into AXI4 bursts, and labels each returned beat with the request's target.

    A request accepted in cycle t puts its first AR on the bus in t + 1, then one AR per cycle. At most
    `bus.outstanding` bursts are in flight; a burst counts until the cycle after its last beat. Beats are passed on in
    the cycle they arrive. The consumer never stalls.

    A request outside its task's windows puts nothing on the bus. When the requests before it are answered, it is
    answered with a single beat with `first` and `last`, whose data are meaningless. A beat on `r` whose ID is not `id`,
    or that no burst waits for, is taken and dropped.

    Attributes
    ----------
    request : In(stream)
    beat : Out(stream, always ready)
    axi : Out
        The read channels of AXI4.
    config : In(`TaskConfig`)
        See `WindowCheck`. Unused without `supervision.windows`.
    fault : Out(stream, always ready)
        For each beat whose response is not OKAY, and each request that was refused.
    id : In(1)
        ID of the bursts.
    stray : Out(1)
        A beat was dropped.
    busy : Out(1)
        A request is not yet answered.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "request": In(stream.Signature(lay.read_request)),
            "beat": Out(pulse(lay.read_beat)),
            "axi": Out(AxiRead.of(p, **manager_options())),
            "config": In(TaskConfig(p)),
            "fault": Out(pulse(lay.job_fault)),
            "id": In(1),
            "stray": Out(1),
            "busy": Out(1),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [*WindowCheck.memories(p, READ_WINDOWS), Ram(_tracked(p).size, p.bus.outstanding + 1, 1, "buffer")]

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.split = split = BurstSplitter(p)
        outside, _ = split_checked(m, p, self, READ_WINDOWS, split)
        tracked = _tracked(p)
        source = tracked["source"].shape
        # The FIFO holds every burst from AR to its last beat, and one more than can be in flight: an entry takes a
        # cycle to its read register, and in that cycle a FIFO of just two words would refuse the next.
        m.submodules.tracker = tracker = LateFifo(width=tracked.size, depth=p.bus.outstanding + 1)
        in_flight = Signal(range(p.bus.outstanding + 1))

        request = self.request
        ar, r = self.axi.ar, self.axi.r
        origin = Signal(source)
        open_ = Signal()
        refused = Signal()
        known = Signal()
        m.d.comb += [
            open_.eq(split.valid & (in_flight != p.bus.outstanding)),
            refused.eq(outside),
            ar.valid.eq(open_ & ~refused),
            ar.p.addr.eq(split.addr),
            ar.p.len.eq(split.len),
            *incrementing(ar.p, p, self.id),
            # A refused request leaves when the bus would have taken it, or a cycle later: `ready` ignores windows.
            split.take.eq(open_ & (ar.ready | known)),
            split.drop.eq(refused),
            tracker.w_en.eq(split.take),
            tracker.w_data.eq(Cat(origin, split.first, split.last | refused, refused)),
        ]
        m.d.sync += known.eq(split.valid & refused & ~split.start)
        with m.If(split.start):
            m.d.sync += [origin.target.eq(request.p.target), origin.task.eq(request.p.task)]

        head = data.View(tracked, tracker.r_data)
        begun = Signal()  # a beat of the head burst has passed
        fire = Signal()
        skip = Signal()
        none = Signal()  # no burst is in flight: beats are dropped
        m.d.comb += [
            none.eq(in_flight == 0),
            skip.eq(tracker.r_rdy & head.refused),
            r.ready.eq(none | (tracker.r_rdy & ~head.refused)),
            fire.eq(r.valid & r.ready & ~none & (r.p.id == self.id)),
            self.stray.eq(r.valid & r.ready & ~fire),
            self.beat.valid.eq(fire | skip),
            self.beat.p.data.eq(r.p.data),
            self.beat.p.target.eq(head.source.target),
            self.beat.p.first.eq(head.first & ~begun),
            self.beat.p.last.eq(head.last & (r.p.last | head.refused)),
            tracker.r_en.eq(skip | (fire & r.p.last)),
            self.fault.valid.eq(skip | (fire & (r.p.resp != OKAY))),
            self.fault.p.task.eq(head.source.task),
            self.fault.p.window.eq(head.refused),
            self.busy.eq(split.valid | ~none),
        ]
        with m.If(fire):
            m.d.sync += begun.eq(~r.p.last)
        count(m, in_flight, split.take, tracker.r_en)
        return m
