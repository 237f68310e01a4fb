"""Combinational paths through a design: the outputs that change in the very cycle of an input."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from derca_flow.tools.toolchain import command
from derca_flow.tools.yosys import run_yosys

#: Cells whose outputs change with the clock alone.
_REGISTERS = ("$dff", "$adff", "$sdff", "$dffe", "$adffe", "$sdffe", "$sdffce", "$aldff", "$aldffe", "$dffsr",
              "$dffsre")
#: Cells whose output bits depend only on the same bit of `A` and `B`, and on all of `S`.
_BITWISE = ("$and", "$or", "$xor", "$xnor", "$not", "$pos", "$mux")


class Paths:
    """The combinational paths of a design in RTLIL.

    Parameters
    ----------
    text, top
        RTLIL, and the name of its top module.

    Raises
    ------
    CheckFailed
        If Yosys fails.
    """

    def __init__(self, text: str, top: str):
        module = _netlist(text, top, "proc -norom", "flatten", "opt_clean")[top]
        self._ports = module["ports"]
        self._after: dict[int, set[int]] = defaultdict(set)  # bit -> bits that it leads to
        for cell in module["cells"].values():
            for source, sink in _edges(cell):
                self._after[source].add(sink)

    def ports(self, direction: str) -> list[str]:
        """Names of the inputs or of the outputs."""
        return [name for name, port in self._ports.items() if port["direction"] == direction]

    def outputs_of(self, inputs: Iterable[str]) -> dict[str, set[str]]:
        """For each output, the given inputs that reach it without a register between."""
        found = defaultdict(set)
        outputs = defaultdict(set)
        for name in self.ports("output"):
            for bit in self._ports[name]["bits"]:
                outputs[bit].add(name)
        for start in inputs:
            todo = {bit for bit in self._ports[start]["bits"] if isinstance(bit, int)}
            seen = set(todo)
            while todo:
                bit = todo.pop()
                for output in outputs.get(bit, ()):
                    found[output].add(start)
                new = self._after.get(bit, set()) - seen
                seen |= new
                todo |= new
        return dict(found)


def _netlist(text: str, top: str, *passes: str) -> dict:
    """The modules after some of Yosys's passes."""
    with tempfile.TemporaryDirectory(prefix="derca-paths-") as temporary:
        work = Path(temporary)
        (work / "design.il").write_text(text)
        (work / "script.ys").write_text("\n".join((
            "read_rtlil design.il", f"hierarchy -top {top}", *passes, "write_json netlist.json",
            "tee -q -o stat.json stat -json", "")))
        run_yosys(command("yosys"), work, lambda _: None)
        return json.loads((work / "netlist.json").read_text())["modules"]


def _edges(cell: dict) -> Iterator[tuple[int, int]]:
    """(bit, bit that follows from it in the same cycle)."""
    kind, connections, directions = cell["type"], cell["connections"], cell["port_directions"]
    clocked = kind == "$memrd_v2" and int(cell["parameters"]["CLK_ENABLE"], 2)
    if kind in _REGISTERS or clocked:
        return
    for name, sinks in connections.items():
        if directions[name] != "output":
            continue
        for other, sources in connections.items():
            if directions[other] == "output":
                continue
            if kind in _BITWISE and other in "AB" and len(sources) == len(sinks):
                pairs = zip(sources, sinks, strict=True)
            else:
                pairs = ((source, sink) for source in sources for sink in sinks)
            yield from ((source, sink) for source, sink in pairs if isinstance(source, int))


def modules(text: str, top: str) -> dict:
    """The modules of a design in RTLIL, as Yosys writes them in JSON, with the hierarchy kept.

    Raises
    ------
    CheckFailed
        If Yosys fails.
    """
    return _netlist(text, top, "proc -norom", "opt_clean")
