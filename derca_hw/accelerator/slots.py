"""Input slots: memories for A panels, B panels and biases, and who owns them."""

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ..layouts import Destination, Layouts, pulse


class PanelMemory(wiring.Component):
    """Panels of one operand for all slots: written by beats, read one k step per cycle, one cycle after the address.

    Where a step is narrower than a beat, the step is picked from the word after the read.
    """

    def __init__(self, p: Platform, lanes: int, panels: int):
        self._p = p
        self._lanes = lanes
        beat = p.beat_bytes
        self._word_bytes = max(lanes, beat)
        self._steps_per_word = self._word_bytes // lanes
        self._words = p.tile.k * lanes // self._word_bytes
        self._panel_bits = bits_for(panels - 1)
        self._word_bits = bits_for(self._words - 1)
        self._slot_bits = bits_for(p.buffers.slots - 1)
        self._depth = p.buffers.slots << (self._panel_bits + self._word_bits)
        super().__init__({
            "write": In(1),
            "write_slot": In(self._slot_bits),
            "write_panel": In(self._panel_bits),
            "write_word": In(self._word_bits),
            "write_lane": In(bits_for(max(0, self._word_bytes // beat - 1))),
            "write_data": In(8 * beat),
            "read": In(1),
            "slot": In(self._slot_bits),
            "panel": In(self._panel_bits),
            "k": In(bits_for(p.tile.k - 1)),
            "step": Out(8 * lanes),
        })

    def elaborate(self, platform):
        m = Module()
        beat = self._p.beat_bytes
        beats = self._word_bytes // beat
        m.submodules.memory = memory = Memory(shape=8 * self._word_bytes, depth=self._depth, init=[])
        write = memory.write_port(granularity=8 * beat)
        read = memory.read_port()
        m.d.comb += [
            write.addr.eq(Cat(self.write_word, self.write_panel, self.write_slot)),
            write.data.eq(self.write_data.replicate(beats)),
            read.en.eq(self.read),
        ]
        for lane in range(beats):
            m.d.comb += write.en[lane].eq(self.write & (self.write_lane == lane))
        if self._steps_per_word == 1:
            m.d.comb += [
                read.addr.eq(Cat(self.k, self.panel, self.slot)),
                self.step.eq(read.data),
            ]
        else:
            select_bits = bits_for(self._steps_per_word - 1)
            word = Signal(self._word_bits)
            select = Signal(select_bits)
            m.d.comb += [word.eq(self.k >> select_bits), read.addr.eq(Cat(word, self.panel, self.slot))]
            with m.If(self.read):
                m.d.sync += select.eq(self.k)
            m.d.comb += self.step.eq(read.data.word_select(select, 8 * self._lanes))
        return m


class BiasMemory(wiring.Component):
    """Biases of all slots, two sets each: written by beats, read one bias per cycle, one cycle after the address."""

    def __init__(self, p: Platform):
        self._p = p
        self._per_word = p.beat_bytes // 4
        self._set_bits = bits_for(p.buffers.slots - 1) + 1
        self._word_bits = bits_for(p.tile.n // self._per_word - 1)
        super().__init__({
            "write": In(1),
            "write_set": In(self._set_bits),
            "write_word": In(self._word_bits),
            "write_data": In(p.bus.data_width),
            "set": In(self._set_bits),
            "n": In(bits_for(p.tile.n - 1)),
            "bias": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self._p.bus.data_width, depth=1 << (self._set_bits + self._word_bits), init=[])
        write, read = memory.write_port(), memory.read_port()
        select_bits = (self._per_word - 1).bit_length()
        select = Signal(max(1, select_bits))
        word = Signal(self._word_bits)
        m.d.comb += [
            write.addr.eq(Cat(self.write_word, self.write_set)),
            write.data.eq(self.write_data),
            write.en.eq(self.write),
            word.eq(self.n >> select_bits),
            read.addr.eq(Cat(word, self.set)),
        ]
        if select_bits:
            m.d.sync += select.eq(self.n)
        m.d.comb += self.bias.eq(read.data.word_select(select, 32))
        return m


class SlotOwnership(wiring.Component):
    """The life of each slot: free -> filling -> full -> in use -> free, in ring order.

    A slot is full in the cycle after its last beat, and free in the cycle after its release. A flush drops every slot
    not in use: a full one is free 2 cycles later, a filling one 2 cycles after its last beat.

    Attributes
    ----------
    take, tag, free, filling : the load engine's side: claim slot `filling` (may be high while `free`).
    requested : In
        A request for slot `requested_slot` was accepted; `issued` with the last one.
    received : In
        The last beat of a request for slot `received_slot`.
    full, next_tag, next : Out
        The compute engine's side: the oldest slot, `start` claims it.
    release, release_slot : In
    flush : In
    empty : Out
        No slot is owned by anyone.
    filling_any : Out
        A slot is being filled.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        self._lay = lay
        slot = bits_for(p.buffers.slots - 1)
        super().__init__({
            "take": In(1),
            "tag": In(lay.tag),
            "free": Out(1),
            "filling": Out(slot),
            "requested": In(1),
            "requested_slot": In(slot),
            "issued": In(1),
            "received": In(1),
            "received_slot": In(slot),
            "full": Out(1),
            "next_tag": Out(lay.tag),
            "next": Out(slot),
            "start": In(1),
            "release": In(1),
            "release_slot": In(slot),
            "flush": In(1),
            "empty": Out(1),
            "filling_any": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        n = self._p.buffers.slots
        tag_layout = self._lay.tag
        m.submodules.tags = tags = Memory(shape=tag_layout, depth=n, init=[])
        tag_w, tag_r = tags.write_port(), tags.read_port(domain="comb")
        pending_max = self._p.m_panels + self._p.n_panels + 1
        owned, all_issued, doomed, used = Signal(n), Signal(n), Signal(n), Signal(n)
        pending = Array(Signal(range(pending_max + 1), name=f"pending_{i}") for i in range(n))
        drained = Signal(n)

        def advance(pointer):
            with m.If(pointer == n - 1):
                m.d.sync += pointer.eq(0)
            with m.Else():
                m.d.sync += pointer.eq(pointer + 1)

        m.d.comb += [
            self.free.eq(~owned.bit_select(self.filling, 1)),
            tag_w.addr.eq(self.filling),
            tag_w.data.eq(self.tag),
            tag_w.en.eq(self.take),
            tag_r.addr.eq(self.next),
            self.next_tag.eq(tag_r.data),
            self.full.eq((owned & all_issued & drained & ~doomed & ~used).bit_select(self.next, 1)),
            self.empty.eq(~owned.any()),
            self.filling_any.eq((owned & ~(all_issued & drained)).any()),
        ]
        for i in range(n):
            m.d.comb += drained[i].eq(pending[i] == 0)
            up, down = Signal(name=f"up_{i}"), Signal(name=f"down_{i}")
            m.d.comb += [
                up.eq(self.requested & (self.requested_slot == i)),
                down.eq(self.received & (self.received_slot == i)),
            ]
            m.d.sync += pending[i].eq(pending[i] + up - down)
            with m.If(self.issued & (self.requested_slot == i)):
                m.d.sync += all_issued[i].eq(1)
            with m.If(doomed[i] & drained[i]):
                m.d.sync += [owned[i].eq(0), doomed[i].eq(0)]
            with m.If(self.release & (self.release_slot == i)):
                m.d.sync += [owned[i].eq(0), used[i].eq(0)]
            with m.If(self.start & (self.next == i)):
                m.d.sync += used[i].eq(1)
            with m.If(self.flush & owned[i] & ~used[i]):
                m.d.sync += doomed[i].eq(1)
            with m.If(self.take & (self.filling == i)):
                m.d.sync += [owned[i].eq(1), all_issued[i].eq(0)]
        with m.If(self.take):
            advance(self.filling)
        with m.If(self.start):
            advance(self.next)
        with m.If(self.flush):
            m.d.sync += self.next.eq(self.filling)
        return m


class InputSlots(wiring.Component):
    """The memories of the slots. Beats are written in the cycle they arrive; reads take one cycle.

    Attributes
    ----------
    beat : In(stream, always ready)
        Read data for slots; beats for banks are ignored.
    started, started_slot : In
        The compute engine has begun the slot: its next fill uses the other set of biases.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        slot = bits_for(p.buffers.slots - 1)
        self.a = PanelMemory(p, p.a_lanes, p.m_panels)
        self.b = PanelMemory(p, p.b_lanes, p.n_panels)
        self.bias = BiasMemory(p)
        self._slot = slot
        super().__init__({
            "beat": In(pulse(lay.read_beat)),
            "word": In(range(max(p.tile.k, p.tile.n))),
            "lane": In(bits_for(max(p.a_lanes, p.b_lanes, 4 * p.array.rows + p.beat_bytes) // p.beat_bytes)),
            "started": In(1),
            "started_slot": In(slot),
            "read": In(1),
            "read_slot": In(slot),
            "m_panel": In(bits_for(p.m_panels - 1)),
            "n_panel": In(bits_for(p.n_panels - 1)),
            "k": In(bits_for(p.tile.k - 1)),
            "a_step": Out(8 * p.a_lanes),
            "b_step": Out(8 * p.b_lanes),
            "bias_set": Out(slot + 1),
            "read_bias_set": In(slot + 1),
            "bias_n": In(bits_for(p.tile.n - 1)),
            "bias_value": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.a, m.submodules.b, m.submodules.bias = a, b, bias = self.a, self.b, self.bias
        toggle = Signal(self._p.buffers.slots)  # which set of biases the slot's next fill goes to
        target, valid = self.beat.p.target, self.beat.valid
        for memory, destination in ((a, Destination.A), (b, Destination.B)):
            m.d.comb += [
                memory.write.eq(valid & (target.destination == destination)),
                memory.write_slot.eq(target.unit),
                memory.write_panel.eq(target.panel),
                memory.write_word.eq(self.word),
                memory.write_lane.eq(self.lane),
                memory.write_data.eq(self.beat.p.data),
                memory.read.eq(self.read),
                memory.slot.eq(self.read_slot),
                memory.k.eq(self.k),
            ]
        m.d.comb += [
            a.panel.eq(self.m_panel),
            b.panel.eq(self.n_panel),
            self.a_step.eq(a.step),
            self.b_step.eq(b.step),
            bias.write.eq(valid & (target.destination == Destination.BIAS)),
            bias.write_set.eq(Cat(toggle.bit_select(target.unit[:self._slot], 1), target.unit[:self._slot])),
            bias.write_word.eq(self.word),
            bias.write_data.eq(self.beat.p.data),
            bias.set.eq(self.read_bias_set),
            bias.n.eq(self.bias_n),
            self.bias_value.eq(bias.bias),
            self.bias_set.eq(Cat(toggle.bit_select(self.started_slot, 1), self.started_slot)),
        ]
        with m.If(self.started):
            m.d.sync += toggle.bit_select(self.started_slot, 1).eq(~toggle.bit_select(self.started_slot, 1))
        return m
