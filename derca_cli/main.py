"""The `derca` command: its subcommands, and what every one of them answers to the shell."""

import functools
import importlib
import sys
import traceback

import typer
from typer.core import TyperGroup

from derca_sim.errors import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_MISSING_TOOL, InputError, MissingToolError

from .output import CheckFailed, stderr

#: Subcommands: name -> module of this package whose function of that name is the command. Imported when called.
COMMANDS = {"run": "run", "generate": "generate", "report": "report"}


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


class _LazyCommands(TyperGroup):
    """Imports a subcommand's module only when it is called or described."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in COMMANDS:
            return None
        function = getattr(importlib.import_module(f".{COMMANDS[cmd_name]}", __package__), cmd_name)
        command = typer.Typer(add_completion=False, rich_markup_mode="rich")
        command.command(cmd_name, no_args_is_help=False)(_with_exit_codes(function))
        return typer.main.get_command(command)


app = typer.Typer(
    cls=_LazyCommands, add_completion=False, no_args_is_help=True, rich_markup_mode="rich",
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def derca():
    """A DNN accelerator with an on-chip EDF scheduler that preempts jobs inside layers.

    A task set (TOML) names tasks with periods and deadlines, the networks they run and the platform they run on.

    [bold]Examples[/bold]

        derca run sim/tasksets/demo.toml

        derca run sim/tasksets/demo.toml --strategy np

        derca generate sim/tasksets/demo.toml -o out/hw

        derca report --target ecp5

    [bold]Exit codes[/bold]  0 done and true, 1 a deadline or a comparison failed, 2 bad input, 3 a tool is missing.
    """


#: Exit code of a defect in derca itself, so that a crash never looks like a missed deadline (EX_SOFTWARE).
EXIT_DEFECT = 70


def main() -> None:
    """Entry point of the `derca` script."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:
        traceback.print_exc()
        sys.exit(EXIT_DEFECT)
