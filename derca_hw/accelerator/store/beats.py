"""From words of a bank to beats: requantised outputs are gathered, partial sums pass unchanged."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ...layouts import Layouts
from .requant import RequantLane


def subs_of_word(p: Platform) -> int:
    """The most steps in which a word of a bank is read. A step takes `requant_lanes` sums, or one beat of the word."""
    return max(p.array.rows // p.store.requant_lanes, p.bank_word_beats)


class BeatAssembler(wiring.Component):
    """Gathers the outputs of steps in beats, one step per cycle; one beat of partial sums is one step.

    A beat of partial sums is there 2 cycles after its step. A beat of outputs is there 2 + `RequantLane.LATENCY` cycles
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
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = Layouts(p)
        super().__init__({
            "issue": In(1),
            "persist": In(1),
            **({"vector": In(1)} if p.operators.vectors else {}),
            "push": In(1),
            "place": In(range(p.beat_bytes)),
            "sub": In(range(subs_of_word(p))),
            "word": In(8 * p.beat_bytes * p.bank_word_beats),
            "row": In(self._lay.parameters),
            **({"scale": In(self._lay.scale)} if p.requant.channels else {}),
            "beat": Out(p.bus.data_width),
            "pushed": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p, row = self._p, self.row
        lanes, beat_bytes = p.store.requant_lanes, p.beat_bytes
        step_bytes = lanes * p.array.element_bytes
        vectors = p.operators.vectors
        step_layout = data.StructLayout({  # requantised outputs
            "valid": 1, "push": 1, "place": range(beat_bytes), **({"vector": 1} if vectors else {}),
        })
        steps = [Signal(step_layout, name=f"step_{i}") for i in range(1 + RequantLane.LATENCY)]
        picked = Signal.like(self.sub)
        raw = Signal()
        m.d.sync += [
            steps[0].valid.eq(self.issue & ~self.persist),
            steps[0].push.eq(self.push),
            steps[0].place.eq(self.place),
            *([steps[0].vector.eq(self.vector)] if vectors else []),
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

        # Outputs gather in a beat. If their panel ends before the beat is full, zeros follow.
        last = steps[-1]
        m.d.sync += self.pushed.eq(raw | last.valid & last.push)
        with m.If(raw):
            m.d.sync += self.beat.eq(self.word.word_select(picked, p.bus.data_width))
        with m.Elif(last.valid):
            for i in range(beat_bytes // step_bytes):
                outputs = self.beat.word_select(i, 8 * step_bytes)
                with m.If(last.place == i * step_bytes):
                    m.d.sync += outputs.eq(Cat(values))
                with m.Elif(last.place == 0):
                    m.d.sync += outputs.eq(0)
        if vectors:
            with m.If(last.valid & last.vector):
                self._one(m, last.place, values[0])
        return m

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

    def _one(self, m, place, value) -> None:
        """Put one output in its place; zeros follow in a new beat."""
        element = self._p.array.element_bytes
        for i in range(self._p.beat_bytes // element):
            output = self.beat.word_select(i, 8 * element)
            with m.If(place == i * element):
                m.d.sync += output.eq(value)
            with m.Elif(place == 0):
                m.d.sync += output.eq(0)
            with m.Else():
                m.d.sync += output.eq(output)
