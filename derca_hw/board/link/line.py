"""The byte level of the link: a UART that computes the CRC of the bytes that pass."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.link import BYTE_BITS, GAP_BYTES
from derca_sim.model.tables import bits_for

#: The reflected polynomial of CRC-32 (IEEE 802.3).
POLYNOMIAL = 0xEDB88320


class LinkLine(wiring.Component):
    """Sends or receives bytes with 8 data bits and a stop bit, one direction at a time, and computes their CRC-32.

    A byte takes `BYTE_BITS` bit times of `divisor` cycles each. `done` comes in the middle of the stop bit of a
    received byte, 2 cycles late through synchronisation, and at the beginning of the stop bit of a sent one.

    Parameters
    ----------
    divisor
        Clock cycles per bit, at least 4.

    Attributes
    ----------
    rx, tx : In(1), Out(1)
        The pins. Received bits are sampled in their middle.
    transmit, data : In(1), In(8)
        Send a byte as soon as the line is free. `data` is taken when a bit time ends. Nothing is received meanwhile.
    byte : Out(8)
        The received byte, with `done`.
    done : Out(1)
        A byte has passed.
    broken : Out(1)
        A byte came without its stop bit.
    quiet : Out(1)
        Nothing has been received for the time of `GAP_BYTES` bytes.
    fresh : In(1)
        The CRC begins with the next byte.
    closing : In(1)
        The byte belongs to the CRC: the CRC is sent instead of `data`, or a received byte is compared with it.
    damaged : Out(1)
        A received CRC has been wrong since `fresh`.
    """

    def __init__(self, divisor: int):
        if divisor < 4:
            raise ValueError(f"divisor must be at least 4 cycles per bit, not {divisor}")
        self._divisor = divisor
        super().__init__({
            "rx": In(1, init=1),
            "tx": Out(1, init=1),
            "transmit": In(1),
            "data": In(8),
            "byte": Out(8),
            "done": Out(1),
            "broken": Out(1),
            "quiet": Out(1),
            "fresh": In(1),
            "closing": In(1),
            "damaged": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        pin = Signal(init=1)
        level = Signal(init=1)
        before = Signal(init=1)
        m.d.sync += [pin.eq(self.rx), level.eq(pin), before.eq(level)]

        # -- bits: 9 is the start bit of a received byte, 8 .. 1 data, 0 the stop bit ----------------------------------
        divider = Signal(range(self._divisor))
        bits = Signal(4)
        active = Signal()
        sending = Signal()
        tick = Signal()
        data_bit = Signal()
        bit = Signal()
        shift = Signal(8, reset_less=True)
        crc = Signal(32, reset_less=True)
        pause = GAP_BYTES * BYTE_BITS
        quiet = Signal(bits_for(pause))  # it stops at `pause`, so the ones of `pause` are enough to compare
        m.d.comb += [
            tick.eq(divider == 0),
            data_bit.eq(active & tick & (bits != 0) & (bits != 9)),
            bit.eq(Mux(sending, Mux(self.closing, ~crc[0], shift[0]), level)),
            self.byte.eq(shift),
            self.done.eq(active & tick & (bits == 0) & (sending | level & ~self.transmit)),
            self.broken.eq(active & tick & (bits == 0) & ~sending & ~level),
            self.quiet.eq((quiet & pause) == pause),
        ]
        m.d.sync += divider.eq(Mux(tick, self._divisor - 1, divider - 1))
        with m.If(active):
            with m.If(tick):
                m.d.sync += bits.eq(bits - 1)
                with m.If((bits == 0) | (bits == 9) & level):
                    m.d.sync += active.eq(0)
                with m.If(sending):
                    m.d.sync += self.tx.eq(bit | (bits == 0))
        with m.Elif(self.transmit):
            with m.If(tick):
                m.d.sync += [active.eq(1), sending.eq(1), bits.eq(8), shift.eq(self.data), self.tx.eq(0)]
        with m.Elif(before & ~level):
            m.d.sync += [active.eq(1), sending.eq(0), bits.eq(9), divider.eq(self._divisor // 2 - 1), quiet.eq(0)]
        with m.Elif(tick & ~self.quiet):
            m.d.sync += quiet.eq(quiet + 1)
        with m.If(data_bit):
            m.d.sync += shift.eq(Cat(shift[1:], level))

        # -- CRC, a bit at a time -------------------------------------------------------------------------------------
        feedback = Signal()
        m.d.comb += feedback.eq((crc[0] ^ bit) & ~self.closing)
        with m.If(self.fresh):
            m.d.sync += [crc.eq(~0), self.damaged.eq(0)]
        with m.Elif(data_bit):
            m.d.sync += crc.eq(crc[1:] ^ Mux(feedback, Const(POLYNOMIAL, 32), 0))
            with m.If(self.closing & (bit == crc[0])):
                m.d.sync += self.damaged.eq(1)
        return m
