"""The walk of the store engine over a tile: which word of a bank is read, what it completes, and where it goes."""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.arithmetic import times
from ...layouts import Layouts
from ..load.load import beats_of
from ..signatures.sums import bank_address, subs_of_word, turn_bits
from .packed import PackedSteps


def block_ports(p: Platform) -> dict[str, wiring.Member]:
    """The outputs of a walk that describe the blocks of a transposed tile; none without `operators.transpose`.

    transposed : Out(1)
        The step belongs to one.
    block_start, block_end : Out(1)
        It is the first step, or the last, of a block.
    block_rows : Out
        Rows of the block.
    panel_end : Out(1)
        The block is the last of its panel of columns.
    """
    return {
        "transposed": Out(1), "block_start": Out(1), "block_end": Out(1), "block_rows": Out(bits_for(p.array.rows)),
        "panel_end": Out(1),
    } if p.operators.transpose else {}


class _Counters(NamedTuple):
    """Where a walk is: panel, column, step in the word, byte in the beat; whether step and panel are the last."""

    panel: Value
    n: Value
    sub: Value
    place: Value
    last_sub: Value
    last_panel: Value


class _Turns(NamedTuple):
    """Where a walk turns.

    Attributes
    ----------
    start
        A panel begins.
    turn
        After the word, columns begin again, at `first`, with the next panel of rows.
    done
        After the word, a panel is complete.
    following
        With `tile.per_layer`: address of the next word. The columns of one panel of rows follow those of the other.
    """

    start: Value
    turn: Value
    done: Value
    first: Value
    following: Value


class TileWalk(wiring.Component):
    """Steps through a tile, one step per cycle: panel by panel, column by column; begins in the cycle after `start`.

    A tile that is stored transposed is walked in blocks of one panel of columns and one of rows: for each panel of
    columns, for each of rows, column by column. A packed tile is walked as `PackedSteps` says.

    Attributes
    ----------
    start : In(1)
        A tile is taken.
    output : In
        With `start`: the tile.
    tile : Out
        The tile in work.
    layer : In
        Parameters of its layer.
    reading : In(1)
        Steps may be made.
    space : In(1)
        There is room for another beat; with `transposed`, for another block.
    request : Out(stream)
        A panel begins.
    issue : Out(1)
        A step is made.
    push : Out(1)
        It completes a beat.
    place : Out
        The first byte of the beat that its outputs fill.
    sub : Out
        Its number in the word.
    read : Out(1)
        It is the first of a word.
    address, column : Out
        Address of the word in the bank; its column in the tile.
    residual_address : Out
        With `operators.add`: address of the word's column of D in its slot.
    vector : Out(1)
        With `operators.vectors`: steps are single outputs, stored without padding.
    turn : Out
        With `operators.depthwise`: the lane whose output belongs into the beat's first byte, modulo lanes.
    finished : Out(1)
        The tile's last step is made.

    and `block_ports`.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "start": In(1),
            "output": In(lay.output),
            "tile": Out(lay.output),
            "layer": In(lay.parameters),
            "reading": In(1),
            "space": In(1),
            "request": Out(stream.Signature(lay.write_request)),
            "issue": Out(1),
            "push": Out(1),
            "place": Out(range(p.beat_bytes)),
            "sub": Out(range(subs_of_word(p))),
            "read": Out(1),
            "address": Out(bank_address(p)),
            "column": Out(bits_for(p.tile.n)),
            **({"residual_address": Out(bank_address(p))} if p.operators.add else {}),
            **({"vector": Out(1)} if p.operators.vectors else {}),
            **({"turn": Out(turn_bits(p))} if p.operators.depthwise else {}),
            "finished": Out(1),
            **block_ports(p),
        })

    def elaborate(self, platform):
        m = Module()
        p, tile, layer = self._p, self.tile, self.layer
        packs = p.operators.depthwise
        panels = Mux(self._packed(), tile.panels, tile.m_panels) if packs else tile.m_panels
        # With packed tiles the outputs choose between two walks
        n = Signal.like(self.column, name="own_column") if packs else self.column
        sub = Signal.like(self.sub, name="own_sub") if packs else self.sub
        place = Signal.like(self.place, name="own_place") if packs else self.place
        lanes, beat_bytes = p.store.requant_lanes, p.beat_bytes
        size = p.array.element_bytes
        step_bytes = lanes * size
        vector = Const(0)
        if p.operators.vectors:
            vector = self.vector
            m.d.comb += vector.eq(tile.vector & ~tile.persist)
        panel = Signal(bits_for((p.bank_columns if packs else p.most_m_panels) - 1))
        word = Signal(bank_address(p))
        word_place = Signal(range(beat_bytes))  # byte where the current word began
        next_place = Signal.like(word_place)
        last_sub = Signal()
        last_n = Signal()
        last_panel = Signal()
        panel_start = Signal()
        here = Signal.like(tile.c)  # address of the panel
        stride = Signal.like(tile.c)  # distance to the next panel
        m.d.comb += [
            here.eq(Mux(tile.persist & (panel == 0), layer.save, tile.c)),
            stride.eq(Mux(tile.persist, times(tile.n, p.bank_word_beats * beat_bytes), layer.c_panel_stride)),
            last_sub.eq(vector | (sub == Mux(tile.persist, p.bank_word_beats, p.array.rows // lanes) - 1)),
            last_n.eq(n + 1 == tile.n),
            last_panel.eq(panel + 1 == panels),
            panel_start.eq((n == 0) & (sub == 0)),
            self.request.valid.eq(self.reading & panel_start & self.space),
            self.request.p.task.eq(tile.task),
            self.request.p.address.eq(here),
            self.request.p.beats.eq(Mux(tile.persist, times(tile.n, p.bank_word_beats), Mux(
                vector, beats_of(tile.n, size, beat_bytes), beats_of(tile.n, p.a_lanes, beat_bytes)))),
            self.request.p.end.eq(last_panel),
            self.issue.eq(self.reading & self.space & (self.request.ready | ~panel_start)),
            self.read.eq(self.issue & (sub == 0)),
            self.address.eq(word if p.tile.per_layer else Cat(n[:bits_for(p.tile.n - 1)], panel)),
            next_place.eq(Mux(vector, word_place + size, word_place + p.a_lanes if p.a_lanes < beat_bytes else 0)),
            self.push.eq(Mux(
                tile.persist, 1,
                Mux(last_sub, (next_place == 0) | last_n, place == beat_bytes - step_bytes))),
            self.finished.eq(self.issue & last_sub & last_n & last_panel),
        ]
        turn = Signal()  # the columns that follow are of another panel of rows
        done = Signal()  # a panel is complete
        first = Signal.like(n)  # column at which the next panel begins
        following = Signal.like(word)
        m.d.comb += [turn.eq(last_n), done.eq(last_n), following.eq(word + 1)]
        at = _Counters(panel, n, sub, place, last_sub, last_panel)
        turns = _Turns(panel_start, turn, done, first, following)
        if p.operators.transpose:
            self._across(m, at, turns)
        if packs:
            self._pack(m, at, turns)
        with m.If(self.issue):
            m.d.sync += [sub.eq(sub + 1), place.eq(place + step_bytes)]
            with m.If(last_sub):
                m.d.sync += [
                    sub.eq(0), n.eq(Mux(turn, first, n + 1)), word.eq(following), place.eq(next_place),
                    word_place.eq(next_place),
                ]
                with m.If(last_n):
                    m.d.sync += [place.eq(0), word_place.eq(0)]
                with m.If(turn):
                    m.d.sync += panel.eq(panel + 1)
                with m.If(done):
                    m.d.sync += tile.c.eq(here + stride)
                    if p.operators.transpose:
                        with m.If(self.transposed):
                            m.d.sync += panel.eq(0)
        with m.If(self.start):
            m.d.sync += [
                tile.eq(self.output), Cat(panel, n, sub, word, place, word_place).eq(0),
            ]
        if p.operators.add:
            self._residual(m, turn, done, last_sub)
        return m

    def _residual(self, m, turn, done, last_sub) -> None:
        """Address a column of D: where tiles have any shape, its panels begin with whole beats, those of a bank not."""
        p, per_beat = self._p, self._p.steps_per_beat(self._p.a_lanes)
        if not p.tile.per_layer or per_beat == 1:
            m.d.comb += self.residual_address.eq(self.address)
            return
        skipped = Signal.like(self.residual_address)  # columns that the panels before are longer there
        within = per_beat.bit_length() - 1
        m.d.comb += self.residual_address.eq(self.address + skipped)
        with m.If(self.issue & last_sub & turn):
            m.d.sync += skipped.eq(skipped + (-self.tile.n[:within])[:within])
        if p.operators.transpose:
            with m.If(self.issue & last_sub & done & self.transposed):
                m.d.sync += skipped.eq(0)
        with m.If(self.start):
            m.d.sync += skipped.eq(0)

    def _packed(self):
        """Whether the tile in work is walked as a packed one."""
        return self.layer.packed & ~self.tile.persist

    def _pack(self, m, at: _Counters, turns: _Turns) -> None:
        """Walk a packed tile: another order within a panel of C."""
        p, tile = self._p, self.tile
        m.submodules.packed = packed = PackedSteps(p)
        m.d.comb += [
            packed.start.eq(self.start),
            packed.issue.eq(self.issue),
            packed.layer.eq(self.layer),
            packed.n.eq(tile.n),
            packed.channels.eq(tile.channels),
            self.column.eq(at.n),
            self.sub.eq(at.sub),
            self.place.eq(at.place),
        ]
        with m.If(self._packed()):
            m.d.comb += [
                at.last_sub.eq(packed.ends),
                turns.start.eq(packed.begins),
                turns.turn.eq(packed.ends),
                turns.done.eq(packed.ends),
                self.request.p.beats.eq(beats_of(tile.channels, p.a_lanes, p.beat_bytes)),
                self.read.eq(self.issue),
                self.finished.eq(self.issue & packed.ends & at.last_panel),
                self.column.eq(packed.channel),
                self.address.eq(packed.address),
                self.sub.eq(packed.sub),
                self.place.eq(packed.place),
                self.turn.eq(packed.turn),
                self.push.eq(packed.push),
            ]

    def _across(self, m, at: _Counters, turns: _Turns) -> None:
        """Walk a tile that is stored transposed: another order of panels and columns, and other requests."""
        p, tile = self._p, self.tile
        panel, n, sub, _, last_sub, last_panel = at
        column = Signal(range(p.array.rows))  # of the block
        last_column = Signal()
        base = Signal.like(n)  # first column of the block
        m.d.comb += [
            self.transposed.eq(tile.transpose & ~tile.persist),
            last_column.eq((column == p.array.rows - 1) | (n + 1 == tile.n)),
            self.block_start.eq((column == 0) & (sub == 0)),
            self.block_end.eq(last_sub & last_column),
            self.block_rows.eq(Mux(last_panel, tile.rows - times(panel, p.array.rows), p.array.rows)),
            self.panel_end.eq(last_panel),
            turns.first.eq(base),  # 0 in other tiles
        ]
        with m.If(self.transposed):
            m.d.comb += [
                turns.start.eq(self.block_start & (panel == 0)),
                turns.turn.eq(last_column & ~last_panel),
                turns.done.eq(last_column & last_panel),
                turns.following.eq(Mux(turns.done, n + 1, self.address + Mux(last_column, tile.n - column, 1))),
                self.request.p.beats.eq(beats_of(tile.rows, p.a_lanes, p.beat_bytes)),
                self.request.p.end.eq(base + p.array.rows >= tile.n),
                self.push.eq(0),
                self.finished.eq(self.issue & self.block_end & last_panel & (n + 1 == tile.n)),
            ]
        with m.If(self.issue & last_sub & self.transposed):
            m.d.sync += column.eq(column + 1)
            with m.If(last_column):
                m.d.sync += column.eq(0)
                with m.If(last_panel):
                    m.d.sync += base.eq(n + 1)
        with m.If(self.start):
            m.d.sync += [column.eq(0), base.eq(0)]
