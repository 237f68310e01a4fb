"""Output banks: memories of int32 partial sums, and which are free."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import ComputeTiming, KernelTiming

from ...blocks.ram import Buffer
from ...layouts import Destination, Layouts, pulse


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
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._word = 8 * p.beat_bytes * p.bank_word_beats
        bank = bits_for(p.buffers.banks - 1)
        panel, n = bits_for(p.m_panels - 1), bits_for(p.tile.n - 1)
        self._address = panel + n
        super().__init__({
            "beat": In(pulse(lay.read_beat)),
            "beat_word": In(range(max(p.tile.k, p.tile.n))),
            "beat_lane": In(bits_for(max(p.bank_word_beats, p.a_lanes, p.b_lanes))),
            "update_read": In(1),
            "update_bank": In(bank),
            "update_address": In(self._address),
            "update_row": Out(32 * p.array.rows),
            "write": In(1),
            "write_bank": In(bank),
            "write_address": In(self._address),
            "write_row": In(32 * p.array.rows),
            "store_read": In(1),
            "store_bank": In(bank),
            "store_address": In(self._address),
            "store_word": Out(self._word),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        beat_bits = p.bus.data_width
        n_bits = bits_for(p.tile.n - 1)
        update_bank = Signal.like(self.update_bank)
        store_bank = Signal.like(self.store_bank)
        with m.If(self.update_read):
            m.d.sync += update_bank.eq(self.update_bank)
        with m.If(self.store_read):
            m.d.sync += store_bank.eq(self.store_bank)
        rows = []
        target = self.beat.p.target
        # Sums are loaded back only after a switch. Where their first beat, a request and an answer after the entry at
        # the earliest, comes after the last column of what was computed before, all banks are written by one at a time.
        alone = KernelTiming(p).SWITCH + 4 > ComputeTiming.DRAIN + p.array.cols - 1
        for i in range(p.buffers.banks):
            m.submodules[f"bank_{i}"] = memory = Buffer(self._word, 1 << self._address, lane=beat_bits)
            write, read = memory.write, memory.read
            updating = Signal(name=f"updating_{i}")
            preloading = Signal(name=f"preloading_{i}")
            update_reads = Signal(name=f"update_reads_{i}")
            from_array = self.write if alone else updating
            m.d.comb += [
                updating.eq(self.write & (self.write_bank == i)),
                preloading.eq(self.beat.valid & (target.destination == Destination.BANK) & (target.unit == i)),
                update_reads.eq(self.update_read & (self.update_bank == i)),
                write.addr.eq(Mux(from_array, self.write_address, Cat(self.beat_word[:n_bits], target.panel))),
                write.data.eq(Mux(from_array, self.write_row, self.beat.p.data.replicate(p.bank_word_beats))),
                read.addr.eq(Mux(update_reads, self.update_address, self.store_address)),
                read.en.eq(update_reads | (self.store_read & (self.store_bank == i))),
            ]
            for lane in range(p.bank_word_beats):
                m.d.comb += write.en[lane].eq(updating | (preloading & (self.beat_lane == lane)))
            rows.append(read.data)
        m.d.comb += [
            self.update_row.eq(Array(rows)[update_bank]),
            self.store_word.eq(Array(rows)[store_bank]),
        ]
        return m
