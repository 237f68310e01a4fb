"""The compute stage: from operands in slots to sums in banks."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.ram import Ram
from ...bus.join import join
from ...layouts import Activity, Layouts, pulse
from ..signatures.operands import BiasRead, OperandRead, PlacedBeat, TileSupply
from ..signatures.sums import BankRead
from .banks import BankOwnership, Banks
from .compute import ComputeEngine
from .parking import Parking
from .regions import RegionTracker
from .windows import Windows

#: Ports that the stage shares with its engine.
_ENGINE_PORTS = ("now", "barrier", "waiting", "regions", "grant", "tiles", "operands", "biases", "feedback",
                 "premature", "activity", "busy", "event", "iteration_event")


class ComputeStage(wiring.Component):
    """Computes the iterations that the load stage supplies, region by region, and hands on finished tiles.

    Latencies are those of the parts; the stage adds none:

    - `ComputeEngine` from a supplied iteration to its sums in a bank,
    - `Parking` from a preemption to the place of its sums,
    - `BankOwnership` from a bank given back to its next use.

    Attributes
    ----------
    now, barrier, waiting, regions, grant, tiles, operands, biases, feedback, premature, activity, busy
        See `ComputeEngine`.
    placed : In(`PlacedBeat`)
        Read data, for sums that are loaded back.
    bank_free : Out(1)
        Bank `bank` is free for a preload.
    bank : Out
        The bank that the load stage may claim.
    take_bank : In(1)
        The load stage claims it.
    resident : Out(1)
        The sums of the job that resumes are in a bank.
    windows : In(stream, always ready)
        With `operators.convolution`: see `ComputeEngine`.
    store : Out(stream, always ready)
        Tiles and sums to be stored.
    complete : Out(1)
        Strobe: the oldest of them that is not yet complete may be read.
    sums : In(`BankRead`)
        Reads of the store engine.
    give_back : In(1)
        The store engine has read all of bank `sums.bank`.
    event, iteration_event : Out(stream, always ready)
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "now": In(32),
            "barrier": In(1),
            "waiting": In(1),
            "regions": In(stream.Signature(lay.region)),
            "grant": In(pulse(lay.grant)),
            "tiles": In(TileSupply(p)),
            "operands": Out(OperandRead(p)),
            "biases": Out(BiasRead(p)),
            "placed": In(PlacedBeat(p)),
            "bank_free": Out(1),
            "bank": Out(bits_for(p.buffers.banks - 1)),
            "take_bank": In(1),
            "resident": Out(1),
            "feedback": Out(1),
            "premature": Out(1),
            "activity": Out(Activity),
            "busy": Out(1),
            "store": Out(pulse(lay.store)),
            "complete": Out(1),
            "sums": In(BankRead(p)),
            "give_back": In(1),
            **({"windows": In(pulse(lay.window_write))} if p.operators.convolution else {}),
            "event": Out(pulse(lay.event)),
            "iteration_event": Out(pulse(lay.event)),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        windows = Windows.memories(p) if p.operators.convolution else []
        return [*RegionTracker.memories(p), *Banks.memories(p), *Parking.memories(p), *windows]

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.engine = engine = ComputeEngine(p)
        m.submodules.bank_ownership = owner = BankOwnership(p)
        m.submodules.banks = banks = Banks(p)
        m.submodules.parking = parking = Parking(p)
        join(m, self, engine, (*_ENGINE_PORTS, *(["windows"] if p.operators.convolution else [])))
        connect(m, flipped(self.grant), parking.grant)
        connect(m, flipped(self.placed), banks.placed)
        connect(m, engine.sums, banks.update)
        connect(m, flipped(self.sums), banks.store)
        m.d.comb += [
            engine.bank_free.eq(owner.any_free),
            engine.bank.eq(owner.lowest),
            self.bank_free.eq(owner.any_free),
            self.bank.eq(owner.lowest),
            owner.take.eq(engine.take_bank | self.take_bank),
            owner.back.eq(parking.free),
            engine.resume_bank.eq(parking.resume_bank),
            engine.resume_ready.eq(parking.resume_ready),
            engine.evicting.eq(parking.evicting),
            parking.bank.eq(engine.swap_bank),
            parking.dropped.eq(engine.drop),
            parking.preload.eq(self.take_bank),
            parking.preload_bank.eq(owner.lowest),
            parking.given.eq(self.give_back),
            parking.given_bank.eq(self.sums.bank),
            self.resident.eq(parking.resident),
            self.store.valid.eq(engine.store.valid | parking.evicted.valid),
            self.store.payload.eq(engine.store.payload),
            self.complete.eq(engine.complete | parking.evicted.valid),
        ]
        with m.If(parking.evicted.valid):
            m.d.comb += self.store.payload.eq(parking.evicted.payload)
        if p.buffers.spare:
            m.d.comb += [
                parking.keeps.eq(engine.keeps),
                parking.swap.eq(engine.swap),
                parking.swap_strategy.eq(engine.swap_strategy),
                parking.output.eq(engine.swap_output),
            ]
        return m
