"""Command groups whose commands are imported only when they are called or described."""

import difflib
import importlib
import inspect
import keyword
import sys

import typer
from typer.core import TyperGroup

from derca_flow.tools.surroundings import prepare
from derca_sim.errors import InputError
from derca_sim.model.loading import forget_read_files

from .failures import exits
from .renamed import MEANT, renamed

#: Said below examples that name samples.
SAMPLES = "Files in sim/ are samples: of a checkout, or written by `derca init sim --sample all`."


def lazy_group(package: str, commands: dict[str, str]) -> typer.Typer:
    """A group of commands, each imported only when it is called or described.

    Parameters
    ----------
    package
        Holds the modules of the commands.
    commands
        Command -> its module within the package, in the order of the help. The module's member of the command's name
        (with a low line behind it, if that is a word of Python) is the command's function, or a group.
    """

    names = list(commands)

    class Group(TyperGroup):
        def main(self, args=None, prog_name=None, complete_var=None, standalone_mode=True, **extra):
            """Run a command line to its end, which is an exit code."""
            arguments = list(sys.argv[1:] if args is None else args)
            extra.pop("windows_expand_args", None)
            self._main_shell_completion(extra, prog_name or "derca", complete_var)
            with exits(arguments):
                prepare()
                forget_read_files()
                with self.make_context("derca", renamed(arguments), **extra) as context:
                    self.invoke(context)

        def list_commands(self, ctx):
            return names

        def get_command(self, ctx, cmd_name):
            if cmd_name not in names:
                return None
            member = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
            target = getattr(importlib.import_module(f".{commands[cmd_name]}", package), member)
            if isinstance(target, typer.Typer):
                group = typer.main.get_command(target)
                group.name = cmd_name  # under which the help lists it
                return group
            command = typer.Typer(add_completion=False, rich_markup_mode="rich")
            text = inspect.getdoc(target) or ""
            command.command(cmd_name, no_args_is_help=False, help=_flowing(text),
                            epilog=SAMPLES if "sim/" in text else None)(target)
            return typer.main.get_command(command)

        def resolve_command(self, ctx, args):
            if args and not args[0].startswith("-") and args[0] not in names:
                close = [word for word in (MEANT.get(args[0].lower()),) if word and ctx.parent is None]
                close += difflib.get_close_matches(args[0].lower(), names, 1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise InputError(f"{args[0]}: no command of {ctx.command_path}; allowed are {', '.join(names)}{hint}")
            return super().resolve_command(ctx, args)

    return typer.Typer(
        cls=Group, add_completion=True, no_args_is_help=True, rich_markup_mode="rich",
        pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    )


def _flowing(text: str) -> str:
    """A docstring whose paragraphs are a line each, so that they are wrapped at the width of the terminal."""
    return "\n\n".join(
        part if part.startswith(("\b", " ")) else " ".join(part.split("\n")) for part in text.split("\n\n"))
