"""Weights that fit measured areas: least squares without negative weights, relative to the size of the platform."""

import numpy as np

from derca_sim.model.board import Board
from derca_sim.model.platform import Platform

from ..build import structure
from ..build.estimate import block_inputs, estimate, inputs
from ..resources import KINDS


def fit(measured: list[tuple[Platform, dict]], dissolved: list[tuple[Platform, dict, dict]],
        boards: list[tuple[Board, Platform, dict]], family: str) -> dict:
    """Weights of one family.

    Parameters
    ----------
    measured
        Platforms and their areas by block.
    dissolved
        Platforms, their areas by block, and those of the flattened design.
    boards
        Boards, their platforms, and the areas of what is around the accelerator.
    """
    sizes = [{kind: max(1, sum(row[kind] for row in areas.values())) for kind in KINDS} for _, areas in measured]
    features = [inputs(p, family) for p, _ in measured]
    weights = {block: _fit([one[block] for one in features], [areas[block] for _, areas in measured], sizes)
               for block in features[0]}
    weights["board"] = _fit([block_inputs(structure.around(p, board), family) for board, p, _ in boards],
                            [area for *_, area in boards], [dict.fromkeys(KINDS, 1)] * len(boards))
    weights["flattened"] = {}
    for kind in KINDS:
        apart = sum(sum(row[kind] for row in areas.values()) for _, areas, _ in dissolved)
        weights["flattened"][kind] = round(sum(flat[kind] for *_, flat in dissolved) / apart, 4) if apart else 1
    return weights


def _fit(features: list[dict], areas: list[dict], sizes: list[dict]) -> dict[str, dict[str, float]]:
    """Weights by kind of one block: errors count relative to the size of their platform."""
    out = {}
    for kind in KINDS:
        names = sorted({name for one in features for name in one[kind]})
        scale = np.array([size[kind] for size in sizes], float)
        matrix = np.array([[float(one[kind].get(name, 0)) for name in names] for one in features])
        found = nnls(matrix.reshape(len(features), len(names)) / scale[:, None],
                     np.array([float(area[kind]) for area in areas]) / scale)
        out[kind] = {n: float(f"{w:.5g}") for n, w in zip(names, found, strict=True) if w > 0}
    return out


def nnls(matrix: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The x >= 0 that minimises |matrix x - wanted|: the active set method of Lawson and Hanson."""
    size = np.linalg.norm(matrix, axis=0)
    size[size == 0] = 1
    a = matrix / size
    x, used = np.zeros(a.shape[1]), np.zeros(a.shape[1], bool)
    for _ in range(10 * len(x)):
        gain = a.T @ (wanted - a @ x)
        gain[used] = -np.inf
        best = int(gain.argmax())
        if gain[best] <= 1e-9:
            break
        used[best] = True
        while True:
            s = np.zeros(len(x))
            s[used] = np.linalg.lstsq(a[:, used], wanted, rcond=None)[0]
            if s[used].min() > 0:
                x = s
                break
            low = used & (s <= 0)
            step = (x[low] / (x[low] - s[low])).min()
            x = x + step * (s - x)
            used &= x > 1e-12
            x[~used] = 0
    return x / size


def synthesised(areas: dict, weights: dict) -> dict[str, float]:
    """The total of blocks that were kept apart, as if dissolved by the ratio that `weights` holds."""
    return {kind: round(sum(row[kind] for row in areas.values()) * weights["flattened"][kind], 1) for kind in KINDS}


def errors(p: Platform, areas: dict, weights: dict, family: str) -> dict[str, float | None]:
    """Relative error of the estimated total per kind; None where nothing is there."""
    total, real = estimate(p, family, weights)[-1], synthesised(areas, weights)
    return {kind: round(total[kind] / real[kind] - 1, 4) if real[kind] else None for kind in KINDS}
