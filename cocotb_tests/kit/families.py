"""Components as they are built for a device family, in simulation."""

from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from derca_hw.families.family import Family


class Built(wiring.Component):
    """`component` as it is built for a family; the same ports."""

    def __init__(self, component: wiring.Component, family: Family):
        self._component, self._family = component, family
        super().__init__(component.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.component = Fragment.get(self._component, self._family)
        connect(m, flipped(self), self._component)
        return m
