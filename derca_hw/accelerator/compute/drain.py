"""From the array into a bank: adds the sums of a slice column by column while the next slice is computed."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import ComputeTiming

from ...families.multiplier import SB_MAC16_BLOCKS, products_of_lane
from ..signatures.operands import BiasRead
from ..signatures.sums import BankUpdate, bank_address
from .array import PEArray


class Drain(wiring.Component):
    """Adds the columns of a slice to those in its bank, or to biases; one column per cycle.

    With `operators.maximum` the larger of both may be written instead. They are int8 values then, and a slice leaves
    the array after each place of a kernel.

    The first column is written `ComputeTiming.DRAIN` cycles after the addresses of the slice's last operands, the
    others one by one after it. A bank word is read 2 cycles before it is written.

    Attributes
    ----------
    issue : In(1)
        Operands are addressed in this cycle.
    fire : In(1)
        They are the last ones of a slice, or under a place of the kernel of maxima.
    slice : In(slice_layout)
        With `fire`: which slice.
    a_step, b_step : In
        `a_lanes` and `b_lanes` bytes, one cycle after they were addressed.
    biases : Out(`BiasRead`)
        Reads of biases in the input slots.
    bank : Out(`BankUpdate`)
        Reads and writes of the banks.
    complete : Out(1)
        The last column of a slice that completes its tile is being written.
    drained : Out(1)
        No slice is on its way.
    """

    def __init__(self, p: Platform):
        self._p = p
        self.slice_layout = data.StructLayout({
            "bank": bits_for(p.buffers.banks - 1),
            # panel; where tiles have any shape, the first column's place in the bank
            "place": bank_address(p) if p.tile.per_layer else bits_for(p.m_panels - 1),
            "n": bits_for(p.tile.n - 1),  # first column
            "columns": bits_for(p.array.cols),
            "first": 1,  # nothing is in the bank: add the biases
            "complete": 1,  # the output tile is complete with this slice
            "bias_set": bits_for(p.buffers.slots - 1) + 1,
            **({"maximum": 1} if p.operators.maximum else {}),  # the larger of both, not their sum
        })
        super().__init__({
            "issue": In(1),
            "fire": In(1),
            "slice": In(self.slice_layout),
            "a_step": In(8 * p.a_lanes),
            "b_step": In(8 * p.b_lanes),
            "biases": Out(BiasRead(p)),
            "bank": Out(BankUpdate(p)),
            "complete": Out(1),
            "drained": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p, biases, bank = self._p, self.biases, self.bank
        rows = p.array.rows
        blocks = rows * p.array.cols  # if each element takes one
        blocks += products_of_lane(p.operators.add) * p.store.requant_lanes
        m.submodules.array = array = PEArray(
            rows, p.array.cols, 8 * p.array.element_bytes, in_blocks=blocks <= SB_MAC16_BLOCKS)
        operands = Signal(2)  # valid, last: one cycle after the addresses
        m.d.sync += operands.eq(Cat(self.issue, self.fire))
        m.d.comb += [
            array.a.eq(self.a_step),
            array.b.eq(self.b_step),
            array.valid.eq(operands[0]),
            array.last.eq(operands[1]),
        ]

        # Firings are at least `ComputeTiming.UPDATE` cycles apart: at most two are on their way through the array.
        fired = Signal(PEArray.LATENCY)
        entered = Signal(self.slice_layout)
        leaving = Signal(self.slice_layout)
        m.d.sync += fired.eq(Cat(self.fire, fired))
        with m.If(self.fire):
            m.d.sync += entered.eq(self.slice)
        with m.If(fired[ComputeTiming.UPDATE - 1]):
            m.d.sync += leaving.eq(entered)
        # At the array's output; `n` and `columns` follow from there on.
        valid = Signal()
        column = Signal(self.slice_layout)
        ends = Signal()
        m.d.comb += ends.eq(column.columns == 1)
        with m.If(fired[-1]):
            m.d.sync += [valid.eq(1), column.eq(leaving)]
        with m.Elif(valid):
            m.d.sync += [
                valid.eq(~ends), column.place.eq(column.place + p.tile.per_layer), column.n.eq(column.n + 1),
                column.columns.eq(column.columns - 1),
            ]

        # Read the bank word while the column is in a register, add, write.
        read_valid = Signal()
        read_back = Signal(self.slice_layout)
        written_valid = Signal()
        written = Signal(self.slice_layout)
        sums = Signal.like(array.column)
        total = Signal.like(array.column)
        m.d.sync += [
            read_valid.eq(valid),
            read_back.eq(column),
            read_back.complete.eq(valid & column.complete & ends),
            sums.eq(array.column),
            written_valid.eq(read_valid),
            written.eq(read_back),
        ]
        for r in range(rows):
            new, old = sums.word_select(r, 32), Mux(read_back.first, biases.value, bank.row.word_select(r, 32))
            value = new + old
            if p.operators.maximum:
                value = Mux(read_back.maximum, _larger(new[:8].as_signed(), old[:8].as_signed()), value)
            m.d.sync += total.word_select(r, 32).eq(value)
        m.d.comb += [
            bank.read.eq(valid),
            bank.read_bank.eq(column.bank),
            bank.read_address.eq(self._bank_word(column)),
            biases.set.eq(column.bias_set),
            biases.n.eq(column.n),
            bank.write.eq(written_valid),
            bank.write_bank.eq(written.bank),
            bank.write_address.eq(self._bank_word(written)),
            bank.write_row.eq(total),
            self.complete.eq(written_valid & written.complete),
            self.drained.eq(~(fired.any() | valid | read_valid | written_valid)),
        ]
        return m

    def _bank_word(self, column):
        """The address of a column in its bank."""
        return column.place if self._p.tile.per_layer else Cat(column.n, column.place)


def _larger(a, b):
    return Mux(a > b, a, b)
