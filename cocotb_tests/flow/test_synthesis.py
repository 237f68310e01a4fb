"""The hardware synthesises for every target, without the warnings that forbid it, and every cell finds its row."""

import pytest

from derca_flow.area.measurement import measure
from derca_flow.tools.cells import BLOCKS, KINDS
from derca_flow.tools.targets import TARGETS

#: DSP blocks of a requantisation lane: 32 x 31 bits in pieces that fit the target's.
LANE_BLOCKS = {"ecp5": 4, "ice40": 4, "ice40hx": 0, "ultrascale": 4, "gowin": 4}
#: DSP blocks of an element of the array.
ELEMENT_BLOCKS = {"ecp5": 1, "ice40": 0.5, "ice40hx": 0, "ultrascale": 1, "gowin": 0.5}
#: DSP blocks of an iCE40 UltraPlus; an array of which every element finds one takes one each.
SB_MAC16 = 8


def check(target: str, file, array: int, lanes: int) -> dict:
    """Measure (which fails on latches, loops, multiple drivers, cells without weight) and look at the table."""
    result = measure(TARGETS[target], file)
    *rows, total = result["rows"]
    assert [row["module"] for row in rows] == [*BLOCKS.values(), "top level"]
    for kind in KINDS:
        assert sum(row[kind] for row in rows) == total[kind]
    named = {row["module"]: row for row in rows}
    for block in BLOCKS.values():
        assert named[block]["LUT"] > 0 and named[block]["REG"] > 0, block
    accelerator = named["accelerator"]
    of_lanes = lanes * LANE_BLOCKS[target]
    whole = target == "ice40" and array + of_lanes <= SB_MAC16
    assert accelerator["DSP"] == total["DSP"] == array * (1 if whole else ELEMENT_BLOCKS[target]) + of_lanes
    assert accelerator["REG"] >= 2 * 32 * array  # an accumulator and a shadow register per PE: nothing was swept away
    flat = result["flattened"]
    assert flat["DSP"] == total["DSP"] and flat["BRAM"] == total["BRAM"]
    assert 0.8 * total["LUT"] <= flat["LUT"] <= total["LUT"] * 1.05
    return named


# The quick suite measures the small platform on ECP5 in `cli/test_history.py`, synthesises for iCE40 in
# `test_estimate.py`, and for the families of AMD in `test_ip.py`.


@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS)
def test_a_small_platform_synthesises(target, pytestconfig):
    named = check(target, pytestconfig.rootpath / "sim" / "platforms" / "small.toml", array=4, lanes=1)
    assert named["kernel management"]["BRAM"] > 0


@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS)
def test_the_demo_platform_synthesises(target, pytestconfig):
    named = check(target, pytestconfig.rootpath / "sim" / "platforms" / "demo.toml", array=64, lanes=2)
    assert named["accelerator"]["BRAM"] > 0  # the panels of the input slots
