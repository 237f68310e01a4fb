"""A link with registers and memory behind it that log every write, as a top for the harness of boards."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_flow.rtl.board import SimulatedLine
from derca_flow.rtl.build import BOARD, build, generated
from derca_hw.board.link.link import UartLink
from derca_hw.generate import BOARD_TOP
from derca_sim.model.platform import Platform
from kit.verilog import plain_verilog

#: The size of its memory is no power of two.
PLATFORM = Platform(memory={"size": 4608})
#: Words of registers and of memory; entries of the log, after which it begins again.
REGISTERS, MEMORY, LOG = 256, 1152, 4096
#: Register addresses from here on read the log: two words an entry; and the number of entries so far.
LOG_BASE, LOG_COUNT = 0x10000, 0x1FFFC
#: Accesses to registers from here on are refused.
REFUSED = 0x20000

ENTRY = data.StructLayout({"address": 16, "memory": 1, "value": 32})


class LinkBench(wiring.Component):
    """The link at the pins of a board, with registers and memory whose channels stall at random, each by itself."""

    def __init__(self, divisor: int):
        self._divisor = divisor
        super().__init__({"clk": In(1), "rx": In(1, init=1), "tx": Out(1, init=1),
                          "led_running": Out(1), "led_miss": Out(1), "led_fault": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(reset_less=True)
        m.submodules.link = link = UartLink(PLATFORM, self._divisor)
        m.d.comb += [ClockSignal().eq(self.clk), link.rx.eq(self.rx), self.tx.eq(link.tx)]
        noise = Signal(16, init=1)
        m.d.sync += noise.eq(Cat(noise[1:], noise[0] ^ noise[2] ^ noise[3] ^ noise[5]))

        m.submodules.registers = registers = Memory(shape=32, depth=REGISTERS, init=[])
        m.submodules.memory = memory = Memory(shape=32, depth=MEMORY, init=[])
        m.submodules.log = log = Memory(shape=ENTRY, depth=LOG, init=[])
        count = Signal(32)
        entry = log.write_port()
        m.d.comb += entry.addr.eq(count)
        m.d.sync += count.eq(count + entry.en)

        # -- registers: address and data of a write are taken one after the other, in either order --------------------
        address = Signal(18)
        value = Signal(32)
        has_address = Signal()
        has_value = Signal()
        m.d.comb += [link.s_axi_awready.eq(~has_address & noise[0]), link.s_axi_wready.eq(~has_value & noise[3])]
        with m.If(link.s_axi_awvalid & link.s_axi_awready):
            m.d.sync += [address.eq(link.s_axi_awaddr), has_address.eq(1)]
        with m.If(link.s_axi_wvalid & link.s_axi_wready):
            m.d.sync += [value.eq(link.s_axi_wdata), has_value.eq(1)]
        write, refused = registers.write_port(), address >= REFUSED
        m.d.comb += [write.addr.eq(address[2:]), write.data.eq(value)]
        with m.If(link.s_axi_bvalid & link.s_axi_bready):
            m.d.sync += link.s_axi_bvalid.eq(0)
        with m.Elif(has_address & has_value & noise[5]):
            m.d.comb += [write.en.eq(~refused), entry.en.eq(~refused), entry.data.eq(Cat(address[:16], 0, value))]
            m.d.sync += [has_address.eq(0), has_value.eq(0), link.s_axi_bvalid.eq(1), link.s_axi_bresp.eq(refused << 1)]

        read, old = registers.read_port(domain="comb"), log.read_port(domain="comb")
        where = Signal(18)
        m.d.comb += [read.addr.eq(where[2:]), old.addr.eq(where[3:])]
        pending = Signal()
        m.d.comb += link.s_axi_arready.eq(~pending & ~link.s_axi_rvalid & noise[7])
        with m.If(link.s_axi_arvalid & link.s_axi_arready):
            m.d.sync += [where.eq(link.s_axi_araddr), pending.eq(1)]
        with m.If(link.s_axi_rvalid & link.s_axi_rready):
            m.d.sync += link.s_axi_rvalid.eq(0)
        with m.Elif(pending & noise[2]):
            m.d.sync += [pending.eq(0), link.s_axi_rvalid.eq(1), link.s_axi_rresp.eq((where >= REFUSED) << 1)]
            with m.If(where == LOG_COUNT):
                m.d.sync += link.s_axi_rdata.eq(count)
            with m.Elif(where >= LOG_BASE):
                with m.If(where[2]):
                    m.d.sync += link.s_axi_rdata.eq(old.data.value)
                with m.Else():
                    m.d.sync += link.s_axi_rdata.eq(Cat(old.data.address, old.data.memory))
            with m.Else():
                m.d.sync += link.s_axi_rdata.eq(read.data)

        # -- memory ---------------------------------------------------------------------------------------------------
        request = link.memory_request
        store, fetch = memory.write_port(), memory.read_port(domain="comb")
        fetched = Signal(range(MEMORY))
        asked = Signal()
        taken = request.valid & request.ready
        m.d.comb += [
            request.ready.eq(~asked & noise[4]),
            store.addr.eq(request.p.address),
            store.data.eq(request.p.data),
            store.en.eq(taken & request.p.write),
            fetch.addr.eq(fetched),
            link.memory_valid.eq(asked & noise[6]),
            link.memory_data.eq(fetch.data),
        ]
        with m.If(store.en):
            m.d.comb += [
                entry.en.eq(1), entry.data.address.eq(request.p.address << 2), entry.data.memory.eq(1),
                entry.data.value.eq(request.p.data),
            ]
        with m.If(taken & ~request.p.write):
            m.d.sync += [fetched.eq(request.p.address), asked.eq(1)]
        with m.Elif(link.memory_valid):
            m.d.sync += asked.eq(0)

        # -- events: one every now and then, numbered -----------------------------------------------------------------
        number = Signal(32)
        m.d.comb += [
            link.event.valid.eq(number[:2] != 3),
            link.event.p.cycle.eq(number),
            link.event.p.kind.eq(number),
            link.event.p.task.eq(number >> 2),
            link.event.p.region.eq(number >> 3),
            link.event.p.arg.eq(number),
        ]
        with m.If(link.event.valid & link.event.ready | (number[:2] == 3) & noise[:8].all()):
            m.d.sync += number.eq(number + 1)
        return m


def open_bench(divisor: int = 4, clocks: int | None = None, variant: str = "") -> SimulatedLine:
    """Build a bench and return the line to it.

    Parameters
    ----------
    divisor, clocks
        Cycles per bit of the link and of the host, by default the same.
    variant
        Names a change that the caller has made to the link; it is part of the key of the build.
    """
    def generate() -> str:
        return plain_verilog(LinkBench(divisor), BOARD_TOP)

    text = generated(generate, "the link's bench", f"link bench {divisor} {variant} {LinkBench.__name__} {_source()}")
    return SimulatedLine(build(text, BOARD), clocks or divisor, 1.0)


def _source() -> str:
    with open(__file__) as f:
        return f.read()
