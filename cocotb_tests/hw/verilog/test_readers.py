"""Every reader of Verilog takes every product without a word: Icarus, Verilator's lint, slang, Yosys."""

import inspect
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from derca_cli import main
from derca_cli.commands.generate import generate
from derca_cli.commands.ip import ip
from kit import products, readers


def documented(function) -> list[str]:
    """The lint command in the help of a command, without its name."""
    return re.search(r"verilator (--lint-only .*)", inspect.getdoc(function))[1].split()


def lint(product: products.Product, folder: Path) -> list[str]:
    """Verilator's lint with the product's waivers."""
    for waivers in product.waivers:
        (folder / waivers.name).write_text(waivers.read_text())
    return readers.verilator(["--lint-only", "-Wall", *(w.name for w in product.waivers), f"{product.top}.v"], folder)


@products.each()
def test_every_reader_takes_it(name, tmp_path):
    product = products.PRODUCTS[name]()
    verilog = product.write(tmp_path)
    assert not re.search(r"\\\$", product.verilog), "a name that begins with a dollar sign"
    assert readers.icarus([verilog.name], tmp_path, product.top) == []
    assert readers.slang(verilog, product.top) == []
    assert lint(product, tmp_path) == []


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in ("board icebreaker", "platform small") else pytest.mark.full)
    for name in products.PRODUCTS])
def test_yosys_checks_it(name, tmp_path):
    product = products.PRODUCTS[name]()
    assert readers.yosys(product.write(tmp_path), product.top) == []


@pytest.mark.parametrize(("words", "function"), [
    (["generate", "--platform", "small"], generate),
    (["generate", "--platform", "icebreaker", "--target", "ice40"], generate),
    (["ip", "--board", "zcu104", "--platform", "small"], ip),
    pytest.param(["generate", "--platform", "small", "--target", "ecp5"], generate, marks=pytest.mark.full),
    pytest.param(["ip", "--board", "vck190", "--platform", "small"], ip, marks=pytest.mark.full),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_the_documented_command_is_silent(words, function, tmp_path):
    at = words.index("--platform") + 1
    words = [*words[:at], str(products.PLATFORMS / f"{words[at]}.toml"), *words[at + 1:]]
    done = CliRunner().invoke(main.app, [*words, "-o", str(tmp_path / "hw")])
    assert done.exit_code == 0, done.output
    assert readers.verilator(documented(function), tmp_path / "hw") == []
