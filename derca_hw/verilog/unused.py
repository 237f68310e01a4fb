"""Removes unread signals, ports and modules from a design, as RTLIL text, across module boundaries.

Amaranth gives every module a port for each signal that any of its statements names. Yosys cleans one module at a time,
and leaves those ports and the logic that drives them. Lint would complain about each of them.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

#: The name of something: behind a backslash, or behind a dollar sign if a tool made it up.
_NAME = re.compile(r"(?<!\S)[\\$]\S+")
#: Output ports of Yosys's own cells.
_OUTPUTS = {"\\Y", "\\Q", "\\RD_DATA"}
#: The option that makes a signal an output of its module.
_OUTPUT = re.compile(r" output \d+(?= )")


@dataclass
class _Item:
    """A statement of a module: if a name that it `defines` is needed, it is needed too, and all names that it `uses`.

    - `root`: it is needed in any case.
    - `instance`: the module of the design of which it is an instance. `ports` then has the line and the signals of each
      of its ports.
    """

    lines: list[str]
    defines: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    root: bool = False
    instance: str = ""
    ports: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    needed: bool = False


@dataclass
class _Module:
    """A module: its head, the lines that declare each signal and memory, its ports, its statements."""

    head: list[str]
    declared: dict[str, list[str]] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    items: list[_Item] = field(default_factory=list)


def without_unused(rtlil: str, top: str) -> str:
    """The design without the signals, ports and modules on which no output of module `top` depends.

    Parameters
    ----------
    rtlil
        As Yosys writes it after `proc` and `memory_collect`, with one instance of each module but the top. A cell that
        is neither Yosys's nor a module of the design is assumed to need all signals connected to it.
    top
        The top module, whose ports stay unchanged.
    """
    top = f"\\{top}"
    modules = _read(rtlil)
    needed = _mark(modules, top)

    def holds(name: str) -> bool:
        """Whether a module, or a module inside it, has anything that is needed."""
        return any(item.needed or (item.instance and holds(item.instance)) for item in modules[name].items)

    alive = {name for name in modules if name == top or holds(name)}
    connected = {(item.instance, port) for name, module in modules.items() for item in module.items
                 for port, (_, wires) in item.ports.items()
                 if (item.instance, port) in needed
                 and (port in modules[item.instance].inputs or any((name, wire) in needed for wire in wires))}
    out = []
    for name, module in modules.items():
        if name not in alive:
            continue
        named = {wire for at, wire in needed if at == name}
        if name == top:
            named |= module.inputs
        body = []
        for item in module.items:
            if item.instance in alive:
                body += item.lines
                for port, (line, wires) in item.ports.items():
                    if (item.instance, port) in connected:
                        body.append(line)
                        named |= wires
                body.append("  end")
            elif item.needed:
                body += item.lines
                named |= item.defines  # only some of these may be needed
        out += module.head
        for wire, lines in module.declared.items():
            if wire in named:
                inside = name != top and (name, wire) not in connected
                out += [*lines[:-1], _OUTPUT.sub("", lines[-1]) if inside else lines[-1]]
        out += [*body, "end"]
    return "\n".join(out) + "\n"


def _mark(modules: dict[str, _Module], top: str) -> set[tuple[str, str]]:
    """Mark the statements that are needed, and return the needed signals and memories as (module, name)."""
    parent, defining, giving = {}, defaultdict(list), defaultdict(list)
    todo = [(top, name) for name in modules[top].outputs]
    for name, module in modules.items():
        for item in module.items:
            if item.instance:
                parent[item.instance] = name, item
            for port, (_, wires) in item.ports.items():
                if port in modules[item.instance].outputs:
                    for wire in wires:
                        giving[name, wire].append((item.instance, port))
            for wire in item.defines:
                defining[name, wire].append(item)
            if item.root:
                item.needed = True
                todo += [(name, wire) for wire in item.uses]
    needed: set[tuple[str, str]] = set()
    while todo:
        at = name, wire = todo.pop()
        if at in needed:
            continue
        needed.add(at)
        todo += giving[at]
        for item in defining[at]:
            if not item.needed:
                item.needed = True
                todo += [(name, used) for used in item.uses]
        if wire in modules[name].inputs and name != top:
            outer, instance = parent[name]
            todo += [(outer, used) for used in instance.ports[wire][1]]
    return needed


def _read(rtlil: str) -> dict[str, _Module]:
    """The modules by name."""
    lines = rtlil.splitlines()
    names = {line.split()[1] for line in lines if line.startswith("module ")}
    modules: dict[str, _Module] = {}
    module, attributes, at = None, [], 0
    while at < len(lines):
        line = lines[at]
        words = line.split()
        end = at + 1
        match words:
            case ["attribute", *_]:
                attributes.append(line)
                at = end
                continue
            case ["module", name]:
                module = modules[name] = _Module([*attributes, line])
            case ["wire", *options, name]:
                module.declared[name] = [*attributes, line]
                if "input" in options:
                    module.inputs.add(name)
                if "output" in options:
                    module.outputs.add(name)
            case ["connect", _, *_]:
                target, source = _sides(line)
                module.items.append(_Item([line], target, source))
            case ["cell", *_]:
                end = lines.index("  end", at) + 1
                module.items.append(_cell(attributes, lines[at:end], names))
        attributes, at = [], end
    return modules


def _sides(line: str) -> tuple[set[str], set[str]]:
    """The names on both sides of a connection; the left side is a signal, a part of one, or several of them."""
    left, right = re.fullmatch(r"\s*\w+ (\{.*?\}|\S+(?: \[[\d:]+\])?) (.*)", line).groups()
    return set(_NAME.findall(left)), set(_NAME.findall(right))


def _cell(attributes: list[str], lines: list[str], modules: set[str]) -> _Item:
    kind = lines[0].split()[1]
    ports = {}
    for line in lines:
        if line.startswith("    connect "):
            port = line.split()[1]
            ports[port] = line, set(_NAME.findall(line.split(port, 1)[1]))
    if kind in modules:
        return _Item([*attributes, lines[0]], instance=kind, ports=ports)
    item = _Item([*attributes, *lines])
    for port, (_, wires) in ports.items():
        if kind.startswith("$") and port in _OUTPUTS:
            item.defines |= wires
        else:
            item.uses |= wires
    item.root = not item.defines
    return item
