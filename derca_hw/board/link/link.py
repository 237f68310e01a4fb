"""The link: lets a host reach registers, main memory and events of an accelerator through a serial line."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.link import ANSWER, CAPACITY, REQUEST, VERSION, Status, Target
from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from .access import LinkAccess, host_ports
from .line import LinkLine

#: Bytes of the header of a request and of an answer, after the first.
REQUEST_HEADER, ANSWER_HEADER = 7, 3


class UartLink(wiring.Component):
    """Executes requests that arrive on a UART, and answers: the protocol of `derca_sim.model.link`.

    Nothing is executed before the CRC was right; a payload waits in a buffer until then. A request with the number
    executed last gets the kept answer again. Frames that are damaged, or broken off by a pause, are ignored. A word
    of a frame takes 40 bit times on the line, and 5 cycles and its access (`LinkAccess`) when it is executed.

    Parameters
    ----------
    divisor
        Clock cycles per bit, at least 4.

    Attributes
    ----------
    rx, tx : the pins
    and the members of `host_ports`.
    """

    def __init__(self, p: Platform, divisor: int):
        self._p = p
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), **host_ports(p)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.line = line = LinkLine(self._divisor)
        m.submodules.access = access = LinkAccess(self._p)
        m.d.comb += [line.rx.eq(self.rx), self.tx.eq(line.tx)]
        for name in host_ports(self._p):
            _join(m, self, access, name)

        # -- what is known of the request, of the answer, and of the request before --------------------------------
        def register(width=1):
            return Signal(width, reset_less=True, src_loc_at=1)

        last = register(8)
        known = Signal()
        following = register()
        repeated = register()
        write = register()
        target = register(2)
        advance = register()
        unknown = register()
        count = register(8)
        kept_count = register(8)
        kept_code = register()
        kept_bare = register()
        error = register(2)
        answering = Signal()

        # -- place in the frame: byte of the header, word and byte of the payload, byte of the CRC -------------------
        byte = register(2)
        word = register(8)
        place = Cat(byte, word)
        step = Signal()
        next_word = Signal()
        rewind = Signal()
        full = Signal()
        m.d.comb += full.eq(word == Mux(answering, kept_count, count))
        m.d.sync += byte.eq(Mux(rewind, 0, byte + step))
        m.d.sync += word.eq(Mux(rewind, 0, word + next_word))

        # -- the buffer: payloads of requests in the lower half, of answers in the upper -----------------------------
        half = CAPACITY * 4
        # Nobody uses what is read of a byte in the cycle of its write.
        m.submodules.buffer = buffer = Memory(shape=8, depth=2 * half, init=[], attrs={"no_rw_check": 1})
        store, fetch = buffer.write_port(), buffer.read_port(transparent_for=())
        storing = Signal()
        within = place[:bits_for(half - 1)]
        m.d.comb += [
            store.addr.eq(Cat(within, storing)),
            store.data.eq(Mux(storing, access.low, line.byte)),
            fetch.addr.eq(Cat(within, answering)),
            fetch.en.eq(1),
        ]
        fetched = Signal()
        m.d.comb += [
            access.address_byte.eq(line.byte),
            access.write.eq(write),
            access.target.eq(target),
            access.advance.eq(advance),
            access.odd.eq(word[0]),
            access.byte.eq(fetch.data),
            access.shift.eq(fetched | storing),
        ]
        m.d.sync += fetched.eq(0)

        status = Signal(3)
        m.d.comb += status.eq(Mux(error != 0, Cat(error, 1), Cat(kept_code, 0, kept_bare)))
        after = Signal(8)
        m.d.comb += after.eq(last + 1)

        with m.FSM():
            with m.State("MAGIC"):
                m.d.comb += [line.transmit.eq(answering), line.data.eq(ANSWER), line.fresh.eq(1), rewind.eq(1)]
                with m.If(line.done & (answering | (line.byte == REQUEST))):
                    m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += [line.transmit.eq(answering), step.eq(line.done), next_word.eq(line.done & (byte == 3))]
                with m.Switch(byte):
                    with m.Case(0):
                        m.d.comb += line.data.eq(last)
                    with m.Case(1):
                        m.d.comb += line.data.eq(status)
                    with m.Default():
                        m.d.comb += line.data.eq(kept_count)
                with m.If(line.done & answering & (byte == ANSWER_HEADER - 1)):
                    m.d.comb += rewind.eq(1)
                    m.next = "PAYLOAD"
                    with m.If(status[2]):
                        m.next = "CLOSE"
                with m.If(line.done & ~answering):
                    with m.Switch(place[:3]):
                        with m.Case(0):
                            m.d.sync += [following.eq(line.byte == after), repeated.eq(line.byte == last)]
                        with m.Case(1):
                            known_target = Cat(line.byte[1:3] == t for t in (Target.REGISTERS, Target.MEMORY)).any()
                            m.d.sync += [
                                Cat(write, target, advance).eq(line.byte),
                                unknown.eq(line.byte[4:].any() | line.byte[0] & ~known_target),
                            ]
                        with m.Case(2):
                            m.d.sync += [count.eq(line.byte), unknown.eq(unknown | (line.byte > CAPACITY))]
                        with m.Default():
                            m.d.comb += access.address_load.eq(1 << (place[:3] - 3)[:2])
                    with m.If(place[:3] == REQUEST_HEADER - 1):
                        m.d.comb += rewind.eq(1)
                        m.next = "CLOSE"
                        with m.If(write):
                            m.next = "PAYLOAD"
                with m.If(~answering & (line.broken | line.quiet)):
                    m.next = "MAGIC"
            with m.State("PAYLOAD"):
                with m.If(full):
                    m.d.comb += rewind.eq(1)
                    m.next = "CLOSE"
                with m.Else():
                    m.d.comb += [
                        line.transmit.eq(answering),
                        line.data.eq(fetch.data),
                        store.en.eq(line.done & ~answering),
                        step.eq(line.done),
                        next_word.eq(line.done & (byte == 3)),
                    ]
                    with m.If(~answering & (line.broken | line.quiet)):
                        m.next = "MAGIC"
            with m.State("CLOSE"):
                m.d.comb += [line.closing.eq(1), line.transmit.eq(answering), step.eq(line.done)]
                with m.If(line.done & (byte == 3)):
                    m.next = "JUDGE"
                    with m.If(answering):
                        m.d.sync += answering.eq(0)
                        m.next = "MAGIC"
                with m.If(~answering & (line.broken | line.quiet)):
                    m.next = "MAGIC"
            with m.State("JUDGE"):
                m.next = "MAGIC"
                with m.If(~line.damaged):
                    m.d.sync += error.eq(Status.OKAY)
                    with m.If(unknown):
                        m.d.sync += [error.eq(Status.UNKNOWN), answering.eq(1)]
                    with m.Elif(target == Target.SYNC):
                        m.d.sync += [
                            last.eq(VERSION), known.eq(1), answering.eq(1),
                            kept_code.eq(Status.OKAY), kept_bare.eq(1), kept_count.eq(CAPACITY),
                        ]
                    with m.Elif(known & following):
                        m.d.sync += last.eq(after)
                        m.next = "WORD"
                    with m.Else():
                        m.d.sync += answering.eq(1)
                        with m.If(~(known & repeated)):
                            m.d.sync += error.eq(Status.SEQUENCE)
            with m.State("WORD"):
                finished = Signal()
                refused = Signal()
                with m.If(full):
                    m.d.comb += finished.eq(1)
                    m.next = "MAGIC"
                with m.Elif(write):
                    m.d.comb += step.eq(1)
                    m.d.sync += fetched.eq(1)
                    with m.If(byte == 3):
                        m.next = "ACCESS"
                with m.Else():
                    m.next = "ACCESS"
            with m.State("ACCESS"):
                m.d.comb += access.access.eq(~fetched)
                with m.If(access.done):
                    with m.If(access.refused):
                        m.d.comb += finished.eq(1)
                        m.next = "MAGIC"
                        m.d.comb += refused.eq(target != Target.EVENTS)
                    with m.Elif(write):
                        m.d.comb += next_word.eq(1)
                        m.next = "WORD"
                    with m.Else():
                        m.next = "STORE"
            with m.State("STORE"):
                m.d.comb += [storing.eq(1), store.en.eq(1), step.eq(1)]
                with m.If(byte == 3):
                    m.d.comb += next_word.eq(1)
                    m.next = "WORD"
        with m.If(finished):
            m.d.sync += [kept_code.eq(refused), kept_bare.eq(write), kept_count.eq(word), answering.eq(1)]
        return m


def _join(m: Module, ours, its, name: str) -> None:
    """Connect a member of the same name, port or stream, of a component and its part."""
    member, own, inner = ours.signature.members[name], getattr(ours, name), getattr(its, name)
    if member.is_signature:
        wiring.connect(m, wiring.flipped(own), inner)
    elif member.flow == In:
        m.d.comb += inner.eq(own)
    else:
        m.d.comb += own.eq(inner)
