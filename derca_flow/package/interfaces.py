"""Ports and bus interfaces of a module, read back from its Verilog: what packaging describes is what was generated."""

import re
from dataclasses import dataclass, field

#: Attributes by which the vendor's tools know interfaces.
INFO, MODE, PARAMETER = "X_INTERFACE_INFO", "X_INTERFACE_MODE", "X_INTERFACE_PARAMETER"

_DECLARATION = re.compile(
    r'^ *\(\* (?P<attribute>\w+) = "(?P<value>[^"]*)" \*\)$'
    r"|^ *(?P<direction>input|output) +(?:wire|reg) +(?:\[(?P<high>\d+):0\] )?(?P<port>\w+)(?: = [\w']+)?,?$"
    r"|^ *(?P<other>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Port:
    """A port with its attributes; `direction` is `in` or `out`, `vector` marks `[0:0]`, unlike a single wire."""

    name: str
    direction: str
    width: int
    vector: bool
    attributes: dict[str, str]


@dataclass
class Interface:
    """A bus interface. `type` is vendor:library:name:version, `ports` are physical names by logical name."""

    name: str
    type: str
    mode: str = ""
    ports: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


def ports_of(verilog: str, top: str) -> dict[str, Port]:
    """The ports of module `top`, in the order of their declarations.

    Raises
    ------
    ValueError
        If there is no such module, or a line among its ports cannot be read.
    """
    module = re.search(rf"^module {re.escape(top)}\(\n(.*?)^\);$", verilog, re.MULTILINE | re.DOTALL)
    if module is None:
        raise ValueError(f"module {top}: not in the Verilog")
    out, attributes = {}, {}
    for line in _DECLARATION.finditer(module[1]):
        if line["attribute"]:
            attributes[line["attribute"]] = line["value"]
        elif line["port"]:
            direction = {"input": "in", "output": "out"}[line["direction"]]
            high = line["high"]
            out[line["port"]] = Port(line["port"], direction, int(high or 0) + 1, high is not None, attributes)
            attributes = {}
        elif line["other"]:
            raise ValueError(f"module {top}: no port that can be read: {line['other']}")
    return out


def interfaces_of(ports: dict[str, Port]) -> dict[str, Interface]:
    """The interfaces that the attributes of the ports declare, by name."""
    out: dict[str, Interface] = {}
    for port in ports.values():
        if INFO not in port.attributes:
            continue
        kind, name, signal = port.attributes[INFO].split()
        interface = out.setdefault(name, Interface(name, kind))
        interface.ports[signal] = port.name
        interface.mode = port.attributes.get(MODE, interface.mode)
        pairs = [pair.split() for pair in port.attributes.get(PARAMETER, "").split(", ") if pair]
        interface.parameters |= {key: value for key, value in pairs if key != "XIL_INTERFACENAME"}
    return out
