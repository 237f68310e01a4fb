"""Writes each group of equal modules of a design, as RTLIL text, once."""

import re
from collections import Counter, defaultdict

from .elaborated import Unit

_HEAD = re.compile(r"^module (\S+)$", re.MULTILINE)
_INSTANCE = re.compile(r"^  cell (\\\S+) ", re.MULTILINE)


def with_shared_modules(rtlil: str, top: str, units: dict[str, Unit]) -> str:
    """The same design with a single module for all modules that differ only in their names.

    A module with several instances is named after the class of its component, `derca.Fifo_2`. Others are named after
    their place, `derca.scheduler.waiting` or `derca.Fifo_2.storage`.

    Parameters
    ----------
    rtlil
        As `with_names` returns it.
    top
        The top module.
    units
        The components by their paths.
    """
    modules = {_HEAD.match(text)[1]: text for text in re.split(r"^(?=module )", rtlil, flags=re.MULTILINE)[1:]}
    bodies = {name: text.partition("\n")[2] for name, text in modules.items()}
    first, now = {}, {name: name for name in modules}  # module -> the module that replaces it
    while now != first:
        first, seen = now, {}
        now = {name: seen.setdefault(_with(body, first), name) for name, body in bodies.items()}
    instances = Counter(first[inner] for name, body in bodies.items() if first[name] == name
                        for inner in _INSTANCE.findall(body) if inner in first)
    called = _called([name for name in modules if first[name] == name], instances, top, units)
    now = {name: called[other] for name, other in first.items()}
    return "".join(f"module {called[name]}\n{_with(body, now)}" for name, body in bodies.items() if first[name] == name)


def _with(body: str, modules: dict[str, str]) -> str:
    """The text of a module, with other modules for its instances."""
    return _INSTANCE.sub(lambda found: f"  cell {modules.get(found[1], found[1])} ", body)


def _called(names: list[str], instances: Counter, top: str, units: dict[str, Unit]) -> dict[str, str]:
    """The new names of modules."""
    kinds = defaultdict(list)
    for name in names:
        unit = units.get(name.removeprefix("\\"))
        if instances[name] > 1 and unit:
            kinds[unit.kind].append(name)
    shared = {name: f"\\{top}.{kind}" + (f"_{number}" if len(found) > 1 else "")
              for kind, found in kinds.items() for number, name in enumerate(found, 1)}
    called = {}
    for name in sorted(names):  # modules before those inside them
        outer, _, own = name.rpartition(".")
        called[name] = shared.get(name) or (f"{called[outer]}.{own}" if outer in called else name)
    return called
