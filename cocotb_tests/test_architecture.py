"""The layers hold: imports point downwards, packages form no circle, no command imports another, no test another."""

import ast

from kit.checkout import ROOT
from kit.modules import FILES, LAYERS, imports, package_imports, within

#: The only parts of the models that hardware reads: the configuration, never the logic of a model.
SHARED_WITH_HARDWARE = ("derca_sim.model", "derca_sim.errors", "derca_sim.events")
#: Package -> what it does without: hardware description in the models, and a terminal below the command line.
WITHOUT = {"derca_sim": ("amaranth", "cocotb", "typer"), "derca_hw": ("cocotb", "typer"), "derca_flow": ("typer",)}


def test_no_import_points_upwards():
    wrong = [f"{name} imports {other}" for name, file in FILES.items() for other in imports(name, file)
             if within(other, *LAYERS[LAYERS.index(name.split(".")[0]) + 1:])]
    assert wrong == []


def test_packages_do_without_what_belongs_elsewhere():
    wrong = [f"{name} imports {other}" for name, file in FILES.items() for other in imports(name, file)
             if within(other, *WITHOUT.get(name.split(".")[0], ()))]
    assert wrong == []


def test_hardware_shares_configuration_with_the_models_and_nothing_else():
    wrong = [f"{name} imports {other}" for name, file in FILES.items() if within(name, "derca_hw")
             for other in imports(name, file)
             if within(other, "derca_sim") and not within(other, *SHARED_WITH_HARDWARE)]
    assert wrong == []


def circle(edges: dict[str, set[str]]) -> list[str]:
    """The members of some circle in a graph, empty if there is none."""
    left = {node: set(after) for node, after in edges.items()}
    while ends := [node for node, after in left.items() if not after & left.keys()]:
        for node in ends:
            del left[node]
    if not left:
        return []
    path = [next(iter(left))]
    while path.count(path[-1]) == 1:
        path.append(min(left[path[-1]] & left.keys()))
    return path[path.index(path[-1]):]


def test_packages_form_no_circle():
    assert circle(package_imports()) == []


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert sorted(set(circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}))) == ["b", "c"]


def test_no_command_imports_another():
    commands = [name for name in FILES if within(name, "derca_cli.commands") or name.endswith(".command")]
    assert len(commands) > 15
    wrong = [f"{name} imports {other}" for name in commands for other in imports(name, FILES[name])
             if other in commands and other != "derca_cli.commands"]
    assert wrong == []


def test_helpers_are_not_imported_from_tests():
    tests = list((ROOT / "cocotb_tests").rglob("*.py"))
    names = {file.stem for file in tests if file.stem.startswith("test_")}
    wrong = [f"{file.name}: {ast.unparse(node)}" for file in tests for node in ast.walk(ast.parse(file.read_text()))
             if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1] in names]
    assert len(names) > 80 and wrong == []
