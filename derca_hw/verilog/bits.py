"""Expressions of RTLIL that join bits of signals: as bits, and as text."""

import re

#: A bit: its signal and its number there. A constant has no signal, and its value as text.
Bit = tuple[str | None, int | str]

#: A signal, or some of its bits.
SLICE = re.compile(r"([\\$]\S+)(?: \[(\d+)(?::(\d+))?\])?")
_CONSTANT = re.compile(r"(\d+)'([01xz-]+)")


def bits_of(text: str, widths: dict[str, int]) -> list[Bit] | None:
    """The bits of an expression, the lowest first; `None` if it has anything but signals and constants."""
    parts, at = [], 0
    text = text.strip().removeprefix("{").removesuffix("}").strip()
    while at < len(text):
        if found := _CONSTANT.match(text, at):
            parts.append([(None, bit) for bit in reversed(found[2])])
        elif (found := SLICE.match(text, at)) and found[1] in widths:
            high = int(found[2] or widths[found[1]] - 1)
            low = int(found[3] or found[2] or 0)
            parts.append([(found[1], bit) for bit in range(low, high + 1)])
        else:
            return None
        at = found.end()
        while text[at:at + 1] == " ":
            at += 1
    return [bit for part in reversed(parts) for bit in part]


def text_of(bits: list[Bit]) -> str:
    """The expression for bits, the lowest first."""
    runs: list[list[Bit]] = []
    for bit in bits:
        last = runs[-1][-1] if runs else None
        if last and last[0] == bit[0] and (bit[0] is None or last[1] + 1 == bit[1]):
            runs[-1].append(bit)
        else:
            runs.append([bit])
    parts = []
    for run in reversed(runs):
        (signal, low), (_, high) = run[0], run[-1]
        if signal is None:
            parts.append(f"{len(run)}'{''.join(value for _, value in reversed(run))}")
        else:
            parts.append(f"{signal} [{high}:{low}]" if len(run) > 1 else f"{signal} [{low}]")
    return parts[0] if len(parts) == 1 else f"{{ {' '.join(parts)} }}"
