"""The compute engine with its slots, placer and banks, as a component with ports for a test."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_hw.accelerator.compute.banks import Banks
from derca_hw.accelerator.compute.compute import ComputeEngine
from derca_hw.accelerator.load.placer import BeatPlacer
from derca_hw.accelerator.load.slots import InputSlots
from derca_hw.accelerator.signatures.operands import OperandRead, TileSupply
from derca_hw.accelerator.signatures.sums import BankRead, BankUpdate
from derca_hw.bus.join import join
from derca_hw.layouts import Layouts, pulse

#: Ports of the compute engine that the test drives and sees, its own and those of its tiles.
ENGINE_IN = ("barrier", "bank_free", "bank", "resume_bank", "resume_ready", "evicting", "waiting")
ENGINE_OUT = ("feedback", "take_bank", "keeps", "swap", "swap_strategy", "swap_bank", "drop", "complete", "busy",
              "activity", "premature")
TILES_IN, TILES_OUT = ("a_slot", "b_slot", "a_full", "b_full"), ("release", "last_a", "last_b")
#: What the store engine's side of the banks gets.
SUMS_IN = ("read", "bank", "address")


class ComputeBench(wiring.Component):
    """Compute engine, input slots, beat placer and banks, wired as the accelerator wires them."""

    def __init__(self, p):
        self._p = p
        lay = Layouts(p)
        self._engine = ComputeEngine(p)
        engine, sums = self._engine.signature.members, BankRead(p).members
        tiles, operands, update = TileSupply(p).members, OperandRead(p).members, BankUpdate(p).members
        super().__init__({
            **{n: In(engine[n].shape) for n in (*ENGINE_IN, "now")}, **{n: Out(engine[n].shape) for n in ENGINE_OUT},
            **{n: In(tiles[n].shape) for n in TILES_IN}, **{n: Out(tiles[n].shape) for n in TILES_OUT},
            "read": Out(operands["read"].shape), "write": Out(update["write"].shape),
            "grant": In(pulse(lay.grant)), "regions": In(stream.Signature(lay.region)),
            "head": In(stream.Signature(lay.tag)), "store": Out(pulse(lay.store)), "beat": In(pulse(lay.read_beat)),
            "iteration_event": Out(pulse(lay.event)), "event": Out(pulse(lay.event)),
            **{f"store_{n}": In(sums[n].shape) for n in SUMS_IN}, "store_word": Out(sums["word"].shape),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.engine = engine = self._engine
        m.submodules.banks = banks = Banks(p)
        m.submodules.slots = slots = InputSlots(p)
        m.submodules.placer = placer = BeatPlacer(p)
        join(m, self, engine, (*ENGINE_IN, "now", *ENGINE_OUT, "store", "iteration_event", "event", "grant", "regions"))
        connect(m, flipped(self.head), engine.tiles.head)
        connect(m, flipped(self.beat), placer.beat)
        connect(m, placer.placed, slots.placed)
        connect(m, placer.placed, banks.placed)
        connect(m, engine.operands, slots.operands)
        connect(m, engine.biases, slots.biases)
        connect(m, engine.sums, banks.update)
        tiles = engine.tiles
        m.d.comb += [
            *(getattr(tiles, name).eq(getattr(self, name)) for name in TILES_IN),
            *(getattr(self, name).eq(getattr(tiles, name)) for name in TILES_OUT),
            *(getattr(banks.store, name).eq(getattr(self, f"store_{name}")) for name in SUMS_IN),
            self.read.eq(engine.operands.read), self.write.eq(engine.sums.write),
            slots.started.eq(self.head.valid & self.head.ready), slots.started_new.eq(self.head.p.new_b),
            slots.started_slot.eq(self.b_slot), tiles.bias_set.eq(slots.bias_set),
            self.store_word.eq(banks.store.word),
        ]
        return m
