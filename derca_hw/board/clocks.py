"""Clocks and reset of a board."""

from amaranth.hdl import ClockDomain, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.board import Board
from derca_sim.model.pll import ecp5_pll, ice40_pll

from ..families.family import Family

#: Bits of the counter that holds reset after configuration. An iCE40's block RAM is not reliable for the first 3 us.
RESET_BITS = 6


class Clocks(wiring.Component):
    """Makes the core clock and its reset from the clock pin of a board.

    Reset stays high for 2^`RESET_BITS` cycles after configuration or, with a PLL, after the PLL has locked.

    With `Board.steps` over 1 there is also a fast clock of that multiple of the core's rate. The core clock is then a
    register of the fast one; see `DoubledStore` and `SdramStore`. Without primitives (`Family.PORTABLE`) the pin
    carries the core clock, or the fast one if there is one.

    Attributes
    ----------
    pin : In(1)
    clock : Out(1)
        The core clock.
    reset : Out(1)
        Its reset.
    fast : Out(1)
        With `Board.steps` over 1: the fast clock.
    phase : Out(1)
        With `Board.steps` over 1: the register of `fast` that is the core clock.
    """

    def __init__(self, board: Board):
        self._board = board
        super().__init__({
            "pin": In(1),
            "clock": Out(1),
            "reset": Out(1),
            **({"fast": Out(1), "phase": Out(1)} if board.steps > 1 else {}),
        })

    def elaborate(self, family):
        m = Module()
        board = self._board
        m.domains.boot = boot = ClockDomain(local=True, reset_less=True)
        locked = Const(1, 1)
        if board.steps > 1:
            locked = self._divided(m, family)
        elif family is not Family.PORTABLE and board.pin_mhz != board.core_mhz:
            pll = self._ecp5_pll if family is Family.ECP5 else self._ice40_pll
            locked = self._settled(m, pll(m, board.core_mhz, self.clock))
        else:
            m.d.comb += self.clock.eq(self.pin)
        m.d.comb += boot.clk.eq(self.clock)

        count = Signal(RESET_BITS)
        done = Signal()
        with m.If(~locked):
            m.d.boot += [count.eq(0), done.eq(0)]
        with m.Elif(~done):
            m.d.boot += [count.eq(count + 1), done.eq(count.all())]
        m.d.comb += self.reset.eq(~done)
        return m

    def _divided(self, m, family):
        """Make the fast clock, and the core clock from it; return whether the PLL has locked."""
        m.domains.divided = fast = ClockDomain(local=True, reset_less=True)
        m.d.comb += fast.clk.eq(self.fast)
        steps = self._board.steps
        if steps == 2:
            m.d.divided += self.phase.eq(~self.phase)
        else:
            step = Signal(range(steps))
            m.d.divided += [step.eq(step + 1), self.phase.eq(step < steps // 2)]
            with m.If(step == steps - 1):
                m.d.divided += step.eq(0)
        if family is Family.ICE40:
            locked = self._ice40_pll(m, steps * self._board.core_mhz, self.fast)
            m.submodules.buffer = Instance(
                "SB_GB", i_USER_SIGNAL_TO_GLOBAL_BUFFER=self.phase, o_GLOBAL_BUFFER_OUTPUT=self.clock)
            return self._settled(m, locked)
        m.d.comb += self.clock.eq(self.phase)
        if family is Family.ECP5:
            return self._settled(m, self._ecp5_pll(m, steps * self._board.core_mhz, self.fast))
        m.d.comb += self.fast.eq(self.pin)
        return Const(1, 1)

    def _ice40_pll(self, m, mhz: float, clock):
        """Add a PLL from the pin's rate to another; return its lock, which has no domain."""
        divr, divf, divq, filter_range = ice40_pll(self._board.pin_mhz, mhz)
        kind, reference = ("PAD", "PACKAGEPIN") if self._board.pll_pad else ("CORE", "REFERENCECLK")
        locked = Signal()
        m.submodules.pll = Instance(
            f"SB_PLL40_{kind}", p_FEEDBACK_PATH="SIMPLE", p_DIVR=divr, p_DIVF=divf, p_DIVQ=divq,
            p_FILTER_RANGE=filter_range,
            **{f"i_{reference}": self.pin}, i_RESETB=1, i_BYPASS=0, o_PLLOUTGLOBAL=clock, o_LOCK=locked,
        )
        return locked

    def _settled(self, m, locked):
        """Return a PLL's lock, synchronised to the core clock."""
        seen = Signal()
        again = Signal()
        m.d.boot += [seen.eq(locked), again.eq(seen)]
        return again

    def _ecp5_pll(self, m, mhz: float, clock):
        """Add a PLL from the pin's rate to another; return its lock, which has no domain."""
        reference, feedback, divider = ecp5_pll(self._board.pin_mhz, mhz)
        locked = Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            ("a", "FREQUENCY_PIN_CLKI", f"{self._board.pin_mhz:g}"),
            ("a", "FREQUENCY_PIN_CLKOP", f"{mhz:g}"),
            ("a", "ICP_CURRENT", "12"), ("a", "LPF_RESISTOR", "8"),
            ("a", "MFG_ENABLE_FILTEROPAMP", "1"), ("a", "MFG_GMCREF_SEL", "2"),
            p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED", p_STDBY_ENABLE="DISABLED", p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA", p_OUTDIVIDER_MUXB="DIVB", p_OUTDIVIDER_MUXC="DIVC", p_OUTDIVIDER_MUXD="DIVD",
            p_FEEDBK_PATH="CLKOP", p_CLKI_DIV=reference, p_CLKFB_DIV=feedback,
            p_CLKOP_ENABLE="ENABLED", p_CLKOP_DIV=divider, p_CLKOP_CPHASE=divider // 2 - 1, p_CLKOP_FPHASE=0,
            i_RST=0, i_STDBY=0, i_CLKI=self.pin, i_CLKFB=clock,
            i_PHASESEL0=0, i_PHASESEL1=0, i_PHASEDIR=1, i_PHASESTEP=1, i_PHASELOADREG=1, i_PLLWAKESYNC=0, i_ENCLKOP=0,
            o_CLKOP=clock, o_LOCK=locked,
        )
        return locked
