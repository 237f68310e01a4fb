"""Reading TOML into validated models, and turning every problem of a file into one line a user can act on.

A line reads `FILE: KEY = VALUE: allowed are ALLOWED`. All problems of a file are reported together.
"""

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def problem(file: Path | str, key: str, value: Any, allowed: str) -> str:
    """One problem as one line: file, key, value, what is allowed and how to mend it."""
    return f"{file}: {key} = {show(value)}: allowed are {allowed}"


def show(value: Any) -> str:
    """A value as the user would write it in TOML, cut to a readable length."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, dict):
        text = "{ " + ", ".join(f"{k} = {show(v)}" for k, v in value.items()) + " }"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(show(v) for v in value) + "]"
    else:
        text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; lists come back as tuples, as frozen models want them.

    Raises
    ------
    InputError
        If the file cannot be read or is not TOML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        return _freeze(tomllib.loads(text))
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}): give the path of an existing TOML file") from None
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: byte {e.start} is not UTF-8: TOML files are UTF-8 text") from None
    except tomllib.TOMLDecodeError as e:
        raise InputError(f"{path}: not valid TOML: {e}") from None


def load_toml(path: Path, model: type[Model]) -> Model:
    """Read and validate one TOML file.

    Raises
    ------
    InputError
        One line for every problem of the file.
    """
    return validate(read_toml(path), model, path)


def validate(data: dict[str, Any], model: type[Model], file: Path | str, parts: dict[str, Path] | None = None) -> Model:
    """Validate parsed TOML.

    Parameters
    ----------
    file : the file named in problems.
    parts : top-level keys whose table came from another file: that file is named instead.

    Raises
    ------
    InputError
        One line for every problem.
    """
    try:
        return model.model_validate(data)
    except ValidationError as e:
        schema, errors, lines = model.model_json_schema(), e.errors(), []
        inner = {error["loc"][:i] for error in errors for i in range(len(error["loc"]))}
        for error in errors:
            loc, where = error["loc"], file
            if error["type"] == "too_short" and loc in inner:
                continue  # the list only seems short because its bad items, reported on their own, do not count
            if parts and loc and loc[0] in parts:
                where, hidden = parts[loc[0]], 1
            else:
                hidden = 0
            lines += [f"{where}: {text}" for text in _explain(error, schema, hidden)]
        raise InputError(*lines) from None


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _freeze(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(_freeze(v) for v in value)
    return value


def _key(loc: tuple) -> str:
    out = ""
    for part in loc:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out


def _explain(error: dict, schema: dict, hidden: int) -> list[str]:
    """The lines for one pydantic error; `hidden` leading parts of the key belong to another file."""
    loc, value, kind = error["loc"], error["input"], error["type"]
    key = _key(loc[hidden:])
    if kind == "value_error":  # a cross check of a section: its message lists `key = value: allowed are ...`
        prefix = f"{key}." if key else ""
        return [prefix + text for text in str(error["ctx"]["error"]).split("; ")]
    if kind == "extra_forbidden":
        known = sorted(_walk(schema, loc[:-1]).get("properties", {}))
        close = difflib.get_close_matches(str(loc[-1]), known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return [f"{key} = {show(value)}: unknown key: allowed are {', '.join(known)}{hint}"]
    allowed = _describe(_walk(schema, loc), schema)
    if kind == "missing":
        return [f"{key} is missing: allowed are {allowed}; add it"]
    return [f"{key} = {show(value)}: allowed are {allowed}"]


def _resolve(node: dict, schema: dict) -> dict:
    while True:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        elif "anyOf" in node:  # an optional value: null cannot be written in TOML
            node = next(n for n in node["anyOf"] if n.get("type") != "null")
        else:
            return node


def _walk(schema: dict, loc: tuple) -> dict:
    node = _resolve(schema, schema)
    for part in loc:
        child = node["items"] if isinstance(part, int) else node["properties"][part]
        node = _resolve(child, schema)
    return node


def _describe(node: dict, schema: dict) -> str:
    """What a JSON schema node allows, in words."""
    if "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        return ("one of " if len(values) > 1 else "") + ", ".join(show(v) for v in values)
    kind = node.get("type")
    if kind in ("integer", "number"):
        low = node.get("minimum", node.get("exclusiveMinimum"))
        high = node.get("maximum", node.get("exclusiveMaximum"))
        noun = "whole numbers" if kind == "integer" else "numbers"
        above = "above " if "exclusiveMinimum" in node else ""
        span = f" {above}{low} .. {high}" if None not in (low, high) else f" from {low}" if low is not None else ""
        return noun + span
    if kind == "boolean":
        return "true or false"
    if kind == "string":
        return f"text matching {node['pattern']}" if "pattern" in node else "text in quotes"
    if kind == "array":
        least = f", at least {node['minItems']}" if node.get("minItems") else ""
        return f"lists of {_describe(_resolve(node['items'], schema), schema)}{least}"
    return "tables with the keys " + ", ".join(sorted(node.get("properties", {})))
