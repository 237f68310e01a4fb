"""Joins ports by their names, where `connect` cannot because the names are given from outside."""

from collections.abc import Iterable, Iterator

from amaranth.hdl import Const, Module, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Member, Out


def ports(component: wiring.Component) -> dict:
    """The ports of a component by flat name, as `release__payload`, without constant members (`ready` of pulses)."""
    out = {}
    for path, member, value in component.signature.flatten(component):
        value = Value.cast(value)
        if not isinstance(value, Const):
            direction = PortDirection.Output if member.flow == wiring.Out else PortDirection.Input
            out["__".join(map(str, path))] = (value, direction)
    return out


def join(m: Module, component, part, names: Iterable[str]) -> None:
    """Connect ports and interfaces that a part has in common with its component, or with another part.

    Parameters
    ----------
    component
        Either the component itself, whose ports of these names have the same flow as the part's. Or another part, whose
        ports have the opposite flow.
    """
    for name in names:
        ours, its, member = getattr(component, name), getattr(part, name), part.signature.members[name]
        if member.is_signature:
            within = component.signature.members[name].flow == member.flow
            wiring.connect(m, wiring.flipped(ours) if within else ours, its)
        elif member.flow == Out:
            m.d.comb += ours.eq(its)
        else:
            m.d.comb += its.eq(ours)


def _pieces(path: tuple, shape) -> Iterator[tuple[str, str | None]]:
    """For each flat port of a member, the end of its name and the field that it is."""
    name = "".join(map(str, path[:-1]))
    if path[-1] == "payload" and isinstance(shape, data.StructLayout):
        yield from ((name + field, field) for field, _ in shape)
    else:
        yield name + str(path[-1]), None


def flat_members(prefix: str, signature: wiring.Signature) -> dict[str, Member]:
    """An interface as one member per signal, with the names that vendors use: `m_axi_awaddr`, `m_axi_awvalid`.

    Fields of a payload are members of their own.
    """
    out = {}
    for path, member in signature.members.flatten():
        if member.is_port:
            for name, field in _pieces(path, member.shape):
                shape = member.shape if field is None else member.shape[field].shape
                out[prefix + name] = Member(member.flow, shape)
    return out


def join_flat(m: Module, component, prefix: str, interface) -> None:
    """Connect the interface of a part with the ports of `flat_members` of a component, or of another part."""
    for path, member, value in interface.signature.flatten(interface):
        for name, field in _pieces(path, member.shape):
            port, its = getattr(component, prefix + name), value if field is None else value[field]
            m.d.comb += port.eq(its) if member.flow == Out else its.eq(port)
