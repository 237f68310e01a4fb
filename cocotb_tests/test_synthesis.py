"""The hardware synthesises for both targets, without the warnings that forbid it, and every cell finds its row."""

import pytest

from derca_cli.report import measure
from derca_cli.resources import BLOCKS, KINDS, TARGETS

#: A platform as small as it still has everything: two banks, two slots, a heap, a requantisation lane.
SMALL = """
name = "small"
tile = { m = 4, k = 16, n = 8 }
array = { rows = 2, cols = 2 }
bus = { data_width = 32 }
scheduler = { tasks = 4 }
store = { requant_lanes = 1 }
tables = { layers = 16, entries = 512, regions = 16 }
trace = { depth = 4 }
"""
#: Multipliers a requantisation lane takes: 32 x 31 bits in pieces that fit the target's.
LANE_MULTIPLIERS = {"ecp5": 4, "ice40": 4, "ultrascale": 4}
#: Elements of the array that share a DSP block.
PER_BLOCK = {"ecp5": 1, "ice40": 2, "ultrascale": 1}


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
    assert accelerator["DSP"] == total["DSP"] == array // PER_BLOCK[target] + lanes * LANE_MULTIPLIERS[target]
    assert accelerator["REG"] >= 2 * 32 * array  # an accumulator and a shadow register per PE: nothing was swept away
    flat = result["flattened"]
    assert flat["DSP"] == total["DSP"] and flat["BRAM"] == total["BRAM"]
    assert 0.8 * total["LUT"] <= flat["LUT"] <= total["LUT"] * 1.05
    return named


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path / "build"))  # nothing from an earlier run
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path / "small.toml"


@pytest.mark.parametrize("target", TARGETS)
def test_a_small_platform_synthesises(small, target):
    named = check(target, small, array=4, lanes=1)
    assert named["kernel management"]["BRAM"] > 0


@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS)
def test_the_demo_platform_synthesises(target, pytestconfig):
    named = check(target, pytestconfig.rootpath / "sim" / "platforms" / "demo.toml", array=64, lanes=2)
    assert named["accelerator"]["BRAM"] > 0  # the panels of the input slots
