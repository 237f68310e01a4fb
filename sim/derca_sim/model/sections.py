"""Sections of a platform that say how large the datapath is and what memory is behind it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr


class Section(BaseModel):
    """Base of every TOML section: unknown keys are errors, values are immutable once validated.

    The docstring below a key says what the key means. The manual's reference of files is made of them (docs/toml.md).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class SectionOfFile(Section):
    """A section that may be a file of its own, which messages name. Equality and hash are those of its keys alone."""

    _file: Path | None = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    @property
    def file(self) -> Path | None:
        """The file it was read from; None if it was not."""
        return self._file

    def read_from(self, file: Path | None) -> Self:
        """The same section, read from a file."""
        out = self.model_copy()
        out._file = file
        return out


class ArrayConfig(Section):
    """The array of multiply-accumulate elements, output stationary."""

    rows: Annotated[int, Field(ge=2, le=32)] = 8
    """Rows of the array: rows of A that it takes at once."""
    cols: Annotated[int, Field(ge=2, le=32)] = 8
    """Columns of the array: columns of B that it takes at once."""
    dtype: Literal["int8", "int16"] = "int8"
    """Type of inputs and outputs; partial sums are int32."""

    @property
    def element_bytes(self) -> int:
        """Bytes of an input or output."""
        return {"int8": 1, "int16": 2}[self.dtype]


class TileConfig(Section):
    """The tile of one iteration: what a slot of A, a slot of B and a bank hold, in elements."""

    m: Annotated[int, Field(ge=2, le=1024)] = 16
    """Rows of a tile of A; a multiple of `array.rows`."""
    k: Annotated[int, Field(ge=4, le=1024)] = 32
    """Columns of a tile of A, which are the rows of a tile of B."""
    n: Annotated[int, Field(ge=2, le=1024)] = 16
    """Columns of a tile of B; a multiple of `array.cols`."""
    per_layer: bool = False
    """The compiler chooses the tile of each layer, the fastest of any shape that slots and banks hold, with at most
    `n` columns."""
    fewer_reads: Annotated[float, Field(ge=0, le=1)] = 0.0
    """With `per_layer`: of tiles that cost up to this share more cycles than the fastest, take the one that reads least
    from memory."""


class BufferConfig(Section):
    """The buffers on the chip."""

    slots: Annotated[int, Field(ge=2, le=8)] = 2
    """Tiles of each operand that are on the chip at once."""
    banks: Annotated[int, Field(ge=2, le=8)] = 2
    """Output tiles of int32 partial sums that are on the chip at once."""
    spare: Annotated[int, Field(ge=0, le=6)] = 0
    """Banks that may hold the sums of preempted jobs; at most `banks` - 2."""
    ahead: Annotated[int, Field(ge=0, le=7)] = 0
    """Iterations by which tiles of B may be requested before tiles of A, so that they are there when the layer before
    has ended; at most `slots` - 1."""


class BusConfig(Section):
    """The AXI4 port to memory."""

    data_width: Literal[32, 64, 128, 256] = 64
    """Width of a beat in bits."""
    address_width: Annotated[int, Field(ge=16, le=40)] = 32
    """Width of an address in bits."""
    outstanding: Literal[2, 4, 8, 16, 32] = 16
    """Read bursts in flight at most."""
    burst_beats: Literal[4, 8, 16, 32, 64, 128, 256] = 64
    """Beats of the longest burst."""


class MemoryConfig(Section):
    """The memory that the timing model assumes: one beat per cycle and direction, with fixed latencies."""

    read_latency: Annotated[int, Field(ge=2, le=1024)] = 32
    """Cycles from an accepted read address to the first beat of its data."""
    write_latency: Annotated[int, Field(ge=1, le=1024)] = 16
    """Cycles from the accepted last beat of a write to its response."""
    size: Annotated[int, Field(ge=4096, le=1 << 30)] = 1 << 22
    """Bytes of memory."""


class TableConfig(Section):
    """The tables of the kernel manager, which the host loads."""

    layers: Annotated[int, Field(ge=2, le=1024)] = 64
    """Layer descriptors of all tasks together."""
    entries: Annotated[int, Field(ge=4, le=65536)] = 1024
    """Entries of all tasks together: places where a walk can begin."""
    regions: Annotated[int, Field(ge=2, le=4096)] = 256
    """Regions of a task."""
    tiles: Annotated[int, Field(ge=1, le=65535)] = 65535
    """Tiles of a layer along a dimension."""
    slices: Annotated[int, Field(ge=1, le=(1 << 24) - 1)] = (1 << 24) - 1
    """Slices of a layer, and of a region."""
    read: Literal["row", "word"] = "row"
    """How an entry and its layer are read: both at once (`row`), or word by word from one memory (`word`), which is
    small and takes some cycles for each layer."""
    shadow: bool = True
    """Keep two pages of the tables, so that the host can write a task set while another runs."""
    parity: bool = True
    """Guard every 32-bit word with a parity bit."""


class StoreConfig(Section):
    """The store engine."""

    requant_lanes: Annotated[int, Field(ge=1, le=32)] = 2
    """Outputs that it requantises per cycle; a divisor of `array.rows` and of the outputs in a beat."""


class TraceConfig(Section):
    """The event stream and the counters."""

    enabled: bool = True
    """Report also what happens within jobs."""
    statistics: bool = True
    """Count every task's events."""
    counters: bool = True
    """Count the array's cycles and each task's bytes."""
    depth: Literal[4, 8, 16, 32, 64] = 16
    """Events that each source can buffer."""


class OperatorsConfig(Section):
    """What layers can do beside products with constant weights."""

    matmul: bool = False
    """Both operands of a product may be computed. Takes a square array."""
    transpose: bool = False
    """A layer can store the transpose of its output."""
    vectors: bool = False
    """Matrices of one row are stored and read without padding to the rows of the array."""
    add: bool = False
    """A second matrix may be added to the outputs of a layer. Takes int8."""
    convolution: bool = False
    """A may be the windows of a kernel over an image. Takes int8 and `tile.per_layer`."""
    depthwise: bool = False
    """With `convolution`, columns of B may be the kernel of one channel, moved from row to row of outputs."""
    maximum: bool = False
    """With `convolution`, an output may be the largest value under a kernel. Takes an array of 3 columns or more."""


class RequantConfig(Section):
    """What requantisation can do beside rounding half away from zero and ReLU."""

    tflite: bool = False
    """Round as the reference kernels of TensorFlow Lite do. Takes int8."""
    clamp: bool = False
    """A layer's outputs have a least and a largest value of their own. Takes int8."""
    channels: Annotated[int, Field(ge=0, le=65536)] = 0
    """Scales of output channels, of all layers together, for which the table of scales has room; 0 gives each layer
    one scale."""
    tables: Annotated[int, Field(ge=0, le=256)] = 0
    """Tables of 256 outputs that the outputs of a layer can go through: functions of one element behind a layer. Takes
    int8."""
