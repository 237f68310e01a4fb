"""The estimate of area: memories, the fit, what was recorded of it, and two syntheses."""

import itertools
import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from derca_cli import main
from derca_cli.bench.estimate import command as bench
from derca_cli.bench.estimate import fit as estimate_fit
from derca_cli.bench.estimate import pieces as estimate_pieces
from derca_cli.bench.estimate.platforms import FITTED, HELD_OUT, platforms
from derca_flow.area import estimate as model
from derca_flow.area.rams import Ram, Stored, stored
from derca_flow.area.structure import blocks, sources
from derca_flow.boards.known import BOARDS
from derca_flow.tools.cells import BLOCKS, KINDS, TOP_ROW, blocks_of, summarise
from derca_flow.tools.targets import TARGETS
from derca_flow.tools.yosys import synthesise
from derca_hw.families.family import Family
from derca_hw.generate import rtlil
from derca_sim.model.platform import Platform
from derca_sim.workload.taskset import load_platform
from kit.checkout import SIM
from kit.toy_hierarchy import toy_rtlil

PLATFORMS = SIM / "platforms"


@pytest.mark.parametrize(("ram", "family", "expected"), [
    (Ram(64, 32768, 1, "block"), "ecp5", Stored(blocks=128)),  # 256 KB in blocks of 2 KB
    (Ram(32, 512), "ecp5", Stored(blocks=1, emulated=32)),
    (Ram(64, 64), "ecp5", Stored(blocks=2, emulated=64)),  # as dear in LUTs, but for what selects between them
    (Ram(64, 48), "ecp5", Stored(luts=16 * 3 * 6, read=64)),
    (Ram(33, 16), "ecp5", Stored(luts=9 * 6, read=33)),  # 4 bits by 16 words each
    (Ram(4, 64, 3, "small"), "ecp5", Stored(luts=3 * 4 * 6, read=12)),
    (Ram(4, 65, 1, "shallow"), "ecp5", Stored(luts=5 * 6)),
    (Ram(2, 2, 1, "comb"), "ecp5", Stored(bits=4)),
    (Ram(33, 4096, 1, "table"), "ecp5", Stored(blocks=9)),  # columns as deep as the table, of 4 bits
    (Ram(64, 256, 1, "buffer", 32), "ecp5", Stored(blocks=2, emulated=64)),
    (Ram(16, 256, 2, "buffer"), "ice40", Stored(blocks=2)),
    (Ram(33, 16, 1, "shallow"), "ice40", Stored(blocks=2, bits=16)),  # the odd bit is left to registers
    (Ram(64, 8, 1, "buffer", 8), "ice40", Stored(blocks=8)),
    (Ram(24, 4), "ice40", Stored(bits=96)),  # two blocks would be dearer
    (Ram(32, 64, 1, "comb"), "ice40", Stored(bits=2048)),
    (Ram(32, 1024, 1, "block"), "ice40", Stored(blocks=8)),
    (Ram(32, 4096, 1, "words"), "ice40", Stored()),  # single-port RAM
    (Ram(32, 4096, 1, "words"), "ice40hx", Stored(blocks=32)),
    (Ram(36, 512, 1, "block"), "ultrascale", Stored(blocks=0.5)),
    (Ram(28, 33, 1, "shallow"), "ultrascale", Stored(luts=4 * 8)),
])
def test_memories_become_the_ram_of_the_family(ram, family, expected):
    assert stored(ram, family) == expected


#: What small.toml has not, as far as memories go.
OTHERS = {
    "array": {"rows": 2, "cols": 2}, "tile": {"m": 4, "k": 16, "n": 8}, "buffers": {"banks": 3, "spare": 1},
    "bus": {"data_width": 32}, "scheduler": {"kind": "scan", "tasks": 4, "policies": ["edf", "least_slack"]},
    "release": {"kind": "swept", "overrun": ["skip", "queue"], "trace": 256},
    "tables": {"read": "word", "layers": 16, "entries": 64, "regions": 16}, "supervision": {"budgets": True},
    "store": {"requant_lanes": 1}, "trace": {"depth": 8},
}


@pytest.mark.parametrize("name", ["small", "others"])
def test_memories_and_events_are_those_of_the_hardware(name, pytestconfig):
    p = (Platform.model_validate(OTHERS) if name == "others"
         else load_platform(pytestconfig.rootpath / "sim" / "platforms" / "small.toml"))
    design = rtlil(p, Family.ECP5)
    found = estimate_pieces.pieces(design, "derca", blocks_of(design))
    for row, block in blocks(p, "ecp5").items():
        real = {(int(width), int(depth)) for width, depth in re.findall(
            r"^\s*memory width (\d+) size (\d+) ", found[row][0], re.MULTILINE)}
        assert {(ram.width, ram.depth) for ram in block.rams if ram.count} == real, row
        assert block.multipliers == len(re.findall(r"cell \\MULT18X18D ", found[row][0])), row
    assert len(sources(p)) == len(set(re.findall(r"source_(\d+)__valid", found["host interface"][0])))


@pytest.mark.parametrize("seed", [1, 2, 3, 135, 150, 180, 188])  # from the fourth on a weight comes and goes again
def test_least_squares_without_negative_weights(seed):
    """Against every set of weights that may be other than 0."""
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(size=(12, 8))
    wanted = matrix @ rng.normal(size=8)
    best = np.inf
    for used in itertools.chain.from_iterable(itertools.combinations(range(8), n) for n in range(9)):
        x = np.zeros(8)
        if used:
            x[list(used)] = np.linalg.lstsq(matrix[:, used], wanted, rcond=None)[0]
        if x.min() >= 0:
            best = min(best, np.linalg.norm(matrix @ x - wanted))
    found = estimate_fit.nnls(matrix, wanted)
    assert found.min() >= 0
    assert np.linalg.norm(matrix @ found - wanted) == pytest.approx(best, rel=1e-9)


def areas_by_rule(p: Platform) -> dict:
    """Areas made of the features by a rule of their own."""
    return {name: {"LUT": 100 + sum(block.features.values()), "REG": 50 + 2 * sum(block.features.values()),
                   "BRAM": sum(stored(ram, "ecp5").blocks for ram in block.rams),
                   "DSP": block.multipliers} for name, block in blocks(p, "ecp5").items()}


def test_a_fit_finds_the_areas_of_platforms_it_has_not_seen():
    fitted, held_out = platforms("ecp5")
    board = BOARDS["ulx3s-85f"]
    apart = [(p, areas_by_rule(p)) for p in fitted]
    flat = {kind: 0.9 * sum(row[kind] for row in apart[0][1].values()) for kind in KINDS}
    weights = estimate_fit.fit(apart, [(*apart[0], flat)], [(board, fitted[0], dict.fromkeys(KINDS, 7), {})], "ecp5")
    assert weights["flattened"] == {"LUT": 0.9, "REG": 0.9}
    for p in held_out:
        errors = estimate_fit.errors(p, areas_by_rule(p), weights, "ecp5")
        assert all(abs(error) < 0.03 for error in errors.values() if error is not None), (p.name, errors)


@pytest.mark.parametrize("factor", [1, 1.2])
def test_the_command_fits_writes_and_judges(factor, monkeypatch):
    """An area that is 20 % larger than its features say makes the answer no."""
    def measured(known, *_):
        fitted, held_out = known["ecp5"]
        out = {("ecp5", p.name): areas_by_rule(p) for p in [*fitted, *held_out]}
        wrong = out["ecp5", held_out[-1].name]
        for row in wrong.values():
            row["LUT"] *= factor
        return out

    written = []
    monkeypatch.setattr(bench, "_measure", measured)
    monkeypatch.setattr(bench, "_boards", lambda families: {"ecp5": []})
    monkeypatch.setattr(bench, "_DISSOLVED", 0)
    monkeypatch.setattr(bench, "write_text", lambda path, text: written.append((path.name, json.loads(text))))
    done = CliRunner().invoke(main.app, ["bench", "estimate", "--fit", "--family", "ecp5", "--json"])
    assert done.exit_code == (0 if factor == 1 else 1), done.output
    (name, file), = written
    assert name == model.COEFFICIENTS and file["made"]["yosys"] and file["weights"]["ecp5"]["scheduler"]["LUT"]
    assert len([row for row in file["platforms"] if row["family"] == "ecp5"]) == FITTED + HELD_OUT
    if factor > 1:
        assert f"ecp5, held_out{HELD_OUT - 1}: LUT off by -1" in done.stderr


@pytest.mark.parametrize("family", bench.FAMILIES)
def test_the_platforms_are_many_and_differ(family):
    fitted, held_out = platforms(family)
    assert (len(fitted), len(held_out)) == (FITTED, HELD_OUT) and FITTED + HELD_OUT >= 20
    assert len({p.model_copy(update={"name": "x"}).config_hash for p in [*fitted, *held_out]}) == FITTED + HELD_OUT
    for value in (lambda p: p.release.kind, lambda p: p.release.sporadic, lambda p: p.array.dtype,
                  lambda p: p.tables.shadow, lambda p: p.tables.parity, lambda p: p.tables.read,
                  lambda p: p.tables.tiles, lambda p: p.preemption, lambda p: p.pipeline, lambda p: p.trace.enabled,
                  lambda p: p.trace.statistics, lambda p: p.supervision.windows, lambda p: p.supervision.failures,
                  lambda p: p.supervision.watchdog, lambda p: p.bus.data_width, lambda p: p.buffers.banks):
        assert len({value(p) for p in fitted}) >= 2
    for value in (lambda p: p.array.rows * p.array.cols, lambda p: p.scheduler.kind, lambda p: p.scheduler.tasks,
                  lambda p: p.bus.address_width, lambda p: p.trace.depth):
        assert len({value(p) for p in fitted}) >= 3


def test_more_of_anything_has_no_fewer_registers_and_dsp_blocks():
    """LUT and BRAM may: a memory may become the other; with fewer banks than 3 also a queue in registers."""
    base = {"array": {"rows": 4, "cols": 4}, "buffers": {"banks": 4}}
    small = Platform.model_validate(base)
    for change in ({"array": {"rows": 8, "cols": 8}}, {"buffers": {"banks": 8}}, {"bus": {"data_width": 128}},
                   {"scheduler": {"tasks": 16}}, {"tables": {"entries": 4096}}, {"store": {"requant_lanes": 4}}):
        fields = {**base, **change}
        for family in model.fitted()["weights"]:
            before = model.estimate(small, family)[-1]
            after = model.estimate(Platform.model_validate(fields), family)[-1]
            assert all(after[kind] >= before[kind] for kind in ("REG", "DSP")), (family, change)


@pytest.mark.parametrize("family", model.fitted()["weights"])
def test_what_was_measured_is_within_the_tolerance(family):
    """The estimate of today against the areas recorded with its weights: 20 platforms and more, some not fitted to."""
    recorded = [row for row in model.fitted()["platforms"] if row["family"] == family]
    fitted, held_out = platforms(family)
    known = {p.name: p for p in [*fitted, *held_out]}
    assert len(recorded) >= 20 and sum(row["held_out"] for row in recorded) == HELD_OUT
    for row in recorded:
        total = model.estimate(known[row["platform"]], family)[-1]
        for kind in KINDS:
            assert abs(total[kind] - row[kind]) <= model.TOLERANCE * row[kind], (row["platform"], kind, total[kind])


def test_pieces_of_a_design_are_its_rows():
    design, target = toy_rtlil(), TARGETS["ice40"]
    kept = blocks_of(design)
    rows = {row["module"]: row for row in summarise(synthesise(design, target, keep=list(kept)), kept, target)}
    found = estimate_pieces.pieces(design, "derca", kept)
    assert set(found) == {*BLOCKS.values(), TOP_ROW}
    for row in ("job release", TOP_ROW):
        text, top = found[row]
        assert estimate_pieces.weighed(text, "ice40", top) == {kind: rows[row][kind] for kind in KINDS}, row


@pytest.mark.full
@pytest.mark.parametrize(("family", "platform"), [("ecp5", "small.toml"), ("ice40", "icebreaker.toml")])
def test_the_estimate_of_a_small_platform_against_yosys(family, platform, pytestconfig):
    p = load_platform(pytestconfig.rootpath / "sim" / "platforms" / platform)
    errors = estimate_fit.errors(p, estimate_pieces.areas(p, family), model.weights_of(family), family)
    assert all(abs(error) <= model.TOLERANCE for error in errors.values() if error is not None), errors


@pytest.mark.parametrize(("board", "synthesised"), [
    ("icebreaker", {"LUT": 3966, "REG": 2378, "BRAM": 30, "DSP": 8}),
    ("ulx3s-85f", {"LUT": 25958, "REG": 17544, "BRAM": 129, "DSP": 152}),
    ("ulx3s-85f-tinyml", {"LUT": 33120, "REG": 18685, "BRAM": 160, "DSP": 144}),
])
def test_the_estimate_of_a_board_against_its_netlist(board, synthesised):
    """As measured with Yosys 0.70; the ULX3S has a larger array than any platform that the weights are fitted to."""
    found = model.estimate_board(load_platform(BOARDS[board].platform), BOARDS[board])
    for kind in KINDS:
        assert abs(found[kind] - synthesised[kind]) <= model.TOLERANCE * synthesised[kind], (kind, found)


def with_options() -> list[tuple[str, Platform, dict]]:
    """Family, platform, and the measured area of its accelerator, as recorded with the weights of the options."""
    out = []
    for row in model.options()["measured"]:
        p = load_platform(PLATFORMS / f"{row['platform']}.toml")
        changed = {name: getattr(p, name).model_copy(update=row.get(name, {})) for name in ("operators", "tables")}
        out.append((row["family"], p.model_copy(update=changed), {kind: row[kind] for kind in KINDS}))
    return out


def test_accelerators_with_options_are_within_a_tenth():
    for family, p, measured in with_options():
        found, = (row for row in model.estimate(p, family) if row["module"] == "accelerator")
        for kind in KINDS:
            assert abs(found[kind] - measured[kind]) <= 0.1 * measured[kind], (family, p.name, p.operators, kind, found)


@pytest.mark.parametrize("family", model.options()["weights"])
def test_weights_of_options_are_those_of_what_was_measured(family):
    measured = [(p, area) for name, p, area in with_options() if name == family]
    assert estimate_fit.fit_options(measured, model.fitted()["weights"][family], family) == (
        model.options()["weights"][family])


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_has_an_estimate(board):
    p = load_platform(BOARDS[board].platform)
    found = model.estimate_board(p, BOARDS[board])
    assert all(found[kind] > 0 or not BOARDS[board].available[kind] for kind in KINDS), found
    assert sum(model.block_ram(p, BOARDS[board]).values()) == found["BRAM"]


def test_keys_named_with_block_ram_size_it():
    """A part of block RAM grows with each of the keys that it names."""
    base = load_platform(BOARDS["ulx3s-85f-tinyml"].platform)
    for key, value in {"requant.tables": 8, "store.requant_lanes": 2, "scheduler.tasks": 64, "tables.layers": 512,
                       "tables.regions": 512, "release.trace": 4096}.items():
        base = with_value(base, key, value)
    before, keys = model.block_ram(base, BOARDS["ulx3s-85f"]), set()
    for part, count in before.items():
        for key in set(re.findall(r"[a-z]+\.[a-z_]+", part)) - {"trace.statistics"}:
            section, name = key.split(".")
            larger = with_value(base, key, getattr(getattr(base, section), name) * (2 if section == "store" else 16))
            assert model.block_ram(larger, BOARDS["ulx3s-85f"])[part] > count, (part, key)
            keys.add(key)
    assert keys >= {"memory.size", "tables.entries", "tables.layers", "tables.regions", "requant.channels", "tile.m",
                    "tile.n", "tile.k", "buffers.slots", "buffers.banks", "requant.tables", "release.trace"}


def with_value(p: Platform, key: str, value: int) -> Platform:
    section, name = key.split(".")
    return p.model_copy(update={section: getattr(p, section).model_copy(update={name: value})})
