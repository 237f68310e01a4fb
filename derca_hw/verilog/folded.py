"""Moves operands that are used once to the place of their use, so that a register's next value is one expression."""

import re
from collections import Counter

NAMELESS = r"_\d+_"
#: The longest line.
WIDTH = 120

_TOKEN = re.compile(rf"(?<![\w\\.$])({NAMELESS})(?!\w)")
_DECLARED = re.compile(r"^  (?:output |input )?(wire|reg) (\[\d+:\d+\] )?(\\\S+|\w+) ?(?: = .*)?;$")
_ASSIGNED = re.compile(rf"^  assign ({NAMELESS}) = (.*);$")
_WHOLE = re.compile(rf"^(    (\\\S+|\w+) +<= )({NAMELESS});$")
#: The last operand of a selection. Like all operands except the conditions it has the width of the whole.
_LAST = re.compile(rf"^(.* \? .* : )({NAMELESS});$")
_SELECTION = re.compile(r"[^?:]+ \? .+ : .+")


def folded(body: str) -> str:
    """The text of a module with fewer intermediate operands.

    An expression means the same in both places, because its width does not change. Either it is assigned whole to a
    register of that width, or it is a selection that is the last operand of another selection.

    Parameters
    ----------
    body
        As Yosys writes it, one statement per cell.
    """
    lines: list[str | None] = body.split("\n")
    uses = Counter(_TOKEN.findall(body))
    widths, declared, assigned = {}, {}, {}
    for number, line in enumerate(lines):
        if found := _DECLARED.match(line):
            kind, width, name = found.groups()
            widths[name] = width
            if kind == "wire":
                declared[name] = number
        elif found := _ASSIGNED.match(line):
            assigned[found[1]] = number

    def taken(name: str) -> str | None:
        """The expression for an operand that is used once."""
        if uses[name] != 3 or name not in assigned or name not in declared:  # declared, assigned, used
            return None
        return _ASSIGNED.match(lines[assigned[name]])[2]

    for number in range(len(lines)):
        while lines[number] is not None:
            line, whole = lines[number], True
            found = _WHOLE.match(line)
            if found and widths.get(found[2], found) == widths.get(found[3]):
                head, name = found[1], found[3]
            elif found := _LAST.match(line):
                head, name, whole = found[1], found[2], False
            else:
                break
            value = taken(name)
            if value is None or not whole and not _SELECTION.fullmatch(value):
                break
            if len(head) + len(value) + 1 > WIDTH:
                break
            lines[number] = f"{head}{value};"
            lines[assigned[name]] = lines[declared[name]] = None
    return "\n".join(line for line in lines if line is not None)
