"""The product's modules, packages and imports, read from the syntax trees without importing anything."""

import ast
from collections.abc import Iterator
from pathlib import Path

from kit.checkout import ROOT

#: Packages from the lowest to the highest. Each may import those before it.
LAYERS = ("derca_sim", "derca_hw", "derca_flow", "derca_cli", "derca")


def source_files() -> dict[str, Path]:
    """Module -> its file, for every module of the product; a package stands under its own name."""
    found = {}
    for package in LAYERS:
        top = ROOT / ("sim" if package == "derca_sim" else "") / package
        for file in sorted(top.rglob("*.py")):
            parts = file.relative_to(top.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


FILES = source_files()


def imports(name: str, file: Path) -> Iterator[str]:
    """Modules that a file imports, by their absolute names."""
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[:len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in FILES else base


def within(name: str, *packages: str) -> bool:
    """Whether a module is one of some packages or lies in them."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def folder(name: str) -> str:
    """The package that a module lies in; a module beside the packages of a layer stands for itself."""
    if FILES[name].name == "__init__.py":
        return name
    return name.rpartition(".")[0] if name.count(".") > 1 else name


def package_imports() -> dict[str, set[str]]:
    """Package -> the packages of the product that it imports, itself left out."""
    edges: dict[str, set[str]] = {}
    for name, file in FILES.items():
        here = folder(name)
        edges.setdefault(here, set()).update(folder(other) for other in imports(name, file) if other in FILES)
        edges[here].discard(here)
    return edges
