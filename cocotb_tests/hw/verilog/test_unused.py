"""What nobody reads leaves a design across modules; what somebody reads stays."""

import re

from derca_hw.verilog.unused import without_unused

#: `top` has an instance of `outer`, which has one of `inner` and one of `idle`.
DESIGN = r"""
module \\outer
  wire width 4 input 1 \\wanted
  wire width 4 input 2 \\unwanted
  wire input 3 \\clock
  wire width 4 output 4 \\result
  wire width 4 output 5 \\ignored
  wire width 4 \\chain
  cell \\inner \\inner
    connect \\from \\unwanted
    connect \\to \\chain
  end
  cell \\idle \\idle
    connect \\nothing \\wanted
  end
  cell $dff $1
    parameter \\WIDTH 4
    connect \\CLK \\clock
    connect \\D \\wanted
    connect \\Q \\result
  end
  connect \\ignored \\chain
end
module \\inner
  wire width 4 input 1 \\from
  wire width 4 output 2 \\to
  connect \\to \\from
end
module \\idle
  wire width 4 input 1 \\nothing
end
module \\top
  wire width 4 input 1 \\a
  wire width 4 input 2 \\b
  wire input 3 \\clock
  wire width 4 output 4 \\y
  wire width 4 \\other
  wire width 4 \\sum
  cell \\outer \\outer
    connect \\wanted \\a
    connect \\unwanted \\sum
    connect \\clock \\clock
    connect \\result \\y
    connect \\ignored \\other
  end
  cell $add $2
    connect \\A \\a
    connect \\B \\b
    connect \\Y \\sum
  end
end
""".replace("\\\\", "\\")


def names(text: str, keyword: str) -> list[str]:
    """Last words of the lines that declare something."""
    return re.findall(rf"^ *{keyword} .*?(\S+)$", text, re.MULTILINE)


def test_ports_cells_and_modules_go_with_their_last_reader():
    left = without_unused(DESIGN, "top")
    assert names(left, "module") == ["\\outer", "\\top"]
    outer, top = left.split("module \\top")
    assert names(outer, "wire") == ["\\wanted", "\\clock", "\\result"]
    assert names(top, "wire") == ["\\a", "\\b", "\\clock", "\\y"]  # ports of the top stay, used or not
    assert names(left, "cell") == ["$1", "\\outer"]
    assert re.findall(r"connect (\S+) ", top) == ["\\wanted", "\\clock", "\\result"]


def test_a_cell_that_nobody_knows_needs_all_that_it_is_connected_to():
    left = without_unused(DESIGN.replace("cell $add $2", "cell \\LATCHUP \\guard"), "top")
    assert "\\guard" in names(left, "cell")
    assert {"\\a", "\\b", "\\sum"} <= set(names(left.split("module \\top")[1], "wire"))


def test_an_output_that_only_its_own_module_reads_is_no_port():
    both = DESIGN.replace("connect \\D \\wanted", "connect \\D \\ignored")
    outer = without_unused(both, "top").split("module \\top")[0]
    assert re.search(r"wire width 4 \\ignored$", outer, re.MULTILINE)
    assert "module \\inner" in without_unused(both, "top")
