"""Which rows of the array lie outside the image under a window, and what they get instead of a pixel."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...layouts import DISTANCE_BITS, Layouts, moves


class Borders(wiring.Component):
    """Replaces the operands of A outside the image, and those of rows whose turn is another piece.

    The latter become zero, or with maxima the pad, which is the least value.

    The operands of a step addressed in cycle t come and leave in t + 1, one step per cycle. A move in cycle t holds
    from t + 1 on.

    The array's rows are outputs that follow each other over rows of outputs. Where these begin is a bit for each row of
    the array. Columns are outside when they are within some distance after or before such a beginning.

    Attributes
    ----------
    start : In(1)
        An iteration starts.
    head : In
        With `start`: its layer.
    y : In
        With `start`: first row of the image of its tile of A, without the kernel's pad.
    now : In
        The layer of the iteration in work.
    moves : In(moves)
    wraps : Out(1)
        The next panel begins one row of outputs further on than most.
    read, step : In, Out
        A byte for each row of the array: as read, and as an operand.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "start": In(1),
            "head": In(lay.window),
            "y": In(lay.tag["y"].shape),
            "now": In(lay.window),
            "moves": In(moves()),
            "wraps": Out(1),
            "read": In(8 * p.a_lanes),
            "step": Out(8 * p.a_lanes),
        })

    def elaborate(self, platform):
        m = Module()
        now, do, lanes = self.now, self.moves, self._p.a_lanes
        outside = self._columns(m)
        rows = [0, *_counts([self._begins[i] for i in range(1, lanes)])]  # of outputs after that of the first lane
        above, below = self._rows(m)
        piece = Signal.like(now.last_piece)
        with m.If(do.piece):
            m.d.sync += piece.eq(piece + 1)
        with m.If(self.start | do.panel | do.first):
            m.d.sync += piece.eq(0)

        # In the cycle of the step's address
        pad = Signal(8)
        padded = Signal(lanes)
        unused = Signal(lanes)
        m.d.sync += pad.eq(now.pad)
        for i, row in enumerate(rows):
            beyond = outside[i] | (above > row) | (below <= row)
            idle = now.windowed & now.last_piece.any() & (piece != row)
            if self._p.operators.maximum:
                beyond, idle = beyond | (idle & now.maximum), idle & ~now.maximum
            m.d.sync += [padded[i].eq(now.windowed & beyond), unused[i].eq(idle)]
        for i in range(lanes):
            byte = self.read.word_select(i, 8)
            m.d.comb += self.step.word_select(i, 8).eq(Mux(padded[i], pad, byte) & ~unused[i].replicate(8))
        return m

    def _columns(self, m):
        """Follow the columns of outputs under the array. Returns which of its rows are left or right of the image."""
        start, head, now, do, lanes = self.start, self.head, self.now, self.moves, self._p.a_lanes
        lane = bits_for(lanes - 1)
        geo = {name: Mux(start, head[name], now[name]) for name in ("split", "out_width", "step", "left", "right")}
        out_width = Signal.like(now.out_width)
        step = Signal.like(now.out_width)  # columns of outputs that a panel advances, modulo rows of outputs
        to_next = Signal.like(now.out_width)  # from the next panel's first output to the next row of outputs
        at = Signal.like(now.out_width)  # the same for the panel that begins
        left = Signal(signed(len(at) + 1))
        column = Signal(len(at) + 1)  # of the panel's first output; its row's end instead of its beginning
        begins = Signal(lanes)  # a row of outputs begins with this row of the array
        self._begins = begins
        pattern = [1]  # if the first one begins one
        for i in range(1, lanes):
            pattern.append(Cat(out_width == width for width in range(1, i + 1) if i % width == 0).any())
        m.d.comb += [
            out_width.eq(geo["out_width"]),
            step.eq(geo["step"]),
            at.eq(Mux(start | do.first, 0, to_next)),
            left.eq(at - step),
        ]
        with m.If(start | do.first | do.panel):
            m.d.sync += [
                to_next.eq(left + Mux(left < 0, out_width, 0)),
                self.wraps.eq(at.any() & (left <= 0)),
                column.eq(out_width - at),
                begins.eq(Mux(at[lane:].any(), 0, Cat(pattern) << at[:lane])),
            ]

        short = Signal(signed(DISTANCE_BITS))  # the kernel's column lies so many columns before the image's first
        beyond = Signal(signed(DISTANCE_BITS))  # it lies so many beyond the last one, for the last column of outputs
        first = Signal(signed(DISTANCE_BITS))
        last = Signal(signed(DISTANCE_BITS))
        m.d.comb += [
            first.eq(Mux(do.x, short - now.dilation_x, geo["left"])),
            last.eq(Mux(do.x, beyond + now.dilation_x, geo["right"])),
        ]
        outputs_before = Signal(signed(DISTANCE_BITS))  # columns of outputs that lie before it
        outputs_beyond = Signal(signed(DISTANCE_BITS))
        with m.If(start | do.as_value().any()):
            m.d.sync += [
                short.eq(first), beyond.eq(last), outputs_before.eq(first >> geo["split"]),
                outputs_beyond.eq(last >> geo["split"]),
            ]
        after, ahead = _fewer(outputs_before, lanes), _fewer(outputs_beyond, lanes)
        first_row = _fewer(outputs_before - column, lanes)
        last_row = _fewer(outputs_beyond - to_next, lanes)
        return [
            first_row[i] | last_row[lanes - 1 - i]
            | Cat(after[i - j] & begins[j] for j in range(i + 1)).any()
            | Cat(ahead[j - i - 1] & begins[j] for j in range(i + 1, lanes)).any()
            for i in range(lanes)]

    def _rows(self, m):
        """Follow the rows of the image under the kernel.

        Returns how many rows of outputs from that of the array's first row on lie above the image, and how many above
        its last row: numbers up to the array's rows.
        """
        start, head, now, do, p = self.start, self.head, self.now, self.moves, self._p
        # Rows by which the window's first one is above the image: in the tile's first panel, in the panel in work
        tile = Signal(signed(DISTANCE_BITS))
        panel = Signal(signed(DISTANCE_BITS))
        run = Signal(signed(DISTANCE_BITS))
        new = Signal(signed(DISTANCE_BITS))
        down = Signal(bits_for(2 * max(p.array.rows, p.array.cols) + 2))
        stride = Signal()
        height = Signal.like(now.height)
        m.d.comb += [
            stride.eq(Mux(start, head.stride_y, now.stride_y)),
            height.eq(Mux(start, head.height, now.height)),
            down.eq(now.panel_y + Mux(self.wraps, now.wrap_y, 0)),
            new.eq(panel),
        ]
        with m.If(do.y):
            m.d.comb += new.eq(run - now.dilation_y)
        with m.If(do.panel):
            m.d.comb += new.eq(panel - down)
        with m.If(do.first):
            m.d.comb += new.eq(tile)
        with m.If(start):
            m.d.comb += new.eq(head.pad_y + head.stride_y - self.y)
        end = Signal(signed(DISTANCE_BITS))  # the same from the image's last row on
        outputs_above = Signal(signed(DISTANCE_BITS))
        outputs_below = Signal(signed(DISTANCE_BITS))
        m.d.comb += end.eq(new + height)
        with m.If(start):
            m.d.sync += tile.eq(new)
        with m.If(start | do.first | do.panel):
            m.d.sync += panel.eq(new)
        with m.If(start | do.first | do.panel | do.piece | do.y):
            m.d.sync += [
                run.eq(new), outputs_above.eq(new >> stride), outputs_below.eq(end >> stride),
            ]
        return _up_to(outputs_above, p.a_lanes), _up_to(outputs_below, p.a_lanes)


def _up_to(value, most: int):
    """A signed value, or 0 if it is negative, or `most` (a power of two) if it is more."""
    bits = (most - 1).bit_length()
    return Mux(value[-1], 0, Mux(value[bits:-1].any(), most, value[:bits]))


def _fewer(value, most: int):
    """The numbers from 0 to `most` - 1 (a power of two less 1) that are less than a signed value, a bit for each."""
    bits = (most - 1).bit_length()
    return [~value[-1] & (value[bits:-1].any() | (value[:bits] > i)) for i in range(most)]


def _counts(bits):
    """How many of the bits are set up to each one."""
    if len(bits) == 1:
        return [bits[0]]
    half = len(bits) // 2
    low, high = _counts(bits[:half]), _counts(bits[half:])
    return [*low, *(low[-1] + count for count in high)]
