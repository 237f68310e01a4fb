"""The parameters of layers that the store engine needs, so that a tile carries only the number of its layer."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.ram import Buffer, Ram
from ...layouts import Layouts, Part, offset_bits, pulse

#: What the memories hold, for estimates.
PART = "parameters of layers (tables.layers)"


class ParameterTable(wiring.Component):
    """Holds a row per layer, written whenever the walk of a layer begins; one row is read per cycle.

    A row appears one cycle after its `layer` with `read` high, and stays.

    While a layer has tiles its parameters do not change: a write repeats the same values. So the store engine never
    reads a row that is being written, and the RAM's read-during-write behaviour does not matter.

    Attributes
    ----------
    write : In(stream, always ready)
    read : In(1)
    layer : In
        Row of the layer table.
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
        return [Ram(kept, p.tables.layers, 1, "buffer", 0, PART)]

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
    """Holds the rows of `ParameterTable` in words, of which one is read per cycle.

    With `layer`, `read` and `persist` (for partial sums) in cycle t, `save` is there from t + 1 on. Without `persist`,
    `c_panel_stride` is there from t + 1 on and the other fields from t + 3 on: in t + 3 a sum read in t + 1 is
    multiplied. Until then these fields, except the multiplier, are those of the row before. Rows are at least 4 cycles
    apart.

    Attributes
    ----------
    write : In(stream, always ready)
        A word of a layer, written as the layer's words come.
    read, persist : In(1)
    layer : In
        Row of the layer table.
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
        return [Ram(Layouts(p).parameter_write["data"].width, p.tables.layers << Part.as_shape().width, 1, "buffer",
                    0, PART)]

    def elaborate(self, platform):
        m = Module()
        new, row = self.write.p, self.row
        m.submodules.words = words = Buffer(len(new.data), self._p.tables.layers << Part.as_shape().width)
        write, read = words.write, words.read
        layer = Signal.like(self.layer)
        follows = Signal(2)  # the cycles after `read`, unless the tile is persisted
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
        second = Cat(row[name] for name in self._lay.second)
        kept = Signal(len(second))
        with m.If(follows[1]):
            m.d.sync += kept.eq(read.data)
        m.d.comb += [
            row.save.eq(save),
            row.c_panel_stride.eq(Mux(follows[0], stride, held) if early else held),
            row.multiplier.eq(read.data),
            second.eq(kept),
        ]
        return m
