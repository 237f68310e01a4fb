"""Weights that fit measured areas: least squares without negative weights, relative to the size of the platform."""

import numpy as np

from derca_flow.area import structure
from derca_flow.area.estimate import FITTED, estimate, estimate_board, features
from derca_flow.area.estimate import area as area_of
from derca_flow.tools.cells import KINDS
from derca_sim.model.board import Board
from derca_sim.model.platform import Platform


def fit(measured: list[tuple[Platform, dict]], dissolved: list[tuple[Platform, dict, dict]],
        boards: list[tuple[Board, Platform, dict, dict]], family: str) -> dict:
    """The weights of one family.

    Parameters
    ----------
    measured
        Platforms and their areas by block.
    dissolved
        Platforms, their areas by block, and those of the flattened design.
    boards
        Boards, their platforms, the areas of the parts around the accelerator, and, if known, those of the whole as
        built.
    """
    sizes = [{kind: sum(row[kind] for row in areas.values()) for kind in FITTED} for _, areas in measured]
    parts = [structure.blocks(p, family) for p, _ in measured]
    weights = {name: _fit([features(of_one[name], family) for of_one in parts], [areas[name] for _, areas in measured],
                          sizes) for name in parts[0]}
    weights["board"] = _fit([structure.around(p, board).features for board, p, *_ in boards],  # few: nothing finer
                            [area for _, _, area, _ in boards], [dict.fromkeys(FITTED, 1)] * len(boards))
    weights["flattened"], weights["built"] = {}, {}
    for kind in FITTED:
        apart = sum(sum(row[kind] for row in areas.values()) for _, areas, _ in dissolved)
        weights["flattened"][kind] = round(sum(flat[kind] for *_, flat in dissolved) / apart, 4) if apart else 1
    if any(total for *_, total in boards):
        plain = [estimate_board(p, board, weights) for board, p, *_ in boards]
        weights["built"] = {kind: round(sum(total[kind] for *_, total in boards) / sum(one[kind] for one in plain), 4)
                            for kind in FITTED}
    return weights


def fit_options(measured: list[tuple[Platform, dict]], known: dict, family: str) -> dict:
    """The weights of the accelerator's options in one family: they make up what the known weights leave out.

    Parameters
    ----------
    measured
        Platforms, and the areas of their accelerators.
    known
        The weights of the family, as `fit` gives them.
    """
    counts, rest, sizes = [], [], []
    for p, area in measured:
        block = structure.blocks(p, family)["accelerator"]
        counts.append({name: count for name, count in features(block, family).items()
                       if name in structure.OF_OPTIONS})
        without = area_of(block, family, known["accelerator"])
        rest.append({kind: max(0, area[kind] - without[kind]) for kind in FITTED})
        sizes.append(area)
    return _fit(counts, rest, sizes)


def _fit(counts: list[dict], areas: list[dict], sizes: list[dict]) -> dict[str, dict[str, float]]:
    """Weights by kind of one block: errors count relative to the size of their platform."""
    out = {}
    names = sorted({name for one in counts for name in one})
    matrix = np.array([[float(one.get(name, 0)) for name in names] for one in counts]).reshape(len(counts), len(names))
    for kind in FITTED:
        scale = np.array([size[kind] for size in sizes], float)
        found = nnls(matrix / scale[:, None], np.array([float(area[kind]) for area in areas]) / scale)
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
    return {kind: round(sum(row[kind] for row in areas.values()) * weights["flattened"].get(kind, 1), 1)
            for kind in KINDS}


def errors(p: Platform, areas: dict, weights: dict, family: str) -> dict[str, float | None]:
    """Relative error of the estimated total per kind; None where nothing is there."""
    total, real = estimate(p, family, weights)[-1], synthesised(areas, weights)
    return {kind: round(total[kind] / real[kind] - 1, 4) if real[kind] else None for kind in KINDS}
