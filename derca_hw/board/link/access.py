"""What the link does to the accelerator: single accesses to registers, memory and events."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.link import Target, event_fields
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map
from derca_sim.model.tables import bits_for

from ...bus.axi_lite import OKAY, lite_ports
from ...layouts import Layouts


def host_ports(p: Platform) -> dict[str, wiring.Member]:
    """Ports of the link towards accelerator and main memory.

    `s_axi_*` is a master of the AXI4-Lite of the registers. `event` takes the event stream. `memory_request` accesses
    32-bit words of main memory; `memory_data` with `memory_valid` answers its reads, in order.
    """
    return {
        **{name: wiring.Member(member.flow.flip(), member.shape)
           for name, member in lite_ports(register_map(p).address_bits).items()},
        "event": In(stream.Signature(Layouts(p).event)),
        "memory_request": Out(stream.Signature(data.StructLayout({
            "write": 1,
            "address": bits_for(p.memory.size // 4 - 1),  # of a word
            "data": 32,
        }))),
        "memory_data": In(32),
        "memory_valid": In(1),
    }


class LinkAccess(wiring.Component):
    """Accesses registers, memory or events, one word at a time.

    An access takes as long as its target: at least 2 cycles, those to events and those refused for their
    address 1 cycle. A word to be written is shifted in byte by byte; a word that is read takes its place.

    Attributes
    ----------
    address_byte, address_load : In(8), In(4)
        A byte of the address, and which of the four it is, the least significant first.
    write, target, advance : In
        The operation, as in `derca_sim.model.link`; not SYNC. It is stable during an access.
    odd : In(1)
        The word is the second one of an event, which takes the event.
    access : In(1)
        Begin an access. It stays high until `done`.
    done, refused : Out(1)
        The access ends; it failed, or there is no event.
    shift, byte : In(1), In(8)
        A byte enters the word from above.
    low : Out(8)
        The lowest byte of the word.

    and the members of `host_ports`.
    """

    def __init__(self, p: Platform):
        self._p = p
        super().__init__({
            **host_ports(p),
            "address_byte": In(8),
            "address_load": In(4),
            "write": In(1),
            "target": In(2),
            "advance": In(1),
            "odd": In(1),
            "access": In(1),
            "done": Out(1),
            "refused": Out(1),
            "shift": In(1),
            "byte": In(8),
            "low": Out(8),
        })

    def elaborate(self, platform):
        m = Module()
        register_bits = register_map(self._p).address_bits - 2
        memory_bits = self.memory_request.p.address.shape().width
        address = Signal(max(register_bits, memory_bits) + 1, reset_less=True)  # the top bit: past the end
        outside = Signal()
        issued = Signal()
        inside = Signal()

        # -- address: a byte is loaded, or a word is added -------------------------------------------------------------
        # The load bits are also the addend, so that iCE40 needs one cell per bit. The sum is unused while a byte is
        # loaded.
        places = [[(bit, 8 * i + bit - 2) for bit in range(8)] for i in range(4)]
        loads = Cat(self.address_load[i] for i in range(4) for _, at in places[i] if 0 <= at < len(address))
        advanced = Signal.like(address)
        m.d.comb += advanced.eq(address - ~loads)
        for i in range(4):
            with m.If(self.address_load[i] | self.done & self.advance):
                m.d.sync += [address[at].eq(Mux(self.address_load[i], self.address_byte[bit], advanced[at]))
                             for bit, at in places[i] if 0 <= at < len(address)]
            with m.If(self.address_load[i]):
                beyond = Cat(self.address_byte[bit] for bit, at in places[i] if not 0 <= at < len(address)).any()
                m.d.sync += outside.eq(beyond if i == 0 else outside | beyond)

        # -- accesses -------------------------------------------------------------------------------------------------
        word = Signal(32, reset_less=True)
        request = self.memory_request
        fields = Cat(getattr(self.event.p, name)[:width] for name, width in event_fields(self._p).items())
        cycle = self.event.p.cycle
        answered = Signal()
        with m.Switch(self.target):
            with m.Case(Target.REGISTERS):
                m.d.comb += [
                    inside.eq(~(outside | address[register_bits:].any())),
                    answered.eq(self.s_axi_bvalid | self.s_axi_rvalid),
                    self.refused.eq(Mux(self.write, self.s_axi_bresp, self.s_axi_rresp) != OKAY),
                ]
            with m.Case(Target.MEMORY):
                words = self._p.memory.size // 4
                above = address[memory_bits:].any() if words == 1 << memory_bits else address >= words
                m.d.comb += [
                    inside.eq(~(outside | above)),
                    answered.eq(Mux(self.write, request.ready, self.memory_valid)),
                ]
            with m.Case(Target.EVENTS):
                m.d.comb += self.refused.eq(~self.event.valid)
        far = Signal()
        m.d.comb += far.eq((self.target == Target.REGISTERS) | (self.target == Target.MEMORY))
        with m.If(far & ~inside):
            m.d.comb += self.refused.eq(1)
        m.d.comb += [
            self.done.eq(self.access & (~far | ~inside | issued & answered)),
            self.event.ready.eq(self.access & (self.target == Target.EVENTS) & self.odd),
            request.p.write.eq(self.write),
            request.p.address.eq(address),
            request.p.data.eq(word),
            self.s_axi_awaddr.eq(Cat(Const(0, 2), address[:register_bits])),
            self.s_axi_araddr.eq(Cat(Const(0, 2), address[:register_bits])),
            self.s_axi_wdata.eq(word),
            self.s_axi_wstrb.eq(~0),
            self.s_axi_bready.eq(1),
            self.s_axi_rready.eq(1),
            self.low.eq(word[:8]),
        ]
        for valid, ready in ((self.s_axi_awvalid, self.s_axi_awready), (self.s_axi_wvalid, self.s_axi_wready),
                             (self.s_axi_arvalid, self.s_axi_arready), (request.valid, request.ready)):
            with m.If(ready):
                m.d.sync += valid.eq(0)
        with m.If(self.done):
            m.d.sync += issued.eq(0)
        with m.Elif(self.access & far & ~issued):
            m.d.sync += issued.eq(1)
            with m.If(self.target == Target.MEMORY):
                m.d.sync += request.valid.eq(1)
            with m.Elif(self.write):
                m.d.sync += [self.s_axi_awvalid.eq(1), self.s_axi_wvalid.eq(1)]
            with m.Else():
                m.d.sync += self.s_axi_arvalid.eq(1)
        select = Mux(self.shift, 0, self.target)
        event = Cat(Mux(self.odd, fields, cycle[:len(fields)]), cycle[len(fields):])
        with m.If(self.shift | self.done & ~self.write):
            m.d.sync += word.eq(_select(select, {
                0: Cat(word[8:], self.byte),
                Target.REGISTERS: self.s_axi_rdata,
                Target.MEMORY: self.memory_data,
                Target.EVENTS: event,
            }))
        return m


def _select(number, words):
    """One of four words, in two cells of four inputs for a bit: mapping to iCE40 does not find less than three."""
    upper = number[1].replicate(len(words[1]))
    part = Mux(number[1], number[0].replicate(len(words[1])), Mux(number[0], words[1], words[0]))
    return upper & (part & words[3] | ~part & words[2]) | ~upper & part
