"""LUT, REG, BRAM and DSP of a platform in milliseconds, before anything is generated or synthesised.

A block's area is a weighted sum of its features (`structure`): LUTs and registers with fitted weights, to which LUTs of
its LUT RAMs come; BRAM as a fitted multiple of the blocks that its memories need and a constant; DSP blocks likewise
from elements and lanes. `derca bench estimate` measures, fits and writes the weights with their errors.
"""

import functools
import json
from importlib import resources

from derca_sim.errors import InputError
from derca_sim.model.platform import Platform

from ..resources import KINDS
from .structure import blocks, stored

COEFFICIENTS = "coefficients.json"


@functools.cache
def fitted() -> dict:
    """The file of fitted weights: provenance, weights by family, block and kind, and the errors found."""
    return json.loads((resources.files(__package__) / "data" / COEFFICIENTS).read_text())


def inputs(p: Platform, family: str) -> dict[str, dict[str, dict[str, float]]]:
    """By block and kind: the features with which the kind is fitted."""
    out = {}
    for name, block in blocks(p).items():
        sizes = [stored(ram, family) for ram in block.rams]
        logic = {**block.features, "LUT RAM": sum(luts for _, luts in sizes)}
        multipliers = ("elements", "products", "lanes", "lanes of two bytes", "bytes of elements")
        out[name] = {
            "LUT": logic, "REG": logic,
            "BRAM": {"one": 1, "blocks": sum(blocks for blocks, _ in sizes)},
            "DSP": {f: block.features[f] for f in multipliers if f in block.features},
        }
    return out


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
        known = fitted()["weights"]
        if family not in known:
            raise InputError(f"family = {family}: no estimate; allowed are {', '.join(known)}")
        weights = known[family]
    rows = []
    for name, kinds in inputs(p, family).items():
        row = {"module": name}
        for kind in KINDS:
            found = weights[name][kind]
            row[kind] = max(0.0, sum(found.get(feature, 0) * value for feature, value in kinds[kind].items()))
        rows.append(row)
    dissolved = weights["flattened"]
    total = {kind: sum(row[kind] for row in rows) * dissolved[kind] for kind in KINDS}
    return [_rounded(row) for row in [*rows, {"module": "total", **total}]]


def _rounded(row: dict) -> dict:
    return {key: value if key == "module" else round(value * 2) / 2 if key == "BRAM" else round(value)
            for key, value in row.items()}
