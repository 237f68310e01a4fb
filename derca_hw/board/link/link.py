"""The link: lets a host reach registers, main memory and events of an accelerator through a serial line."""

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.link import ANSWER, REQUEST, Status, Target
from derca_sim.model.platform import Platform

from .access import LinkAccess, host_ports
from .answers import Answers
from .header import Header
from .line import LinkLine
from .payload import Payload

#: Bytes of the header of an answer, after the one that begins the frame.
ANSWER_HEADER = 3


class Parts(NamedTuple):
    """The parts of the link, and what it remembers beside them."""

    line: LinkLine
    header: Header
    payload: Payload
    access: LinkAccess
    answers: Answers
    #: An answer is sent; else a request is received.
    answering: Signal
    #: The place is behind the last word of the payload.
    complete: Signal
    #: A byte of the request's payload has been fetched.
    shifting: Signal


class UartLink(wiring.Component):
    """Executes requests that arrive on a UART, and answers: the protocol of `derca_sim.model.link`.

    Nothing is executed before the CRC was right; a payload waits in a buffer until then. A request with the number
    executed last gets the kept answer again. Damaged frames, and frames broken off by a pause, are ignored. A word of a
    frame takes 40 bit times on the line. Its execution takes 5 cycles beside its access (`LinkAccess`).

    Parameters
    ----------
    divisor
        Clock cycles per bit, at least 4.

    Attributes
    ----------
    rx, tx : In(1), Out(1)
        The pins.

    and the members of `host_ports`.
    """

    def __init__(self, p: Platform, divisor: int):
        self._p = p
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), **host_ports(p)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.line = line = LinkLine(self._divisor)
        m.submodules.header = header = Header()
        m.submodules.payload = payload = Payload()
        m.submodules.access = access = LinkAccess(self._p)
        m.submodules.answers = answers = Answers()
        answering = Signal()
        complete = Signal()
        shifting = Signal()
        for name in host_ports(self._p):
            _join(m, self, access, name)
        m.d.comb += [
            line.rx.eq(self.rx),
            self.tx.eq(line.tx),
            header.byte.eq(line.byte),
            header.index.eq(Cat(payload.byte, payload.word)),
            header.last.eq(answers.last),
            header.after.eq(answers.after),
            payload.data.eq(Mux(payload.to_answer, access.low, line.byte)),
            payload.from_answer.eq(answering),
            access.address_byte.eq(line.byte),
            access.address_load.eq(header.address_load),
            access.write.eq(header.write),
            access.target.eq(header.target),
            access.advance.eq(header.advance),
            access.odd.eq(payload.word[0]),
            access.byte.eq(payload.fetched),
            answers.bare.eq(header.write),
            access.shift.eq(shifting | payload.to_answer),
            answers.words.eq(payload.word),
            complete.eq(payload.word == Mux(answering, answers.count, header.count)),
        ]
        m.d.sync += shifting.eq(0)
        parts = Parts(line, header, payload, access, answers, answering, complete, shifting)
        with m.FSM():
            self._pass_frame(m, parts)
            self._judge(m, parts)
            self._execute(m, parts)
        with m.If(answers.finish):
            m.d.sync += answering.eq(1)
        return m

    def _pass_frame(self, m, parts: Parts):
        """Receive a request, or send the answer: first byte, header, payload, CRC."""
        line, header, payload, answers, answering = (
            parts.line, parts.header, parts.payload, parts.answers, parts.answering)
        broken_off = ~answering & (line.broken | line.quiet)
        with m.State("MAGIC"):
            m.d.comb += [
                line.transmit.eq(answering), line.data.eq(ANSWER), line.fresh.eq(1), payload.rewind.eq(1),
            ]
            with m.If(line.done & (answering | (line.byte == REQUEST))):
                m.next = "HEADER"
        with m.State("HEADER"):
            m.d.comb += [
                line.transmit.eq(answering),
                header.take.eq(line.done & ~answering),
                payload.step.eq(line.done),
                payload.next_word.eq(line.done & (payload.byte == 3)),
            ]
            with m.Switch(payload.byte):
                with m.Case(0):
                    m.d.comb += line.data.eq(answers.last)
                with m.Case(1):
                    m.d.comb += line.data.eq(answers.status)
                with m.Default():
                    m.d.comb += line.data.eq(answers.count)
            with m.If(line.done & answering & (payload.byte == ANSWER_HEADER - 1)):
                m.d.comb += payload.rewind.eq(1)
                m.next = "PAYLOAD"
                with m.If(answers.status[2]):
                    m.next = "CLOSE"
            with m.If(header.take & (header.index == Header.BYTES - 1)):
                m.d.comb += payload.rewind.eq(1)
                m.next = "CLOSE"
                with m.If(header.write):
                    m.next = "PAYLOAD"
            with m.If(broken_off):
                m.next = "MAGIC"
        with m.State("PAYLOAD"):
            with m.If(parts.complete):
                m.d.comb += payload.rewind.eq(1)
                m.next = "CLOSE"
            with m.Else():
                m.d.comb += [
                    line.transmit.eq(answering),
                    line.data.eq(payload.fetched),
                    payload.write.eq(line.done & ~answering),
                    payload.step.eq(line.done),
                    payload.next_word.eq(line.done & (payload.byte == 3)),
                ]
                with m.If(broken_off):
                    m.next = "MAGIC"
        with m.State("CLOSE"):
            m.d.comb += [line.closing.eq(1), line.transmit.eq(answering), payload.step.eq(line.done)]
            with m.If(line.done & (payload.byte == 3)):
                m.next = "JUDGE"
                with m.If(answering):
                    m.d.sync += answering.eq(0)
                    m.next = "MAGIC"
            with m.If(broken_off):
                m.next = "MAGIC"

    def _judge(self, m, parts: Parts):
        """Ignore a damaged request; execute the one after the last; answer any other at once."""
        header, answers, answering = parts.header, parts.answers, parts.answering
        with m.State("JUDGE"):
            m.next = "MAGIC"
            with m.If(~parts.line.damaged):
                m.d.comb += answers.judge.eq(1)
                with m.If(header.unknown):
                    m.d.comb += answers.error.eq(Status.UNKNOWN)
                    m.d.sync += answering.eq(1)
                with m.Elif(header.target == Target.SYNC):
                    m.d.comb += answers.synchronise.eq(1)
                    m.d.sync += answering.eq(1)
                with m.Elif(answers.known & header.following):
                    m.d.comb += answers.execute.eq(1)
                    m.next = "WORD"
                with m.Else():
                    m.d.sync += answering.eq(1)
                    with m.If(~(answers.known & header.repeated)):
                        m.d.comb += answers.error.eq(Status.SEQUENCE)

    def _execute(self, m, parts: Parts):
        """Execute a request word by word: a word to be written leaves the buffer first, one read enters it last."""
        header, payload, access, answers = parts.header, parts.payload, parts.access, parts.answers
        with m.State("WORD"):
            with m.If(parts.complete):
                m.d.comb += answers.finish.eq(1)
                m.next = "MAGIC"
            with m.Elif(header.write):
                m.d.comb += payload.step.eq(1)
                m.d.sync += parts.shifting.eq(1)
                with m.If(payload.byte == 3):
                    m.next = "ACCESS"
            with m.Else():
                m.next = "ACCESS"
        with m.State("ACCESS"):
            m.d.comb += access.access.eq(~parts.shifting)
            with m.If(access.done):
                with m.If(access.refused):
                    m.d.comb += [answers.finish.eq(1), answers.refused.eq(header.target != Target.EVENTS)]
                    m.next = "MAGIC"
                with m.Elif(header.write):
                    m.d.comb += payload.next_word.eq(1)
                    m.next = "WORD"
                with m.Else():
                    m.next = "STORE"
        with m.State("STORE"):
            m.d.comb += [payload.to_answer.eq(1), payload.write.eq(1), payload.step.eq(1)]
            with m.If(payload.byte == 3):
                m.d.comb += payload.next_word.eq(1)
                m.next = "WORD"


def _join(m: Module, ours, its, name: str) -> None:
    """Connect a member of the same name, port or stream, of a component and its part."""
    member, own, inner = ours.signature.members[name], getattr(ours, name), getattr(its, name)
    if member.is_signature:
        wiring.connect(m, wiring.flipped(own), inner)
    elif member.flow == In:
        m.d.comb += inner.eq(own)
    else:
        m.d.comb += own.eq(inner)
