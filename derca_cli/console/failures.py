"""The end of a command: every failure becomes lines on stderr and an exit code here, and nowhere else."""

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import typer

from derca_flow.tools.checkout import samples
from derca_flow.tools.progress import stderr
from derca_flow.tools.project import ALL, KINDS
from derca_flow.tools.surroundings import ClosedPipe, forget
from derca_sim.errors import (
    EXIT_BAD_INPUT,
    EXIT_CLOSED_PIPE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_MISSING_TOOL,
    CheckFailed,
    InputError,
    MissingToolError,
)

#: What the command line's parser raises; its package has moved between versions of typer.
UsageError = typer.BadParameter.__bases__[0]


@contextlib.contextmanager
def exits(arguments: Sequence[str]) -> Iterator[None]:
    """End the process with the exit code of what the block raises, 0 if nothing.

    A defect of derca itself passes through: `main` gives it a traceback and an exit code of its own.

    Parameters
    ----------
    arguments
        Those of the command line, for messages on options.
    """
    code = 0
    try:
        yield
        sys.stdout.flush()
    except typer.Exit as e:
        code = e.exit_code
    except UsageError as e:
        code = _complain("bad input", _usage(e, arguments), EXIT_BAD_INPUT)
    except InputError as e:
        code = _complain(e.label, map(_sampled, e.problems), EXIT_BAD_INPUT)
    except MissingToolError as e:
        code = _complain("missing tool", str(e).splitlines(), EXIT_MISSING_TOOL)
    except CheckFailed as e:
        code = _complain("failed", e.problems, EXIT_FAILED)
    except (ClosedPipe, BrokenPipeError):
        forget(sys.stdout)
        code = EXIT_CLOSED_PIPE
    except OSError as e:
        code = _complain("environment", [_system(e)], EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except MemoryError:
        code = _complain("environment", ["not enough memory for what was asked for; make it smaller"], EXIT_BAD_INPUT)
    sys.exit(code)


def _sampled(line: str) -> str:
    """A problem, with what brings the sample that it misses, or names as an example."""
    sample = rf"sim/({'|'.join(KINDS)})/([\w.-]+)"
    found = re.match(rf"{sample}: cannot be read", line) or re.search(rf"(?:such as|see) {sample}", line)
    if found is None or found[2] not in {path.name for path in samples(found[1])} or Path(
            "sim", found[1], found[2]).exists():
        return line
    return (f"{line}; sim/{found[1]}/{found[2]} comes with derca: `derca init sim --sample {ALL}` writes all samples "
            "into sim/")


def _complain(what: str, lines: Iterable[str], code: int) -> int:
    console = stderr()
    for line in lines:
        console.print(f"{what}: {one_line(line)}", markup=False, soft_wrap=True)
    return code


def one_line(text: str) -> str:
    """Text with what would break or colour a line of the terminal made visible."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda found: found[0].encode("unicode_escape").decode(), text)


def _system(error: OSError) -> str:
    """The refusal of the operating system, in words."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    reason = error.strerror or str(error) or type(error).__name__
    return f"{' -> '.join(names)}: {reason}" if names else reason


# -- the command line -------------------------------------------------------------------------------------------------

def _usage(error, arguments: Sequence[str]) -> list[str]:
    """A refusal of the command line's parser as one line: option, value, what is allowed."""
    help_of = f"see {error.ctx.command_path} --help" if error.ctx else "see derca --help"
    parameter = getattr(error, "param", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # the help, which says all, is printed already
        return [error.message] if error.message else []
    message = error.message.strip().removeprefix("Value error, ").rstrip(".")
    if possible := getattr(error, "possibilities", None):
        return [f"{error.option_name}: no such option; did you mean {possible[0]}?"]
    if parameter is not None and not message:
        return [f"{max(parameter.opts, key=len) if option(parameter) else parameter.name}: missing; {help_of}"]
    if parameter is None:
        return [f"{error.format_message().strip().rstrip('.')}; {help_of}"]
    name = max(parameter.opts, key=len) if option(parameter) else (parameter.metavar or parameter.name)
    value = _given(arguments, parameter.opts) if option(parameter) else None
    if choice := re.fullmatch(r"'(?P<value>.*)' is not one of (?P<choices>.*)", message, re.DOTALL):
        value, allowed = choice["value"], choice["choices"].replace("'", "")
    else:
        allowed = next((words.format(*found.groups()) for pattern, words in _ALLOWED
                        if (found := re.match(pattern, message))), None)
    given = name if value is None else f"{name} = {value}"
    return [f"{given}: allowed are {allowed}; {help_of}" if allowed else f"{given}: {message}; {help_of}"]


def option(parameter) -> bool:
    """Whether a parameter of the command line is an option, not an argument."""
    return parameter.param_type_name == "option"


#: What the parser says of a value, and what is allowed then.
_ALLOWED = (
    (r"(?:Input should be|.*is not) a valid (?:integer|int)", "whole numbers"),
    (r"(?:Input should be|.*is not) a valid (?:number|float)", "numbers"),
    (r"Input should be greater than or equal to (\S+)", "values from {}"),
    (r"Input should be less than or equal to (\S+)", "values up to {}"),
    (r".*is not in the range (\S+?)\.?$", "values {}"),
)


def _given(arguments: Sequence[str], names: Sequence[str]) -> str | None:
    """The value that the command line gives to an option, the last one if there are several."""
    found = None
    for i, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            found = value if equals else arguments[i + 1] if i + 1 < len(arguments) else None
    return found
