"""Whether legal inputs tell a surviving mutant from the original: by induction, else up to a depth."""

import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from decisions.bench import Case
from decisions.twins import Twins
from derca_flow.rtl.build import call
from derca_flow.tools.toolchain import command
from formal.prover import Answer, Design

#: The most cycles from reset that are looked at, and the seconds for that.
DEPTH, PATIENCE = 30, 22
#: The fewest cycles that explain a mutant for which there is no other reason: those of clearing, and these.
BEYOND = 4
#: Cycles with which a proof by induction begins.
START = 3

#: Memories become registers. What has no value is 0, as in Verilator's model, not free in each of the two.
_REGISTERS = "memory_map; setundef -zero -undriven; setundef -zero -init; opt_clean; expose -dff"
_BOTH = f"read_rtlil prepared.il; copy top gate; %s; {_REGISTERS}; %s; rename top gold; write_rtlil both.il"
#: What reading adds where the cycles looked at are few: case, where the mutation is (port, bit and named wire; numbers
#: of cells change with the netlist), and why no longer run tells more.
READ = (
    (".*", r"(-portbit|-ctrlbit) 6 (-.* )?-wire scheduler\.counters\.\$signature__data\$",
     "bit 6 of the next region is only set at 64, the most there are, where it returns to 0"),
    ("heap-8", r"-port ADDR -portbit 3 -wire scheduler\.waiting\.out__addr",
     "the heap has at most 7 jobs, so at place 8 and behind it no job is compared"),
    ("heap-8", r"-portbit 0 -ctrlbit 3 -wire scheduler\.waiting\.(write_at|out__addr)",
     "the heap has at most 7 jobs, so at place 8 and behind it no job is compared, and none is written there"),
    ("tournament-5-abort", r"-portbit 16 -ctrlbit 19 -wire scheduler\.waiting\.level_0_2",
     "the only task under that node has bit 19 set; before it has that task it is not valid"),
    ("tournament-5-abort", r"-mode cnot0 .*-ctrlbit 2 -wire scheduler\.counters\.pointer",
     "the counters are cleared in another order, all within N cycles"),
    ("scan-5-abort", r"-mode cnot1 .*-ctrlbit 2 -wire scheduler\.counters\.pointer",
     "clearing the counters takes two cycles more, which pass before a release can be chosen"),
)
_PORT = r"^  wire (?:width (\d+) )?{way} \d+ \\(\S+)$"


class Pair:
    """The original and a mutated design, as modules of one text; their ports and registers.

    Parameters
    ----------
    prepared
        RTLIL of the original, flat.
    mutation
        The command of Yosys that makes the mutant, as in `list.txt`.
    """

    def __init__(self, prepared: str, mutation: str):
        self.inputs, self.outputs = ({name: width for name, width in _ports(prepared, way).items()
                                      if name not in ("clk", "rst")} for way in ("input", "output"))
        wire = re.search(r"-port (?:Q|DATA) .*-wire (\S+)", mutation)  # a register behind whose bit the mutation is
        also = f"expose gate/w:{wire[1]}" if wire and not {wire[1]} & (self.inputs | self.outputs).keys() else ""
        applied = re.sub(r"-ctrl \S+ \S+ \S+ ", "", mutation).replace("-module top", "-module gate")
        with tempfile.TemporaryDirectory() as work:
            (Path(work) / "prepared.il").write_text(prepared)
            call([*command("yosys"), "-q", "-p", _BOTH % (applied, also)], Path(work), dict(os.environ))
            text = (Path(work) / "both.il").read_text()
        self.modules = re.sub(r"^ *attribute \\top 1\n", "", text, flags=re.M)
        modules = {name: _ports(body, "output")
                   for name, body in re.findall(r"^module \\(gold|gate)\n(.*?)^end$", text, re.M | re.S)}
        self.states = {name: width for name, width in modules["gold"].items()
                       if name not in self.outputs and name in modules["gate"]}


def _ports(text: str, way: str) -> dict[str, int]:
    return {name: int(width or 1) for width, name in re.findall(_PORT.format(way=way), text, re.M)}


class Equality:
    """Registers that are equal in every cycle serve as lemmas; those that are found to differ are given up."""

    def __init__(self, case: Case, pair: Pair, name: str):
        self._case, self._pair, self._name = case, pair, name
        self._split, self._lost = frozenset(), frozenset()
        self._translated: dict[tuple, Design] = {}  # at most one: the last

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for design in self._translated.values():
            shutil.rmtree(design.folder)
        self._translated.clear()

    def design(self) -> Design:
        """Both, with the lemmas that are left, for the solver."""
        key = self._split, self._lost
        if key not in self._translated:
            self.__exit__()
            pair = self._pair
            twins = Twins(self._case, pair.inputs, pair.outputs, pair.states, *key)
            self._translated[key] = Design(twins, self._name, modules=pair.modules)
        return self._translated[key]

    def ask(self, question, patience: float) -> Answer:
        """Ask `question(design, seconds left)` until no lemma fails, or an output does, or the time is up.

        The answer's `failed` are the outputs that differ.
        """
        end = time.monotonic() + patience
        again = set()  # registers of which a bit failed after they were split
        while True:
            answer = question(self.design(), max(1.0, end - time.monotonic()))
            lemmas = {name for name in answer.failed if not name.startswith("output ")}
            answer.failed = [name.partition(" ")[2] for name in answer.failed if name not in lemmas]
            if answer.holds or answer.failed or not lemmas or time.monotonic() > end:
                return answer
            self._split |= {name.partition(" ")[2] for name in lemmas if name.startswith("state ") and ":" not in name}
            for name in {name.partition(":")[0] for name in lemmas if ":" in name}:
                if name in again:  # rather than one bit after the other
                    lemmas |= {f"{name}:{bit}" for bit in range(self._pair.states[name.partition(" ")[2]])}
                again.add(name)
            self._lost |= lemmas

    def proved(self, patience: float) -> bool:
        """Whether two cycles with equal outputs, and with the lemmas, are followed by another."""
        kept = self._split, self._lost  # it may give up what does hold from reset on
        try:
            return self.ask(lambda design, limit: design.inductive(START - 1, limit), patience).holds
        finally:
            self._split, self._lost = kept

    def depth(self, most: int, patience: float) -> tuple[int, list[str]]:
        """Cycles from reset, the reset among them, within which the outputs are equal; those that differ then."""
        answer = self.ask(lambda design, limit: design.bounded(most, limit), patience)
        steps = [int(step) for step in re.findall(r"Checking assertions in step (\d+)", answer.text)]
        return most if answer.holds else max(steps, default=0), answer.failed


def cause(folder: Path, case: Case, mutation: str, *, patience: float = PATIENCE) -> tuple[bool, str]:
    """Whether a mutant of the design in `folder` is explained: no legal inputs are known that show a difference.

    Parameters
    ----------
    mutation
        The command of Yosys that makes it, as in `list.txt`.
    patience
        Seconds for a proof by induction, and once more for the cycles from reset.

    Returns
    -------
    Whether it is, and what was found out.
    """
    pair = Pair((folder / "prepared.il").read_text(), mutation)
    with Equality(case, pair, f"twins-{case}") as equality:
        cycles, differ = equality.depth(START, patience)
        if cycles == START and equality.proved(patience):
            return True, "no legal inputs tell them apart: proved by induction (no flipped bits)"
        if not differ:
            cycles, differ = equality.depth(DEPTH, patience)
    if differ:
        return False, f"legal inputs tell them apart after {cycles} cycles from reset: {', '.join(differ)}"
    reason = read(case, mutation)
    found = f"no legal inputs tell them apart within {cycles} cycles from reset (no flipped bits)"
    return (cycles >= case.tasks + BEYOND or reason is not None,
            f"{found}; by reading: {reason}" if reason else found)


def read(case: Case | str, mutation: str) -> str | None:
    """The reason in `READ`; it is added to what the solver says and never replaces it."""
    return next((reason for which, where, reason in READ
                 if re.fullmatch(which, str(case)) and re.search(where, mutation)), None)
