"""Transposes what is stored: blocks written column by column are read row by row."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import StoreTiming

from ...blocks.arithmetic import count
from ...blocks.ram import Ram, table


def beats_of_row(p: Platform) -> int:
    """Reads in which a row of a block leaves: one for each beat that it fills, at least one."""
    return max(1, p.a_lanes // p.beat_bytes)


class Transposer(wiring.Component):
    """Writes blocks of `rows` x `rows` outputs column by column, and reads them row by row, one beat or row per cycle.

    Outputs come `StoreTiming.OUTPUT` cycles after their step. Reads are decided as if they came with it: the first
    read of a block follows its last step, and its row is there as late as an output would be after a step. So a block
    may begin as soon as the last read of the block before the last has been decided.

    The memory of a column keeps the outputs of a step in a word. The first column of a block writes zeros in the
    memories of all others, so that missing columns are zero.

    Attributes
    ----------
    step, end : In(1)
        A step is made; it ends a block.
    start : In(1)
        With `step`: it begins a block.
    rows : In
        With `end`: rows of the block.
    panel_end : In(1)
        With `end`: what has been gathered of a beat is completed with the block's last row.
    values : In
        Outputs of the step made `StoreTiming.OUTPUT` cycles ago.
    free : Out(1)
        A block may begin.
    space : In(1)
        There is room for another beat.
    push : Out(1)
        A read is decided that completes a beat.
    quiet : Out(1)
        A tile that is not transposed may be taken.
    row : Out
        What has been read, one beat of a row or the whole row.
    row_valid, row_push : Out(1)
        `row` is there; it completes a beat.
    """

    #: Blocks under way.
    BUFFERS = 2

    def __init__(self, p: Platform):
        self._p = p
        self._step = p.store.requant_lanes * p.array.element_bytes * 8
        super().__init__({
            "step": In(1),
            "start": In(1),
            "end": In(1),
            "rows": In(bits_for(p.array.rows)),
            "panel_end": In(1),
            "values": In(self._step),
            "free": Out(1),
            "space": In(1),
            "push": Out(1),
            "quiet": Out(1),
            "row": Out(8 * min(p.a_lanes, p.beat_bytes)),
            "row_valid": Out(1),
            "row_push": Out(1),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories: one for each column."""
        words = Transposer.BUFFERS << _sub_bits(p)
        return [Ram(p.store.requant_lanes * p.array.element_bytes * 8, words, p.array.rows, "shallow")]

    def elaborate(self, platform):
        m = Module()
        p, timing = self._p, StoreTiming(self._p)
        # -- decisions ------------------------------------------------------------------------------------------------
        begun = Signal(range(self.BUFFERS + 1))  # blocks that have begun and are not read
        full = Signal(range(self.BUFFERS + 1))  # of which all steps are made
        block = data.StructLayout({"rows": bits_for(p.array.rows), "panel_end": 1})
        blocks = Array(Signal(block, name=f"block_{i}") for i in range(self.BUFFERS))
        written = Signal()  # number of the next block
        reading = Signal()  # number of the block that is read
        row = Signal(range(p.array.rows))
        beat = Signal(range(beats_of_row(p)))
        place = Signal(range(p.steps_per_beat(p.a_lanes)))  # of the row in its beat
        at = Signal(block)
        read = Signal()
        last_beat = Signal()
        last_row = Signal()
        done = Signal()
        completes = Signal()
        settle = Signal(range(timing.GAP - 1))
        m.d.comb += [
            self.free.eq(begun != self.BUFFERS),
            at.eq(blocks[reading]),
            last_beat.eq(beat == beats_of_row(p) - 1),
            last_row.eq(row + 1 == at.rows),
            completes.eq((place + 1 == p.steps_per_beat(p.a_lanes)) | (last_row & at.panel_end)),
            read.eq((full != 0) & (self.space | ~completes)),
            self.push.eq(read & completes),
            done.eq(read & last_beat & last_row),
            self.quiet.eq((begun == 0) & (settle == 0)),
        ]
        count(m, begun, self.step & self.start, done)
        count(m, full, self.step & self.end, done)
        with m.If(self.step & self.end):
            m.d.sync += [
                blocks[written].rows.eq(self.rows), blocks[written].panel_end.eq(self.panel_end), written.eq(~written),
            ]
        with m.If(read):
            m.d.sync += beat.eq(beat + 1)
            with m.If(last_beat):
                m.d.sync += [beat.eq(0), row.eq(row + 1), place.eq(Mux(completes, 0, place + 1))]
            with m.If(done):
                m.d.sync += [row.eq(0), reading.eq(~reading)]
        with m.If(read):
            m.d.sync += settle.eq(timing.GAP - 2)
        with m.Elif(settle != 0):
            m.d.sync += settle.eq(settle - 1)

        # -- and what they lead to, `StoreTiming.OUTPUT` cycles later --------------------------------------------
        late = data.StructLayout(dict.fromkeys(("step", "end", "read", "done", "push"), 1))
        now = Signal(late)
        m.d.comb += [
            now.step.eq(self.step), now.end.eq(self.end), now.read.eq(read), now.done.eq(done),
            now.push.eq(self.push),
        ]
        for i in range(timing.OUTPUT):
            later = Signal(late, name=f"later_{i}")
            m.d.sync += later.eq(now)
            now = later
        self._write(m, now)
        self._read(m, now)
        return m

    def _write(self, m, now) -> None:
        """Write the outputs of a step into the memory of their column."""
        p = self._p
        buffer = Signal(name="write_buffer")
        sub = Signal(_sub_bits(p), name="write_sub")
        column = Signal(range(p.array.rows), name="write_column")
        first = Signal()
        zeroed = Signal(self._step)
        m.d.comb += [
            first.eq(column == 0),
            zeroed.eq(self.values & ~first.replicate(self._step)),
        ]
        with m.If(now.step):
            m.d.sync += sub.eq(sub + 1)
            with m.If(sub == p.array.rows // p.store.requant_lanes - 1):
                m.d.sync += [sub.eq(0), column.eq(column + 1)]
            with m.If(now.end):
                m.d.sync += [column.eq(0), buffer.eq(~buffer)]
        self._columns = []
        for i in range(p.array.rows):
            write, read = table(m, f"outputs_{i}", self._step, self.BUFFERS << _sub_bits(p))
            m.d.comb += [
                write.addr.eq(Cat(sub, buffer)),
                write.data.eq(zeroed if i else self.values),
                write.en.eq(now.step & ((column == i) | first)),
            ]
            self._columns.append(read)

    def _read(self, m, now) -> None:
        """Read a row, or a beat of it."""
        p = self._p
        lanes, bits = p.store.requant_lanes, 8 * p.array.element_bytes
        buffer = Signal(name="read_buffer")
        sub = Signal(_sub_bits(p), name="read_sub")
        lane = Signal(range(lanes), name="read_lane")
        beat = Signal(range(beats_of_row(p)), name="read_beat")
        with m.If(now.read):
            m.d.sync += beat.eq(beat + 1)
            with m.If(beat == beats_of_row(p) - 1):
                m.d.sync += [beat.eq(0), lane.eq(lane + 1)]
                with m.If(lane == lanes - 1):
                    m.d.sync += [lane.eq(0), sub.eq(sub + 1)]
            with m.If(now.done):
                m.d.sync += [lane.eq(0), sub.eq(0), buffer.eq(~buffer)]
        for read in self._columns:
            m.d.comb += read.addr.eq(Cat(sub, buffer))
        whole = Cat(*(read.data.word_select(lane, bits) for read in self._columns))
        padded = Signal(8 * p.a_lanes)
        m.d.comb += [
            padded.eq(whole),
            self.row.eq(padded.word_select(beat, len(self.row))),
            self.row_valid.eq(now.read),
            self.row_push.eq(now.push),
        ]


def _sub_bits(p: Platform) -> int:
    """Bits of the number of a step in its column."""
    return (p.array.rows // p.store.requant_lanes - 1).bit_length()
