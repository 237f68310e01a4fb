"""Commands called within the process."""

from typer.testing import CliRunner

from derca_cli import main


def derca(*args, **env):
    """Run `derca` in this process."""
    return CliRunner().invoke(main.app, [str(a) for a in args], env=env)
