"""The AXI4-Lite protocol: its channels as a signature, and a slave that turns them into single accesses."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .axi import OKAY, SLVERR
from .join import flat_members


class AxiLite(wiring.Signature):
    """AXI4-Lite with 32 bits of data, seen from the manager.

    Members
    -------
    aw, w : Out(stream)
    b : In(stream)
    ar : Out(stream)
    r : In(stream)
    """

    def __init__(self, address_bits: int):
        super().__init__({
            "aw": Out(stream.Signature(data.StructLayout({"addr": address_bits}))),
            "w": Out(stream.Signature(data.StructLayout({"data": 32, "strb": 4}))),
            "b": In(stream.Signature(data.StructLayout({"resp": 2}))),
            "ar": Out(stream.Signature(data.StructLayout({"addr": address_bits}))),
            "r": In(stream.Signature(data.StructLayout({"data": 32, "resp": 2}))),
        })


def lite_ports(address_bits: int) -> dict[str, wiring.Member]:
    """The ports of an AXI4-Lite slave: the flat members of `AxiLite`, as `s_axi_awaddr`."""
    return flat_members("s_axi_", AxiLite(address_bits).flip())


class LiteSlave(wiring.Component):
    """Turns the AXI4-Lite channels into single accesses: at most one write and one read per 2 cycles, independently.

    Every output is a register or follows from registers alone. So no combinational path leads from an input to an
    output, as AXI demands.

    Address and data of a write are accepted together, at the earliest in the cycle after both are offered. The write is
    done in that cycle, and its response follows in the next.

    A read is done while its address is offered. The address is accepted in the next cycle, and the response comes in
    the cycle after that.

    Attributes
    ----------
    s_axi_*
        The AXI4-Lite channels.
    write : Out(1)
        A write is done in this cycle.
    write_word, write_data : Out
        Its word address and its 32 bits of data.
    write_whole : Out(1)
        It writes all four bytes.
    write_okay : In(1)
        The write is allowed; else it is refused.
    wait : In(1)
        No write is accepted in the next cycle.
    read : Out(1)
        A read of word `read_word` is offered; stays until `read_done`.
    read_word : Out
    read_done : In(1)
        `read_data` and `read_okay` answer the read in this cycle.
    read_data : In(32)
    read_okay : In(1)
        The read is allowed; else it is refused.
    """

    def __init__(self, address_bits: int):
        word_bits = address_bits - 2
        self._address_bits = address_bits
        super().__init__({
            **lite_ports(address_bits),
            "write": Out(1),
            "write_word": Out(word_bits),
            "write_data": Out(32),
            "write_whole": Out(1),
            "write_okay": In(1),
            "wait": In(1),
            "read": Out(1),
            "read_word": Out(word_bits),
            "read_done": In(1),
            "read_data": In(32),
            "read_okay": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        accept = Signal()  # address and data of a write are accepted in this cycle
        fetched = Signal()  # a read has been done: its address is accepted in this cycle
        # from the next cycle on no response waits
        write_free = Signal()
        read_free = Signal()
        m.d.comb += [
            write_free.eq(~self.s_axi_bvalid | self.s_axi_bready),
            read_free.eq(~self.s_axi_rvalid | self.s_axi_rready),
            self.write.eq(accept & self.s_axi_awvalid & self.s_axi_wvalid),
            self.write_word.eq(self.s_axi_awaddr[2:]),
            self.write_data.eq(self.s_axi_wdata),
            self.write_whole.eq(self.s_axi_wstrb.all()),
            self.s_axi_awready.eq(accept),
            self.s_axi_wready.eq(accept),
            self.read.eq(self.s_axi_arvalid & ~fetched & read_free),
            self.read_word.eq(self.s_axi_araddr[2:]),
            self.s_axi_arready.eq(fetched),
        ]
        m.d.sync += [
            accept.eq(self.s_axi_awvalid & self.s_axi_wvalid & ~accept & write_free & ~self.wait),
            fetched.eq(self.read & self.read_done),
        ]
        with m.If(self.write):
            m.d.sync += [self.s_axi_bvalid.eq(1), self.s_axi_bresp.eq(Mux(self.write_okay, OKAY, SLVERR))]
        with m.Elif(self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)
        with m.If(self.read & self.read_done):
            m.d.sync += [
                self.s_axi_rdata.eq(self.read_data),
                self.s_axi_rresp.eq(Mux(self.read_okay, OKAY, SLVERR)),
            ]
        with m.If(fetched & self.s_axi_arvalid):
            m.d.sync += self.s_axi_rvalid.eq(1)
        with m.Elif(self.s_axi_rready):
            m.d.sync += self.s_axi_rvalid.eq(0)
        return m
