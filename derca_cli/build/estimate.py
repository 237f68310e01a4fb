"""LUT, REG, BRAM and DSP of a platform in milliseconds, before anything is generated or synthesised.

A block's area is a weighted sum of its features (`structure`): LUTs and registers with fitted weights, to which LUTs of
its LUT RAMs come; BRAM as a fitted multiple of the blocks that its memories need and a constant; DSP blocks likewise
from elements and lanes. `derca bench estimate` measures, fits and writes the weights with their errors.
"""

import functools
import json
from importlib import resources

from derca_sim.errors import InputError
from derca_sim.model.board import Board
from derca_sim.model.platform import Platform

from ..resources import KINDS
from .structure import Block, around, blocks, smallest_block, stored

COEFFICIENTS = "coefficients.json"
#: Largest error that a total may have.
TOLERANCE = 0.15


@functools.cache
def fitted() -> dict:
    """The file of fitted weights: provenance, weights by family, block and kind, and the errors found."""
    return json.loads((resources.files(__package__) / "data" / COEFFICIENTS).read_text())


#: What multipliers are made for.
_MULTIPLIERS = ("elements", "products", "lanes", "lanes of two bytes", "bytes of elements")


def inputs(p: Platform, family: str) -> dict[str, dict[str, dict[str, float]]]:
    """By block and kind: the features with which the kind is fitted."""
    return {name: block_inputs(block, family) for name, block in blocks(p).items()}


def block_inputs(block: Block, family: str) -> dict[str, dict[str, float]]:
    """By kind: the features with which the kind is fitted."""
    sizes = [stored(ram, family) for ram in block.rams]
    logic = {**block.features, "LUT RAM": sum(luts for _, luts in sizes)}
    return {
        "LUT": logic, "REG": logic,
        "BRAM": {"one": 1, "blocks": sum(blocks for blocks, _ in sizes)},
        "DSP": {f: block.features[f] for f in _MULTIPLIERS if f in block.features},
    }


def weighted(kinds: dict[str, dict[str, float]], weights: dict[str, dict[str, float]]) -> dict[str, float]:
    """LUT, REG, BRAM and DSP of a block's features."""
    return {kind: sum(weights[kind].get(feature, 0) * value for feature, value in kinds[kind].items())
            for kind in KINDS}


def estimate(p: Platform, family: str, weights: dict | None = None) -> list[dict]:
    """Rows as those of `derca report`: module, LUT, REG, BRAM, DSP; the last is the total, flattened.

    Parameters
    ----------
    weights
        Those of the family instead of the fitted ones.

    Raises
    ------
    InputError
        For a family without weights.
    """
    if weights is None:
        weights = weights_of(family)
    rows = [{"module": name, **weighted(kinds, weights[name])} for name, kinds in inputs(p, family).items()]
    dissolved = weights["flattened"]
    total = {kind: sum(row[kind] for row in rows) * dissolved[kind] for kind in KINDS}
    return [_rounded(row, family) for row in [*rows, {"module": "total", **total}]]


def estimate_board(p: Platform, board: Board) -> dict[str, float]:
    """LUT, REG, BRAM and DSP of a board's top with the accelerator of a platform.

    Raises
    ------
    InputError
        For a board whose family has no weights.
    """
    family = board.target
    weights = weights_of(family)
    total, added = estimate(p, family)[-1], weighted(block_inputs(around(p, board), family), weights["board"])
    return _rounded({kind: total[kind] + added[kind] for kind in KINDS}, family)


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
    return known[family]


def _rounded(row: dict, family: str) -> dict:
    """Whole units; of BRAM the parts that the family has."""
    parts = 1 / smallest_block(family)
    return {key: value if key == "module" else round(value * parts) / parts if key == "BRAM" and parts != 1
            else round(value) for key, value in row.items()}
