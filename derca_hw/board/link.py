"""Stand-in for the link to the host, until it is there: reads the word of main memory whose address a byte gives."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map

from ..host.lite import lite_ports
from ..layouts import Layouts
from .memory import host_request


class UartLink(wiring.Component):
    def __init__(self, p: Platform, divisor: int):
        lite = {name: wiring.Member(member.flow.flip(), member.shape)
                for name, member in lite_ports(register_map(p).address_bits).items()}
        super().__init__({
            "rx": In(1, init=1), "tx": Out(1, init=1), **lite,
            "event": In(stream.Signature(Layouts(p).event)),
            "memory_request": Out(stream.Signature(host_request(p))),
            "memory_data": In(32), "memory_valid": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        shift = Signal(96)
        m.d.sync += shift.eq((self.rx ^ shift[95]) | shift << 1)
        with m.If(self.s_axi_rvalid):
            m.d.sync += shift[:32].eq(self.s_axi_rdata)
        with m.If(self.memory_valid):
            m.d.sync += shift[32:64].eq(self.memory_data)
        with m.If(self.event.valid):
            m.d.sync += shift[64:].eq(self.event.payload.as_value())
        m.d.comb += [
            self.tx.eq(shift[-1]), self.event.ready.eq(shift[0]),
            self.s_axi_awaddr.eq(shift), self.s_axi_wdata.eq(shift[20:]), self.s_axi_wstrb.eq(~0),
            self.s_axi_awvalid.eq(shift[90]), self.s_axi_wvalid.eq(shift[90]), self.s_axi_bready.eq(1),
            self.s_axi_araddr.eq(shift), self.s_axi_arvalid.eq(shift[91]), self.s_axi_rready.eq(1),
            self.memory_request.valid.eq(shift[92]), self.memory_request.payload.eq(shift),
        ]
        return m
