"""The table of signatures in the chapter on Python, made of the package, for readers of the Markdown alone.

The manual's web pages have them besides, with every parameter, from the docstrings.
"""

import dataclasses
import inspect
import re
from typing import Any

import derca
from derca_sim.workload.priced import PricedTaskSet
from kit.checkout import ROOT

BEGIN, END = "<!-- signatures, made by ./scripts/manual -->", "<!-- end of signatures -->"


def python_reference() -> str:
    """The chapter with its table of signatures made anew; all else in it is written by hand."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{signatures()}{END}{rest.partition(END)[2]}"


def signatures() -> str:
    """Functions, then classes with their fields, methods and properties, one row each."""
    things = {name: getattr(derca, name) for name in derca.__all__}
    rows = ["| call or class | returns | what it does or is |", "|---|---|---|"]
    rows += [_row(_call(name, thing), _returns(thing), thing) for name, thing in things.items()
             if inspect.isfunction(thing)]
    for name, thing in things.items():
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            rows += _of_class(name, thing)
    return "\n".join(rows) + "\n"


def _of_class(name: str, thing: type) -> list[str]:
    """A class that a user makes as a call, another by its name; then its fields, methods and properties."""
    made = name == "Task"
    rows = [_row(_call(name, thing) if made else name, "", thing)]
    if dataclasses.is_dataclass(thing) and not made:
        fields = ", ".join(f"`.{field.name}`" for field in dataclasses.fields(thing))
        rows.append(f"| | | with {fields} |")
    for member, value in vars(thing).items():
        if member.startswith("_"):
            continue
        if inspect.isfunction(value):
            rows.append(_row(f"{name}.{_call(member, value)}", _returns(value), value))
        elif isinstance(value, property):
            rows.append(_row(f"{name}.{member}", _returns(value.fget), value))
    return rows


def _row(call: str, returns: str, thing: Any) -> str:
    first = re.match(r".*?\.(?=\s|$)", " ".join(inspect.getdoc(thing).split()))[0]
    return f"| `{call}` | {f'`{returns}`' if returns else ''} | {first.rstrip('.')} |"


def _call(name: str, thing: Any) -> str:
    """A signature without annotations."""
    parameters = [p.replace(annotation=inspect.Parameter.empty)
                  for p in inspect.signature(thing).parameters.values() if p.name != "self"]
    return name + str(inspect.Signature(parameters))


def _returns(function: Any) -> str:
    """A return type without modules; a table cannot hold the bar of a union, so it says or."""
    annotation = inspect.signature(function).return_annotation
    if annotation == derca.TaskSet or annotation is PricedTaskSet:
        return "TaskSet"
    return re.sub(r"\b[a-z_]\w*\.(?=\w)", "", inspect.formatannotation(annotation)).replace(" | ", " or ")
