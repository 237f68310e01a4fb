"""Reading TOML into validated models, with every problem of a file as one line that a user can act on.

A line reads `FILE: KEY = VALUE: allowed are ALLOWED`. All problems of a file are reported together.
"""

import difflib
import json
import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import InputError

Model = TypeVar("Model", bound=BaseModel)

#: Largest TOML file, in bytes, and how deep its tables and lists may lie in each other.
MAX_TOML, MAX_DEPTH = 16 << 20, 32
#: First bytes by which other formats are recognised where a TOML file is expected.
_OTHER = {b"PK\x03\x04": "a ZIP or .npz file", b"\x93NUMPY": "a .npy file", b"\x89PNG": "a picture",
          b"\x1f\x8b": "a compressed file", b"%PDF": "a PDF file", b"\x7fELF": "a program"}

#: Files that were read as input, by device and inode: no result may replace them.
_read_files: set[tuple[int, int]] = set()


def forget_read_files() -> None:
    """Begin a command anew: results may replace the files that earlier commands read."""
    _read_files.clear()


def was_read(path: Path) -> bool:
    """Whether a file was read as input since the command began."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    return (found.st_dev, found.st_ino) in _read_files


def open_input(path: Path) -> BinaryIO:
    """Open a file that a user names, noting that it is an input.

    Raises
    ------
    OSError
        If it cannot be opened, names with a NUL included.
    """
    try:
        file = open(path, "rb")
    except ValueError as e:
        raise OSError(22, f"no file can have this name: {e}", str(path)) from e
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode):
        _read_files.add((found.st_dev, found.st_ino))
    return file


def problem(file: Path | str, key: str, value: Any, allowed: str) -> str:
    """One problem as one line: file, key, value, what is allowed and how to mend it."""
    return f"{file}: {key} = {show(value)}: allowed are {allowed}"


def show(value: Any) -> str:
    """A value as the user would write it in TOML, cut to a readable length."""
    text = as_toml(value, show)
    return text if len(text) <= 80 else text[:77] + "..."


def as_toml(value: Any, inner: Callable[[Any], str] | None = None) -> str:
    """A value as the user would write it in TOML; `inner` writes what is in tables and lists, by default this."""
    inner = inner or as_toml
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {inner(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inner, value)) + "]"
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a whole number of {value.bit_length()} bits"
    return str(value)


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; lists come back as tuples, as frozen models want them.

    Raises
    ------
    InputError
        If the file cannot be read or is not TOML.
    """
    try:
        with open_input(path) as file:
            data = file.read(MAX_TOML + 1)
        text = data.decode("utf-8")
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}): give the path of an existing TOML file") from None
    except UnicodeDecodeError as e:
        kind = next((f", this is {name}" for magic, name in _OTHER.items() if data.startswith(magic)), "")
        raise InputError(f"{path}: byte {e.start} is not UTF-8: TOML files are UTF-8 text{kind}") from None
    if len(data) > MAX_TOML:
        raise InputError(f"{path}: larger than {MAX_TOML >> 20} MB: allowed are TOML files up to that; keep weights in "
                         ".npz files")
    if text.startswith("\ufeff"):
        raise InputError(f"{path}: begins with a byte-order mark, which TOML does not know: save it as UTF-8 "
                         "without BOM")
    try:
        parsed = tomllib.loads(text)
    except RecursionError:
        raise InputError(_too_deep(path)) from None
    except ValueError as e:  # TOMLDecodeError, and what Python says of whole numbers with thousands of digits
        raise InputError(f"{path}: not valid TOML: {str(e).partition(';')[0]}") from None
    if _depth(parsed) > MAX_DEPTH:
        raise InputError(_too_deep(path))
    return freeze(parsed)


def _too_deep(path: Path) -> str:
    return f"{path}: tables or lists lie more than {MAX_DEPTH} deep in each other: no key allows that; remove them"


def _depth(value: Any) -> int:
    """How deep tables and lists lie in each other, found without recursion."""
    depth, level = 0, [value]
    while level := [v for v in level if isinstance(v, dict | list)]:
        depth += 1
        level = [inner for v in level for inner in (v.values() if isinstance(v, dict) else v)]
        if depth > MAX_DEPTH:
            break
    return depth


def validate(data: dict[str, Any], model: type[Model], file: Path | str, parts: dict[str, Path] | None = None,
             words: dict[tuple, str] | None = None) -> Model:
    """Validate parsed TOML.

    Parameters
    ----------
    file : the file named in problems.
    parts : top-level keys whose table came from another file: that file is named instead.
    words : what is allowed, in words, by key without indices, where the file says more than its schema.

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
            known = (words or {}).get(tuple(part for part in loc if isinstance(part, str)))
            lines += [f"{where}: {text}" for text in _explain(error, schema, hidden, known)]
        raise InputError(*lines) from None


def freeze(value: Any) -> Any:
    """A value of TOML or JSON with tuples for lists, as frozen models want them."""
    if isinstance(value, dict):
        return {k: freeze(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(freeze(v) for v in value)
    return value


def _key(loc: tuple) -> str:
    out = ""
    for part in loc:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out


def _explain(error: dict, schema: dict, hidden: int, allowed: str | None) -> list[str]:
    """The lines for one pydantic error; `hidden` leading parts of the key belong to another file."""
    loc, value, kind = error["loc"], error["input"], error["type"]
    key = _key(loc[hidden:])
    if kind == "value_error":  # a cross check of a section: its message lists `key = value: allowed are ...`
        prefix = f"{key}." if key else ""
        return [prefix + text for text in str(error["ctx"]["error"]).split("\n")]
    if kind == "extra_forbidden":
        known = sorted(_walk(schema, loc[:-1]).get("properties", {}))
        close = difflib.get_close_matches(str(loc[-1]), known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return [f"{key} = {show(value)}: unknown key: allowed are {', '.join(known)}{hint}"]
    node = _walk(schema, loc)
    allowed = allowed or _describe(node, schema)
    if "pattern" in node and isinstance(value, str) and kind != "missing":
        near = re.sub(r"[^A-Za-z0-9_-]", "_", value)[:40]
        if re.match(node["pattern"], near):
            allowed += f"; did you mean {near}?"
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


def allowed_values(schema: dict, key: str) -> str:
    """What a key of a model allows, in words; `schema` is the model's JSON schema."""
    return _describe(_walk(schema, (key,)), schema)


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
        return node.get("allowed", f"text matching {node['pattern']}") if "pattern" in node else "text in quotes"
    if kind == "array":
        least = f", at least {node['minItems']}" if node.get("minItems") else ""
        return f"lists of {_describe(_resolve(node['items'], schema), schema)}{least}"
    return "tables with the keys " + ", ".join(sorted(node.get("properties", {})))
