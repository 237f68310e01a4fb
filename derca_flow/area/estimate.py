"""The estimate of a platform's LUT, REG, BRAM and DSP in milliseconds, without generation or synthesis.

BRAM and DSP blocks follow by rule from the platform's memories and multipliers (`rams`, `structure`). LUTs and
registers of a block are a weighted sum of its features and of the memories outside block RAM. `derca bench estimate`
measures platforms, fits the weights, and writes them with their errors.
"""

import functools
import json
from importlib import resources

from derca_sim.errors import InputError
from derca_sim.model.board import Board
from derca_sim.model.platform import Platform

from ..tools.cells import KINDS
from .rams import Stored, smallest_block, stored
from .structure import Block, around, blocks

COEFFICIENTS = "coefficients.json"
#: Weights of the accelerator's options, which the platforms behind `COEFFICIENTS` have not.
OPTIONS = "options.json"
#: Largest error that a total may have.
TOLERANCE = 0.15
#: Resources that have weights.
FITTED = ("LUT", "REG")


@functools.cache
def fitted() -> dict:
    """The file of fitted weights: provenance, weights by family, block and kind, and errors."""
    return json.loads((resources.files(__package__) / "data" / COEFFICIENTS).read_text())


@functools.cache
def options() -> dict:
    """The file of the options' weights: provenance, measured accelerators, weights by family and kind."""
    return json.loads((resources.files(__package__) / "data" / OPTIONS).read_text())


def features(block: Block, family: str) -> dict[str, float]:
    """The quantities by which a block's LUTs and registers are fitted."""
    memories = _memories(block, family)
    return {**block.features, "LUT RAM": memories.luts, "bits in registers": memories.bits,
            "bits read out of LUT RAM": memories.read, "emulated bits": memories.emulated}


def area(block: Block, family: str, weights: dict[str, dict[str, float]]) -> dict[str, float]:
    """LUT, REG, BRAM and DSP of a block."""
    counts = features(block, family)
    return {
        **{kind: sum(weights[kind].get(name, 0) * count for name, count in counts.items()) for kind in FITTED},
        "BRAM": _memories(block, family).blocks, "DSP": block.multipliers,
    }


def _memories(block: Block, family: str) -> Stored:
    return sum((stored(ram, family) for ram in block.rams), Stored())


def estimate(p: Platform, family: str, weights: dict | None = None) -> list[dict]:
    """Rows like those of `derca report`: module, LUT, REG, BRAM, DSP. The last row is the total, flattened.

    Parameters
    ----------
    weights
        The weights of the family, instead of the fitted ones.

    Raises
    ------
    InputError
        For a family without weights.
    """
    if weights is None:
        weights = weights_of(family)
    rows = [{"module": name, **area(block, family, weights[name])} for name, block in blocks(p, family).items()]
    dissolved = weights["flattened"]
    total = {kind: sum(row[kind] for row in rows) * dissolved.get(kind, 1) for kind in KINDS}
    return [_rounded(row, family) for row in [*rows, {"module": "total", **total}]]


def estimate_board(p: Platform, board: Board, weights: dict | None = None) -> dict[str, float]:
    """LUT, REG, BRAM and DSP of a board's top with the accelerator of a platform, as `derca build` synthesises it.

    Raises
    ------
    InputError
        For a board whose family has no weights.
    """
    family = board.target
    if weights is None:
        weights = weights_of(family)
    total, added = estimate(p, family, weights)[-1], area(around(p, board), family, weights["board"])
    return _rounded({kind: (total[kind] + added[kind]) * weights["built"].get(kind, 1) for kind in KINDS}, family)


def block_ram(p: Platform, board: Board | None = None, family: str | None = None) -> dict[str, float]:
    """Blocks of RAM by what they hold, the most first: those of a board's top, or of a platform alone in a family.

    Each name is followed by the keys of the platform that size it; the rest of a block goes by the name of the block.
    """
    target = board.target if board is not None else family
    found = blocks(p, target) | ({"board": around(p, board)} if board is not None else {})
    out: dict[str, float] = {}
    for name, block in found.items():
        for ram in block.rams:
            part = ram.part or f"others of {name}"
            out[part] = out.get(part, 0) + stored(ram, target).blocks
    return dict(sorted(((part, count) for part, count in out.items() if count), key=lambda one: -one[1]))


def named(parts: dict[str, float]) -> str:
    """Counts with their names, in words."""
    return ", ".join(f"{count:,g} {name}" for name, count in parts.items())


def weights_of(family: str) -> dict:
    """The fitted weights of a family.

    Raises
    ------
    InputError
        If there are none.
    """
    known = fitted()["weights"]
    if family not in known:
        raise InputError(f"family = {family}: no estimate; allowed are {', '.join(known)}")
    weights, added = dict(known[family]), options()["weights"].get(family, {})
    weights["accelerator"] = {kind: {**found, **added.get(kind, {})}
                              for kind, found in weights["accelerator"].items()}
    return weights


def _rounded(row: dict, family: str) -> dict:
    """The figures in whole units; BRAM in the fractions of a block that the family has."""
    parts = 1 / smallest_block(family)
    return {key: value if key == "module" else round(value * parts) / parts if key == "BRAM" and parts != 1
            else round(value) for key, value in row.items()}
