"""The resource report: weighing, summing, and refusing what must not be built."""

import shutil

import pytest

from derca_flow.tools import cells as resources
from derca_flow.tools import yosys as synthesis
from derca_flow.tools.cells import blocks_of, check_log, flat_cells, summarise, weigh
from derca_flow.tools.targets import TARGETS, Target
from derca_sim.errors import CheckFailed
from kit.toy_hierarchy import toy_rtlil

TOY = Target(
    name="toy", family="portable", synthesis="synth_toy", columns=("Logic LUTs", "LUTRAMs", "FFs", "RAMB18", "DSP"),
    weights={"LUT": {"Logic LUTs": 1}, "CARRY": {"Logic LUTs": 2}, "FF": {"FFs": 1}, "RAM": {"RAMB18": 1}}, caption="",
)


def stat() -> dict:
    """Top with two instances of `top.a` and one `top.b`; `top.a` holds a module of its own, twice."""
    modules = {
        "\\top": {"LUT": 1, "top.a": 2, "top.b": 1},
        "\\top.a": {"LUT": 10, "top.a.x": 2},
        "\\top.a.x": {"FF": 5, "CARRY": 1},
        "\\top.b": {"RAM": 3},
    }
    design = {"LUT": 21, "FF": 20, "CARRY": 4, "RAM": 3, "top.a": 2, "top.b": 1, "top.a.x": 4}
    return {
        "modules": {name: {"num_cells_by_type": cells} for name, cells in modules.items()},
        "design": {"num_cells_by_type": design},
    }


BLOCKS = {"top.a": "row a", "top.b": "row b"}


def test_rows_multiply_instances_and_weigh_cells():
    assert summarise(stat(), BLOCKS, TOY, "top") == [
        {"module": "row a", "LUT": 2 * 10 + 4 * 2, "REG": 20, "BRAM": 0, "DSP": 0},
        {"module": "row b", "LUT": 0, "REG": 0, "BRAM": 1.5, "DSP": 0},
        {"module": "top level", "LUT": 1, "REG": 0, "BRAM": 0, "DSP": 0},
        {"module": "total", "LUT": 29, "REG": 20, "BRAM": 1.5, "DSP": 0},
    ]


def test_rows_that_do_not_add_up_to_the_design_are_refused():
    wrong = stat()
    wrong["design"]["num_cells_by_type"]["FF"] = 21
    with pytest.raises(CheckFailed, match="FF: the rows hold 20, the design 21"):
        summarise(wrong, BLOCKS, TOY, "top")


def test_a_cell_without_weight_is_refused():
    wrong = stat()
    wrong["modules"]["\\top.b"]["num_cells_by_type"]["MAGIC"] = 4
    wrong["design"]["num_cells_by_type"]["MAGIC"] = 4
    with pytest.raises(CheckFailed, match="4 cells of type MAGIC have no weight"):
        summarise(wrong, BLOCKS, TOY, "top")


def test_a_block_that_is_not_in_the_netlist_is_refused():
    with pytest.raises(CheckFailed, match=r"module top\.c of the resource table"):
        summarise(stat(), {**BLOCKS, "top.c": "row c"}, TOY, "top")


def test_ecp5_weights():
    cells = {"LUT4": 3, "CCU2C": 2, "TRELLIS_DPR16X4": 1, "PFUMX": 9, "TRELLIS_FF": 7, "DP16KD": 2, "MULT18X18D": 5}
    assert weigh(cells, TARGETS["ecp5"]) == {"LUT": 3 + 4 + 6, "REG": 7, "BRAM": 2, "DSP": 5}


@pytest.mark.parametrize(("line", "kind"), [
    (r"Warning: Latch inferred for signal `\derca.\q' from process `\derca.$proc$t.v:2$1'", "latch"),
    ("Warning: found logic loop in module derca:", "combinational loop"),
    ("Warning: multiple conflicting drivers for derca.$not$u.v:2$1_Y:", "multiple drivers"),
    (r"Warning: Driver-driver conflict for \x between cell $1 and constant 1'0 in derca", "multiple drivers"),
])
def test_fatal_messages_of_yosys_are_refused_by_name(line, kind):
    with pytest.raises(CheckFailed, match=kind):
        check_log(f"Executing PROC pass\n{line}\nEnd of script.\n")


def test_harmless_lines_pass():
    check_log("\n".join([
        "No latch inferred for signal `derca.q' from process `derca.$proc'.",
        "3.12. Executing SCC pass (detecting logic loops).",
        "Executing PROC_DLATCH pass (convert process syncs to latches).",
        "End of script.",
    ]))


def test_a_log_that_is_cut_off_is_refused():
    with pytest.raises(CheckFailed, match="cut off"):
        check_log("Running ABC command\n")


def test_blocks_are_found_by_instance_name():
    blocks = blocks_of(toy_rtlil())
    assert blocks["derca.kernel_manager"] == "kernel management"
    assert set(blocks.values()) == set(resources.BLOCKS.values())
    with pytest.raises(CheckFailed, match="no instance scheduler"):
        blocks_of(toy_rtlil().replace(r"\scheduler", r"\planner"))


@pytest.fixture
def build_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path))
    return tmp_path


def test_synthesis_of_a_hierarchy_adds_up(build_folder):
    design = toy_rtlil()
    blocks, target = blocks_of(design), TARGETS["ecp5"]
    apart, flat = synthesis.synthesise_all([
        {"rtlil": design, "target": target, "keep": list(blocks)}, {"rtlil": design, "target": target},
    ])
    rows = {row.pop("module"): row for row in summarise(apart, blocks, target)}
    assert rows["accelerator"] == {"LUT": 0, "REG": 32, "BRAM": 0, "DSP": 1}
    assert rows["scheduler"] == {"LUT": 32, "REG": 64, "BRAM": 0, "DSP": 1}  # its inner module counts to it
    assert rows["kernel management"]["BRAM"] == 1
    assert rows["total"]["DSP"] == 4
    assert weigh(flat_cells(flat), target)["DSP"] <= rows["total"]["DSP"]  # equal modules merge when flattened


def test_the_second_synthesis_is_answered_from_the_cache(build_folder, monkeypatch):
    design, target = toy_rtlil(), TARGETS["ecp5"]
    first = synthesis.synthesise(design, target)
    monkeypatch.setattr(synthesis, "run_yosys", lambda *a: pytest.fail("the cache was not used"))
    assert synthesis.synthesise(design, target) == first


def test_two_runs_of_yosys_give_the_same_cells(build_folder, monkeypatch):
    design, target = toy_rtlil(), TARGETS["ecp5"]
    first = synthesis.synthesise(design, target, keep=list(blocks_of(design)))
    monkeypatch.setenv("DERCA_BUILD_DIR", str(build_folder / "other"))
    again = synthesis.synthesise(design, target, keep=list(blocks_of(design)))
    assert again["modules"] == first["modules"] and again["design"] == first["design"]


LOOP = r"""
module \derca
  wire width 1 input 0 \a
  wire width 1 output 1 \y
  cell $and $1
    parameter \A_SIGNED 0
    parameter \A_WIDTH 1
    parameter \B_SIGNED 0
    parameter \B_WIDTH 1
    parameter \Y_WIDTH 1
    connect \A \a
    connect \B \y
    connect \Y \y
  end
end
"""


def test_a_design_with_a_loop_fails_every_time(build_folder):
    for _ in range(2):  # the second answer comes from the cache
        with pytest.raises(CheckFailed, match="combinational loop"):
            synthesis.synthesise(LOOP, TARGETS["ecp5"])


def test_an_error_of_yosys_is_told_and_leaves_no_entry_in_the_cache(build_folder):
    with pytest.raises(CheckFailed, match=r"yosys: ERROR"):
        synthesis.synthesise("module \\other\nend\n", TARGETS["ecp5"])
    assert not [p for p in (build_folder / "report").iterdir() if p.is_dir()]


def test_the_cache_can_be_removed(build_folder):
    synthesis.synthesise(toy_rtlil(), TARGETS["ecp5"])
    shutil.rmtree(build_folder / "report")
    assert synthesis.synthesise(toy_rtlil(), TARGETS["ecp5"])["design"]
