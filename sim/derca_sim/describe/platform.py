"""A platform as the TOML file that a user would write: only what differs from the defaults."""

from ..model import loading
from ..model.platform import Platform


def as_toml(p: Platform) -> str:
    """The file; `load_platform` reads it back."""
    tables = {name: value for name, value in p.model_dump(mode="json", exclude_defaults=True).items() if value != {}}
    lines = [f"{name} = {loading.as_toml(value)}" for name, value in tables.items() if not isinstance(value, dict)]
    for name, table in tables.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(f"{key} = {loading.as_toml(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"
