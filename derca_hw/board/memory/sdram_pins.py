"""The pins of an SDRAM chip, with their registers."""

from amaranth.hdl import ClockSignal, Instance, IOPort, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.sdram import Sdram
from derca_sim.model.tables import bits_for

from ...families.family import Family

#: Commands: levels of we_n, cas_n, ras_n from the highest bit down.
NOP, ACTIVE, READ, WRITE, PRECHARGE, REFRESH, LOAD_MODE = 0b111, 0b110, 0b101, 0b001, 0b010, 0b100, 0b000
#: Pins that are high when the device begins: no command.
HIGH = ("ras_n", "cas_n", "we_n")


def sdram_pins(chip: Sdram) -> wiring.Signature:
    """Signals between a controller and the pins of a chip.

    The pins change two cycles after the outputs. `data_in` is the word that was at the pins one cycle before.

    Members
    -------
    command : Out(3)
        One of the commands of this module.
    bank, address : Out
        Its operands.
    mask : Out
        A bit per byte of the word: the byte is not written.
    drive : Out(1)
        The data pins carry `data_out`.
    data_out : Out
        The word to the chip.
    data_in : In
        The word from the chip.
    """
    return wiring.Signature({
        "command": Out(3, init=NOP), "bank": Out(2), "address": Out(bits_for(chip.rows - 1)),
        "mask": Out(chip.width // 8), "data_out": Out(chip.width), "drive": Out(1), "data_in": In(chip.width),
    })


class SdramPins(wiring.Component):
    """Drives the pins of an SDRAM through two registers per pin, the second one in the pad.

    Outputs reach the pins two cycles of the domain `fast` later. The chip's clock is `fast` inverted, so the
    chip takes a command half a cycle after the pins have changed.

    A word from the chip is taken `Sdram.cas + 1` cycles after its command's pins have changed. With CL 2 at 100 MHz the
    chip holds a word from 21 to 27.7 ns after that change, and both pads add some nanoseconds; it is taken at 30 ns.

    On `Family.ECP5` the pins are ports `sdram_*` of the top. Without primitives the chip itself is instantiated as the
    module `sdram_chip`, of which the simulation has a model.

    Attributes
    ----------
    pins : In(`sdram_pins`)
    """

    def __init__(self, chip: Sdram):
        self._chip = chip
        super().__init__({"pins": In(sdram_pins(chip))})

    def elaborate(self, family):
        m = Module()
        pins, width = self.pins, self._chip.width
        ras_n, cas_n, we_n = pins.command
        out = {}
        for name, value in {"ras_n": ras_n, "cas_n": cas_n, "we_n": we_n, "ba": pins.bank, "a": pins.address,
                            "dqm": pins.mask, "d": pins.data_out, "drive": pins.drive}.items():
            out[name] = register = Signal(len(value), name=f"{name}_next", init=name in HIGH)
            m.d.fast += register.eq(value)
        if family is Family.ECP5:
            self._ecp5(m, out.pop("d"), out.pop("drive"), out)
            return m
        chip = {}
        for name, value in out.items():
            chip[f"i_{name}"] = register = Signal(len(value), name=f"{name}_pins", init=name in HIGH)
            m.d.fast += register.eq(value)
        q = Signal(width)
        m.submodules.chip = Instance("sdram_chip", i_clk=ClockSignal("fast"), o_q=q, **chip)
        m.d.fast += pins.data_in.eq(q)
        return m

    def _ecp5(self, m, data, drive, out):
        """Add the registers in the pads, and the pads, of an ECP5."""
        def register(kind: str, name: str, d, q, high: bool = False) -> None:
            m.submodules[name] = Instance(f"{kind}{'B' if high else 'D'}X", i_SCLK=ClockSignal("fast"), i_SP=1, i_D=d,
                                          o_Q=q, **{"i_PD" if high else "i_CD": 0})

        def pads(name: str, count: int):
            return enumerate(IOPort(count, name=f"sdram_{name}"))

        for name, value in out.items():
            for i, port in pads(name, len(value)):
                q = Signal(name=f"{name}{i}")
                register("OFS1P3", f"{name}{i}_register", value[i], q, name in HIGH)
                m.submodules[f"{name}{i}_pad"] = Instance("OB", i_I=q, o_O=port)
        for i, port in pads("dq", self._chip.width):
            d = Signal(name=f"d{i}")
            q = Signal(name=f"q{i}")
            t = Signal(name=f"t{i}")
            register("OFS1P3", f"d{i}_register", data[i], d)
            register("OFS1P3", f"t{i}_register", ~drive, t, high=True)
            register("IFS1P3", f"q{i}_register", q, self.pins.data_in[i])
            m.submodules[f"dq{i}_pad"] = Instance("BB", i_I=d, i_T=t, o_O=q, io_B=port)
        clock = Signal()
        m.submodules.clock = Instance("ODDRX1F", i_SCLK=ClockSignal("fast"), i_RST=0, i_D0=0, i_D1=1, o_Q=clock)
        for name, level in {"clk": clock, "cke": 1, "cs_n": 0}.items():
            m.submodules[f"{name}_pad"] = Instance("OB", i_I=level, o_O=IOPort(1, name=f"sdram_{name}"))
