"""Layouts of the tables the kernel manager reads and the host writes, and their Python packing.

The layouts are facts (name, width, meaning); hardware builds its `StructLayout`s from them, the compiler packs
integers with them. Rows are written by the host as consecutive 32-bit words, least significant word first.
"""

from dataclasses import dataclass
from enum import IntEnum

from .platform import Platform


class Strategy(IntEnum):
    """What happens to the state on chip when a job is preempted at a point."""

    LAYER = 0  #: nothing is on chip: the boundary of a layer or of an output tile
    RECOMPUTE = 1  #: partial sums are dropped; on resume the tile is redone from its first K step
    PERSIST = 2  #: partial sums are stored to memory in the background and loaded back on resume
    PARK = 3  #: partial sums stay in their bank; only the analysis knows this yet, no hardware offers it


#: What the hardware can do.
HARDWARE_STRATEGIES = (Strategy.LAYER, Strategy.RECOMPUTE, Strategy.PERSIST)


@dataclass(frozen=True)
class Field:
    """One field of a table row."""

    name: str
    width: int
    doc: str


@dataclass(frozen=True)
class RowLayout:
    """A table row: fields from the least significant bit up."""

    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        return sum(f.width for f in self.fields)

    @property
    def words(self) -> int:
        """32-bit words the host writes for one row."""
        return -(-self.width // 32)

    def pack(self, **values: int) -> int:
        """Pack named values into one integer; every field must be given and fit.

        Raises
        ------
        ValueError
            If a field is missing, unknown or out of range.
        """
        names = {f.name for f in self.fields}
        if names != set(values):
            raise ValueError(f"fields differ from the layout: {sorted(names ^ set(values))}")
        row, shift = 0, 0
        for f in self.fields:
            value = int(values[f.name])
            if not 0 <= value < 1 << f.width:
                raise ValueError(f"{f.name} = {value} does not fit in {f.width} bits")
            row |= value << shift
            shift += f.width
        return row

    def unpack(self, row: int) -> dict[str, int]:
        """Inverse of `pack`."""
        out = {}
        for f in self.fields:
            out[f.name] = row & ((1 << f.width) - 1)
            row >>= f.width
        return out

    def to_words(self, row: int) -> list[int]:
        """The row as 32-bit words, least significant first."""
        return [(row >> (32 * i)) & 0xFFFFFFFF for i in range(self.words)]


def bits_for(value: int) -> int:
    """Bits that hold the unsigned `value` (at least one)."""
    return max(1, int(value).bit_length())


#: Bits of a tile coordinate or a tile count along one dimension of a layer.
COORD_BITS = 16
#: Bits of the iterations in one entry.
COUNT_BITS = 24


def layer_layout(p: Platform) -> RowLayout:
    """Layer descriptor: what is constant over a layer."""
    addr = p.bus.address_width
    return RowLayout((
        Field("multiplier", 32, "requantisation multiplier, 0 .. 2^31-1"),
        Field("shift", 6, "requantisation shift, 1 .. 62"),
        Field("zero_point", 8 * p.array.element_bytes, "output zero point, two's complement"),
        Field("relu", 1, "clamp below at the zero point"),
        Field("last_m_panels", bits_for(p.m_panels), "A panels in the last tile along M"),
        Field("last_n", bits_for(p.tile.n), "columns in the last tile along N"),
        Field("last_k", bits_for(p.tile.k), "k steps in the last tile along K"),
        Field("m_tiles", COORD_BITS, "tiles along M"),
        Field("n_tiles", COORD_BITS, "tiles along N"),
        Field("k_tiles", COORD_BITS, "tiles along K"),
        Field("a_panel_stride", addr, "bytes between panels of A"),
        Field("a_tile_stride", addr, "bytes between tile rows of A"),
        Field("b_base", addr, "address of B"),
        Field("b_panel_stride", addr, "bytes between panels of B"),
        Field("b_tile_stride", addr, "bytes between tile columns of B"),
        Field("bias_base", addr, "address of the int32 biases"),
        Field("c_panel_stride", addr, "bytes between panels of C"),
        Field("c_tile_stride", addr, "bytes between tile rows of C"),
        Field("save", addr, "address of the task's save area for persisted partial sums"),
    ))


def entry_layout(p: Platform) -> RowLayout:
    """Metadata entry: consecutive iterations of one layer, with the state of the tile walk at its start."""
    addr = p.bus.address_width
    return RowLayout((
        Field("layer", bits_for(p.tables.layers - 1), "row of the layer table"),
        Field("next_layer", bits_for(p.tables.layers - 1), "row of the layer table for the job's next entry"),
        Field("count", COUNT_BITS, "iterations in this entry"),
        Field("preemptive", 1, "a region ends after this entry: feedback is sent"),
        Field("final", 1, "the job ends after this entry"),
        Field("depends", 1, "first entry of a layer: its input must have been stored"),
        Field("out_strategy", 2, "strategy of the preemption point after this entry"),
        Field("in_strategy", 2, "strategy of the preemption point before this entry"),
        Field("m", COORD_BITS, "tile coordinate along M of the first iteration"),
        Field("n", COORD_BITS, "tile coordinate along N"),
        Field("k", COORD_BITS, "tile coordinate along K"),
        Field("a_row", addr, "address of A at (m, 0)"),
        Field("a", addr, "address of A at (m, k)"),
        Field("b_col", addr, "address of B at (0, n)"),
        Field("b", addr, "address of B at (k, n)"),
        Field("bias", addr, "address of the biases at n"),
        Field("c_row", addr, "address of C at (m, 0)"),
        Field("c", addr, "address of C at (m, n)"),
    ))


def index_layout(p: Platform) -> RowLayout:
    """Index table row, addressed by (task, region)."""
    return RowLayout((
        Field("entry", bits_for(p.tables.entries - 1), "first entry of the region"),
        Field("layer", bits_for(p.tables.layers - 1), "that entry's row of the layer table"),
    ))


def task_layout(p: Platform) -> RowLayout:
    """Task table row of the scheduler."""
    return RowLayout((Field("regions", bits_for(p.tables.regions), "regions in a job of the task"),))
