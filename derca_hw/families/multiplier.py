"""Rows of multipliers, in the DSP blocks of the device family."""

from dataclasses import dataclass

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .family import Family

#: Number of SB_MAC16 in an iCE40 UltraPlus.
SB_MAC16_BLOCKS = 8


@dataclass(frozen=True)
class MacMode:
    """The mode of an SB_MAC16.

    Attributes
    ----------
    is_signed
        Operands are signed.
    halves
        Two products of 8 bits instead of one of 16.
    delayed
        One more register in the multiplier.
    registered
        The sum goes through a register.
    low_registered
        The low half of the output goes through a register, whatever the high half does.
    """

    is_signed: bool
    halves: bool = False
    delayed: bool = False
    registered: bool = False
    low_registered: bool = False


def sb_mac16(a, b, out, mode: MacMode, *, addend=None, reset=None) -> Instance:
    """An SB_MAC16 with operands in its A and B registers, and the product in another register.

    Parameters
    ----------
    addend
        32 bits that are added to the product. Without them `out` is the product.
    reset
        Resets all registers. By default none is reset.
    """
    is_signed, halves, delayed = mode.is_signed, mode.halves, mode.delayed
    output = (1 if mode.registered else 0) if addend is not None else 2 if halves else 3
    low_output = 1 if mode.low_registered else output
    c_d = Const(0, 32) if addend is None else addend
    reset = Const(0) if reset is None else reset
    return Instance(
        "SB_MAC16",
        p_A_REG=Const(1), p_B_REG=Const(1), p_MODE_8x8=Const(halves, 1),
        p_TOP_8x8_MULT_REG=Const(halves or delayed, 1), p_BOT_8x8_MULT_REG=Const(halves or delayed, 1),
        p_PIPELINE_16x16_MULT_REG1=Const(delayed, 1), p_PIPELINE_16x16_MULT_REG2=Const(not halves, 1),
        p_TOPOUTPUT_SELECT=Const(output, 2), p_BOTOUTPUT_SELECT=Const(low_output, 2),
        p_TOPADDSUB_LOWERINPUT=Const(2, 2), p_BOTADDSUB_LOWERINPUT=Const(2, 2),
        p_TOPADDSUB_UPPERINPUT=Const(1, 1), p_BOTADDSUB_UPPERINPUT=Const(1, 1), p_TOPADDSUB_CARRYSELECT=Const(2, 2),
        p_A_SIGNED=Const(is_signed, 1), p_B_SIGNED=Const(is_signed, 1),
        i_CLK=ClockSignal(), i_CE=Const(1), i_A=a, i_B=Cat(b, Const(0, 16 - len(b))), i_C=c_d[16:], i_D=c_d[:16],
        **{f"i_{pin}{half}": reset for half in ("TOP", "BOT") for pin in ("IRST", "ORST")},
        **{f"i_{pin}{half}": Const(0) for half in ("TOP", "BOT") for pin in ("OLOAD", "ADDSUB", "OHOLD")},
        **{f"i_{pin}HOLD": Const(0) for pin in "ABCD"},
        i_CI=Const(0), i_ACCUMCI=Const(0), i_SIGNEXTIN=Const(0),
        o_O=Cat(out, Signal(32 - len(out), name="unread")))


class MultiplierRow(wiring.Component):
    """Multiplies one operand by `count` others; one set per cycle, `LATENCY` cycles.

    Each multiplier has operand registers of its own. All its registers are used, and none is reset:

    - ECP5: a MULT18X18D per product.
    - iCE40: an SB_MAC16 per two products of 8 bits, or per product of 16 bits.
    - UltraScale+: a DSP48E2 per product.

    Parameters
    ----------
    width
        Bits of an operand, 8 or 16.

    Attributes
    ----------
    a : In(width)
        The common operand.
    b : In
        `count` operands of `width` bits, the first in the low bits.
    products : Out
        `count` products of 2 x `width` bits, in the same order.
    """

    #: Operand registers, product register.
    LATENCY = 2

    def __init__(self, width: int, count: int, is_signed: bool = True):
        self._width, self._count, self._signed = width, count, is_signed
        super().__init__({"a": In(width), "b": In(width * count), "products": Out(2 * width * count)})

    def elaborate(self, family):
        m = Module()
        width, shape = self._width, signed if self._signed else unsigned
        factors = [self.b.word_select(i, width) for i in range(self._count)]
        products = [Signal(2 * width, name=f"product_{i}") for i in range(self._count)]
        m.d.comb += self.products.eq(Cat(products))
        if family is Family.ICE40:
            per_block = 2 if width == 8 else 1
            for i in range(0, self._count, per_block):
                blocks = slice(i, i + per_block)
                m.submodules[f"block_{i}"] = sb_mac16(
                    self.a.replicate(per_block), Cat(factors[blocks]), Cat(products[blocks]),
                    MacMode(is_signed=self._signed, halves=per_block == 2))
            return m
        for i, (factor, product) in enumerate(zip(factors, products, strict=True)):
            if family is Family.ECP5:
                m.submodules[f"block_{i}"] = self._mult18x18d(factor, product)
            elif family is Family.ULTRASCALE:
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
        a = self._extended(self.a, 18)
        b = self._extended(factor, 18)
        full = Signal(36)
        pins = {f"i_A{i}": a[i] for i in range(18)} | {f"i_B{i}": b[i] for i in range(18)}
        pins |= {f"i_C{i}": Const(0) for i in range(18)}
        pins |= {f"o_P{i}": product[i] if i < len(product) else full[i] for i in range(36)}
        for register in ("INPUTA", "INPUTB", "OUTPUT"):
            pins |= {f"p_REG_{register}_{pin}": f"{pin}0" for pin in ("CLK", "CE", "RST")}
        return Instance(
            "MULT18X18D", p_GSR="DISABLED", p_RESETMODE="SYNC", i_CLK0=ClockSignal(), i_CE0=Const(1), i_RST0=Const(0),
            i_SIGNEDA=Const(1), i_SIGNEDB=Const(1), i_SOURCEA=Const(0), i_SOURCEB=Const(0), **pins)

    def _dsp48e2(self, factor, product) -> Instance:
        """Operands are in the A2 and B2 registers, the product is in M, and the adder passes the product on."""
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
            o_P=Cat(product, Signal(48 - len(product), name="unread")),
            **{f"i_{name}": value for name, value in unused.items()})


def products_of_lane(adds: bool) -> int:
    """Multipliers of 16 x 16 bits in a lane behind the banks, which perhaps `adds` a matrix."""
    return LongProduct.BLOCKS + adds * (2 + LongProduct.BLOCKS)


class LongProduct(wiring.Component):
    """Multiplies two numbers, the first at most 2^31, the second less; one product per cycle, `LATENCY` cycles.

    It consists of four products of 16 x 16 bits. On iCE40 the adders of the SB_MAC16 sum them, one after the other.

    Parameters
    ----------
    with_addend
        Add a number, modulo 2^64.

    Attributes
    ----------
    a, b : In(32)
    addend : In(64)
        To be added to the product that comes `ADDEND` cycles later.
    product : Out(64)
    """

    #: Multipliers of 16 x 16 bits.
    BLOCKS = 4
    #: The cycles of the multipliers, and two additions.
    LATENCY = MultiplierRow.LATENCY + 2
    #: Cycles from the addend to its product.
    ADDEND = 2

    def __init__(self, with_addend: bool = False):
        self._with_addend = with_addend
        super().__init__({"a": In(32), "b": In(32), **({"addend": In(64)} if with_addend else {}), "product": Out(64)})

    def elaborate(self, family):
        m = Module()
        if family is Family.ICE40:
            self._blocks(m)
            return m
        products = []
        for i in range(2):
            m.submodules[f"multipliers_{i}"] = row = MultiplierRow(16, 2, is_signed=False)
            m.d.comb += [row.a.eq(self.a.word_select(i, 16)), row.b.eq(self.b)]
            products += [row.products[:32], row.products[32:]]
        low, *middle, high = products
        outer = Signal(64)
        inner = Signal(33)
        m.d.sync += [
            outer.eq(Cat(low, high) + (self.addend if self._with_addend else 0)),
            inner.eq(middle[0] + middle[1]),
            self.product.eq(outer + (inner << 16)),
        ]
        return m

    def _blocks(self, m):
        """Sum from the low halves up: the bits of a sum above its low 16 are added to the next product.

        No sum exceeds 32 bits.
        """
        carried, low = None, []
        for i, (a, b, shift) in enumerate(((0, 0, 16), (0, 1, 0), (1, 0, 16), (1, 1, 0))):
            out = Signal(32, name=f"out_{i}")
            m.submodules[f"block_{i}"] = sb_mac16(
                self.a.word_select(a, 16), self.b.word_select(b, 16), out,
                MacMode(is_signed=False, delayed=True, registered=i == 3, low_registered=bool(shift)), addend=carried)
            carried = Cat(out[shift:], Const(0, shift)) if shift else out
            if shift:  # the bits below are final
                low.append(out[:shift])
        product = Cat(low, out)
        if self._with_addend:
            addends = [Signal(64, name=f"addend_{i}") for i in range(self.ADDEND)]
            m.d.sync += [after.eq(before) for before, after in zip([self.addend, *addends], addends, strict=False)]
            product = product + addends[-1]
        m.d.comb += self.product.eq(product)
