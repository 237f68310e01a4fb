"""How commands are found and how they end: imported when called, failures turned into messages and exit codes."""

import functools
import importlib

import typer
from typer.core import TyperGroup

from derca_sim.errors import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_MISSING_TOOL, InputError, MissingToolError

from .output import CheckFailed, stderr


def _with_exit_codes(function):
    """Turn the three ways to fail into messages on stderr and the exit codes of `derca_sim.errors`."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except InputError as e:
            _complain("bad input", e.problems)
            raise typer.Exit(EXIT_BAD_INPUT) from e
        except MissingToolError as e:
            _complain("missing tool", str(e).splitlines())
            raise typer.Exit(EXIT_MISSING_TOOL) from e
        except CheckFailed as e:
            _complain("failed", e.problems)
            raise typer.Exit(EXIT_FAILED) from e

    return wrapped


def _complain(what: str, lines: list[str]) -> None:
    console = stderr()
    for line in lines:
        console.print(f"{what}: {line}", markup=False, soft_wrap=True)


def lazy_group(package: str, *names: str) -> typer.Typer:
    """A group of commands, each imported only when it is called or described.

    Parameters
    ----------
    package
        Holds a module per command. The module's member of the same name is the command's function, or a group.
    names
        The commands, in the order of the help.
    """

    class Group(TyperGroup):
        def list_commands(self, ctx):
            return list(names)

        def get_command(self, ctx, cmd_name):
            if cmd_name not in names:
                return None
            target = getattr(importlib.import_module(f".{cmd_name}", package), cmd_name)
            if isinstance(target, typer.Typer):
                group = typer.main.get_command(target)
                group.name = cmd_name  # under which the help lists it
                return group
            command = typer.Typer(add_completion=False, rich_markup_mode="rich")
            command.command(cmd_name, no_args_is_help=False)(_with_exit_codes(target))
            return typer.main.get_command(command)

    return typer.Typer(
        cls=Group, add_completion=False, no_args_is_help=True, rich_markup_mode="rich",
        pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    )
