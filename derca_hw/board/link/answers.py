"""The head of an answer, and the memory of the request executed last."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.link import CAPACITY, VERSION, Status


class Answers(wiring.Component):
    """Remembers the number of the request executed last and the head of its answer, for that request's repetition.

    A command shows `LATENCY` = 1 cycle later.

    Attributes
    ----------
    judge, error : In
        A whole request has arrived; this `Status` is why it is not executed, else `OKAY`.
    synchronise : In(1)
        Forget the past: the last number is `VERSION`, its answer that to SYNC.
    execute : In(1)
        The request after the last one is executed.
    finish, refused, bare, words : In
        It is over: whether it was refused, whether its answer has no payload, how many words were done.
    last, after : Out(8)
        The number executed last, and the one after it.
    known : Out(1)
        Numbers are synchronised.
    status : Out(3)
        Of the answer to the last whole request.
    count : Out(8)
        Words of the last executed request's answer.
    """

    LATENCY = 1

    def __init__(self):
        super().__init__({
            "judge": In(1),
            "error": In(2),
            "synchronise": In(1),
            "execute": In(1),
            "finish": In(1),
            "refused": In(1),
            "bare": In(1),
            "words": In(8),
            "last": Out(8),
            "after": Out(8),
            "known": Out(1),
            "status": Out(3),
            "count": Out(8),
        })

    def elaborate(self, platform):
        m = Module()
        last = Signal(8, reset_less=True)
        error = Signal(2, reset_less=True)
        refused = Signal(reset_less=True)
        bare = Signal(reset_less=True)
        count = Signal(8, reset_less=True)
        m.d.comb += [
            self.last.eq(last),
            self.after.eq(last + 1),
            self.status.eq(Mux(error != Status.OKAY, Cat(error, 1), Cat(refused, 0, bare))),
            self.count.eq(count),
        ]
        with m.If(self.judge):
            m.d.sync += error.eq(self.error)
        with m.If(self.synchronise):
            m.d.sync += [last.eq(VERSION), self.known.eq(1), refused.eq(0), bare.eq(1), count.eq(CAPACITY)]
        with m.Elif(self.execute):
            m.d.sync += last.eq(self.after)
        with m.If(self.finish):
            m.d.sync += [refused.eq(self.refused), bare.eq(self.bare), count.eq(self.words)]
        return m
