"""Rows of multipliers, in the DSP blocks of the device family."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..family import Family


class MultiplierRow(wiring.Component):
    """`count` products of one operand with `count` others; one set per cycle, `LATENCY` cycles.

    Each multiplier has operand registers of its own. ECP5: a MULT18X18D each. iCE40: an SB_MAC16 for two products of
    8 bits or one of 16. UltraScale+: a DSP48E2 each. All their registers are used, none is reset.

    Parameters
    ----------
    width
        Bits of an operand, 8 or 16.

    Attributes
    ----------
    a : In
        The common operand.
    b : In
        `count` operands of `width` bits, the first in the low bits.
    products : Out
        `count` products of 2 x `width` bits.
    """

    #: Operand registers, product register.
    LATENCY = 2

    def __init__(self, width: int, count: int, is_signed: bool = True):
        self._width, self._count, self._signed = width, count, is_signed
        super().__init__({"a": In(width), "b": In(width * count), "products": Out(2 * width * count)})

    def elaborate(self, platform):
        m = Module()
        width, shape = self._width, signed if self._signed else unsigned
        factors = [self.b.word_select(i, width) for i in range(self._count)]
        products = [Signal(2 * width, name=f"product_{i}") for i in range(self._count)]
        m.d.comb += self.products.eq(Cat(products))
        if platform is Family.ICE40:
            per_block = 2 if width == 8 else 1
            for i in range(0, self._count, per_block):
                m.submodules[f"block_{i}"] = self._sb_mac16(factors[i:i + per_block], products[i:i + per_block])
            return m
        for i, (factor, product) in enumerate(zip(factors, products, strict=True)):
            if platform is Family.ECP5:
                m.submodules[f"block_{i}"] = self._mult18x18d(factor, product)
            elif platform is Family.ULTRASCALE:
                m.submodules[f"block_{i}"] = self._dsp48e2(factor, product)
            else:
                a, b = (Signal(shape(width), name=f"{name}_{i}", reset_less=True) for name in "ab")
                registered = Signal(shape(2 * width), name=f"registered_{i}", reset_less=True)
                m.d.sync += [a.eq(self.a), b.eq(factor), registered.eq(a * b)]
                m.d.comb += product.eq(registered)
        return m

    def _extended(self, operand, bits: int):
        """The operand with its sign, or zeros, in `bits` bits."""
        high = bits - self._width
        return Cat(operand, Mux(self._signed, operand[-1], 0).replicate(high)) if high else operand

    def _mult18x18d(self, factor, product) -> Instance:
        a, b, full = self._extended(self.a, 18), self._extended(factor, 18), Signal(36)
        pins = {f"i_A{i}": a[i] for i in range(18)} | {f"i_B{i}": b[i] for i in range(18)}
        pins |= {f"i_C{i}": Const(0) for i in range(18)}
        pins |= {f"o_P{i}": product[i] if i < len(product) else full[i] for i in range(36)}
        for register in ("INPUTA", "INPUTB", "OUTPUT"):
            pins |= {f"p_REG_{register}_{pin}": f"{pin}0" for pin in ("CLK", "CE", "RST")}
        return Instance(
            "MULT18X18D", p_GSR="DISABLED", p_RESETMODE="SYNC", i_CLK0=ClockSignal(), i_CE0=Const(1), i_RST0=Const(0),
            i_SIGNEDA=Const(1), i_SIGNEDB=Const(1), i_SOURCEA=Const(0), i_SOURCEB=Const(0), **pins)

    def _sb_mac16(self, factors: list, products: list) -> Instance:
        """Operands in the A and B registers; 8 bits: products F and G, 16 bits: their sum H, registered."""
        halves = self._width == 8
        output = 2 if halves else 3
        return Instance(
            "SB_MAC16",
            p_A_REG=Const(1), p_B_REG=Const(1), p_MODE_8x8=Const(halves, 1),
            p_TOP_8x8_MULT_REG=Const(halves, 1), p_BOT_8x8_MULT_REG=Const(halves, 1),
            p_PIPELINE_16x16_MULT_REG2=Const(not halves, 1),
            p_TOPOUTPUT_SELECT=Const(output, 2), p_BOTOUTPUT_SELECT=Const(output, 2),
            p_A_SIGNED=Const(self._signed, 1), p_B_SIGNED=Const(self._signed, 1),
            i_CLK=ClockSignal(), i_CE=Const(1), i_A=self.a.replicate(2 if halves else 1),
            i_B=Cat(*factors, Const(0, 16 - len(factors) * self._width)), i_C=Const(0, 16), i_D=Const(0, 16),
            **{f"i_{pin}{half}": Const(0) for half in ("TOP", "BOT")
               for pin in ("IRST", "ORST", "OLOAD", "ADDSUB", "OHOLD")},
            **{f"i_{pin}HOLD": Const(0) for pin in "ABCD"},
            i_CI=Const(0), i_ACCUMCI=Const(0), i_SIGNEXTIN=Const(0),
            o_O=Cat(*products, Signal(32 - sum(map(len, products)))))

    def _dsp48e2(self, factor, product) -> Instance:
        """Operands in the A2 and B2 registers, product in M; the adder passes it on."""
        unused = {name: Const(0) for name in (
            "CARRYCASCIN", "CARRYIN", "CEA1", "CEAD", "CEALUMODE", "CEB1", "CEC", "CECARRYIN", "CECTRL", "CED",
            "CEINMODE", "CEP", "MULTSIGNIN", "RSTA", "RSTALLCARRYIN", "RSTALUMODE", "RSTB", "RSTC", "RSTCTRL", "RSTD",
            "RSTINMODE", "RSTM", "RSTP")}
        unused |= {name: Const(0, bits) for name, bits in {
            "ACIN": 30, "ALUMODE": 4, "BCIN": 18, "C": 48, "CARRYINSEL": 3, "D": 27, "INMODE": 5, "PCIN": 48}.items()}
        passed = ("ALUMODE", "CARRYIN", "CARRYINSEL", "C", "INMODE", "OPMODE", "P")
        return Instance(
            "DSP48E2", p_AREG=1, p_ACASCREG=1, p_BREG=1, p_BCASCREG=1, p_MREG=1, **{f"p_{r}REG": 0 for r in passed},
            i_CLK=ClockSignal(), i_CEA2=Const(1), i_CEB2=Const(1), i_CEM=Const(1), i_OPMODE=Const(0b101, 9),
            i_A=self._extended(self.a, 30), i_B=self._extended(factor, 18),
            o_P=Cat(product, Signal(48 - len(product))), **{f"i_{name}": value for name, value in unused.items()})
