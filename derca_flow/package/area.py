"""The estimated area of a packaged accelerator, before any synthesis."""

from dataclasses import dataclass

from derca_hw.ip import window_bits
from derca_sim.model.platform import Platform

from ..area.estimate import block_ram, estimate, named
from ..tools.cells import KINDS
from .boards import VendorBoard

#: The family that the estimate is of. Devices of AMD that are not UltraScale+ have LUTs and block RAM like it.
FAMILY, FAMILY_NAME = "ultrascale", "UltraScale+"
#: Bytes of main memory in a block of RAM of 36 Kbit, whose parity bits stay unused.
BLOCK_BYTES = 4096


@dataclass(frozen=True)
class Area:
    """The estimate for a platform's accelerator alone, without what the project puts around it.

    Attributes
    ----------
    total
        LUT, REG, BRAM in blocks of 36 Kbit, DSP.
    parts
        Blocks of RAM by what they hold.
    """

    total: dict[str, float]
    parts: dict[str, float]

    @staticmethod
    def of(p: Platform) -> "Area":
        """Estimate the accelerator of a platform, in milliseconds."""
        total = estimate(p, FAMILY)[-1]
        return Area({kind: total[kind] for kind in KINDS}, block_ram(p, family=FAMILY))

    def rows(self, board: VendorBoard) -> list[list]:
        """Rows of a table: kind, estimate, what the device has, use; None where the board's file does not say."""
        return [[kind, count, has := board.available.get(kind), f"{count / has:.0%}" if has else None]
                for kind, count in self.total.items()]

    @staticmethod
    def main_memory(p: Platform, board: VendorBoard) -> str:
        """A sentence about the blocks of RAM that the project adds as main memory; empty if it adds none."""
        return "" if board.processor else (
            f" The project's main memory takes about {(1 << window_bits(p)) / BLOCK_BYTES:,g} blocks more.")

    def markdown(self, p: Platform, board: VendorBoard) -> str:
        """The section of a README."""
        rows = "\n".join(f"| {kind} | {count:,g} | {f'{has:,}' if has else '-'} | {use or '-'} |"
                         for kind, count, has, use in self.rows(board))
        return f"""\
## Area, estimated

Nothing was synthesised for this estimate of the accelerator alone. It is computed from the platform with figures of
Yosys for {FAMILY_NAME}; other families of AMD come near it. `utilization.rpt` of `build.tcl` has the true figures.

| kind | estimated | {board.part} has | use |
|---|---|---|---|
{rows}

BRAM counts blocks of 36 Kbit. They hold: {named(self.parts)}.{self.main_memory(p, board)}
"""
