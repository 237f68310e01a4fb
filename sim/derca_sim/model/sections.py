"""Sections of a platform that say how large the datapath is and what memory is behind it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of every TOML section: unknown keys are errors, values are immutable once validated."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ArrayConfig(Section):
    """The PE array: `rows` x `cols` multiply-accumulate elements, output stationary; `dtype` of inputs and outputs."""

    rows: Annotated[int, Field(ge=2, le=32)] = 8
    cols: Annotated[int, Field(ge=2, le=32)] = 8
    dtype: Literal["int8", "int16"] = "int8"

    @property
    def element_bytes(self) -> int:
        """Bytes of an input or output."""
        return {"int8": 1, "int16": 2}[self.dtype]


class TileConfig(Section):
    """Tile of one iteration, in elements: `m` x `k` of A times `k` x `n` of B; a slot of A, of B and a bank hold it.

    With `per_layer` the compiler chooses the tile of each layer, of any shape that slots and banks hold, with at most
    `n` columns. It takes the fastest; of tiles that cost up to a share of `fewer_reads` more cycles, the one that reads
    least from memory.
    """

    m: Annotated[int, Field(ge=2, le=1024)] = 16
    k: Annotated[int, Field(ge=4, le=1024)] = 32
    n: Annotated[int, Field(ge=2, le=1024)] = 16
    per_layer: bool = False
    fewer_reads: Annotated[float, Field(ge=0, le=1)] = 0.0


class BufferConfig(Section):
    """On-chip buffers: `slots` tiles of each operand, `banks` output tiles of int32 partial sums.

    Up to `spare` banks may hold sums of preempted jobs. Tiles of B may be requested up to `ahead` iterations before
    tiles of A, so that they are there when the layer before has ended.
    """

    slots: Annotated[int, Field(ge=2, le=8)] = 2
    banks: Annotated[int, Field(ge=2, le=8)] = 2
    spare: Annotated[int, Field(ge=0, le=6)] = 0
    ahead: Annotated[int, Field(ge=0, le=7)] = 0


class BusConfig(Section):
    """The AXI4 master: widths in bits, read bursts in flight, longest burst in beats."""

    data_width: Literal[32, 64, 128, 256] = 64
    address_width: Annotated[int, Field(ge=16, le=40)] = 32
    outstanding: Literal[2, 4, 8, 16, 32] = 16
    burst_beats: Literal[4, 8, 16, 32, 64, 128, 256] = 64


class MemoryConfig(Section):
    """The memory the timing model assumes: one beat per cycle and direction, fixed latencies in cycles.

    `read_latency` counts from the accepted AR to its first R beat, `write_latency` from the accepted last W beat to
    B. `size` is the bytes of the simulated memory.
    """

    read_latency: Annotated[int, Field(ge=2, le=1024)] = 32
    write_latency: Annotated[int, Field(ge=1, le=1024)] = 16
    size: Annotated[int, Field(ge=4096, le=1 << 30)] = 1 << 22


class TableConfig(Section):
    """The kernel manager's tables: layer descriptors, metadata entries, regions per task.

    A layer has at most `tiles` tiles along a dimension. A layer and a region have at most `slices` slices each. `read`
    says how an entry and its layer are read: both at once (`row`), or word by word from one memory (`word`, which is
    small and takes some cycles per layer). `shadow` doubles the tables, so that the host can write a task set while
    another runs. `parity` guards every 32-bit word.
    """

    layers: Annotated[int, Field(ge=2, le=1024)] = 64
    entries: Annotated[int, Field(ge=4, le=65536)] = 1024
    regions: Annotated[int, Field(ge=2, le=4096)] = 256
    tiles: Annotated[int, Field(ge=1, le=65535)] = 65535
    slices: Annotated[int, Field(ge=1, le=(1 << 24) - 1)] = (1 << 24) - 1
    read: Literal["row", "word"] = "row"
    shadow: bool = True
    parity: bool = True


class StoreConfig(Section):
    """The store engine: `requant_lanes` outputs per cycle; divides the array's rows and the outputs in a beat."""

    requant_lanes: Annotated[int, Field(ge=1, le=32)] = 2


class TraceConfig(Section):
    """The event stream and the counters.

    Each source buffers `depth` events. With `enabled`, the stream also reports what happens within jobs. `statistics`
    counts every task's events, `counters` counts cycles and bytes.
    """

    enabled: bool = True
    statistics: bool = True
    counters: bool = True
    depth: Literal[4, 8, 16, 32, 64] = 16


class OperatorsConfig(Section):
    """What layers can do beside products with constant weights; left out by default.

    With `matmul` both operands of a product may be computed. With `transpose` a layer can store the transpose of its
    output. With `vectors` matrices of one row are stored and read without padding to the rows of the array. With `add`
    a second matrix may be added to a layer's outputs. With `convolution` A may be the windows of a kernel over an
    image; with `depthwise` too, columns of B may be the kernel of one channel, moved from row to row of outputs. With
    `maximum` an output may be the largest value under a kernel instead of a sum of products.
    """

    matmul: bool = False
    transpose: bool = False
    vectors: bool = False
    add: bool = False
    convolution: bool = False
    depthwise: bool = False
    maximum: bool = False
