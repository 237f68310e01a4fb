"""From words of a bank to beats: requantised outputs are gathered, partial sums pass unchanged."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.model.platform import Platform
from derca_sim.model.timing import StoreTiming

from ...blocks.ram import Ram
from ...kernel.writing import TableWrite
from ...layouts import Layouts
from ..signatures.sums import subs_of_word, turn_bits
from .activation import Activation
from .requant import RequantLane
from .residual import ResidualLane
from .transpose import Transposer
from .walk import block_ports


class BeatAssembler(wiring.Component):
    """Gathers the outputs of steps in beats, one step per cycle; one beat of partial sums is one step.

    A beat of partial sums is there 2 cycles after its step. A beat of outputs is there `StoreTiming.OUTPUT` + 1 cycles
    after its last step.

    Attributes
    ----------
    issue : In(1)
        A step is made.
    persist : In(1)
        It is a step of partial sums.
    push : In(1)
        It completes a beat.
    vector : In(1)
        With `operators.vectors`: it is a step of one output, the first lane's.
    place : In
        The first byte of the beat that its outputs fill.
    turn : In
        With `operators.depthwise`: see `TileWalk`.
    sub : In
        Its number in the word.
    word : In
        The word of the bank, one cycle later.
    row : In
        The layer's parameters.
    scale : In
        With `requant.channels`: the row of the word's column in the table of scales, with the word.
    beat : Out
    pushed : Out(1)
        `beat` is complete.

    residual : In
        With `operators.add`: what is added to the outputs of a step, `StoreTiming.RESIDUAL` + 1 cycles after it.

    With `requant.tables`, `activation_write` and `page` are those of `Activation`.

    With `operators.transpose` also those of `block_ports`, reversed, and of `Transposer`: `space`, `free`, `quiet`, and
    `completes`, its `push`.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = Layouts(p)
        super().__init__({
            "issue": In(1),
            "persist": In(1),
            **({"vector": In(1)} if p.operators.vectors else {}),
            **({"turn": In(turn_bits(p))} if p.operators.depthwise else {}),
            "push": In(1),
            "place": In(range(p.beat_bytes)),
            "sub": In(range(subs_of_word(p))),
            "word": In(8 * p.beat_bytes * p.bank_word_beats),
            "row": In(self._lay.parameters),
            **({"scale": In(self._lay.scale)} if p.requant.channels else {}),
            **({"activation_write": In(TableWrite()), "page": In(1)} if p.requant.tables else {}),
            **({"residual": In(8 * p.store.requant_lanes)} if p.operators.add else {}),
            "beat": Out(p.bus.data_width),
            "pushed": Out(1),
            **{name: In(member.shape) for name, member in block_ports(p).items()},
            **({"space": In(1), "free": Out(1), "quiet": Out(1), "completes": Out(1)} if p.operators.transpose else {}),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [*(Activation.memories(p) if p.requant.tables else []),
                *(Transposer.memories(p) if p.operators.transpose else [])]

    def elaborate(self, platform):
        m = Module()
        p, row = self._p, self.row
        lanes, beat_bytes = p.store.requant_lanes, p.beat_bytes
        step_bytes = lanes * p.array.element_bytes
        vectors = p.operators.vectors
        step_layout = data.StructLayout({  # requantised outputs
            "valid": 1, "push": 1, "place": range(beat_bytes), **({"vector": 1} if vectors else {}),
            **({"turn": turn_bits(p)} if p.operators.depthwise else {}),
        })
        steps = [Signal(step_layout, name=f"step_{i}") for i in range(StoreTiming(p).OUTPUT)]
        picked = Signal.like(self.sub)
        raw = Signal()
        m.d.sync += [
            steps[0].valid.eq(self.issue & ~self.persist & (~self.transposed if p.operators.transpose else 1)),
            steps[0].push.eq(self.push),
            steps[0].place.eq(self.place),
            *([steps[0].vector.eq(self.vector)] if vectors else []),
            *([steps[0].turn.eq(self.turn)] if p.operators.depthwise else []),
            raw.eq(self.issue & self.persist),
            picked.eq(self.sub),
        ]
        for before, after in zip(steps, steps[1:], strict=False):
            m.d.sync += after.eq(before)

        scale = self._scale(m)
        values = []
        for i in range(lanes):
            m.submodules[f"requant_{i}"] = lane = RequantLane(8 * p.array.element_bytes, p.requant)
            m.d.comb += [
                lane.sum.eq(self.word.word_select(picked, 32 * lanes).word_select(i, 32)),
                *(getattr(lane, name).eq(value) for name, value in scale.items()),
                lane.zero_point.eq(row.zero_point),
                *(getattr(lane, name).eq(row[name]) for name in self._lay.limits),
            ]
            values.append(lane.value)

        values = self._activated(m, Cat(values)) if p.requant.tables else Cat(values)
        if p.operators.add:
            values = self._added(m, values)

        # Outputs gather in a beat. If their panel ends before the beat is full, zeros follow.
        last = steps[-1]
        m.d.sync += self.pushed.eq(raw | last.valid & last.push)
        with m.If(raw):
            m.d.sync += self.beat.eq(self.word.word_select(picked, p.bus.data_width))
        if vectors:
            with m.Elif(last.valid & last.vector):
                self._gather(m, values[:8 * p.array.element_bytes], last.place, p.array.element_bytes)
        with m.Elif(last.valid):
            if p.operators.depthwise:
                self._fill(m, values, last)
            else:
                self._gather(m, values, last.place, step_bytes)
        if p.operators.transpose:
            self._transpose(m, values, raw | last.valid & last.push)
        return m

    def _activated(self, m, values):
        """What the layer's table makes of the outputs."""
        m.submodules.activation = activation = Activation(self._p)
        connect(m, flipped(self.activation_write), activation.write)
        m.d.comb += [
            activation.page.eq(self.page),
            activation.enabled.eq(self.row.activation),
            activation.table.eq(self.row.table),
            activation.values.eq(values),
        ]
        return activation.results

    def _added(self, m, values):
        """The outputs with D added to them."""
        sums = []
        for i in range(self._p.store.requant_lanes):
            m.submodules[f"residual_{i}"] = lane = ResidualLane(self._p)
            m.d.comb += [
                lane.own.eq(values.word_select(i, 8)),
                lane.d.eq(self.residual.word_select(i, 8)),
                lane.row.eq(self.row),
            ]
            sums.append(lane.value)
        return Cat(sums)

    def _transpose(self, m, values, pushed) -> None:
        """Let steps of tiles that are stored transposed go through the transposer; rows from there gather in a beat."""
        p = self._p
        m.submodules.transposer = transposer = Transposer(p)
        per_beat = p.steps_per_beat(p.a_lanes)
        place = Signal(range(per_beat), name="row_place")
        row = transposer.row
        m.d.comb += [
            transposer.step.eq(self.issue & self.transposed),
            transposer.start.eq(self.block_start),
            transposer.end.eq(self.block_end),
            transposer.rows.eq(self.block_rows),
            transposer.panel_end.eq(self.panel_end),
            transposer.values.eq(values),
            transposer.space.eq(self.space),
            self.free.eq(transposer.free),
            self.quiet.eq(transposer.quiet),
            self.completes.eq(transposer.push),
        ]
        m.d.sync += self.pushed.eq(pushed | transposer.row_valid & transposer.row_push)
        with m.If(transposer.row_valid):
            m.d.sync += place.eq(Mux(transposer.row_push, 0, place + 1))
            self._gather(m, row, place, 1)

    def _scale(self, m) -> dict:
        """What sums are scaled by, in all lanes: as the layer says, or as their column does, when a lane needs it."""
        names = [name for name, _ in self._lay.scale]
        if not self._p.requant.channels:
            return {name: self.row[name] for name in names}
        out = {}
        for name in names:
            value = self.scale[name]
            for i in range(RequantLane.AFTER[name]):
                later = Signal.like(value, name=f"{name}_{i}")
                m.d.sync += later.eq(value)
                value = later
            out[name] = value
        return out

    def _fill(self, m, outputs, step) -> None:
        """Put outputs in their place in the beat and anything behind them: the next step overwrites it."""
        for bit in range(len(step.turn)):
            turned = Signal.like(outputs, name=f"turned_{1 << bit}")
            m.d.comb += turned.eq(Mux(step.turn[bit], outputs.rotate_right(8 << bit), outputs))
            outputs = turned
        for i in range(self._p.beat_bytes):
            with m.If(step.place <= i):
                m.d.sync += self.beat.word_select(i, 8).eq(outputs.word_select(i % (len(outputs) // 8), 8))

    def _gather(self, m, outputs, place, step: int) -> None:
        """Put outputs in their place in the beat, which counts in `step`s; zeros follow in a new beat."""
        for i in range(len(self.beat) // len(outputs)):
            piece = self.beat.word_select(i, len(outputs))
            with m.If(place == i * step):
                m.d.sync += piece.eq(outputs)
            with m.Elif(place == 0):
                m.d.sync += piece.eq(0)
