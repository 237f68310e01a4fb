"""A queue whose content can be dropped."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..families.family import ICE40_RAM
from .ram import Ram, table


class DroppableQueue(wiring.Component):
    """Queues at least `depth` payloads, first in, first out; a payload is there in the cycle after it was put.

    It takes and gives one payload per cycle.

    Attributes
    ----------
    i : In(stream)
    o : Out(stream)
    drop : In(1)
        Drop everything, also what is put in this cycle.
    """

    def __init__(self, payload, depth: int):
        self._payload = payload
        self._bits = (depth - 1).bit_length()
        super().__init__({
            "i": In(stream.Signature(payload)),
            "o": Out(stream.Signature(payload)),
            "drop": In(1),
        })

    @staticmethod
    def memory(width: int, depth: int) -> Ram:
        """The memory of a queue. On the iCE40 two payloads stand in registers, because its RAM would too."""
        return Ram(width, 1 << (depth - 1).bit_length(), 1, "shallow" if depth > 2 else "comb")

    def elaborate(self, family):
        m = Module()
        bits = self._bits
        if bits == 1 and family in ICE40_RAM:
            self._pair(m)
            return m
        write, read = table(m, "rows", self._payload, 1 << bits)
        put = Signal(bits + 1)
        got = Signal(bits + 1)
        m.d.comb += [
            write.addr.eq(put[:bits]),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid & self.i.ready),
            read.addr.eq(got[:bits]),
            self.o.payload.eq(read.data),
            self.o.valid.eq(put != got),
            self.i.ready.eq((put ^ got) != 1 << bits),
        ]
        with m.If(write.en):
            m.d.sync += put.eq(put + 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += got.eq(got + 1)
        with m.If(self.drop):
            m.d.sync += [put.eq(0), got.eq(0)]
        return m

    def _pair(self, m):
        """Two registers, one behind the other: the logic before the first one fits into its logic cells."""
        first = Signal(self._payload)
        second = Signal(self._payload)
        held = Signal(2)  # a payload is there; two are there
        put, got = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += [self.o.valid.eq(held[0]), self.o.payload.eq(first), self.i.ready.eq(~held[1])]
        with m.If(got | ~held[0]):
            m.d.sync += first.eq(Mux(held[1], second, self.i.payload))
        with m.If(put):
            m.d.sync += second.eq(self.i.payload)
        with m.If(put & ~got):
            m.d.sync += held.eq(Cat(1, held))
        with m.Elif(got & ~put):
            m.d.sync += held.eq(held >> 1)
        with m.If(self.drop):
            m.d.sync += held.eq(0)
