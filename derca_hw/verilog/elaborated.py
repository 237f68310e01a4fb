"""Elaborates a design to RTLIL in which ports of memories have names and signals of interfaces are marked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Elaboratable, Fragment, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from ..families.family import Family
from .convert import convert, without_garbage_collection

#: The number that Amaranth appends to a name that is already in use in the module.
NUMBER = re.compile(r"\$\d+(?![^.])")
#: The mark that is appended here to names of signals in the interface of a component: the component's number.
MARK = re.compile(r"@\d+")


@dataclass(frozen=True)
class Unit:
    """A module of the design: the class of its component, and the marked signals of its interface, in order."""

    kind: str
    signals: tuple[str, ...]


class _Elaborated(Elaboratable):
    """A component that has been elaborated."""

    def __init__(self, component: wiring.Component, fragment: Fragment):
        self._component = component
        self._fragment = fragment

    def __getattr__(self, name: str):
        return getattr(self._component, name)

    def elaborate(self, platform):
        return self._fragment


def elaborate(top: wiring.Component, family: Family, name: str) -> tuple[str, dict[str, Unit]]:
    """Elaborate a component.

    Parameters
    ----------
    top
        The component.
    family
        Device family to elaborate for.
    name
        Name of the top module.

    Returns
    -------
    rtlil
        The design as RTLIL, as Amaranth writes it; signals in the interface of a component have a `MARK`.
    units
        Every component of the design by its path: names joined by dots, of which `name` is the first.
    """
    with without_garbage_collection():
        fragment = Fragment.get(top, family)
        units = {}
        for path, part in _walk(fragment, name):
            for origin in part.origins or ():
                if isinstance(origin, Memory):
                    _name_ports(origin, path.rpartition(".")[2])
                elif isinstance(origin, wiring.Component):
                    marks = _marked(origin, f"@{len(units)}" if units else "")
                    units[path] = Unit(type(origin).__name__, tuple(marks))
        return convert(_Elaborated(top, fragment), name, platform=family), units


def _walk(fragment: Fragment, path: str) -> Iterator[tuple[str, Fragment]]:
    yield path, fragment
    for part, name, *_ in fragment.subfragments:
        yield from _walk(part, f"{path}.{name}")


def _marked(component: wiring.Component, mark: str) -> Iterator[str]:
    """Mark the signals in the interface of a component, and yield their names; the mark of the top is empty."""
    for _, _, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if hasattr(signal, "name"):  # a constant has none
            if not MARK.search(signal.name):  # already marked if it is in another interface, too
                signal.name += mark
            yield signal.name


def _name_ports(memory: Memory, name: str) -> None:
    """Name the unnamed signals of the ports of a memory, for instance `counts__read__data`."""
    for way, ports in ("write", memory.write_ports), ("read", memory.read_ports):
        for number, port in enumerate(ports):
            for _, _, value in port.signature.flatten(port):
                signal = Value.cast(value)  # a constant has no name
                if getattr(signal, "name", "").startswith("$"):
                    member = signal.name.rpartition("__")[2]
                    signal.name = f"{name}__{way}{number if len(ports) > 1 else ''}__{member}"
