"""Gives the modules, signals and instances of a design, as RTLIL text, readable names.

Amaranth appends numbers to names that occur twice in a module: `idle$182`, `idle$183`. They change whenever the design
changes. Here a port has the name that it has in Python, even if another signal of the module has that name. A signal
that is a port of an instance is named after both, `scheduler__idle`. Others are counted.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from .elaborated import MARK, NUMBER, Unit

#: A name: behind a backslash, or behind a dollar sign if a tool made it up.
TOKEN = re.compile(r"(?<!\S)[\\$]\S+")
#: Clock and reset come first among the ports.
_FIRST = re.compile(r"\\(aclk|aresetn|(\w+_)?(clk|rst))$")


@dataclass
class _Module:
    """A module: its text, its ports with their directions, its other signals, its memories and instances.

    `ends` has, for each signal, the ports of instances to which this signal alone is connected. `new` has the new
    names.
    """

    name: str
    text: str
    ports: dict[str, str] = field(default_factory=dict)
    wires: list[str] = field(default_factory=list)
    cells: dict[str, str] = field(default_factory=dict)
    ends: defaultdict[str, list[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(list))
    new: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


def with_names(rtlil: str, top: str, units: dict[str, Unit]) -> str:
    """The same design with new names inside.

    Parameters
    ----------
    rtlil
        As `without_unused` returns it.
    top
        The top module, whose ports keep their names.
    units
        The components by their paths.
    """
    modules = {}
    for text in re.split(r"^(?=module )", rtlil, flags=re.MULTILINE)[1:]:
        module = _read(text)
        modules[module.name] = module
    paths = {name: f"\\{NUMBER.sub('', name.removeprefix(chr(92)))}" for name in modules}
    for name, module in modules.items():
        unit = units.get(paths[name].removeprefix("\\"))
        _name(module, unit.signals if unit else (), name == f"\\{top}", modules)
    for name, module in modules.items():
        unit = units.get(paths[name].removeprefix("\\"))
        _name_signals(module, unit.signals if unit else (), modules)
    order = {name: _order(units.get(paths[name].removeprefix("\\"))) for name in modules}
    return "".join(_written(module, modules, paths, order[name]) for name, module in modules.items())


def _read(text: str) -> _Module:
    head = re.match(r"module (\S+)\n", text)
    module = _Module(head[1], text)
    cell = None
    for line in text.split("\n"):
        words = line.split()
        match words:
            case ["wire", *options, name]:
                way = next((option for option in options if option in ("input", "output")), "")
                if way:
                    module.ports[name] = way
                elif name.startswith("\\"):
                    module.wires.append(name)
            case ["cell", kind, name]:
                cell = kind, name
                if name.startswith("\\"):
                    module.cells[name] = kind
            case ["connect", port, name] if cell and line.startswith("    "):
                if cell[1].startswith("\\"):
                    module.ends[name].append((*cell, port))
    return module


def base(name: str) -> str:
    """A name without Amaranth's numbers, without a mark, and without the underscore of a private attribute.

    The name of an unnamed signal begins with a dollar sign, which readers of Verilog take for a system function. An
    underscore replaces it.
    """
    plain = MARK.sub("", NUMBER.sub("", name.removeprefix("\\")))
    return "\\" + (f"_{plain[1:]}" if plain.startswith("$") else plain.lstrip("_") or plain)


def _claim(module: _Module, name: str, wish: str) -> None:
    """Give something its desired name, with a number appended if the name is taken."""
    best, number = wish, 2
    while best in module.taken:
        best, number = f"{wish}_{number}", number + 1
    module.taken.add(best)
    module.new[name] = best


def _name(module: _Module, own: tuple[str, ...], is_top: bool, modules: dict[str, _Module]) -> None:
    """Name the ports, then memories and instances, none of which gets the name of something inside it."""
    interface = {f"\\{signal}" for signal in own}
    ports = sorted(module.ports, key=lambda port: NUMBER.sub("", port) not in interface)
    for port in ports:
        if is_top:
            module.new[port] = port
            module.taken.add(port)
        else:
            _claim(module, port, base(port))
    for cell, kind in module.cells.items():
        inner = modules.get(kind)
        hidden = inner is not None and base(cell) in map(base, [*inner.ports, *inner.wires])
        _claim(module, cell, f"{base(cell)}_instance" if hidden else base(cell))


def _name_signals(module: _Module, own: tuple[str, ...], modules: dict[str, _Module]) -> None:
    """Name the other signals: those that are ports of an instance after both, the others as in Python."""

    def end(wire: str) -> str:
        return min(((modules[kind].ports[port] != "output", f"{module.new[cell]}__{modules[kind].new[port][1:]}")
                    for kind, cell, port in module.ends[wire] if kind in modules), default=(False, base(wire)))[1]

    for wire in sorted(module.wires, key=lambda wire: MARK.search(wire) is not None):
        foreign = MARK.search(wire) and NUMBER.sub("", wire.removeprefix("\\")) not in own
        _claim(module, wire, end(wire) if foreign else base(wire))


def _order(unit: Unit | None) -> dict[str, int]:
    return {f"\\{signal}": number for number, signal in enumerate(unit.signals if unit else ())}


def _natural(name: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _written(module: _Module, modules: dict[str, _Module], paths: dict[str, str], order: dict[str, int]) -> str:
    """The text with new names: ports in the order of the interface, then signals, cells and connections."""
    blocks = _blocks(module.text.split("\n")[1:])
    private = sorted({name for kind, name, _ in blocks if kind != "connect" and name.startswith("$")}, key=_natural)
    digits = len(str(len(private)))
    names = module.new | {name: f"${number:0{digits}}" for number, name in enumerate(private, 1)}

    def new(text: str) -> str:
        return TOKEN.sub(lambda found: names.get(found[0], found[0]), text)

    def place(port: str) -> tuple:
        after = order.get(NUMBER.sub("", port), len(order))
        return not _FIRST.match(names[port]), after, names[port]

    number = {port: i for i, port in enumerate(sorted(module.ports, key=place), 1)}
    sections = defaultdict(list)
    for kind, name, lines in blocks:
        if kind == "wire":
            *attributes, line = lines
            line = line.removesuffix(name)
            if name in number:
                line = re.sub(r"(input|output) \d+", rf"\1 {number[name]}", line)
            sections["port" if name in number else "wire"].append(
                (number.get(name) or _natural(names[name]), [*attributes, line + names[name]]))
        elif kind == "cell":
            at = next(i for i, line in enumerate(lines) if line.startswith("  cell "))
            _, type_, _ = lines[at].split()
            inner = modules.get(type_)
            out = [*lines[:at], f"  cell {paths.get(type_, type_)} {names[name]}"]
            connections = []
            for line in lines[at + 1:-1]:
                words = line.split(None, 2)
                if words[0] == "connect":
                    port = inner.new.get(words[1], words[1]) if inner else words[1]
                    connections.append(f"    connect {port} {new(words[2])}")
                elif words[:2] == ["parameter", "\\MEMID"] and name in names:
                    out.append(f'    parameter \\MEMID "{chr(92)}{names[name]}"')
                else:
                    out.append(line)
            sections["cell"].append((_natural(names[name]), [*out, *sorted(connections), lines[-1]]))
        else:
            sections["connect"].append((new(name), [f"  connect {new(name)}"]))
    out = [f"module {paths[module.name]}"]
    for section in ("port", "wire", "cell", "connect"):
        for _, lines in sorted(sections[section], key=lambda item: item[0]):
            out += lines
    return "\n".join([*out, "end", ""])


def _blocks(lines: list[str]) -> list[tuple[str, str, list[str]]]:
    """Statements of a module as (kind, name, lines); the name of a connection is both of its sides."""
    out, held, at = [], [], 0
    while at < len(lines):
        line = lines[at]
        words = line.split()
        held.append(line)
        match words:
            case ["wire", *_, name]:
                out.append(("wire", name, held))
                held = []
            case ["cell", _, name]:
                end = lines.index("  end", at)
                out.append(("cell", name, [*held, *lines[at + 1:end + 1]]))
                held, at = [], end
            case ["connect", *_]:
                out.append(("connect", line.split(None, 1)[1], held))
                held = []
            case ["end"]:
                break
        at += 1
    return out
