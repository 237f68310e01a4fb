"""Which RAM of a family a memory becomes, and how much of it: the rules of `derca_hw.blocks.ram` and of Yosys.

Yosys (`memory_libmap`) gives every way to build a memory a cost, and takes the cheapest: that of its cells, half a
point for each input of the multiplexers behind and of the enables before them, and some for what is emulated. A bit in
a register costs a point.
"""

from dataclasses import dataclass, fields

from derca_hw.blocks.ram import BLOCK_WIDTH, BLOCK_WORTH, DISTRIBUTED, Ram
from derca_hw.families.family import SPRAM_WORDS
from derca_hw.kernel.tables import RAM_BITS, SHALLOW
from derca_sim.model.tables import bits_for


@dataclass(frozen=True)
class RamKind:
    """A kind of RAM.

    Attributes
    ----------
    shapes
        Width and depth that one can take.
    cost
        Of one to Yosys.
    takes
        Blocks of the report, or LUTs, of one.
    byte
        Bits of a word that are written at a time.
    scales
        Whether the cost is that of the bits in use.
    emulation
        Cost of what its ports cannot do.
    """

    shapes: tuple[tuple[int, int], ...]
    cost: int
    takes: float
    byte: int = 64
    scales: bool = False
    emulation: int = 2

    def best(self, ram: Ram) -> tuple[float, int]:
        """Cost, and how many of these a memory takes."""
        lane = ram.lane or ram.width
        found = []
        for unit, deep in self.shapes:
            byte = min(self.byte, unit)
            rows, enables = -(-ram.depth // deep), ram.width // lane
            pieces = -(-rows * enables * (-(-lane // byte) * byte) // unit)
            cost = self.cost * (rows * ram.width / unit if self.scales else pieces) + self.emulation
            if rows > 1:
                cost += ((rows - 1) * ram.width + rows * enables) / 2
            found.append((cost, pieces))
        return min(found)


@dataclass(frozen=True)
class Rams:
    """The RAMs of a family."""

    block: RamKind
    lut: RamKind | None = None


_KBIT_18 = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
_ICE40 = Rams(RamKind(((16, 256), (8, 512), (4, 1024), (2, 2048)), 64, 1, byte=1, emulation=8))
_RAMS = {
    "ecp5": Rams(RamKind(_KBIT_18, 128, 1, byte=9, emulation=8), RamKind(((4, 16),), 4, 6)),
    "ice40": _ICE40,
    "ice40hx": _ICE40,
    "ultrascale": Rams(RamKind(_KBIT_18, 129, 0.5, byte=9), RamKind(((14, 32), (7, 64)), 16, 8, scales=True)),
}


@dataclass(frozen=True)
class Stored:
    """What memories take: blocks, LUTs, and bits in registers in place of RAM, behind it or beside it."""

    blocks: float = 0
    luts: float = 0
    #: Bits that are kept in registers, with the logic that selects them.
    bits: int = 0
    #: Bits that are read out of LUT RAM into registers.
    read: int = 0
    #: Bits of block RAM that answers a read of what is being written by logic beside it.
    emulated: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def stored(ram: Ram, family: str) -> Stored:
    """What memories take in a family."""
    kinds = _RAMS[family]
    if ram.style == "words" and family == "ice40" and ram.depth <= SPRAM_WORDS:
        return Stored()
    found = Stored()
    for column in _columns(ram, kinds):
        place = _place(column, kinds)
        if place is None:
            found += Stored(bits=ram.count * column.width * column.depth)
            continue
        takes = ram.count * place.best(column)[1] * place.takes
        clocked = ram.count * column.width * (ram.style in ("auto", "small", "buffer", "early"))
        if place is kinds.lut:
            found += Stored(luts=takes, read=clocked)
        else:
            found += Stored(blocks=takes, emulated=clocked * (place.emulation > 2 and kinds.lut is not None))
    return found


def smallest_block(family: str) -> float:
    """Blocks of the report that the smallest block RAM is."""
    return _RAMS[family].block.takes


def _columns(ram: Ram, kinds: Rams) -> list[Ram]:
    """The memories that the hardware cuts one into."""
    if kinds.lut is None and ram.style in ("shallow", "buffer", "early", "buffer block", "table", "words"):
        lane, steps = ram.lane or ram.width, BLOCK_WIDTH
    elif ram.style in ("table", "words"):
        lane, steps = ram.width, ram.width if ram.depth <= SHALLOW else max(1, RAM_BITS >> bits_for(ram.depth - 1))
    else:
        return [ram]
    return [Ram(min(steps, lane - low), ram.depth, 1, ram.style)
            for _ in range(ram.width // lane) for low in range(0, lane, steps)]


def _place(ram: Ram, kinds: Rams) -> RamKind | None:
    """What a memory becomes; None for registers."""
    bits = ram.width * ram.depth
    if kinds.lut is None:
        if ram.style in ("auto", "small"):
            return kinds.block if kinds.block.best(ram)[0] < bits else None
        return kinds.block if ram.style == "block" or ram.style != "comb" and bits >= BLOCK_WORTH else None
    if ram.style in ("table", "words", "block", "buffer block"):
        return kinds.block
    if ram.style == "shallow" or ram.style in ("early", "small") and ram.depth <= DISTRIBUTED:
        return kinds.lut
    places = [(kinds.lut.best(ram)[0], kinds.lut)]
    if ram.style != "comb":
        places.append((kinds.block.best(ram)[0], kinds.block))
    cost, place = min(places, key=lambda one: one[0])
    return place if cost < bits else None
