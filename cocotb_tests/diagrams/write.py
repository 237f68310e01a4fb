"""Writing the diagrams of `docs/`: `python -m diagrams.write`, or `./scripts/diagrams`."""

from collections.abc import Callable

from diagrams import blocks, packages
from kit.checkout import rewrite
from kit.modules import package_imports

#: File of `docs/` -> what draws it.
DIAGRAMS: dict[str, Callable[[], str]] = {
    "blocks.svg": lambda: blocks.draw(blocks.levels()),
    "packages.svg": lambda: packages.draw(package_imports()),
}


def main() -> None:
    """Write every diagram, and report those that changed."""
    rewrite(DIAGRAMS)


if __name__ == "__main__":
    main()
