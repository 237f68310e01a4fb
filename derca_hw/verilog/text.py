"""Makes the Verilog that Yosys writes readable: a port per line with direction and width, and names for registers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .folded import NAMELESS, folded

#: A name in Verilog.
NAME = r"(?:\\\S+ |[A-Za-z_]\w*)"

_HEAD = re.compile(r"^module (\\\S+|\w+) ?\(([^;]*)\);\n", re.MULTILINE)
_DECLARED = re.compile(rf"  (input|output|inout|wire|reg) ((?:signed )?(?:\[\d+:\d+\] )?)({NAME})( = .*)?;")
_ATTRIBUTE = re.compile(r"  \(\* .* \*\)$")
_READ = re.compile(rf"^  assign (?:\{{ )?({NAME})(\[\d+(?::\d+)?\]|[^=;]*\}})? = ({NAMELESS});\n", re.MULTILINE)
_ADDRESSED = re.compile(rf"^  assign {NAME} = ({NAME})\[({NAMELESS})\];$", re.MULTILINE)
#: Interfaces whose ports are set apart by a blank line before and after.
_GROUP = re.compile(r"(m_axis?|s_axi|event)_")


@dataclass
class _Port:
    """A port: direction, width, attributes, kind (wire or register), and value at power-up."""

    way: str
    width: str
    attributes: list[str]
    kind: str = "wire"
    value: str = ""


@dataclass
class Module:
    """A module of Verilog text."""

    name: str
    ports: dict[str, _Port] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def written(self) -> str:
        """The text of the module."""
        declared = []
        group = None
        for number, (name, port) in enumerate(self.ports.items(), 1):
            if group is not None and _group(name) != group:
                declared.append("")
            group = _group(name)
            comma = "," if number < len(self.ports) else ""
            way = f"{port.way:<6} {port.kind:<4} {port.width}"
            declared += [*port.attributes, f"  {way}{_spaced(name)}{port.value}{comma}"]
        return "\n".join([f"module {_spaced(self.name)}(", *declared, ");", *self.lines, ""])


def readable(verilog: str) -> str:
    """The same Verilog with a port per line, and with registers named after the signals that are read from them."""
    first = _HEAD.search(verilog)
    return verilog[:first.start()] + "".join(module.written() for module in modules(verilog))


def modules(verilog: str) -> Iterator[Module]:
    """The modules of Verilog that Yosys wrote, with names for their registers."""
    heads = list(_HEAD.finditer(verilog))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        body = folded(_named(verilog[head.end():following.start() if following else len(verilog)]))
        module = Module(head[1], {name.strip(): None for name in head[2].split(",")})
        attributes = []
        for line in body.rstrip("\n").split("\n"):
            if _ATTRIBUTE.match(line):
                attributes.append(line)
                continue
            found = _DECLARED.fullmatch(line)
            name = found[3].strip() if found else None
            if name not in module.ports:
                module.lines += [*attributes, line]
            elif found[1] in ("wire", "reg"):
                module.ports[name].kind, module.ports[name].value = found[1], found[4] or ""
            else:
                module.ports[name] = _Port(found[1], found[2], attributes)
            attributes = []
        yield module


def _spaced(name: str) -> str:
    """A name as it is written before more text: a space ends an escaped name."""
    return f"{name} " if name.startswith("\\") else name


def _group(port: str) -> str:
    if found := _GROUP.match(port):
        return found[1]
    return port.partition("__")[0] if "__" in port else ""


def _named(body: str) -> str:
    """A module's text in which Yosys's registers are named after the signals that are read from them.

    Yosys writes the data read from a memory to a register of its own, `_0_`, and assigns that to the named signal.
    """
    taken = set(re.findall(NAME, body))

    def free(name: str) -> str:
        wish, number = name, 2
        while wish in taken or f"{wish} " in taken:
            wish, number = f"{name}_{number}", number + 1
        taken.add(wish)
        return wish

    registers = {name: value or "" for name, value in re.findall(
        rf"^  reg (?:\[\d+:\d+\] )?({NAMELESS})( = .*)?;$", body, re.MULTILINE)}
    for found in list(_READ.finditer(body)):
        target, part, register = found.groups()
        if register not in registers or body.count(f"= {register};\n") != 1:
            continue
        if part is None:
            wire = re.compile(rf"^  wire ((?:\[\d+:\d+\] )?{re.escape(target)});$", re.MULTILINE)
            body = re.sub(rf"^  reg (?:\[\d+:\d+\] )?{register}( = .*)?;\n", "", body, flags=re.MULTILINE)
            body = wire.sub(lambda line, value=registers[register]: f"  reg {line[1]}{value};", body)
            body = body.replace(found[0], "")
            name = target
        else:
            bits = "register" if "}" in part else "_".join(re.findall(r"\d+", part))
            name = _spaced(free(f"{target.strip()}_{bits}"))
        body = re.sub(rf"\b{register}\b", lambda _, name=name: name, body)
    for memory, register in _ADDRESSED.findall(body):
        if register in registers:
            name = _spaced(free(f"{memory.strip()}_address"))
            body = re.sub(rf"\b{register}\b", lambda _, name=name: name, body)
    return body
