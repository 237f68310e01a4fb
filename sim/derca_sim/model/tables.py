"""Layouts of the tables that the kernel manager reads and the host writes, and their Python packing.

A layout lists name, width and meaning of each field. Hardware builds its `StructLayout`s from the layouts, the compiler
packs integers with them. The host writes rows as consecutive 32-bit words, least significant word first.
"""

from dataclasses import dataclass
from enum import IntEnum

from .platform import MAX_DIMENSION, MAX_KERNEL, MAX_SIDE, Platform


class Strategy(IntEnum):
    """What happens to the partial sums on chip when a job is preempted at a point."""

    LAYER = 0  #: there are none: the boundary of a layer or of an output tile
    RECOMPUTE = 1  #: dropped; on resume the output tile is redone from its first slice
    PERSIST = 2  #: stored to memory in the background, and loaded back on resume
    PARK = 3  #: left in their bank, and stored to memory only when other jobs need it (`buffers.spare`)


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


def _scale(p: Platform) -> list[Field]:
    """What a sum is multiplied by, and how the product is rounded."""
    return [
        Field("multiplier", 32, "requantisation multiplier, 0 .. 2^31-1"),
        Field("shift", 6, "requantisation shift, 1 .. 62"),
        *([Field("rounding", 2, "0 half away from zero, 1 half up, 2 TensorFlow Lite's two steps")]
          if p.requant.tflite else []),
    ]


def scale_layout(p: Platform) -> RowLayout:
    """Scale table row: one output channel of a layer."""
    return RowLayout(tuple(_scale(p)))


#: Entries of a table of outputs: one for each value of int8.
ACTIVATION_ENTRIES = 256


def activation_layout(p: Platform) -> RowLayout:
    """Activation table row: an output. Row 256 t + v is what table t makes of the value v, modulo 256."""
    return RowLayout((Field("output", 8 * p.array.element_bytes, "output, two's complement"),))


def _clamp(p: Platform) -> list[Field]:
    """What bounds a layer's outputs."""
    bits = 8 * p.array.element_bytes
    fields = [Field("low", bits, "least output, two's complement"), Field("high", bits, "largest output")] \
        if p.requant.clamp else [Field("relu", 1, "clamp below at the zero point")]
    return fields


def residual_fields(p: Platform) -> list[Field]:
    """What the store engine does with a matrix D that is added to a layer's outputs; none without `operators.add`."""
    return [
        Field("add", 1, "a matrix D is added to the outputs"),
        Field("scales_d", 1, "D, not the layer's own output, is multiplied; the other is halved"),
        Field("own_zero_point", 8, "zero point of the layer's own output, two's complement"),
        Field("d_zero_point", 8, "zero point of D, two's complement"),
        Field("factor", 31, "multiplier of the one that is multiplied"),
        Field("factor_shift", 4, "and the right shift after it"),
        Field("sum_multiplier", 32, "multiplier of the sum"),
        Field("sum_shift", 6, "shift of the sum, 32 .. 62"),
        Field("sum_zero_point", 8, "zero point of the sum, two's complement"),
        Field("sum_low", 8, "least sum, two's complement"),
        Field("sum_high", 8, "largest sum"),
    ] if p.operators.add else []


def own_b_stride(p: Platform) -> bool:
    """Whether layers have a stride of B; otherwise its panels are as far apart as those of A."""
    return p.a_lanes != p.b_lanes or p.operators.matmul or p.operators.convolution


#: How the walk over an image moves: to the next kernel column and row, to the next piece, to the next panel of outputs
#: where its first row of pixels goes on, and where it ends.
MOVES = ("x", "y", "piece", "panel", "wrap")


def patch_fields(p: Platform) -> list[Field]:
    """What the load side knows of a layer's image; for other layers a tile of A is the image."""
    panels, words = bits_for(MAX_DIMENSION), bits_for(p.a_steps - 1)
    return [
        Field("channels", bits_for(p.a_steps), "columns of A in a full tile; words from panel to panel in a slot"),
        Field("last_channels", bits_for(p.a_steps), "columns of A in the last tile along K"),
        Field("patch", bits_for(p.a_steps), "panels of A that a tile needs, outside the image too"),
        Field("patch_step", panels, "panels of A from tile to tile along M"),
        Field("patch_word", words, "where a tile's first panel begins in its slot, in words"),
        Field("top", bits_for(p.a_steps), "panels of the first tile that lie before the image"),
        Field("top_word", words, "where that tile's first panel in the image begins in its slot"),
        Field("top_bytes", p.bus.address_width, "their bytes of A"),
        Field("grouped", 1, "a tile of A has the channels of its tile along N, not along K"),
        Field("tile_y", bits_for(MAX_SIDE), "rows of the image from tile to tile along M"),
    ]


def window_fields(p: Platform) -> list[Field]:
    """What the compute side knows of a layer's window: how the array's rows move over the image, and its border."""
    side, words, turn = bits_for(MAX_SIDE), bits_for(p.a_steps - 1), bits_for(p.turn - 1)
    lines = bits_for(2 * max(p.array.rows, p.array.cols))
    moves = [field for move in MOVES for field in (
        Field(f"{move}_turn", turn, f"pixels of move {move}, modulo two panels"),
        Field(f"{move}_words", words, f"words of the slot from the pairs of panels that move {move} goes on, modulo"),
    )]
    return [
        Field("windowed", 1, "A are windows over an image with a border; the fields from `pad` on count"),
        Field("split", 1, "even and odd pixels are kept apart: rows of the array are two pixels apart"),
        Field("last_x", bits_for(MAX_KERNEL - 1), "columns of the kernel, less 1"),
        Field("last_y", bits_for(2 * (p.array.cols - 1) + MAX_KERNEL - 1),
              "rows of the kernel, less 1; if packed, those of all kernels of a panel of B together"),
        Field("last_piece", bits_for(p.array.rows - 1), "image rows over which a panel of outputs may go, less 1"),
        Field("first_turn", turn, "pixel under the array's first row at the kernel's first place, modulo two panels"),
        Field("depth", bits_for(p.a_steps), "if grouped: channels of A under each place, for a panel of B"),
        Field("n_words", words, "if grouped: words of the slot that the next panel of B begins further on"),
        *moves,
        Field("pad", 8, "value outside the image, two's complement"),
        Field("width", side, "pixels in a row of the image"),
        Field("height", side, "its rows"),
        Field("out_width", side, "outputs in a row"),
        Field("panel_x", side + 1, "columns of the image that a panel advances, modulo those under a row of outputs"),
        Field("panel_y", lines, "rows of the image that it advances before"),
        Field("wrap_y", lines, "and more of them where a row of outputs ends"),
        Field("stride_y", 1, "outputs are two rows of the image apart, not one"),
        Field("pad_x", bits_for(MAX_SIDE), "columns outside the image under the kernel's first place"),
        Field("pad_y", bits_for(MAX_SIDE), "rows outside it"),
        Field("dilation_x", bits_for(MAX_SIDE), "columns from one of the kernel to the next"),
        Field("dilation_y", bits_for(MAX_SIDE), "rows"),
        *([Field("maximum", 1, "outputs are the largest values under the kernel's places, not sums")]
          if p.operators.maximum else []),
    ]


def packed_fields(p: Platform) -> list[Field]:
    """What the store engine knows of a layer whose panels of B have a channel each, and a row of outputs a column."""
    pixels = bits_for(p.bank_columns * p.array.rows)
    return [
        Field("packed", 1, "columns of C are rows of an image, one panel of B to a channel"),
        Field("row_pixels", bits_for(MAX_SIDE), "if packed: outputs in a row of C"),
        Field("rows", bits_for(p.array.cols), "if packed: rows of outputs in a panel of B"),
        Field("pixels", pixels, "if packed: outputs of a channel in a full tile"),
        Field("last_pixels", pixels, "and in the last tile along M"),
    ] if p.operators.depthwise else []


def layer_layout(p: Platform) -> RowLayout:
    """Layer descriptor: what is constant over a layer. Addresses and strides are whole beats."""
    addr, tiles, dimension = p.bus.address_width, bits_for(p.tables.tiles), bits_for(MAX_DIMENSION)
    shape = [
        Field("n_tiles", tiles, "tiles along N"),
        Field("k_tiles", tiles, "tiles along K"),
    ]
    if p.tile.per_layer:
        shape = [
            Field("m_panels", bits_for(p.most_m_panels), "A panels of a full tile"),
            Field("tile_n", bits_for(p.tile.n), "columns of a full tile"),
            Field("tile_k", bits_for(p.most_k), "k steps of a full tile"),
            Field("n_end", dimension, "first column of the last tile along N"),
            Field("k_end", dimension, "first k step of the last tile along K"),
            Field("a_m_stride", addr, "bytes of A between tiles along M"),
            Field("b_n_stride", addr, "bytes of B between tiles along N"),
        ]
    if p.operators.convolution:
        steps = bits_for(p.most_steps)
        shape += [
            Field("steps", steps, "k steps of a slice of a full tile"),
            Field("last_steps", steps, "k steps of a slice of the last tile along K"),
            *patch_fields(p), *window_fields(p),
        ]
    return RowLayout((
        *([Field("scale", bits_for(p.requant.channels - 1), "row of the first channel in the table of scales")]
          if p.requant.channels else _scale(p)),
        Field("zero_point", 8 * p.array.element_bytes, "output zero point, two's complement"),
        *_clamp(p),
        *([Field("activation", 1, "outputs go through a table"),
           Field("table", bits_for(p.requant.tables - 1), "number of the table")] if p.requant.tables else []),
        *residual_fields(p),
        *packed_fields(p),
        *([Field("transpose", 1, "C is stored transposed"),
           Field("last_m", bits_for(p.most_m), "rows in the last tile along M")] if p.operators.transpose else []),
        Field("last_m_panels", bits_for(p.most_m_panels), "A panels in the last tile along M"),
        Field("last_n", bits_for(p.tile.n), "columns in the last tile along N"),
        Field("last_k", bits_for(p.most_k), "k steps in the last tile along K"),
        Field("m_tiles", tiles, "tiles along M"),
        *([Field("a_vector", 1, "A has one row, stored without padding"), Field("c_vector", 1, "C likewise")]
          if p.operators.vectors else []),
        *shape,
        Field("prev_n_tiles", tiles, "output tiles of the job's layer before that a row waits for, if by rows; else 0"),
        *([Field("wait_rows", tiles, "rows of tiles after each of which as many more are waited for")]
          if p.operators.convolution else []),
        *([Field("ahead", bits_for(p.buffers.ahead), "iterations by which tiles of B are requested before those of A")]
          if p.buffers.ahead else []),
        Field("a_panel_stride", addr, "bytes between panels of A; those of B too, where it has no field of its own"),
        Field("b_base", addr, "address of B"),
        *([Field("b_panel_stride", addr, "bytes between panels of B")] if own_b_stride(p) else []),
        Field("bias_base", addr, "address of the int32 biases"),
        Field("c_panel_stride", addr, "bytes between panels of C, as it is stored"),
        *([Field("c_m_stride", addr, "bytes of C between tiles along M")]
          if p.tile.per_layer or p.operators.transpose else []),
        *([Field("c_n_stride", addr, "bytes of C between tiles along N")] if p.operators.transpose else []),
        *([Field("d_panel_stride", addr, "bytes between panels of D"),
           Field("d_m_stride", addr, "bytes of D between tiles along M")] if p.operators.add else []),
        Field("save", addr, "address of the task's save area for persisted partial sums"),
    ))


def entry_layout(p: Platform) -> RowLayout:
    """Entry table row: a place where the walk of a job can begin, and the state of the walk from there on.

    The first word holds everything that the kernel manager needs to go on.
    """
    addr, tiles = p.bus.address_width, bits_for(p.tables.tiles)
    walk = [
        Field("n", tiles, "tile coordinate along N"),
        Field("k", tiles, "tile coordinate along K"),
        Field("m_panel", bits_for(p.m_panels - 1), "A panel of the first slice"),
        Field("n_panel", bits_for(p.n_panels - 1), "B panel of the first slice"),
    ]
    if p.tile.per_layer:
        walk = [
            Field("n", bits_for(MAX_DIMENSION), "first column of the first iteration"),
            Field("k", bits_for(MAX_DIMENSION), "its first k step"),
            Field("m_panel", bits_for(p.most_m_panels - 1), "A panel of the first slice"),
            Field("n_panel", bits_for(p.n_panels - 1), "B panel of the first slice"),
            *([] if p.operators.convolution else [
                Field("a_word", bits_for(p.a_steps - 1), "where that A panel begins in its slot, in words")]),
            Field("b_word", bits_for(p.b_steps - 1), "where that B panel begins in its slot, in words"),
            Field("bank_word", bits_for(p.bank_columns - 1), "where the slice's columns begin in the bank"),
        ]
    return RowLayout((
        Field("layer", bits_for(p.tables.layers - 1), "row of the layer table"),
        Field("next", bits_for(p.tables.entries - 1), "row of the job's next layer, its own if there is none"),
        Field("final", 1, "the job's last layer"),
        Field("next_layer", bits_for(p.tables.layers - 1), "row of the layer table that the next entry names"),
        Field("depends", 1, "its A comes from layers of the job"),
        *([Field("depends_b", 1, "its B comes from layers of the job")] if p.operators.matmul else []),
        *([Field("depends_d", 1, "its D comes from layers of the job")] if p.operators.add else []),
        Field("allow", bits_for(2 * p.tables.slices), "output tiles of the job that may not be in memory yet"),
        Field("m", tiles, "tile coordinate along M of the first iteration"),
        *walk,
        *([Field("channel", bits_for(MAX_DIMENSION), "first column of A of the first iteration"),
           Field("panels_left", bits_for(2 * MAX_DIMENSION), "panels of A from its tile's first on"),
           Field("y", bits_for(2 * MAX_SIDE), "its first row of the image, without the kernel's pad")]
          if p.operators.convolution else []),
        Field("a_row", addr, "address of A at (m, 0)"),
        Field("b_col", addr, "address of B at (0, n)"),
        Field("c_row", addr, "address of C at (m, 0)"),
        *([Field("d_row", addr, "address of D at (m, 0)")] if p.operators.add else []),
        *([Field("c", addr, "address of C at (m, n)")] if p.operators.transpose else []),
    ))


def index_layout(p: Platform) -> RowLayout:
    """Index table row, addressed by (task, region)."""
    slices = bits_for(p.tables.slices)
    return RowLayout((
        Field("entry", bits_for(p.tables.entries - 1), "entry at which the region begins"),
        Field("layer", bits_for(p.tables.layers - 1), "that entry's row of the layer table"),
        Field("slices", slices, "slices in the region"),
        Field("redone", slices, "slices from the beginning of the output tile to the region's end"),
        Field("last", 1, "the job's last region"),
        Field("in_strategy", 2, "strategy of the preemption point before the region"),
        Field("out_strategy", 2, "strategy of the preemption point after the region"),
    ))


def task_layout(p: Platform) -> RowLayout:
    """Task table row of the scheduler."""
    return RowLayout((Field("regions", bits_for(p.tables.regions), "regions in a job of the task"),))


class WordOrder:
    """The order in which the words of an entry and of its layer are read: numbers that count up by one.

    The entry comes first, from its most significant word down. So its word 0, which leads to the next entry, arrives
    last. The layer follows, from its least significant word up.

    Attributes
    ----------
    bits
        Bits of a word's number within its row. The bit above them is 1 for words of the layer.
    first, layer, end
        Number of the first word, of the layer's first word, and the number after the last.
    entry_words, layer_words
        Words of a row.
    """

    def __init__(self, p: Platform):
        self.entry_words, self.layer_words = entry_layout(p).words, layer_layout(p).words
        self.bits = bits_for(max(self.entry_words - 1, self.layer_words))
        self.layer = 1 << self.bits
        self.first = self.layer - self.entry_words
        self.end = self.layer + self.layer_words

    def entry(self, word: int) -> int:
        """Number of a word of the entry."""
        return self.layer - 1 - word

    def of_layer(self, word: int) -> int:
        """Number of a word of the layer."""
        return self.layer + word
