"""Writing the chapters that are made of the code: `python -m manual.write`, or `./scripts/manual` to build, too."""

from collections.abc import Callable

from kit.checkout import rewrite
from manual.commands import command_reference
from manual.files import toml_reference
from manual.latencies import latency_reference
from manual.signatures import python_reference

#: File of `docs/` -> what makes it.
CHAPTERS: dict[str, Callable[[], str]] = {
    "commands.md": command_reference,
    "toml.md": toml_reference,
    "latencies.md": latency_reference,
    "api.md": python_reference,
}


def main() -> None:
    """Write every chapter, and report those that changed."""
    rewrite(CHAPTERS)


if __name__ == "__main__":
    main()
