"""The platform: what is built. Every constant of hardware, golden model and compiler derives from it.

A `Platform` is declared intent (what a user writes in TOML); its properties are the resolved widths and sizes.
"""

import hashlib
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from .sections import (
    ArrayConfig,
    BufferConfig,
    BusConfig,
    MemoryConfig,
    OperatorsConfig,
    RequantConfig,
    Section,
    SectionOfFile,
    StoreConfig,
    TableConfig,
    TileConfig,
    TraceConfig,
)

#: Largest dimension of a layer.
MAX_DIMENSION = 65535
#: Largest height and width of an image under a window, and of the kernel: a product may take a whole small image.
MAX_SIDE, MAX_KERNEL = 1023, 32
#: Least columns of an array that takes maxima: the larger of `ComputeTiming.UPDATE` and `ComputeTiming.SHORTEST`.
LEAST_MAXIMUM_COLUMNS = 3
#: How platforms, networks and tasks are named: in files, tables and the hardware's documents.
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,40}$",
                            json_schema_extra={"allowed": "names of at most 41 letters, digits, - and _, the first "
                                                          "a letter"})]
#: What orders jobs: absolute deadline, relative deadline, release, absolute deadline minus remaining work.
Policy = Literal["edf", "deadline_monotonic", "fifo", "least_slack"]
#: What a release does while the task's previous job lives.
Overrun = Literal["skip", "abort", "queue"]


def _as_tuple(value):
    """Turn a list into a tuple: TOML has lists only."""
    return tuple(value) if isinstance(value, list) else value


class SchedulerConfig(Section):
    """The scheduler on the chip."""

    kind: Literal["heap", "scan", "tournament"] = "heap"
    """How the waiting jobs are kept; they order jobs alike, and differ in area and in how soon a release can win."""
    policies: Annotated[tuple[Policy, ...], BeforeValidator(_as_tuple), Field(min_length=1)] = ("edf",)
    """Policies that are generated in. The host selects one of them; the first is selected after reset."""
    tasks: Annotated[int, Field(ge=2, le=1024)] = 8
    """Tasks at most."""
    time_width: Annotated[int, Field(ge=16, le=32)] = 32
    """Bits of keys, which are compared modulo 2^`time_width`."""


class ReleaseConfig(Section):
    """Job release."""

    kind: Literal["parallel", "swept"] = "parallel"
    """One timer for each task (`parallel`), or timers in RAM that are visited in turn (`swept`)."""
    overrun: Annotated[tuple[Overrun, ...], BeforeValidator(_as_tuple), Field(min_length=1)] = ("skip",)
    """What may happen to a release while the task's previous job lives; each task chooses one of these. `skip` drops
    the release, `abort` gives the old job up, `queue` keeps the release until that job ends."""
    sporadic: bool = True
    """Triggers can release tasks."""
    trace: Annotated[int, Field(ge=0, le=65536)] = 0
    """Triggers of a recorded trace that on-chip memory holds for replay; 0 leaves the replay out."""


class SupervisionConfig(Section):
    """What watches over running jobs."""

    budgets: bool = False
    """Limit the execution time of each job and region."""
    watchdog: bool = True
    """Report missing feedback."""
    windows: bool = True
    """Check every request against the addresses that its task may read and write."""
    failures: bool = True
    """A job fails when one of its requests is refused, or answered with an error by the memory. Without it, such an
    answer only shows as a fault."""
    interrupts: bool = True
    """The output `irq` reports misses, faults, ends of jobs and commits to the host. Without it, the host polls."""


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


class Platform(SectionOfFile):
    """One accelerator with its scheduler and memory interface."""

    name: Name = "derca"
    """Name of the platform, in documents and messages."""
    clock_mhz: Annotated[float, Field(gt=0, le=2000)] = 50.0
    """Clock rate in MHz; it turns cycles into times, and changes no cycle."""
    pipeline: Literal["decoupled", "lockstep"] = "decoupled"
    """The engines run ahead of each other (`decoupled`), or each iteration waits for load, compute and store."""
    preemption: Literal["slice", "layer"] = "slice"
    """Jobs can be preempted after any slice, or only between layers, without the hardware that keeps and restores
    partial sums."""
    array: ArrayConfig = ArrayConfig()
    """The array."""
    tile: TileConfig = TileConfig()
    """The tile."""
    buffers: BufferConfig = BufferConfig()
    """The buffers."""
    bus: BusConfig = BusConfig()
    """The memory port."""
    memory: MemoryConfig = MemoryConfig()
    """The memory."""
    scheduler: SchedulerConfig = SchedulerConfig()
    """The scheduler."""
    release: ReleaseConfig = ReleaseConfig()
    """Job release."""
    supervision: SupervisionConfig = SupervisionConfig()
    """Supervision."""
    tables: TableConfig = TableConfig()
    """The tables."""
    store: StoreConfig = StoreConfig()
    """The store engine."""
    requant: RequantConfig = RequantConfig()
    """Requantisation."""
    operators: OperatorsConfig = OperatorsConfig()
    """Operators of layers."""
    trace: TraceConfig = TraceConfig()
    """Events and counters."""

    @property
    def where(self) -> str:
        """The platform in messages: its name, and its file if it has one."""
        return f"platform {self.name}" + (f" ({self.file})" if self.file is not None else "")

    @model_validator(mode="after")
    def _cross_checks(self):
        problems = []

        def require(condition: bool, key: str, value, allowed: str):
            if not condition:
                problems.append(f"{key} = {value}: allowed are {allowed}")

        a, t, bus = self.array, self.tile, self.bus
        require(t.m % a.rows == 0, "tile.m", t.m, f"multiples of array.rows = {a.rows}")
        require(t.n % a.cols == 0, "tile.n", t.n, f"multiples of array.cols = {a.cols}")
        require(
            t.k * self.a_lanes % self.beat_bytes == 0 and t.k * self.b_lanes % self.beat_bytes == 0,
            "tile.k", t.k,
            f"values whose panel slices fill whole {self.beat_bytes}-byte beats "
            f"(k x {self.a_lanes} and k x {self.b_lanes} bytes)",
        )
        require(
            t.n * self.a_lanes % self.beat_bytes == 0, "tile.n", t.n,
            f"values whose output rows fill whole {self.beat_bytes}-byte beats (n x {self.a_lanes} bytes)",
        )
        require(
            t.n * 4 % self.beat_bytes == 0, "tile.n", t.n,
            f"values whose biases fill whole {self.beat_bytes}-byte beats (n x 4 bytes)",
        )
        if self.operators.transpose:
            require(
                t.m * self.a_lanes % self.beat_bytes == 0, "tile.m", t.m,
                f"values whose columns fill whole {self.beat_bytes}-byte beats (m x {self.a_lanes} bytes) with "
                "operators.transpose",
            )
            require(
                t.n % a.rows == 0, "tile.n", t.n,
                f"multiples of array.rows = {a.rows} and of array.cols = {a.cols} with operators.transpose",
            )
        require(
            bus.data_width <= 32 * a.rows, "bus.data_width", bus.data_width,
            f"at most 32 x array.rows = {32 * a.rows} bits, so that a beat is never wider than a bank word",
        )
        require(
            self.buffers.spare <= self.buffers.banks - 2, "buffers.spare", self.buffers.spare,
            f"at most buffers.banks - 2 = {self.buffers.banks - 2}, so that two banks are left for the running job",
        )
        most = self.buffers.slots - 1 if self.pipeline == "decoupled" else 0
        require(
            self.buffers.ahead <= most, "buffers.ahead", self.buffers.ahead,
            f"at most buffers.slots - 1 = {self.buffers.slots - 1}, and 0 with pipeline = \"lockstep\"",
        )
        require(
            self.preemption == "slice" or self.buffers.spare == 0, "buffers.spare", self.buffers.spare,
            '0 with preemption = "layer", where jobs are preempted only when they have no partial sums',
        )
        require(
            a.rows % self.store.requant_lanes == 0, "store.requant_lanes", self.store.requant_lanes,
            f"divisors of array.rows = {a.rows}",
        )
        require(
            self.beat_bytes % (self.store.requant_lanes * a.element_bytes) == 0,
            "store.requant_lanes", self.store.requant_lanes,
            f"divisors of the {self.beat_bytes // a.element_bytes} outputs in a beat",
        )
        for option, none in (("tflite", "false"), ("clamp", "false"), ("tables", "0")):
            value = getattr(self.requant, option)
            require(a.dtype == "int8" or not value, f"requant.{option}", value, f'{none}, or array.dtype = "int8"')
        for option in ("channels", "tables"):
            value = getattr(self.requant, option)
            require(not value or self.tables.read == "row", f"requant.{option}", value, '0, or tables.read = "row"')
        require(
            not self.operators.add or (a.dtype == "int8" and self.tables.read == "row"), "operators.add", "true",
            'false, or array.dtype = "int8" and tables.read = "row"',
        )
        require(
            not self.operators.matmul or a.rows == a.cols, "operators.matmul", "true",
            f"false, or array.cols = array.rows = {a.rows}: B is read as A is stored",
        )
        require(
            not self.operators.convolution or (
                t.per_layer and a.dtype == "int8" and self.tables.read == "row"
                and self.a_lanes == a.rows and a.rows >= self.beat_bytes and not a.rows & a.rows - 1),
            "operators.convolution", "true",
            'false, or tile.per_layer = true, tables.read = "row", array.dtype = "int8" and array.rows that are a '
            f"power of two and fill whole beats of {self.beat_bytes} bytes",
        )
        require(not self.operators.depthwise or self.operators.convolution, "operators.depthwise", "true",
                "false, or operators.convolution = true")
        require(not self.operators.maximum or self.operators.convolution, "operators.maximum", "true",
                "false, or operators.convolution = true")
        require(
            not self.operators.maximum or a.cols >= LEAST_MAXIMUM_COLUMNS, "operators.maximum", "true",
            f"false, or array.cols of at least {LEAST_MAXIMUM_COLUMNS}, so that a bank has been updated when the next "
            "place of a kernel leaves the array",
        )
        require(
            bus.burst_beats * self.beat_bytes <= 4096, "bus.burst_beats", bus.burst_beats,
            f"at most {4096 // self.beat_bytes} beats of {self.beat_bytes} bytes, the 4 KiB limit of AXI4",
        )
        narrow, word = a.element_bytes, max(self.a_lanes, self.beat_bytes)
        require(
            not self.operators.vectors or not (word & word - 1 or t.k * narrow % self.beat_bytes
                                               or t.n * narrow % self.beat_bytes),
            "operators.vectors", True, f"false, or tile.k and tile.n whose elements fill whole {self.beat_bytes}-byte "
            "beats, and an array whose rows fill a power of two of bytes",
        )
        most = 64  # waiting jobs, or timers, that are compared side by side
        require(
            self.scheduler.kind != "tournament" or self.scheduler.tasks <= most, "scheduler.tasks",
            self.scheduler.tasks, f"at most {most} with scheduler.kind = \"tournament\"; scan and heap take more",
        )
        require(
            self.release.kind != "parallel" or self.scheduler.tasks <= most, "scheduler.tasks",
            self.scheduler.tasks, f"at most {most} with release.kind = \"parallel\"; swept takes more",
        )
        require(
            self.release.kind != "parallel" or self.release.overrun == ("skip",), "release.overrun",
            self.release.overrun, "skip with release.kind = \"parallel\"; swept can queue and abort",
        )
        require(
            self.supervision.failures or not self.supervision.windows, "supervision.failures", "false",
            "true with supervision.windows: a request that is refused ends in a failure",
        )
        require(
            self.scheduler.kind != "heap" or "abort" not in self.release.overrun, "release.overrun",
            self.release.overrun, "skip and queue with scheduler.kind = \"heap\"; scan and tournament can abort",
        )
        require(
            self.release.kind != "parallel" or 4 * self.trace.depth >= self.scheduler.tasks, "trace.depth",
            self.trace.depth, f"at least scheduler.tasks / 4 = {-(-self.scheduler.tasks // 4)} with release.kind = "
                              "\"parallel\", for all tasks releasing at once",
        )
        require(
            self.release.sporadic or not self.release.trace, "release.trace", self.release.trace,
            "0 with release.sporadic = false: a trace holds triggers",
        )
        require(
            self.memory.size <= 1 << min(32, bus.address_width), "memory.size", self.memory.size,
            f"at most 2^{min(32, bus.address_width)}, the range of bus.address_width and of the tasks' windows",
        )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    # -- resolved sizes ---------------------------------------------------------------------------------------------

    @property
    def beat_bytes(self) -> int:
        """Bytes in one AXI beat."""
        return self.bus.data_width // 8

    def lanes(self, elements: int) -> int:
        """Bytes one k step of a panel of `elements` rows or columns takes: padded to divide or fill beats."""
        beat, used = self.beat_bytes, elements * self.array.element_bytes
        if used >= beat:
            return _ceil_div(used, beat) * beat
        lanes = 1
        while lanes < used:
            lanes *= 2
        return lanes

    @property
    def a_lanes(self) -> int:
        """Bytes per k of an A panel (and per n of a C panel)."""
        return self.lanes(self.array.rows)

    @property
    def b_lanes(self) -> int:
        """Bytes per k of a B panel."""
        return self.lanes(self.array.cols)

    @property
    def m_panels(self) -> int:
        """A panels (groups of `rows` rows) in a full tile."""
        return self.tile.m // self.array.rows

    @property
    def n_panels(self) -> int:
        """B panels (groups of `cols` columns) in a full tile."""
        return self.tile.n // self.array.cols

    @property
    def bank_word_beats(self) -> int:
        """Beats one bank word (rows x int32) takes in memory when persisted."""
        return _ceil_div(4 * self.array.rows, self.beat_bytes)

    @property
    def a_steps(self) -> int:
        """K steps of panels of A that a slot holds."""
        return self.m_panels * self.tile.k

    @property
    def b_steps(self) -> int:
        """K steps of panels of B that a slot holds."""
        return self.n_panels * self.tile.k

    @property
    def bank_columns(self) -> int:
        """Columns of `rows` sums that a bank holds."""
        return self.m_panels * self.tile.n

    @property
    def most_k(self) -> int:
        """K steps of the longest tile."""
        return min(self.a_steps, self.b_steps) if self.tile.per_layer else self.tile.k

    @property
    def most_m_panels(self) -> int:
        """A panels of the highest tile."""
        return self.m_panels * (self.n_panels if self.tile.per_layer else 1)

    @property
    def most_m(self) -> int:
        """Rows of the highest tile."""
        return self.most_m_panels * self.array.rows

    @property
    def turn(self) -> int:
        """Pixels in two panels of an image, of which the even ones may be kept apart from the odd ones."""
        return 2 * self.array.rows

    @property
    def most_steps(self) -> int:
        """Steps of the longest slice: a window may need those of its tile once for each row of its panel."""
        return self.most_k * (self.array.rows if self.operators.convolution else 1)

    @property
    def most_a_panels(self) -> int:
        """The most panels of A in a slot: an image has some beside those of the tile."""
        return self.a_steps if self.operators.convolution else self.most_m_panels

    @property
    def bank_bytes(self) -> int:
        """Bytes of a task's save area: one full bank."""
        return self.bank_columns * self.bank_word_beats * self.beat_bytes

    @property
    def largest_request(self) -> int:
        """Beats of the longest request that the managers take: the longest of the engines, and at least 4096."""
        t = self.tile
        return max(
            4096,
            self.panel_beats(self.most_k, self.a_lanes), self.panel_beats(self.most_k, self.b_lanes),
            self.panel_beats(t.n, self.a_lanes), self.panel_beats(t.n, 4), t.n * self.bank_word_beats,
            self.panel_beats(self.most_m, self.a_lanes) if self.operators.transpose else 0,
        )

    def steps_per_beat(self, lanes: int) -> int:
        """Steps of a panel that a beat holds; 1 where a step takes a beat or more."""
        return max(1, self.beat_bytes // lanes)

    def panel_beats(self, k: int, lanes: int) -> int:
        """Beats of a panel slice of `k` steps."""
        return _ceil_div(k * lanes, self.beat_bytes)

    def panel_stride(self, k: int, lanes: int) -> int:
        """Bytes from one panel to the next for a matrix with `k` steps."""
        return self.panel_beats(k, lanes) * self.beat_bytes

    @property
    def config_hash(self) -> int:
        """32-bit identity of the configuration; a host refuses hardware that does not match."""
        return int.from_bytes(hashlib.sha256(self.model_dump_json().encode()).digest()[:4], "big")
