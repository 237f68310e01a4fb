"""The ports of a component on its own."""

from amaranth.hdl import Const, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring


def ports(component: wiring.Component) -> dict:
    """Ports of a component by flat name, as `release__payload`; constant members (`ready` of pulses) are left out."""
    out = {}
    for path, member, value in component.signature.flatten(component):
        value = Value.cast(value)
        if not isinstance(value, Const):
            direction = PortDirection.Output if member.flow == wiring.Out else PortDirection.Input
            out["__".join(map(str, path))] = (value, direction)
    return out
