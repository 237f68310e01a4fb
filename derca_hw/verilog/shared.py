"""Writes equal modules of a design, as RTLIL text, once."""

import re
from collections import Counter, defaultdict

from .elaborated import Unit

_HEAD = re.compile(r"^module (\S+)$", re.MULTILINE)
_INSTANCE = re.compile(r"^  cell (\\\S+) ", re.MULTILINE)


def with_shared_modules(rtlil: str, top: str, units: dict[str, Unit]) -> str:
    """The same design with one module in place of all that are equal but for their names.

    A module of which there are several instances is called after the class of its component, `derca.Fifo_2`, others
    after their place, `derca.scheduler.waiting` or `derca.Fifo_2.storage`.

    Parameters
    ----------
    rtlil
        As `with_names` gives it.
    top
        The top module.
    units
        The components by their paths.
    """
    modules = {_HEAD.match(text)[1]: text for text in re.split(r"^(?=module )", rtlil, flags=re.MULTILINE)[1:]}
    first: dict[str, str] = {}  # module -> the one that stands for it
    while True:
        seen: dict[str, str] = {}
        now = {}
        for name, text in modules.items():
            body = _INSTANCE.sub(lambda found: f"  cell {first.get(found[1], found[1])} ", text.partition("\n")[2])
            now[name] = seen.setdefault(body, name)
        if now == first:
            break
        first = now
    instances = Counter(first[inner] for name, text in modules.items() if first[name] == name
                        for inner in _INSTANCE.findall(text) if inner in first)
    called = _called([name for name in modules if first[name] == name], instances, top, units)
    out = []
    for name, text in modules.items():
        if first[name] == name:
            body = _INSTANCE.sub(
                lambda found: f"  cell {called[first[found[1]]] if found[1] in first else found[1]} ",
                text.partition("\n")[2])
            out.append(f"module {called[name]}\n{body}")
    return "".join(out)


def _called(names: list[str], instances: Counter, top: str, units: dict[str, Unit]) -> dict[str, str]:
    """The names that modules get."""
    kinds = defaultdict(list)
    for name in names:
        unit = units.get(name.removeprefix("\\"))
        if instances[name] > 1 and unit:
            kinds[unit.kind].append(name)
    shared = {name: f"\\{top}.{kind}" + (f"_{number}" if len(found) > 1 else "")
              for kind, found in kinds.items() for number, name in enumerate(found, 1)}
    called = {}
    for name in sorted(names):  # those that hold others first
        outer, _, own = name.rpartition(".")
        called[name] = shared.get(name) or (f"{called[outer]}.{own}" if outer in called else name)
    return called
