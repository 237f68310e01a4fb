"""The second matrix D behind the requantisation: when its columns are read, and how they are added to the outputs."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.network import WIDEN
from derca_sim.model.platform import Platform, RequantConfig
from derca_sim.model.residual import residual_slots
from derca_sim.model.rounding import Rounding
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import StoreTiming

from ...families.multiplier import MultiplierRow
from ...layouts import Layouts
from ..signatures.operands import ResidualRead
from ..signatures.sums import bank_address, subs_of_word
from .requant import RequantLane


class ResidualReader(wiring.Component):
    """Reads D in step with a bank, but `StoreTiming.RESIDUAL` cycles later: when the outputs that it is added to come.

    Attributes
    ----------
    read, sub, address : In
        The step that is made: whether it is the first of a word, its number in the word, the word's column of D.
    slot : In
        The slot of D of the tile in work.
    used : In(1)
        The tile has a slot of D.
    finished : In(1)
        The step is the tile's last.
    residual : Out(`ResidualRead`)
    values : Out
        What is added to the outputs of a step, `StoreTiming.RESIDUAL` + 1 cycles after it.
    """

    def __init__(self, p: Platform):
        self._p = p
        super().__init__({
            "read": In(1),
            "sub": In(range(subs_of_word(p))),
            "address": In(bank_address(p)),
            "slot": In(bits_for(residual_slots(p) - 1)),
            "used": In(1),
            "finished": In(1),
            "residual": Out(ResidualRead(p)),
            "values": Out(8 * p.store.requant_lanes),
        })

    def elaborate(self, platform):
        m = Module()
        p, residual = self._p, self.residual
        step = data.StructLayout({
            "read": 1, "free": 1, "sub": self.sub.shape(), "address": self.address.shape(), "slot": self.slot.shape(),
        })
        now = Signal(step)
        m.d.comb += [
            now.read.eq(self.read & self.used), now.free.eq(self.finished & self.used), now.sub.eq(self.sub),
            now.address.eq(self.address), now.slot.eq(self.slot),
        ]
        for i in range(StoreTiming(p).RESIDUAL):
            later = Signal(step, name=f"later_{i}")
            m.d.sync += later.eq(now)
            now = later
        picked = Signal.like(now.sub)
        m.d.sync += picked.eq(now.sub)
        m.d.comb += [
            residual.read.eq(now.read),
            residual.slot.eq(now.slot),
            residual.address.eq(now.address),
            residual.free.eq(now.free),
            self.values.eq(residual.column.word_select(picked, len(self.values))),
        ]
        return m


class ResidualLane(wiring.Component):
    """Adds an output and an element of D, as `Add` says, one pair per cycle, in `StoreTiming.ADD` cycles.

    One operand is multiplied, the other halved: the halves of both scales that TensorFlow Lite takes in common leave
    one of them a factor of one half. The sum goes through a requantisation of its own, whose value is not registered.
    Parameters must be stable while values pass. Those of `UNCHANGED` let outputs pass unchanged.

    Attributes
    ----------
    own, d : In(signed(8))
    row : In
        The layer's parameters.
    value : Out(signed(8))
    """

    def __init__(self, p: Platform):
        self._lay = Layouts(p)
        super().__init__({
            "own": In(signed(8)), "d": In(signed(8)), "row": In(self._lay.parameters), "value": Out(signed(8)),
        })

    def elaborate(self, platform):
        m = Module()
        row = self.row
        # What is multiplied, and what is halved
        scaled = Signal(signed(8))
        halved = Signal(signed(8))
        scaled_difference = Signal(signed(9))
        halved_difference = Signal(signed(9))
        m.d.sync += [
            scaled.eq(Mux(row.scales_d, self.d & row.add.replicate(8), self.own)),
            halved.eq(Mux(row.scales_d, self.own, self.d)),
            scaled_difference.eq(scaled - Mux(row.scales_d, row.d_zero_point, row.own_zero_point).as_signed()),
            halved_difference.eq(halved - Mux(row.scales_d, row.own_zero_point, row.d_zero_point).as_signed()),
        ]

        # Magnitude and sign go separate ways: the first rounding takes halves up, the second away from zero
        negative = Signal(MultiplierRow.LATENCY + 2)
        beside = [Signal(signed(9), name=f"halved_{i}") for i in range(MultiplierRow.LATENCY + 2)]
        m.d.sync += negative.eq(Cat(scaled_difference < 0, negative))
        m.d.sync += [after.eq(before) for before, after in zip([halved_difference, *beside], beside, strict=False)]
        m.submodules.multiplier = multiplier = MultiplierRow(16, 2, is_signed=False)
        low, high = (multiplier.products.word_select(i, 32) for i in range(2))
        magnitude = Signal(28)
        kept = Signal(29)  # with the rounding bit below
        half = Mux(negative[MultiplierRow.LATENCY - 1], (1 << 10) - 1, 1 << 10)
        m.d.comb += [
            multiplier.a.eq(Mux(scaled_difference < 0, -scaled_difference, scaled_difference)),
            multiplier.b.eq(row.factor),
        ]
        m.d.sync += [
            magnitude.eq(((high << 16) + low + half) >> 11),
            kept.eq(Cat(0, magnitude) >> row.factor_shift),
        ]

        # One addition for both signs: its lowest bit produces the rounding carry
        m.submodules.requant = requant = RequantLane(8, RequantConfig(tflite=True, clamp=True))
        m.d.comb += [
            requant.sum.eq((Cat(1, Const(0, WIDEN - 1), beside[-1]).as_signed()
                            + Cat(kept ^ negative[-1].replicate(29), negative[-1]).as_signed()) >> 1),
            requant.multiplier.eq(row.sum_multiplier),
            requant.shift.eq(row.sum_shift),
            requant.rounding.eq(Rounding.TWICE),
            requant.zero_point.eq(row.sum_zero_point),
            requant.low.eq(row.sum_low),
            requant.high.eq(row.sum_high),
            self.value.eq(requant.value),
        ]
        return m
