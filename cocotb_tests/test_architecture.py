"""Dependencies between the packages point one way."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Package folder -> what it must never import.
FORBIDDEN = {
    "sim/derca_sim": ("amaranth", "cocotb", "derca_hw", "derca_cli"),
    "derca_hw": ("derca_cli", "derca_sim.compile", "derca_sim.golden", "derca_sim.report", "derca_sim.analysis"),
}


def imports(path: Path) -> list[str]:
    """Absolute names that a file imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_dependencies_point_one_way(folder):
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    wrong = [f"{path.relative_to(ROOT)} imports {name}" for path in files for name in imports(path)
             for bad in FORBIDDEN[folder] if name == bad or name.startswith(bad + ".")]
    assert wrong == []
