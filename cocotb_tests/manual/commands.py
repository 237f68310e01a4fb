"""The reference of the commands, made of the command line itself."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from derca_cli import main

INTRODUCTION = """\
# Commands

Made from the command line itself, by `./scripts/manual`: what `derca COMMAND --help` prints. Verdicts, exit codes and
environment variables that all commands share are in [Using derca](guide.md). Examples are run from a
checkout, or where `derca init sim --sample all` has written the samples.
"""


def leaves(command: Any = None, ctx: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words, command) of every command that is not a group."""
    command = command or typer.main.get_command(main.app)
    ctx = command.context_class(command, parent=ctx, info_name=path[-1] if path else "derca")
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(ctx):
        yield from leaves(command.get_command(ctx, name), ctx, (*path, name))


def command_reference() -> str:
    """The chapter of all commands."""
    parts = [INTRODUCTION]
    for path, command in leaves():
        parts += [f"## derca {' '.join(path)}\n", f"```text\n{_usage(path, command)}\n```\n", described(command.help),
                  "| argument or option | default | meaning |\n|---|---|---|", *map(_row, command.params), ""]
    return "\n".join(parts)


def described(text: str) -> str:
    """The help of a command as Markdown: bold words, examples as blocks of code, lists as they are laid out."""
    out, paragraphs = [], [p for p in text.strip().split("\n\n") if p.strip()]
    for paragraph in paragraphs:
        if paragraph.startswith("\b"):
            out.append(f"```text\n{paragraph.lstrip(chr(8)).strip(chr(10))}\n```")
        elif all(line.startswith("    ") for line in paragraph.splitlines()):
            lines = "\n".join(line.strip() for line in paragraph.splitlines())
            if out and out[-1].startswith("```console"):
                out[-1] = out[-1].removesuffix("\n```") + f"\n{lines}\n```"
            else:
                out.append(f"```console\n{lines}\n```")
        else:
            out.append(re.sub(r"\[/?bold\]", "**", paragraph))
    return "\n\n".join(out) + "\n"


def _usage(path: tuple[str, ...], command: Any) -> str:
    arguments = [p for p in command.params if not p.opts[0].startswith("-")]
    words = [_metavar(p) if p.required else f"[{_metavar(p)}]" for p in arguments]
    needed = [f"{p.opts[0]} {_metavar(p)}" for p in command.params if p.required and p not in arguments]
    return " ".join(["derca", *path, *words, *needed, "[OPTIONS]"])


def _metavar(parameter: Any) -> str:
    return parameter.metavar or parameter.name.upper()


def _row(parameter: Any) -> str:
    """A parameter as a row of a table."""
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    if not parameter.opts[0].startswith("-"):
        names = _metavar(parameter)
    elif parameter.metavar and not getattr(parameter, "is_flag", False):
        names += f" {parameter.metavar}"
    default = parameter.default
    if isinstance(default, Enum):
        default = default.value
    shown = "(must be given)" if parameter.required else ""
    if default is True:
        shown = f"`{parameter.opts[0]}`"
    elif not parameter.required and default is not False and default is not None and parameter.show_default:
        shown = f"`{default}`"
    meaning = " ".join((parameter.help or "").split()).replace("|", "\\|")
    return f"| `{names}` | {shown} | {meaning} |"
