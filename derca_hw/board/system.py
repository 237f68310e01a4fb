"""The top of a board: accelerator, main memory, link to the host, clock, LEDs."""

from amaranth.hdl import ClockDomain, DomainRenamer, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from derca_sim.model.board import LEDS, Board
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map

from ..bus.axi_lite import lite_ports
from ..bus.join import join, join_flat
from ..top import Derca
from .clocks import Clocks
from .link.link import UartLink
from .memory.bridge import MainMemory
from .memory.on_chip import BlockStore, DoubledStore, store_ports
from .memory.sdram import SdramStore
from .memory.sdram_pins import SdramPins

#: Attribute of signals that constraint files name.
NAMED = {"keep": 1}


class BoardSystem(wiring.Component):
    """Connects `Derca` with main memory and a UART. The memory has the throughput and latencies of the platform.

    The core runs at `Board.core_mhz`. After configuration reset is held for some cycles (see `Clocks`). Triggers from
    outside have no pins: the host triggers sporadic tasks.

    Parameters
    ----------
    p
        The platform.
    board
        The board.
    divisor
        Core clock cycles per bit on the UART; default: as `Board.baud` gives.

    Attributes
    ----------
    clk : In(1)
        The board's clock.
    rx, tx : In(1), Out(1)
        UART, as the FPGA sees it.
    led_running : Out(1)
        Lit while time passes.
    led_miss : Out(1)
        Lit from a missed deadline until the next start.
    led_fault : Out(1)
        Lit while a fault stands.

    The level of an LED output is the one that the board's LED needs. There are outputs for `Board.leds` only.
    """

    def __init__(self, p: Platform, board: Board, divisor: int | None = None):
        self._p, self._board = p, board
        self._divisor = divisor or board.divisor
        super().__init__({
            "clk": In(1),
            "rx": In(1, init=1),
            "tx": Out(1, init=1),
            **{f"led_{name}": Out(1) for name in board.leds},
        })

    def elaborate(self, platform):
        m = Module()
        p, board = self._p, self._board
        m.domains.sync = sync = ClockDomain()
        sync.clk = Signal(name="core_clock", attrs=NAMED)
        m.submodules.clocks = clocks = Clocks(self._board)
        derca = Derca(p)
        m.submodules.derca = DomainRenamer("core")(derca)  # it defines a domain of its own
        m.submodules.memory = memory = MainMemory(p)
        m.submodules.store = store = self._store(m)
        m.submodules.link = link = UartLink(p, self._divisor)
        m.d.comb += [
            clocks.pin.eq(self.clk),
            sync.clk.eq(clocks.clock),
            sync.rst.eq(clocks.reset),
            derca.aclk.eq(clocks.clock),
            derca.aresetn.eq(~sync.rst),
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
        ]
        if self._board.steps > 1:
            m.domains.fast = fast = ClockDomain(reset_less=True)
            fast.clk = Signal(name="fast_clock", attrs=NAMED)
            m.d.comb += [fast.clk.eq(clocks.fast), store.phase.eq(clocks.phase)]
        if self._board.sdram:
            m.d.comb += [store.hold.eq(clocks.reset), sync.rst.eq(clocks.reset | ~store.ready)]
        join_flat(m, derca, "m_axi_", memory.axi)
        # The memory is reset with the accelerator, so it never answers requests from before a reset.
        m.d.comb += [derca.m_axi_rid.eq(derca.m_axi_arid), derca.m_axi_bid.eq(derca.m_axi_awid)]
        join(m, memory, store, store_ports(p))
        join(m, derca, link, lite_ports(register_map(p).address_bits))
        join_flat(m, derca, "event_", link.event)
        connect(m, link.memory_request, memory.memory_request)
        m.d.comb += [
            link.memory_data.eq(memory.memory_data),
            link.memory_valid.eq(memory.memory_valid),
        ]
        for name, lit in zip(LEDS, (derca.running, derca.missed, derca.faulty), strict=True):
            if name not in board.leds:
                continue
            m.d.comb += getattr(self, f"led_{name}").eq(lit ^ (name in board.low_leds))
        return m

    def _store(self, m):
        """Add the store of main memory."""
        p, board = self._p, self._board
        if not board.sdram:
            return (DoubledStore if board.doubled else BlockStore)(p)
        store = SdramStore(p, board.sdram, board.steps)
        m.submodules.sdram = sdram = SdramPins(board.sdram)
        connect(m, store.pins, sdram.pins)
        return store
