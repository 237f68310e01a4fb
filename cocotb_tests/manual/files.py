"""The reference of TOML files, made of the models that check them."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from derca_flow.boards.section import BoardSection, PinSection
from derca_flow.package.board_file import VivadoBoardSection
from derca_sim.experiments.sweeps import SweepSection
from derca_sim.model.loading import allowed_values, show
from derca_sim.model.platform import Platform
from derca_sim.workload.priced import PricedSection
from derca_sim.workload.taskset import TaskSetSection

INTRODUCTION = """\
# TOML files

Made from the models that check the files, by `./scripts/manual`. Every key that is not listed here is an error. A wrong
value is reported as `FILE: KEY = VALUE: allowed are ...`, and all problems of a file at once. Some keys of a platform
limit each other; then the message names both. Words are explained in the [glossary](glossary.md).
"""
#: Heading, sample, and model of each kind of file.
FILES = (
    ("Task set", "sim/tasksets/demo.toml", TaskSetSection),
    ("Task set of execution times", "sim/tasksets/wcets.toml", PricedSection),
    ("Platform", "sim/platforms/demo.toml", Platform),
    ("Sweep", "sim/sweeps/utilisation.toml", SweepSection),
    ("Board", "sim/boards/orangecrab-25f.toml", BoardSection),
    ("Board for Vivado", "docs/boards.md", VivadoBoardSection),
)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_in(inner)]


def toml_reference() -> str:
    """The chapter of all TOML files."""
    parts = [INTRODUCTION]
    for heading, sample, model in FILES:
        parts += [f"## {heading}\n", f"{_text(model.__doc__)} Sample: `{sample}`.\n", *_tables(model, "", 3, {})]
    return "\n".join(parts)


def _tables(model: type[BaseModel], path: str, level: int, known: dict[type[BaseModel], str]) -> Iterator[str]:
    """The keys of a model as a table, then the tables within it, with headings; `known` are those shown before."""
    schema, inner = model.model_json_schema(), []
    yield "| key | allowed | default | meaning |\n|---|---|---|---|"
    for name, field in model.model_fields.items():
        key, found = field.alias or name, models_in(field.annotation)
        yield f"| {' | '.join(_cells(key, field, schema, found))} |"
        if found and found[0] is not Platform:
            inner.append((f"{path}.{key}".lstrip("."), found[0], field))
    yield ""
    for key, section, field in inner:
        brackets = (f"[{key}]", f"[[{key}]]", f"a table in {key}")[_depth(field)]
        yield f"{'#' * level} {brackets if ' ' in brackets else f'`{brackets}`'}\n"
        yield f"{_text(section.__doc__)}\n"
        if section in known:
            yield f"Its keys are those of `[{known[section]}]`.\n"
        else:
            known[section] = key
            yield from _tables(section, key, level + 1, known)


def _cells(key: str, field: FieldInfo, schema: dict, found: list[type[BaseModel]]) -> tuple[str, str, str, str]:
    """Key, allowed values, default and meaning."""
    if not field.description:
        raise ValueError(f"{key} of {schema['title']} has no docstring: write one below it, which says what it means")
    allowed = allowed_values(schema, key)
    if found and found[0] is Platform:
        allowed = "text in quotes, or a [table](#platform)"
    elif found:
        allowed = ("a table", "tables", "lists of tables")[_depth(field)]
        allowed = f"text in quotes, or {allowed}" if issubclass(found[0], PinSection) else allowed
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        shown = "(must be given)"
    elif default is None or isinstance(default, BaseModel):
        shown = ""
    else:
        shown = f"`{show(default)}`"
    return f"`{key}`", allowed.replace("|", "\\|"), shown, _text(field.description)


def _depth(field: FieldInfo) -> int:
    """Lists around the tables of a key."""
    return str(field.annotation).count("tuple[")


def _text(text: str) -> str:
    """Paragraphs as lines without breaks, as a cell of a table takes them."""
    return " ".join(text.split())
