"""Writing the diagrams of `docs/`: `python -m diagrams.write`, or `./scripts/diagrams`."""

from collections.abc import Callable

from diagrams import blocks, packages
from kit.checkout import ROOT
from kit.modules import package_imports

#: File of `docs/` -> what draws it.
DIAGRAMS: dict[str, Callable[[], str]] = {
    "blocks.svg": lambda: blocks.draw(blocks.levels()),
    "packages.svg": lambda: packages.draw(package_imports()),
}


def main() -> None:
    """Write every diagram, and report those that changed."""
    for name, draw in DIAGRAMS.items():
        file, text = ROOT / "docs" / name, draw()
        same = file.exists() and file.read_text(encoding="utf-8") == text
        file.write_text(text, encoding="utf-8")
        print(f"docs/{name}: {'as before' if same else 'written'}")


if __name__ == "__main__":
    main()
