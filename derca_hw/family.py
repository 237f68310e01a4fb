"""Device families whose primitives the hardware can name."""

from enum import Enum


class Family(Enum):
    """What is generated for; elaboration gets it as Amaranth's `platform`.

    `PORTABLE`, which also stands for None, uses no primitives and simulates anywhere. All others behave the same, cycle
    by cycle.
    """

    PORTABLE = "portable"
    ECP5 = "ecp5"
    ICE40 = "ice40"
    ICE40HX = "ice40hx"
    ULTRASCALE = "ultrascale"


#: Families without LUT RAM.
BLOCK_RAM_ONLY = frozenset({Family.ICE40, Family.ICE40HX})
