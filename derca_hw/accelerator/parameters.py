"""What the store engine needs of a layer, so that tiles carry its number only."""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ..layouts import Layouts, pulse
from ..ram import Buffer


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

    def elaborate(self, platform):
        m = Module()
        unused = (self._p.beat_bytes - 1).bit_length()  # low bits of addresses and strides, all of whole beats
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
