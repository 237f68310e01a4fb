"""A platform as the TOML file that a user would write: only what differs from the defaults."""

from typing import Any

from ..model.platform import Platform


def as_toml(p: Platform) -> str:
    """The file; `load_platform` reads it back."""
    tables = {name: value for name, value in p.model_dump(mode="json", exclude_defaults=True).items() if value != {}}
    lines = [f"{name} = {_value(value)}" for name, value in tables.items() if not isinstance(value, dict)]
    for name, table in tables.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    return str(value)
