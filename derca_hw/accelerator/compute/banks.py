"""Output banks: memories of int32 partial sums, and which are free."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import ComputeTiming, KernelTiming

from ...blocks.ram import Buffer, Ram
from ...layouts import Destination
from ..signatures.operands import PlacedBeat, word_in_unit
from ..signatures.sums import BankRead, BankUpdate, bank_address


class BankOwnership(wiring.Component):
    """Keeps which banks are free.

    A bank is taken in the cycle in which it is offered. It is free in the cycle after it is given back.

    Attributes
    ----------
    any_free : Out(1)
        A bank is free.
    lowest : Out
        The free bank with the lowest number.
    take : In(1)
        Claims bank `lowest`.
    back : In
        The banks that are given back, a bit per bank.
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
    """Holds int32 partial sums in one simple dual-port memory per bank.

    A word is one column of `rows` sums. Its address is the panel and the column in the tile. A word read appears one
    cycle after its address and stays until the next read of that bank.

    There are three users, and never two on the same bank. The compute engine updates: it writes a word 2 cycles after
    it has read it. The store engine reads. The load engine preloads beat by beat.

    Attributes
    ----------
    placed : In(`PlacedBeat`)
        Read data for banks. Beats for slots are ignored.
    update : In(`BankUpdate`)
        Reads and writes of the compute engine.
    store : In(`BankRead`)
        Reads of the store engine.
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
                    p.bus.data_width, "banks of sums (tile.m, tile.n, buffers.banks)")]

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
        # Sums are loaded back only after a switch. Their first beat comes a request and an answer after the entry, at
        # the earliest. If that is after the last column of the old job's sums, the banks have one writer at a time.
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
                write.addr.eq(Mux(from_array, update.write_address, word_in_unit(p, placed, n_bits))),
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
