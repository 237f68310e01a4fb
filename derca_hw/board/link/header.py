"""The header of a request."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.link import CAPACITY, Target


class Header(wiring.Component):
    """Takes the header of a request byte by byte.

    A byte shows `LATENCY` = 1 cycle later; bytes of the address leave in the same cycle, by `address_load`. Nothing is
    defined before the header's first byte.

    Attributes
    ----------
    take, index, byte : In
        A byte of the header arrives: which one, and its value.
    last, after : In(8)
        The number of the request executed last, and the one after it.
    address_load : Out(4)
        The byte is this one of the address, the least significant first.
    repeated, following : Out(1)
        The request has the number `last` or `after`.
    write, target, advance : Out
        The operation.
    count : Out(8)
        Words.
    unknown : Out(1)
        There is no such operation, or the count exceeds the capacity.
    """

    LATENCY = 1
    #: Bytes of the header, after the one that begins the frame.
    BYTES = 7

    def __init__(self):
        super().__init__({
            "take": In(1),
            "index": In(3),
            "byte": In(8),
            "last": In(8),
            "after": In(8),
            "address_load": Out(4),
            "repeated": Out(1),
            "following": Out(1),
            "write": Out(1),
            "target": Out(2),
            "advance": Out(1),
            "count": Out(8),
            "unknown": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        byte = self.byte
        repeated = Signal(reset_less=True)
        following = Signal(reset_less=True)
        write = Signal(reset_less=True)
        target = Signal(2, reset_less=True)
        advance = Signal(reset_less=True)
        count = Signal(8, reset_less=True)
        unknown = Signal(reset_less=True)
        writable = Cat(byte[1:3] == where for where in (Target.REGISTERS, Target.MEMORY)).any()
        with m.If(self.take):
            with m.Switch(self.index):
                with m.Case(0):  # number
                    m.d.sync += [following.eq(byte == self.after), repeated.eq(byte == self.last)]
                with m.Case(1):  # operation
                    m.d.sync += [
                        Cat(write, target, advance).eq(byte),
                        unknown.eq(byte[4:].any() | byte[0] & ~writable),
                    ]
                with m.Case(2):  # count
                    m.d.sync += [count.eq(byte), unknown.eq(unknown | (byte > CAPACITY))]
                with m.Default():  # address
                    m.d.comb += self.address_load.eq(1 << (self.index - 3)[:2])
        m.d.comb += [
            self.repeated.eq(repeated),
            self.following.eq(following),
            self.write.eq(write),
            self.target.eq(target),
            self.advance.eq(advance),
            self.count.eq(count),
            self.unknown.eq(unknown),
        ]
        return m
