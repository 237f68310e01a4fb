"""Where regions begin and end: counts slices against grants."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.droppable import DroppableQueue
from ...blocks.ram import Ram
from ...layouts import Layouts, pulse


class RegionTracker(wiring.Component):
    """Counts the slices of the region in work; one slice and one region per cycle.

    A region begins with the iteration whose start is its first slice. Or it begins inside an iteration, in the cycle of
    its grant, which may be that of the last operands before. It ends with the last operands of its last slice. After
    these nothing is issued until the next region has been granted and begins.

    Attributes
    ----------
    regions : In(stream)
        The job's regions in order, at most `DEPTH` ahead. A grant that switches drops them.
    grant : In(stream, always ready)
    feedback : In(1)
        A region is about to end: the next one needs a grant.
    start : In(1)
        An iteration starts; only while `ready`.
    fire : In(1)
        The last operands of a slice.
    inside : In(1)
        An iteration is in work, and this cycle is not its end.
    ready : Out(1)
        The granted region is there, so an iteration may start.
    running : Out(1)
        Slices of the iteration in work may be issued.
    begin : Out(1)
        A region begins.
    resumed : Out(1)
        A region begins inside an iteration.
    last : Out(1)
        The slice in work is the last one of its region.
    ends : Out(1)
        The last operands of that slice.
    region : Out
        The region that is in work or ended last.
    strategy : Out(2)
        The strategy of the point after it.
    next_region : Out
        The region that begins.
    premature : Out(1)
        Strobe: in the cycle before, a region was granted although the last one granted had not ended.
    """

    #: Regions that can be fetched ahead.
    DEPTH = 4

    def __init__(self, p: Platform):
        self._lay = lay = Layouts(p)
        region = bits_for(p.tables.regions - 1)
        super().__init__({
            "regions": In(stream.Signature(lay.region)),
            "grant": In(pulse(lay.grant)),
            "feedback": In(1),
            "start": In(1),
            "fire": In(1),
            "inside": In(1),
            "ready": Out(1),
            "running": Out(1),
            "begin": Out(1),
            "resumed": Out(1),
            "last": Out(1),
            "ends": Out(1),
            "region": Out(region),
            "strategy": Out(2),
            "next_region": Out(region),
            "premature": Out(1),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [DroppableQueue.memory(Layouts(p).region.size, RegionTracker.DEPTH)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = DroppableQueue(self._lay.region, self.DEPTH)
        grant, head = self.grant, queue.o
        switch = Signal()
        follows = Signal()
        granted = Signal()
        between = Signal(init=1)  # no region is in work
        over = Signal()  # no region is in work once this cycle's slice is done
        left = Signal.like(head.p.slices)
        m.d.comb += [
            switch.eq(grant.valid & grant.p.switch),
            follows.eq(grant.valid & ~grant.p.switch),
            queue.i.valid.eq(self.regions.valid),
            queue.i.payload.eq(self.regions.payload),
            self.regions.ready.eq(queue.i.ready),
            queue.drop.eq(switch),
            head.ready.eq(self.begin),
            self.ends.eq(self.fire & self.last),
            over.eq(between | self.ends),
            self.ready.eq((granted | follows) & (head.valid | ~over)),
            self.resumed.eq(over & self.inside & (granted | follows) & head.valid),
            self.begin.eq(self.resumed | self.start & over),
            self.running.eq(~between),
            self.next_region.eq(head.p.region),
        ]
        with m.If(self.fire):
            m.d.sync += [left.eq(left - 1), self.last.eq(left == 2)]
        with m.If(self.ends):
            m.d.sync += between.eq(1)
        with m.If(self.begin):
            m.d.sync += [
                between.eq(0), left.eq(head.p.slices), self.last.eq(head.p.slices == 1),
                self.region.eq(head.p.region), self.strategy.eq(head.p.strategy),
            ]
        with m.If(self.feedback):
            m.d.sync += granted.eq(0)
        with m.If(grant.valid):
            m.d.sync += granted.eq(1)

        owed = Signal()  # a region was granted, and its last operands have not entered the array yet
        with m.If(self.ends):
            m.d.sync += owed.eq(0)
        with m.If(grant.valid):
            m.d.sync += owed.eq(1)
        m.d.sync += self.premature.eq(grant.valid & owed & ~self.ends)
        return m
