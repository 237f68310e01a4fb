"""Output banks: memories of int32 partial sums, and which are free."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import ComputeTiming, KernelTiming

from ...blocks.ram import Buffer, Ram
from ...layouts import Destination
from ..signatures.operands import PlacedBeat
from ..signatures.sums import BankRead, BankUpdate, bank_address


class BankOwnership(wiring.Component):
    """Free banks. A bank is taken in the cycle it is offered and free in the cycle after it is given back.

    Attributes
    ----------
    any_free, lowest : Out
    take : In
        Claims bank `lowest`.
    back : In
        The banks that are given back.
    """

    def __init__(self, p: Platform):
        self._p = p
        super().__init__({
            "any_free": Out(1),
            "lowest": Out(bits_for(p.buffers.banks - 1)),
            "take": In(1),
            "back": In(p.buffers.banks),
        })

    def elaborate(self, platform):
        m = Module()
        n = self._p.buffers.banks
        free = Signal(n, init=(1 << n) - 1)
        m.d.comb += self.any_free.eq(free.any())
        for i in reversed(range(n)):
            with m.If(free[i]):
                m.d.comb += self.lowest.eq(i)
        for i in range(n):
            with m.If(self.take & (self.lowest == i)):
                m.d.sync += free[i].eq(0)
            with m.If(self.back[i]):
                m.d.sync += free[i].eq(1)
        return m


class Banks(wiring.Component):
    """One simple dual-port memory per bank, word = one column of `rows` sums, addressed by (panel, n).

    Three users, never two on the same bank: the compute engine updates (read, then write 2 cycles later), the store
    engine reads, the load engine preloads beat by beat. A read appears one cycle after its address and stays until the
    next read of that bank.

    Attributes
    ----------
    placed : In
        Read data for banks; beats for slots are ignored.
    update : In
        The compute engine's side.
    store : In
        The store engine's side.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._word = 8 * p.beat_bytes * p.bank_word_beats
        super().__init__({
            "placed": In(PlacedBeat(p)),
            "update": In(BankUpdate(p)),
            "store": In(BankRead(p)),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [Ram(8 * p.beat_bytes * p.bank_word_beats, 1 << bank_address(p), p.buffers.banks, "buffer",
                    p.bus.data_width)]

    def elaborate(self, platform):
        m = Module()
        p = self._p
        beat_bits = p.bus.data_width
        n_bits = bits_for(p.tile.n - 1)
        placed, update, store = self.placed, self.update, self.store
        update_bank = Signal.like(update.read_bank)
        store_bank = Signal.like(store.bank)
        with m.If(update.read):
            m.d.sync += update_bank.eq(update.read_bank)
        with m.If(store.read):
            m.d.sync += store_bank.eq(store.bank)
        rows = []
        target = placed.beat.p.target
        # Sums are loaded back only after a switch. Where their first beat, a request and an answer after the entry at
        # the earliest, comes after the last column of what was computed before, all banks are written by one at a time.
        alone = KernelTiming(p).SWITCH + 4 > ComputeTiming.DRAIN + p.array.cols - 1
        for i in range(p.buffers.banks):
            m.submodules[f"bank_{i}"] = memory = Buffer(self._word, 1 << bank_address(p), lane=beat_bits)
            write, read = memory.write, memory.read
            updating = Signal(name=f"updating_{i}")
            preloading = Signal(name=f"preloading_{i}")
            update_reads = Signal(name=f"update_reads_{i}")
            from_array = update.write if alone else updating
            m.d.comb += [
                updating.eq(update.write & (update.write_bank == i)),
                preloading.eq(placed.beat.valid & (target.destination == Destination.BANK) & (target.unit == i)),
                update_reads.eq(update.read & (update.read_bank == i)),
                write.addr.eq(Mux(from_array, update.write_address, Cat(placed.word[:n_bits], target.panel))),
                write.data.eq(Mux(from_array, update.write_row, placed.beat.p.data.replicate(p.bank_word_beats))),
                read.addr.eq(Mux(update_reads, update.read_address, store.address)),
                read.en.eq(update_reads | (store.read & (store.bank == i))),
            ]
            for lane in range(p.bank_word_beats):
                m.d.comb += write.en[lane].eq(updating | (preloading & (placed.lane == lane)))
            rows.append(read.data)
        m.d.comb += [
            update.row.eq(Array(rows)[update_bank]),
            store.word.eq(Array(rows)[store_bank]),
        ]
        return m
