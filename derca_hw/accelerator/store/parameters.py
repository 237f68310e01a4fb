"""What the store engine needs of a layer, so that tiles carry its number only."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.ram import Buffer, Ram
from ...layouts import Layouts, Part, offset_bits, pulse


class ParameterTable(wiring.Component):
    """A row per layer, written whenever the walk of a layer begins. A row appears one cycle after its `layer` with
    `read` high, and stays; one row per cycle.

    A layer's parameters never change while it has tiles: what is written again is the same. So a row that is read is
    not written in that cycle, and what RAM does then does not matter.

    Attributes
    ----------
    write : In(stream, always ready)
    read, layer : In
    row : Out
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        super().__init__({
            "write": In(pulse(lay.parameters)),
            "read": In(1),
            "layer": In(lay.parameters["layer"].shape),
            "row": Out(lay.parameters),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        kept = Layouts(p).parameters.size - bits_for(p.tables.layers - 1) - 2 * offset_bits(p)
        return [Ram(kept, p.tables.layers, 1, "buffer")]

    def elaborate(self, platform):
        m = Module()
        unused = offset_bits(self._p)
        low = {"c_panel_stride": unused, "save": unused}
        fields = {name: low.get(name, 0) for name, _ in self._lay.parameters if name != "layer"}
        new, row = self.write.p, self.row
        kept = Cat(new[name][bits:] for name, bits in fields.items())
        m.submodules.rows = rows = Buffer(len(kept), self._p.tables.layers)
        write, read = rows.write, rows.read
        m.d.comb += [
            write.addr.eq(new.layer),
            write.data.eq(kept),
            write.en.eq(self.write.valid & ~(self.read & (self.layer == new.layer))),
            read.addr.eq(self.layer),
            read.en.eq(self.read),
            Cat(row[name][bits:] for name, bits in fields.items()).eq(read.data),
        ]
        return m


class ParameterWords(wiring.Component):
    """As `ParameterTable`, with a row in words, of which one is read per cycle.

    With `layer` and `read` high in cycle t, and `persist` for partial sums, `save` is there from t + 1 on. Without
    `persist` it is `c_panel_stride` from t + 1 on, the others from t + 3 on: in this cycle a sum read in t + 1 is
    multiplied. Until then the others, but for the multiplier, are those of the row before. Rows are 4 cycles apart at
    least.

    Attributes
    ----------
    write : In(stream, always ready)
        A word of a layer, written as the layer's words come.
    read, layer, persist : In
    row : Out
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        super().__init__({
            "write": In(pulse(lay.parameter_write)),
            "read": In(1),
            "layer": In(lay.parameters["layer"].shape),
            "persist": In(1),
            "row": Out(lay.parameters),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [Ram(Layouts(p).parameter_write["data"].width, p.tables.layers << Part.as_shape().width, 1, "buffer")]

    def elaborate(self, platform):
        m = Module()
        new, row = self.write.p, self.row
        m.submodules.words = words = Buffer(len(new.data), self._p.tables.layers << Part.as_shape().width)
        write, read = words.write, words.read
        layer = Signal.like(self.layer)
        follows = Signal(2)  # the cycles after `read`, unless it is a tile to persist
        m.d.sync += follows.eq(Cat(self.read & ~self.persist, follows))
        with m.If(self.read):
            m.d.sync += layer.eq(self.layer)
        m.d.comb += [
            read.en.eq(self.read | follows.any()),
            read.addr.eq(Cat(
                Mux(follows[0], Part.OUTPUT, Mux(follows[1], Part.MULTIPLIER, Part.PLACE)),
                Mux(self.read, self.layer, layer))),
            write.addr.eq(Cat(new.part, new.layer)),
            write.data.eq(new.data),
            write.en.eq(self.write.valid & ~(read.en & (read.addr == write.addr))),
        ]

        unused = offset_bits(self._p)
        place = len(row.save) - unused
        stride, save = Cat(Const(0, unused), read.data[:place]), Cat(Const(0, unused), read.data[place:2 * place])
        held = Signal.like(row.c_panel_stride)
        early = self._p.array.rows == self._p.store.requant_lanes  # a panel may end in its first cycle
        with m.If(follows[0]):
            m.d.sync += held.eq(stride)
        kept = Signal(len(row.shift) + len(row.zero_point) + len(row.relu))
        with m.If(follows[1]):
            m.d.sync += kept.eq(read.data)
        m.d.comb += [
            row.save.eq(save),
            row.c_panel_stride.eq(Mux(follows[0], stride, held) if early else held),
            row.multiplier.eq(read.data),
            Cat(row.shift, row.zero_point, row.relu).eq(kept),
        ]
        return m
