"""Empty modules for the primitive cells that the hardware instantiates, for tools that do not know these cells."""

from amaranth.hdl import Const, Fragment, Instance, Value
from amaranth.lib import wiring

from ..families.family import Family


def empty_cells(component: wiring.Component, family: Family) -> dict[str, str]:
    """Verilog by the name of the cell: an empty module with the parameters and ports that a component uses.

    They are for lint and similar tools only: synthesis and simulation have the cells from the vendor.
    """
    found: dict[str, Instance] = {}
    _collect(Fragment.get(component, family), found)
    return {name: _empty(found[name]) for name in sorted(found)}


def _collect(fragment: Fragment, found: dict[str, Instance]) -> None:
    if isinstance(fragment, Instance):
        found.setdefault(fragment.type, fragment)
    for inner, *_ in fragment.subfragments:
        _collect(inner, found)


def _empty(cell: Instance) -> str:
    ways = {"i": "input", "o": "output", "io": "inout"}
    lines = ["/* verilator lint_off UNUSEDPARAM */", "/* verilator lint_off UNUSEDSIGNAL */",
             "/* verilator lint_off UNDRIVEN */", "(* blackbox *)", f"module {cell.type}({', '.join(cell.ports)});"]
    for name, value in cell.parameters.items():
        default = f'"{value}"' if isinstance(value, str) else value.value if isinstance(value, Const) else value
        bits = f"[{len(value) - 1}:0] " if isinstance(value, Const) else ""
        lines.append(f"  parameter {bits}{name} = {default};")
    for name, (value, way) in cell.ports.items():
        lines.append(f"  {ways[way]} [{len(Value.cast(value)) - 1}:0] {name};")
    return "\n".join([f"// {cell.type} as an empty module, for tools that do not know it.", *lines, "endmodule", ""])
