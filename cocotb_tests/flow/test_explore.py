"""Exploration of platforms: what is tried, what is found, and that nothing better is left out."""

import itertools
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from derca_cli import main
from derca_flow.area.estimate import estimate
from derca_flow.explore.evaluate import PRECISION, at_clock, evaluate, least_clock
from derca_flow.explore.pareto import best, front
from derca_flow.explore.space import candidates, changed, default_space, load_space
from derca_flow.tools.checkout import samples
from derca_sim.analysis.model import System
from derca_sim.analysis.verdict import analyse
from derca_sim.describe.platform import as_toml
from derca_sim.errors import InputError
from derca_sim.model.platform import Platform
from derca_sim.planning import analyse_taskset
from derca_sim.workload.taskset import load_platform, load_taskset
from oracles.random_tasks import random_tasks

SPACE = '"array.rows, array.cols" = [[4, 4], [8, 8]]\n"buffers.slots, buffers.banks" = [[2, 2], [3, 3]]\n'


def two(folder: Path) -> Path:
    """A small task set of two networks on the demo's platform; the second needs preemption."""
    (folder / "two.toml").write_text(f'''name = "two"
platform = "{next(path for path in samples("platforms") if path.name == "demo.toml")}"
network = [
    {{ name = "a", layers = [{{ m = 16, k = 32, n = 16 }}] }},
    {{ name = "b", layers = [{{ m = 64, k = 64, n = 32 }}] }},
]
task = [{{ name = "a", network = "a", period = 3_000 }}, {{ name = "b", network = "b", period = 40_000 }}]
''')
    return folder / "two.toml"


def cell(path: Path, changes: dict, mhz: float = 50.0, **available) -> dict:
    """A candidate on ECP5."""
    return {"taskset": str(path), "changes": changes, "family": "ecp5", "clock_mhz": mhz, "available": available}


def test_every_candidate_is_another_platform():
    base = load_platform(next(path for path in samples("platforms") if path.name == "demo.toml"))
    found = [changed(base, changes) for changes in candidates(base, default_space())]
    assert len({p.config_hash for p in found}) == len(found) > 50
    assert {(p.array.rows, p.array.cols) for p in found} >= {(4, 4), (8, 8), (16, 16)}
    assert all(p.tile.m % p.array.rows == p.tile.n % p.array.cols == 0 for p in found)


def test_a_candidate_is_what_the_analysis_says_of_its_platform(tmp_path):
    path = two(tmp_path)
    for changes in ({}, {"bus.data_width": 32}, {"array.rows": 4, "array.cols": 4}):
        found = evaluate(cell(path, changes))
        platform = changed(load_taskset(path).platform, changes)
        (tmp_path / "platform.toml").write_text(as_toml(platform))
        plan = analyse_taskset(load_taskset(path, tmp_path / "platform.toml"))
        assert found["proved"] == plan.proof.proved
        assert found["slack"] == plan.proof.least_relative_slack
        assert found["area"]["LUT"] == estimate(platform, "ecp5")[-1]["LUT"]


def test_what_does_not_fit_is_not_timed(tmp_path):
    found = evaluate(cell(two(tmp_path), {}, LUT=1_000))
    assert (found["fits"], found["proved"], found["least_mhz"]) == (False, False, None)
    assert found["reason"] == "does not fit the device"


@pytest.mark.parametrize("seed", range(8))
def test_the_least_clock_is_the_least(seed):
    """A linear search in steps of a percent finds no lower one than its precision allows."""
    system = System(random_tasks(seed, sizes=(2, 3), longest=2000), exact=False)
    found = least_clock(system, 10.0, 10.0)
    assert found is not None
    assert analyse(at_clock(system, 10.0, found), "joint").schedulable
    scanned = next(mhz for mhz in (found * (0.7 + step / 200) for step in range(100))
                   if analyse(at_clock(system, 10.0, mhz), "joint").schedulable)
    assert scanned <= found <= scanned * (1 + PRECISION)


def test_the_front_is_what_nothing_beats():
    results = [{"area": {"LUT": lut, "BRAM": 1}, "least_mhz": mhz, "slack": slack, "proved": proved}
               for lut, mhz, slack, proved in itertools.product((1, 2, 3), (4.0, 5.0), (0.1, 0.2), (True, False))]
    results.append(dict(results[2]))
    proved = [r for r in results if r["proved"]]

    def worse(one, other):
        return (one["area"]["LUT"] >= other["area"]["LUT"] and one["least_mhz"] >= other["least_mhz"]
                and one["slack"] <= other["slack"])

    expected = [r for r in proved if not any(worse(r, other) and not worse(other, r) for other in proved)]
    found = [results[i] for i in front(results)]
    assert all(r in expected for r in found)
    assert all(r in found for r in expected)
    assert len(found) == len({json.dumps(r) for r in found})  # each once
    assert results[best(results)]["area"]["LUT"] == 1
    assert best([r for r in results if not r["proved"]]) is None


def test_a_search_leaves_its_best_platform_which_is_proved(tmp_path):
    path, space = two(tmp_path), tmp_path / "space.toml"
    space.write_text(SPACE)
    command = ["explore", str(path), "--device", "lfe5u-85f", "--space", str(space), "--jobs", "1"]
    found = CliRunner().invoke(main.app, [*command, "-o", str(tmp_path / "out"), "--json"])
    assert found.exit_code == 0, found.stderr
    facts = json.loads(found.stdout)
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"candidates.csv", "explore.png", "platform.toml"}
    assert analyse_taskset(load_taskset(path, tmp_path / "out" / "platform.toml")).proof.proved
    rows = [evaluate(cell(path, changes)) for changes in candidates(load_taskset(path).platform, load_space(space))]
    assert facts["candidates"] == len(rows)
    assert facts["best"]["LUT"] == min(r["area"]["LUT"] for r in rows if r["proved"])
    again = CliRunner().invoke(main.app, [*command, "--clock", "0.5", "-o", str(tmp_path / "slow")])
    assert again.exit_code == 1
    assert "is proved at 0.5 MHz" in again.stderr


@pytest.mark.parametrize("path", samples("platforms"), ids=lambda path: path.stem)
def test_a_platform_is_written_as_its_file(tmp_path, path):
    platform = load_platform(path)
    (tmp_path / "again.toml").write_text(as_toml(platform))
    assert load_platform(tmp_path / "again.toml") == platform


@pytest.mark.parametrize(("text", "words"), [
    ("", "is empty"),
    ('"array.rows" = 4', '"array.rows" = 4: allowed are lists of values'),
    ('"array.rows, array.cols" = [[4]]', "allowed are lists of values, each a list with one for every key"),
    ('"array.row" = [4]', '"array.row" = ["array.row"]: allowed are keys of a platform'),
    ('"array" = [4]', "allowed are keys of a platform"),
])
def test_bad_spaces_are_refused_in_words(tmp_path, text, words):
    (tmp_path / "space.toml").write_text(text)
    with pytest.raises(InputError, match=re.escape(words)):
        load_space(tmp_path / "space.toml")


def test_a_space_without_a_platform_is_refused():
    with pytest.raises(InputError, match="no combination of the space is a platform; the last one: candidate: arr"):
        list(candidates(Platform(), {("array.rows",): [(1,), (99,)]}))
    with pytest.raises(InputError, match="the space has 40,000 combinations: allowed are up to 20,000"):
        list(candidates(Platform(), {("tile.m",): [(8,)] * 200, ("tile.n",): [(8,)] * 200}))
