"""Device families whose primitives the hardware can name."""

from enum import Enum


class Family(Enum):
    """The device family for which the hardware is generated; elaboration gets it as Amaranth's `platform`.

    `PORTABLE`, which also stands for None, uses no primitives and simulates anywhere. All others behave the same, cycle
    by cycle.
    """

    PORTABLE = "portable"
    ECP5 = "ecp5"
    #: iCE40 UltraPlus: block RAM of 4 Kbit is its only RAM, multipliers are SB_MAC16.
    ICE40 = "ice40"
    #: iCE40 HX and LP: as `ICE40`, without multipliers.
    ICE40HX = "ice40hx"
    ULTRASCALE = "ultrascale"


#: Families without distributed RAM, whose block RAM is that of the iCE40.
ICE40_RAM = (Family.ICE40, Family.ICE40HX)
#: Words and bits of an SB_SPRAM256KA of the iCE40 UltraPlus.
SPRAM_WORDS, SPRAM_BITS = 1 << 14, 16
