"""The platforms that an exploration tries: the values of each key, and which of their combinations are platforms."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from derca_sim.errors import InputError
from derca_sim.file_kinds import expect
from derca_sim.model.loading import problem, read_toml, validate
from derca_sim.model.platform import Platform

#: Keys that change together -> the values of each in turn.
Space = dict[tuple[str, ...], list[tuple[Any, ...]]]
#: Most combinations of values.
MAX_CANDIDATES = 20_000
#: Rows and columns of arrays, and tiles as (panels of rows, k steps, panels of columns).
ARRAYS, TILES = ((4, 4), (8, 4), (8, 8), (16, 8), (16, 16)), ((2, 32, 2), (4, 64, 4), (8, 160, 4))


def default_space() -> Space:
    """Arrays of 16 to 256 elements, three sizes of tiles, two or three buffers, buses of three widths."""
    shapes = [(rows, cols, m * rows, k, n * cols) for rows, cols in ARRAYS for m, k, n in TILES]
    return {
        ("array.rows", "array.cols", "tile.m", "tile.k", "tile.n"): shapes,
        ("buffers.slots", "buffers.banks"): [(2, 2), (3, 3)],
        ("buffers.spare",): [(0,), (1,)],
        ("bus.data_width",): [(32,), (64,), (128,)],
    }


def load_space(path: Path) -> Space:
    """The space of a file: keys of a platform with the list of values to try, such as `"array.rows" = [4, 8]`.

    A list of lists under several keys, as `"array.rows, array.cols" = [[4, 4], [8, 8]]`, changes them together.

    Raises
    ------
    InputError
        One line for every problem.
    """
    expect(path, "space")
    space, problems = {}, []
    for key, values in read_toml(path).items():
        keys = tuple(part.strip() for part in key.split(","))
        if not isinstance(values, tuple) or not values or (
                len(keys) > 1 and any(not isinstance(v, tuple) or len(v) != len(keys) for v in values)):
            each = ", each a list with one for every key" * (len(keys) > 1)
            problems.append(problem(path, f'"{key}"', values, f"lists of values{each}"))
            continue
        if wrong := [one for one in keys if not _known(one)]:
            problems.append(problem(path, f'"{key}"', wrong, "keys of a platform, such as array.rows"))
        space[keys] = [v if len(keys) > 1 else (v,) for v in values]
    if not space and not problems:
        problems.append(f"{path}: is empty: allowed are keys of a platform with lists of values")
    if problems:
        raise InputError(*problems)
    return space


def candidates(base: Platform, space: Space) -> Iterator[dict[str, Any]]:
    """The changes to a platform that give another valid one, each once.

    Raises
    ------
    InputError
        If there are too many combinations, or none is a platform.
    """
    count = 1
    for values in space.values():
        count *= len(values)
    if count > MAX_CANDIDATES:
        raise InputError(f"the space has {count:,} combinations: allowed are up to {MAX_CANDIDATES:,}")
    seen, found, reason = set(), 0, ""
    for chosen in itertools.product(*space.values()):
        changes = dict(pair for keys, values in zip(space, chosen, strict=True)
                       for pair in zip(keys, values, strict=True))
        try:
            platform = changed(base, changes)
        except InputError as e:
            reason = e.problems[0]
            continue
        if platform.config_hash not in seen:
            seen.add(platform.config_hash)
            found += 1
            yield changes
    if not found:
        raise InputError(f"no combination of the space is a platform; the last one: {reason}")


def changed(base: Platform, changes: dict[str, Any]) -> Platform:
    """The platform with some keys changed; lanes of the store engine stay within the rows of the array.

    Raises
    ------
    InputError
        If that is no platform.
    """
    fields = base.model_dump()
    for key, value in changes.items():
        *sections, last = key.split(".")
        table = fields
        for section in sections:
            table = table[section]
        table[last] = value
    if "store.requant_lanes" not in changes:
        fields["store"]["requant_lanes"] = min(fields["store"]["requant_lanes"], fields["array"]["rows"])
    return validate(fields, Platform, "candidate").read_from(base.file)


def _known(key: str) -> bool:
    table: Any = Platform().model_dump()
    for part in key.split("."):
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return not isinstance(table, dict)
