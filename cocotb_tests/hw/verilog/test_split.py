"""The files of `derca generate --split` are the one file in parts: readers take the list and see the same design."""

import json
import re

import pytest
from typer.testing import CliRunner

from derca_cli import main
from derca_hw import LINT_WAIVERS
from derca_hw.verilog.files import in_files
from kit import products, readers

_MODULE = re.compile(r"^module .*?^endmodule\n", re.MULTILINE | re.DOTALL)
#: A leaf that two blocks share, one that one block has alone, and one that holds it.
DESIGN = """\
module top(
  input  wire a
);
  \\top.left  left (
    .a(a)
  );
  right right (
    .a(a)
  );
endmodule
module \\top.left (
  input  wire a
);
  leaf leaf (
    .a(a)
  );
  \\top.left.own  own (
    .a(a)
  );
endmodule
module \\top.left.own (
  input  wire a
);
endmodule
module right(
  input  wire a
);
  leaf \\leaf.1  (
    .a(a)
  );
endmodule
module leaf(
  input  wire a
);
endmodule
"""


def test_each_block_has_a_file_and_what_blocks_share_has_one():
    files = in_files("// Head.\n" + DESIGN, "top")
    assert {name: re.findall(r"^module (\S+?)(?: |\()", text, re.MULTILINE) for name, text in files.items()} == {
        "top.v": ["top"], "top_left.v": ["\\top.left", "\\top.left.own"], "top_right.v": ["right"],
        "top_shared.v": ["leaf"], "top.f": []}
    assert all(text.startswith("// Head.\n") for name, text in files.items() if name.endswith(".v"))
    assert files["top.f"] == "top.v\ntop_left.v\ntop_right.v\ntop_shared.v\n"


@pytest.mark.parametrize("name", ["small", pytest.param("demo", marks=pytest.mark.full)])
def test_readers_take_the_list_for_the_one_file(name, tmp_path):
    product = products.platform(name)
    files = in_files(product.verilog, product.top)
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    assert files[f"{product.top}.f"].split() == [file for file in files if file.endswith(".v")]
    modules = [module for text in files.values() for module in _MODULE.findall(text)]
    assert sorted(modules) == sorted(_MODULE.findall(product.verilog)) and len(modules) > 80
    (tmp_path / "derca.vlt").write_text(LINT_WAIVERS.read_text())
    assert readers.icarus(["-f", "derca.f"], tmp_path, product.top) == []
    assert readers.verilator(["--lint-only", "-Wall", "derca.vlt", "-f", "derca.f"], tmp_path) == []
    last = files["derca.f"].split()[-1]
    (tmp_path / "derca.f").write_text(files["derca.f"].replace(f"{last}\n", ""))
    assert readers.icarus(["-f", "derca.f"], tmp_path, product.top) != []


def test_the_command_writes_the_files(tmp_path):
    words = ["generate", "--platform", str(products.PLATFORMS / "small.toml"), "--json", "-o"]
    written = {}
    for option in "", "--split":
        done = CliRunner().invoke(main.app, [*words, str(tmp_path / f"hw{option}"), *option.split()])
        assert done.exit_code == 0, done.output
        written[option] = set(json.loads(done.stdout)["files"])
    blocks = {f"derca_{name}.v" for name in (
        "accelerator", "failures", "host_interface", "job_release", "kernel_manager", "memory_interface", "scheduler",
        "supervision")}
    assert written["--split"] - {"derca_shared.v"} == written[""] | {"derca.f"} | blocks
    parts = "".join(path.read_text() for path in (tmp_path / "hw--split").glob("*.v"))
    assert sorted(_MODULE.findall(parts)) == sorted(_MODULE.findall((tmp_path / "hw" / "derca.v").read_text()))
