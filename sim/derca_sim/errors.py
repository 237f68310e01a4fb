"""The two ways a user's request can fail before it runs: bad input and a missing tool."""

#: Process exit codes of every `derca` command.
EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_MISSING_TOOL = 0, 1, 2, 3


class InputError(Exception):
    """Bad input: carries one line per problem (what, where, allowed, how to mend)."""

    def __init__(self, *problems: str):
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class MissingToolError(Exception):
    """A program the command needs was not found: what was looked for, where, and how to install it."""
