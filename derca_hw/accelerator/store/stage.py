"""The store stage: from sums in banks to memory."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy, bits_for

from ...bus.join import join
from ...layouts import Layouts, outstanding_tiles, pulse
from ..signatures.operands import residual_ports
from ..signatures.sums import BankRead
from .outstanding import OutstandingTiles
from .store import StoreEngine, table_ports

#: Ports that the stage shares with its engine.
_ENGINE_PORTS = ("store", "complete", "parameters", "barrier", "request", "beat", "stored", "room", "sums", "give_back",
                 "done", "busy", "queued")


class StoreStage(wiring.Component):
    """Stores finished tiles and saved sums, and counts the tiles on their way to memory.

    Latencies are those of the parts; the stage adds none:

    - `StoreEngine` from a complete tile to the bus,
    - `OutstandingTiles` from a tile to its count.

    Attributes
    ----------
    now : In(32)
        The time, in cycles.
    store, complete, parameters, barrier, request, beat, stored, room, sums, give_back, done, busy, queued, residual
        See `StoreEngine`.
    flush, flush_task, taken, outstanding, fewer
        See `OutstandingTiles`.
    saved_event : Out(stream, always ready)

    and `table_ports`.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "now": In(32),
            "store": In(pulse(lay.store)),
            "complete": In(1),
            "parameters": In(pulse(lay.parameter_write)),
            "barrier": In(1),
            "request": Out(stream.Signature(lay.write_request)),
            "beat": Out(stream.Signature(p.bus.data_width)),
            "stored": In(1),
            "room": In(1),
            "sums": Out(BankRead(p)),
            "give_back": Out(1),
            "done": Out(pulse(lay.done)),
            "busy": Out(1),
            "queued": Out(1),
            "flush": In(1),
            "flush_task": In(bits_for(p.scheduler.tasks - 1)),
            "taken": In(1),
            "outstanding": Out(bits_for(outstanding_tiles(p))),
            "fewer": Out(1),
            "saved_event": Out(pulse(lay.event)),
            **residual_ports(p),
            **table_ports(p),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine = engine = StoreEngine(self._p)
        m.submodules.tiles = tiles = OutstandingTiles(self._p)
        join(m, self, engine, (*_ENGINE_PORTS, *residual_ports(self._p), *table_ports(self._p)))
        join(m, self, tiles, ("flush", "flush_task", "taken", "outstanding", "fewer"))
        saved, done = self.saved_event, engine.done
        m.d.comb += [
            tiles.queued.eq(self.store.valid),
            tiles.queued_task.eq(self.store.p.output.task),
            tiles.stored.eq(done.valid),
            tiles.stored_task.eq(done.p.task),
            saved.valid.eq(done.valid & done.p.persist),
            saved.p.cycle.eq(self.now),
            saved.p.kind.eq(Kind.SAVED),
            saved.p.task.eq(done.p.task),
            saved.p.arg.eq(Strategy.PERSIST),
        ]
        return m
