"""The payloads of a request and of an answer."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.link import CAPACITY
from derca_sim.model.tables import bits_for


class Payload(wiring.Component):
    """A buffer for the payload of a request and one for that of an answer, with a place that goes through both.

    A command shows `LATENCY` = 1 cycle later. `fetched` is the byte at the place of the cycle before, undefined if that
    byte was being written.

    Attributes
    ----------
    step, next_word, rewind : In(1)
        Go to the next byte of the word; count words; or return to the first byte of the first word.
    byte, word : Out
        The place. It counts the bytes of headers and CRC, too.
    write, data : In
        Write a byte at the place.
    to_answer, from_answer : In(1)
        The byte is written into the answer's payload, or fetched from it; else the request's.
    fetched : Out(8)
    """

    LATENCY = 1

    def __init__(self):
        super().__init__({
            "step": In(1),
            "next_word": In(1),
            "rewind": In(1),
            "byte": Out(2),
            "word": Out(8),
            "write": In(1),
            "data": In(8),
            "to_answer": In(1),
            "from_answer": In(1),
            "fetched": Out(8),
        })

    def elaborate(self, platform):
        m = Module()
        byte = Signal(2, reset_less=True)
        word = Signal(8, reset_less=True)
        m.d.sync += byte.eq(Mux(self.rewind, 0, byte + self.step))
        m.d.sync += word.eq(Mux(self.rewind, 0, word + self.next_word))
        half = 4 * CAPACITY
        # Read-during-write returns undefined data; no reader depends on it.
        m.submodules.buffer = buffer = Memory(shape=8, depth=2 * half, init=[], attrs={"no_rw_check": 1})
        store, fetch = buffer.write_port(), buffer.read_port(transparent_for=())
        within = Cat(byte, word)[:bits_for(half - 1)]
        m.d.comb += [
            self.byte.eq(byte),
            self.word.eq(word),
            store.addr.eq(Cat(within, self.to_answer)),
            store.data.eq(self.data),
            store.en.eq(self.write),
            fetch.addr.eq(Cat(within, self.from_answer)),
            fetch.en.eq(1),
            self.fetched.eq(fetch.data),
        ]
        return m
