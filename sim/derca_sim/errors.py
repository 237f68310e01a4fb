"""The ways in which a request fails: bad input, an unsuitable machine, a missing tool, a negative answer."""

#: Process exit codes of every `derca` command.
EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_MISSING_TOOL = 0, 1, 2, 3
#: As the signals would have it: Ctrl-C, and a pipe that nobody reads any more.
EXIT_INTERRUPTED, EXIT_CLOSED_PIPE = 130, 141


class InputError(Exception):
    """Bad input: carries one line per problem (what, where, allowed, how to mend)."""

    #: What stands before each line.
    label = "bad input"

    def __init__(self, *problems: str):
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class MachineError(InputError):
    """This machine lacks something that the command needs: disk space, a permission, a compiler that works."""

    label = "environment"


class MissingToolError(Exception):
    """A program the command needs was not found: what was looked for, where, and how to install it."""


class CheckFailed(Exception):
    """The command ran to its end and the answer is no: a deadline was missed or a comparison differs. Exit code 1.

    Carries one line per failure; it may be empty where the printed tables already show the failure.
    """

    def __init__(self, *problems: str):
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))
