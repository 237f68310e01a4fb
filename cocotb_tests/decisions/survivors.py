"""Causes of surviving mutants: a proof of equality by Yosys, or a reason found by reading, for the default run."""

import os
import re
import subprocess
from pathlib import Path

from derca_flow.tools.toolchain import command

#: Seconds for a proof.
PATIENCE = 40

_ABORT = "no aborts are generated in this case: the bit is always 0"
_CONSTANT = "the bit has that value already: the same circuit"
_REGIONS = "bit 6 of the count of regions is only set at 64, the most there are, where it returns to 0"
_CLEARED = "redundant beside the `clearing` of the set, which ends with the counters'"
_UNUSED = "only in cycles in which the port is not enabled"
#: (case, mutant of the default run, its port and bit): cause. An entry that meets another mutation does not apply.
READ = {
    ("heap-8", 3, "$mux", "B", 1): _CONSTANT,
    ("heap-8", 13, "$mux", "A", 0): "taken only while not clearing, when it is 0",
    ("heap-8", 27, "$pmux", "Y", 4): "a bit above the memory's address",
    ("heap-8", 32, "$mux", "B", 0): "a release that does not win has lost to a valid winner: always 1",
    ("heap-8", 36, "$mux", "Y", 4): "a child that exists has a place below 16",
    ("heap-8", 37, "$logic_not", "Y", 0): "the address of a read whose result is not used",
    ("heap-8", 90, "$pmux", "A", 0): "looks at the parity of word 0, which is never written",
    ("heap-8", 112, "$dff", "Q", 2): "words are cleared in another order, all within N cycles",
    ("scan-4", 18, "$dff", "Q", 0): _ABORT,
    ("scan-4", 36, "$mux", "A", 0): _ABORT,
    ("scan-4", 84, "$dff", "D", 0): _ABORT,
    ("scan-4", 37, "$and", "A", 0): "while clearing nothing is fresh and nothing scans: redundant",
    ("tournament-4", 13, "$dff", "Q", 16): "the key's top bit, inverted at the root for every job: differences stay",
    ("tournament-4", 71, "$shift", "Y", 0): "`waits` matters to aborts only, and none are generated in this case",
    ("tournament-4", 73, "$mux", "Y", 1): "the task in a node of tasks 0 and 1 has no higher bit",
    ("tournament-4", 108, "$mux", "Y", 6): _REGIONS,
    ("tournament-4", 114, "$dff", "Q", 0): _ABORT,
    ("scan-5-abort", 12, "$mux", "B", 0): "what is fresh in the first cycle of clearing is not compared",
    ("scan-5-abort", 19, "$mux", "A", 0): "the pointer is set to 0 before each clearing",
    ("scan-5-abort", 53, "$not", "Y", 0): _CLEARED,
    ("scan-5-abort", 107, "$mux", "A", 2): _UNUSED,
    ("tournament-5-abort", 49, "$add", "B", 0): _CONSTANT,
    ("tournament-5-abort", 56, "$mux", "B", 0): "a node's task after reset, while the node is not valid",
    ("tournament-5-abort", 94, "$mux", "A", 0): "a node of tasks 0 and 1 never has bit 2 set: nothing is inverted",
}

_PAIR = ("read_rtlil top.il; hierarchy -top top; proc; flatten; opt_clean; copy top gate; {mutation}; rename top gold; "
         "memory_map; opt -full; equiv_make -inames gold gate eq; hierarchy -top eq; equiv_simple -undef; "
         "equiv_induct -undef -seq 2; equiv_status -assert")


def cause(folder: Path, case: str, number: int, mutation: str) -> str | None:
    """The cause for which a mutant of the design in `folder` survives; None when none is known.

    Parameters
    ----------
    number, mutation
        Its number, and the command of Yosys that makes it, as in `list.txt`.
    """
    if reason := READ.get((case, number, *_where(folder, mutation))):
        return reason
    applied = re.sub(r"-ctrl \S+ \S+ \S+ ", "", mutation).replace("-module top", "-module gate")
    try:
        done = subprocess.run([*command("yosys"), "-q", "-p", _PAIR.format(mutation=applied)], cwd=folder,
                              env=dict(os.environ), capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    return "the same function of the same registers: proved by induction" if done.returncode == 0 else None


def _where(folder: Path, mutation: str) -> tuple[str, str, int]:
    """Type of the mutated cell, port and bit."""
    words = mutation.split()
    value = {flag: words[words.index(flag) + 1] for flag in ("-cell", "-port", "-portbit")}
    found = re.search(rf"cell (\S+) {re.escape(value['-cell'])}\n", (folder / "prepared.il").read_text())
    return found[1] if found else "", value["-port"], int(value["-portbit"])
