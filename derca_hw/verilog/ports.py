"""Gives modules, as RTLIL text, the ports that their components have in Python.

Amaranth cuts the ports of modules where their drivers are cut. It names a port after a signal only if both have the
same bits. Otherwise a port is called `port$1513$0`, and equal components get different ports.
"""

import re
from dataclasses import dataclass, field

from .bits import SLICE, Bit, bits_of, text_of
from .elaborated import NUMBER, Unit

_WIRE = re.compile(r"  wire width (\d+) +(?:(input|output|inout) \d+ +)?(signed +)?(\S+)$")


@dataclass
class _Module:
    """The text of a module, with the width and kind of each wire, the aliases of signals, and the changes to its ports.

    - `added` has the signals that become ports.
    - For inputs, `moved` has the new place of each bit of the ports that they replace, and `whole` the new name of
      whole expressions, by their text.
    - For outputs, `parts` has the bits of ports for which they stand, and `hidden` has those ports.
    - `renamed` has the new names of other ports.
    """

    name: str
    lines: list[str]
    widths: dict[str, int] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)
    moved: dict[Bit, Bit] = field(default_factory=dict)
    whole: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    parts: dict[str, list[Bit]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)


def with_own_ports(rtlil: str, units: dict[str, Unit]) -> str:
    """The same design with new ports: each component's own, where a module's ports make these up.

    Parameters
    ----------
    rtlil
        As Amaranth writes it, with one instance of each module but the first, which keeps its ports.
    units
        The components by their paths.
    """
    texts = re.split(r"^(?=module )", rtlil, flags=re.MULTILINE)
    head, modules = texts[0], [_read(text) for text in texts[1:]]
    tops = [module for module in modules if "." not in module.name]
    for module in modules:
        if module not in tops:
            unit = units.get(NUMBER.sub("", module.name))
            own = frozenset(unit.signals if unit else ())
            _take_inputs(module, own)
            _take_outputs(module, own)
            _name_rest(module, own)
    by_name = {f"\\{module.name}": module for module in modules}
    return head + "".join(_written(module, by_name) for module in modules)


def _read(text: str) -> _Module:
    lines = text.split("\n")
    name = next(line for line in lines if line.startswith("module ")).split()[1].removeprefix("\\")
    module = _Module(name, lines)
    for line in lines:
        if wire := _WIRE.match(line):
            width, way, _, signal = wire.groups()
            module.widths[signal] = int(width)
            if way == "input":
                module.inputs.append(signal)
            elif way == "output":
                module.outputs.append(signal)
        elif line.startswith("connect "):
            _, signal, value = line.split(" ", 2)
            module.aliases[signal] = value
    return module


def _base(signal: str) -> str:
    return NUMBER.sub("", signal.removeprefix("\\"))


def _take_inputs(module: _Module, own: frozenset[str]) -> None:
    """Make inputs of a component's own signals that consist of inputs, until these hold all bits of foreign inputs."""
    inputs = set(module.inputs)
    candidates = {}
    for signal, value in module.aliases.items():
        if _base(signal) in own and signal not in inputs:
            bits = bits_of(value, module.widths)
            if bits and all(name in inputs for name, _ in bits):
                candidates[signal] = bits
    for port in module.inputs:
        if _base(port) in own:
            continue
        wanted = {(port, bit) for bit in range(module.widths[port])} - set(module.moved)
        covers, left = [], set(wanted)
        for signal, bits in candidates.items():
            if left & set(bits):
                covers.append(signal)
                left -= set(bits)
        if left or not wanted:
            continue
        for signal in covers:
            if signal in module.added:
                continue
            module.added[signal] = "input"
            module.whole[module.aliases[signal]] = signal
            for number, bit in enumerate(candidates[signal]):
                if _base(bit[0]) not in own:
                    module.moved.setdefault(bit, (signal, number))


def _take_outputs(module: _Module, own: frozenset[str]) -> None:
    """Replace foreign outputs by the component's own signals of which they are parts."""
    values = {signal: bits for signal, value in module.aliases.items()
              if _base(signal) in own and (bits := bits_of(value, module.widths))}
    for port in module.outputs:
        if _base(port) in own:
            continue
        bits = [(port, bit) for bit in range(module.widths[port])]
        if port in module.aliases:
            bits = bits_of(module.aliases[port], module.widths) or bits
        if len(set(bits)) < len(bits):
            continue
        parts, left = {}, set(bits)
        for signal, value in sorted(values.items(), key=lambda item: -len(item[1])):
            if signal not in module.added and signal != port and len(set(value)) == len(value) and left >= set(value):
                parts[signal] = [(port, bits.index(bit)) for bit in value]
                left -= set(value)
        if not left:
            module.added |= dict.fromkeys(parts, "output")
            module.parts |= parts
            module.hidden.add(port)


def _name_rest(module: _Module, own: frozenset[str]) -> None:
    """Name each unnamed port after the signal that it is, or of which it is a part."""
    gone = _gone(module)
    values = {signal: bits for signal, value in module.aliases.items()
              if signal not in module.added and "port$" not in signal and (bits := bits_of(value, module.widths))}
    for port in [*module.inputs, *module.outputs]:
        if "port$" not in port or port in module.hidden or port in gone:
            continue
        bits = [(port, bit) for bit in range(module.widths[port])]
        if port in module.aliases:
            bits = bits_of(module.aliases[port], module.widths) or bits
        found = [(_base(signal) not in own, len(value), signal) for signal, value in values.items()
                 if set(bits) <= set(value)]
        if found:
            *_, signal = min(found)
            places = [values[signal].index(bit) for bit in bits]
            name = f"{signal}_{max(places)}_{min(places)}" if len(places) > 1 else f"{signal}_{places[0]}"
            if places == list(range(len(places))):  # the low bits of a signal whose high bits are constant or unread
                name = NUMBER.sub("", signal) + "$0"
            if name not in module.widths and name not in module.renamed.values():
                module.renamed[port] = name


def _gone(module: _Module) -> set[str]:
    """The inputs of which every bit has a new place."""
    return {port for port in module.inputs
            if all((port, bit) in module.moved for bit in range(module.widths[port]))}


def _written(module: _Module, modules: dict[str, _Module]) -> str:
    gone = _gone(module)
    number = len(module.widths)

    def moved(found: re.Match) -> str:
        signal = found[1]
        if signal in module.renamed:
            return found[0].replace(signal, module.renamed[signal], 1)
        bits = bits_of(found[0], module.widths)
        if bits is None or not any(bit in module.moved for bit in bits):
            return found[0]
        return text_of([module.moved.get(bit, bit) for bit in bits])

    def value(text: str) -> str:
        return module.whole.get(text) or SLICE.sub(moved, text)

    out, instance = [], None
    for line in module.lines:
        words = line.split(None, 2)
        if wire := _WIRE.match(line):
            width, _, signed, signal = wire.groups()
            if signal in module.added:
                number += 1
                line = f"  wire width {width} {module.added[signal]} {number} {signed or ''}{signal}"
            elif signal in gone:
                line = ""
            elif signal in module.hidden:
                line = f"  wire width {width} {signed or ''}{signal}"
            elif signal in module.renamed:
                line = line.removesuffix(signal) + module.renamed[signal]
        elif words[:1] == ["cell"]:
            instance = modules.get(words[1])
            if instance:
                connected = {}
        elif words[:1] == ["end"]:
            if instance and line == "  end":
                out += [f"    connect {port} {value(text)}" for port, text in _connections(instance, connected, module)]
                instance = None
        elif words[:1] == ["connect"] and instance:
            connected[words[1]] = words[2]
            continue
        elif line.startswith("connect "):
            if module.added.get(words[1]) == "input":
                continue
            line = f"connect {module.renamed.get(words[1], words[1])} {value(words[2])}"
        elif words[:1] == ["connect"]:
            line = f"    connect {words[1]} {value(words[2])}"
        elif words[:1] in (["assign"], ["switch"]):
            line = line[:len(line) - len(line.lstrip())] + words[0] + " " + SLICE.sub(
                moved, line.split(None, 1)[1])
        out.append(line)
    return "\n".join(out)


def _connections(instance: _Module, connected: dict[str, str], outer: _Module) -> list[tuple[str, str]]:
    """What is connected to the new ports of a module; without interface signals, the connections stay."""
    out = []
    gone = _gone(instance) | instance.hidden
    for port, text in connected.items():
        if port not in gone:
            out.append((instance.renamed.get(port, port), text))
    for signal in instance.added:
        value = instance.parts.get(signal) or bits_of(instance.aliases[signal], instance.widths)
        out.append((signal, text_of([bits_of(connected[port], outer.widths)[bit] for port, bit in value])))
    return out
