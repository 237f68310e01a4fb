"""The targets of synthesis: for each device family, its Yosys command and the weights of its cells."""

from dataclasses import dataclass


def _each(column: str, **weights: float) -> dict[str, dict[str, float]]:
    return {name: {column: weight} for name, weight in weights.items()}


def _free(*names: str) -> dict[str, dict[str, float]]:
    return {name: {} for name in names}


@dataclass(frozen=True)
class Target:
    """A device family: how Yosys synthesises for it, what its cells cost, and what to know when reading the figures.

    Attributes
    ----------
    family
        Value of `derca_hw.families.family.Family` that the hardware is generated for.
    synthesis
        The Yosys command.
    columns
        Columns of the detailed table between "Total LUTs" and the end, in the order of Vivado's
        `report_utilization -hierarchical`: Logic LUTs, LUTRAMs, SRLs, FFs, memory blocks, DSP.
    weights
        Cell type -> what it takes of each column.
    caption
        Units and limits, for people.
    """

    name: str
    family: str
    synthesis: str
    columns: tuple[str, ...]
    weights: dict[str, dict[str, float]]
    caption: str


_ICE40_CELLS = {
    **_each("Logic LUTs", SB_LUT4=1),
    **_free("SB_CARRY", "SB_GB", "SB_PLL40_PAD", "SB_PLL40_CORE", "$scopeinfo"),
    **_each("FFs", **{f"SB_DFF{edge}{kind}": 1 for edge in ("", "N")
                      for kind in ("", "E", "SR", "SS", "ESR", "ESS", "R", "S", "ER", "ES")}),
    **_each("EBR", **{f"SB_RAM40_4K{edges}": 1 for edges in ("", "NR", "NW", "NRNW")}),
}


TARGETS = {target.name: target for target in (
    Target(
        name="ecp5", family="ecp5",
        synthesis="synth_ecp5",
        columns=("Logic LUTs", "LUTRAMs", "FFs", "EBR", "DSP"),
        weights={
            **_each("Logic LUTs", LUT4=1, CCU2C=2),
            **_each("LUTRAMs", TRELLIS_DPR16X4=6),
            **_free("PFUMX", "L6MUX21", "VCC", "GND", "EHXPLLL", "TRELLIS_IO", "ODDRX1F", "$scopeinfo"),
            **_each("FFs", TRELLIS_FF=1),
            **_each("EBR", DP16KD=1, PDPW16KD=1),
            **_each("DSP", MULT18X18D=1),
            "ALU54B": {},
        },
        caption="Lattice ECP5. LUT in LUT4 (carry cell 2, 16 x 4 distributed RAM 6), BRAM in 18 Kbit blocks, "
                "DSP in 18 x 18 multipliers",
    ),
    Target(
        name="ice40", family="ice40",
        synthesis="synth_ice40",  # -dsp cuts the addends of instantiated SB_MAC16 (Yosys 0.70)
        columns=("Logic LUTs", "FFs", "EBR", "SPRAM", "DSP"),
        weights={**_ICE40_CELLS, **_each("DSP", SB_MAC16=1), **_each("SPRAM", SB_SPRAM256KA=1)},
        caption="Lattice iCE40 UltraPlus. LUT in LUT4 (carry free), BRAM in 4 Kbit blocks, DSP in SB_MAC16 blocks",
    ),
    Target(
        name="ice40hx", family="ice40hx",
        synthesis="synth_ice40",
        columns=("Logic LUTs", "FFs", "EBR", "DSP"),
        weights=_ICE40_CELLS,
        caption="Lattice iCE40 HX. LUT in LUT4 (carry free), BRAM in 4 Kbit blocks; without DSP blocks "
                "multipliers are LUTs",
    ),
    Target(
        name="ultrascale", family="ultrascale",
        synthesis="synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
        columns=("Logic LUTs", "LUTRAMs", "SRLs", "FFs", "RAMB36", "RAMB18", "URAM", "DSP"),
        weights={
            **_each("Logic LUTs", LUT1=1, LUT2=1, LUT3=1, LUT4=1, LUT5=1, LUT6=1, LUT6_2=1, INV=1),
            **_each("SRLs", SRL16E=1, SRLC16E=1, SRLC32E=1),
            **_each("LUTRAMs", RAM32X1S=1, RAM64X1S=1, RAM128X1S=2, RAM256X1S=4, RAM512X1S=8, RAM32X1D=2, RAM64X1D=2,
                    RAM128X1D=4, RAM256X1D=8, RAM32M=4, RAM64M=4, RAM32M16=8, RAM64M8=8),
            **_free("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "VCC", "GND", "$scopeinfo"),
            **_each("FFs", FDRE=1, FDSE=1, FDCE=1, FDPE=1),
            **_each("RAMB18", RAMB18E2=1),
            **_each("RAMB36", RAMB36E2=1),
            **_each("URAM", URAM288=1),
            **_each("DSP", DSP48E2=1),
        },
        caption="AMD UltraScale+ (xcup), the LUT6 family nearest to Versal that Yosys knows. LUT in LUT6 without "
                "pairing of LUT5, BRAM in 36 Kbit blocks, DSP in DSP48E2",
    ),
    Target(
        name="gowin", family="portable",
        synthesis="synth_gowin -noiopads",
        columns=("Logic LUTs", "LUTRAMs", "FFs", "BSRAM", "DSP"),
        weights={
            **_each("Logic LUTs", LUT1=1, LUT2=1, LUT3=1, LUT4=1, ALU=1),
            **_each("LUTRAMs", RAM16SDP1=6, RAM16SDP2=6, RAM16SDP4=6),
            **_free(*(f"MUX2_LUT{n}" for n in range(5, 9)), "VCC", "GND", "GSR", "$scopeinfo"),
            **_each("FFs", **{f"DFF{edge}{kind}": 1 for edge in ("", "N")
                              for kind in ("", "E", "S", "SE", "R", "RE", "P", "PE", "C", "CE")}),
            **_each("BSRAM", SP=1, SPX9=1, SDPB=1, SDPX9B=1, DPB=1, DPX9B=1, pROM=1, pROMX9=1),
            **_each("DSP", MULT9X9=0.5, MULT18X18=1, MULT36X36=4),
        },
        caption="Gowin GW1N and GW2A. LUT in LUT4 (adder cell 1, 16 x 4 distributed RAM 6, as Gowin's reports count "
                "it), BRAM in 18 Kbit blocks, DSP in 18 x 18 multipliers (9 x 9: half). Yosys leaves the registers and "
                "the accumulators of the DSP blocks unused, and nextpnr has no timing of them: no clock rates here",
    ),
)}
