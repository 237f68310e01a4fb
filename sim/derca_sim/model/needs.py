"""What a network needs of a platform that does not have it, as keys and values that can be written down in TOML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .loading import as_toml, validate
from .platform import Platform

#: Keys that others take: an option -> what the platform must have besides.
_TAKES = {
    "operators.convolution": {"tile.per_layer": True, "tables.read": "row"},
    "operators.add": {"tables.read": "row"},
    "operators.maximum": {"operators.convolution": True, "tile.per_layer": True, "tables.read": "row"},
    "requant.channels": {"tables.read": "row"},
    "requant.tables": {"tables.read": "row"},
}


@dataclass(frozen=True)
class Need:
    """A `key` of a platform, such as requant.tflite, and the least `value` with which the network can run.

    `text` is the message, without the platform's name.
    """

    key: str
    value: Any
    text: str


class Unsuited(InputError):
    """A platform on which a network cannot run.

    Attributes
    ----------
    needs
        The keys that would have to change. Problems that no single key mends are in `problems` only.
    """

    def __init__(self, *problems: str, needs: Sequence[Need] = ()):
        super().__init__(*problems)
        self.needs = tuple(needs)


def values(p: Platform, needs: Sequence[Need]) -> dict[str, Any]:
    """Key -> the value that meets all needs, the largest where several ask for a number, and what these keys take."""
    out: dict[str, Any] = {}
    for need in needs:
        before = out.get(need.key)
        numbers = isinstance(before, int) and isinstance(need.value, int)
        out[need.key] = max(before, need.value) if numbers else need.value
        for key, value in _TAKES.get(need.key, {}).items():
            section, name = key.split(".")
            if getattr(getattr(p, section), name) != value:
                out[key] = value
    return out


def amended(p: Platform, needs: Sequence[Need]) -> Platform:
    """The platform with what is needed.

    Raises
    ------
    InputError
        If the rest of the platform does not allow it.
    """
    fields = p.model_dump()
    for key, value in values(p, needs).items():
        section, name = key.split(".")
        fields[section][name] = value
    return validate(fields, Platform, f"{p.where} with what is lacking").read_from(p.file)


def as_lines(changes: dict[str, Any], notes: dict[str, str] | None = None) -> str:
    """Keys and values as TOML, a table for each section; `notes` are comments, by key."""
    tables: dict[str, list[str]] = {}
    for key, value in changes.items():
        section, name = key.split(".")
        note = f"  # {notes[key]}" if notes and key in notes else ""
        tables.setdefault(section, []).append(f"{name} = {as_toml(value)}{note}\n")
    return "\n".join(f"[{section}]\n{''.join(lines)}" for section, lines in tables.items())
