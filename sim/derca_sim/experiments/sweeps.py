"""Sweeps that a user describes: the share of schedulable task sets against one parameter, for several strategies.

A file names the parameter and its values, the number of sets at each value, and where task sets come from: execution
times drawn at random (`tasks`), networks of a task set on its platform with periods drawn at random (`networks`), or
the reference's workloads on its timing, by its rules (`reference`).
"""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from ..analysis.kinds import FIELD_NAMES, FULL, KINDS, TITLES
from ..analysis.model import System
from ..analysis.policies import in_full
from ..analysis.verdict import analyse
from ..compile.compiler import compile_taskset
from ..errors import InputError
from ..file_kinds import expect
from ..model.loading import freeze, problem, read_toml, validate
from ..model.platform import Name, Policy
from ..model.sections import Section
from ..timing.hardware import HardwareTiming
from ..timing.mapping import mapped
from ..units import Unit
from ..workload.policies import proved_policy
from ..workload.taskset import load_taskset
from . import figures, tasksets
from .random_sets import TIMES, RandomTasks, drawn, shares
from .series import ALL_SERIES, PAPER_SERIES, PLAIN
from .workloads import WORKLOADS

#: Most task sets of a sweep.
MAX_SETS = 1_000_000
#: Ending of a strategy's name with which every candidate point is in use.
EVERY_POINT = "-all"

Number = Annotated[float, Field(ge=-1e12, le=1e12)]


class AxisSection(Section):
    """The parameter that is swept: its `values`, or those `from` .. `to` in steps of `step`."""

    parameter: str
    """Key of the source of task sets, or with `networks` `platform.SECTION.KEY`."""
    values: Annotated[tuple[Number, ...], Field(min_length=1, max_length=1000)] | None = None
    """Values of the parameter."""
    first: Annotated[Number | None, Field(alias="from")] = None
    """First value."""
    to: Number | None = None
    """Last value."""
    step: Annotated[float, Field(gt=0, le=1e12)] | None = None
    """Step from one value to the next."""


class NetworksSection(Section):
    """Networks of a task set file, each the network of one task, with random periods."""

    taskset: str
    """Task set file, relative to the sweep's folder."""
    utilisation: Annotated[float, Field(gt=0, le=2)] = 0.8
    """Total utilisation of a set; shares are drawn by UUniFast."""
    least: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Least share of a task."""


class ReferenceSection(Section):
    """Tasks of one of the reference's workloads, drawn and timed by its rules (`derca reproduce fig11a`)."""

    workload: str
    """Workload of the reference; a wrong name lists all."""
    number: Annotated[int, Field(ge=2, le=64)] = 2
    """Tasks of a set."""
    utilisation: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Total utilisation of a set."""


class SweepSection(Section):
    """A sweep file: a parameter, strategies, and one of the tables `tasks`, `networks` and `reference`."""

    name: Name
    """Name of the sweep and of its files."""
    seed: Annotated[int, Field(ge=0, le=(1 << 63) - 1)] = figures.SEED
    """Seed from which all sets are drawn."""
    sets: Annotated[int, Field(ge=1, le=MAX_SETS)] = 100
    """Task sets at each value of the parameter."""
    strategies: Annotated[tuple[str, ...], Field(min_length=1)] = ("np", "joint")
    """Strategies of `derca analyze`; with `-all` behind, every candidate point is in use. `limited` is another name of
    `joint`; `full` has every candidate point in use, each with its cheapest kind. With `reference`, series of
    `derca reproduce`."""
    policies: Annotated[tuple[Annotated[Policy, BeforeValidator(in_full)], ...], Field(min_length=1)] | None = None
    """Policies of the analysis, `edf` and `deadline_monotonic`, or `dm`: a curve for each with each strategy. By
    default the first policy of the platform of `networks`, else `edf`. With `reference` only `edf`."""
    x: AxisSection
    """The parameter."""
    unit: Unit | None = None
    """With `tasks`: what their times count, cycles, ns, us or ms, for the axis of a figure against a time."""
    tasks: RandomTasks | None = None
    """Execution times and prices drawn at random."""
    networks: NetworksSection | None = None
    """Networks on their platform."""
    reference: ReferenceSection | None = None
    """The reference's workloads."""


def load_sweep(path: Path, policies: Sequence[str] | None = None) -> dict:
    """A sweep file as a plain object: `name`, `parameter`, `policies` and `cells`, one for each task set.

    `unit` is that of the parameter, None if it has none.

    `policies`, by any of their names, replace those of the file, unless there are none.

    Raises
    ------
    InputError
        One line for every problem of the file.
    """
    expect(path, "sweep")
    section = validate(read_toml(path), SweepSection, path)
    sources = [name for name in ("tasks", "networks", "reference") if getattr(section, name) is not None]
    if len(sources) != 1:
        raise InputError(problem(path, "tasks, networks, reference", sources, "exactly one of these tables"))
    source, = sources
    known = tuple(ALL_SERIES) if source == "reference" else tuple(KINDS) + tuple(
        f"{name}{EVERY_POINT}" for name in KINDS if name not in ("np", "joint")) + (*FIELD_NAMES, FULL)
    problems = [problem(path, f"strategies[{i}]", name, ", ".join(known))
                for i, name in enumerate(section.strategies) if name not in known]
    if source == "reference" and section.reference.workload not in WORKLOADS:
        problems.append(problem(path, "reference.workload", section.reference.workload, ", ".join(WORKLOADS)))
    if source != "tasks" and section.unit is not None:
        problems.append(f'{path}: unit = "{section.unit}": allowed with [tasks] only; remove it')
    policies = _policies(section, source, policies, path)
    values, base = _values(section.x, path), getattr(section, source).model_dump(mode="json")
    if source == "networks":
        base["taskset"] = str((path.parent / base["taskset"]).resolve())
    if problems:
        raise InputError(*problems)
    cells = []
    for value in values:
        changed = _changed(section, source, base, value, path)
        cells += [{"source": source, "seed": section.seed, "strategies": list(section.strategies),
                   "policies": policies, "x": value,
                   "index": i, **changed} for i in range(section.sets)]
    if len(cells) > MAX_SETS:
        raise InputError(problem(path, "sets", section.sets, f"at most {MAX_SETS:,} sets in all"))
    return {"name": section.name, "parameter": section.x.parameter, "source": source, "policies": policies,
            "unit": section.unit if source == "tasks" and section.x.parameter in TIMES else None,
            "cells": cells}


def evaluate(cell: dict) -> dict:
    """Policy -> strategy -> whether the task set of a cell is proved so (1, 0), as `passed`; its utilisation, `real`.

    Raises
    ------
    InputError, MissingToolError
        If the set cannot be drawn or compiled.
    """
    key = cell["seed"], "sweep", f"{cell['x']:g}", cell["index"]
    given = cell[cell["source"]]
    if cell["source"] == "reference":
        return _reference(cell, given)
    rng = tasksets.generator(*key)
    system = drawn(RandomTasks.model_validate(freeze(given)), rng) if cell["source"] == "tasks" else \
        _of_networks(given, cell.get("platform", {}), rng)
    passed = {policy: {name: int(analyse(replace(system, policy=policy), *_meant(name), first=True).schedulable)
                       for name in cell["strategies"]} for policy in cell["policies"]}
    return {"passed": passed, "real": sum(task.length / task.period for task in system.tasks)}


def rows_of(sweep: dict, results: Sequence[dict]) -> list[dict]:
    """One row per value of the parameter, policy and strategy: sets, percent of them proved, mean utilisation."""
    groups: dict[float, list[dict]] = {}
    for cell, result in zip(sweep["cells"], results, strict=True):
        groups.setdefault(cell["x"], []).append(result)
    return [{
        sweep["parameter"]: x, "strategy": name, "policy": policy, "sets": len(group),
        "proved_percent": 100 * sum(result["passed"][policy][name] for result in group) / len(group),
        "mean_utilisation": sum(result["real"] for result in group) / len(group),
    } for x, group in groups.items() for policy, names in group[0]["passed"].items() for name in names]


def curves(rows: Sequence[dict], parameter: str) -> dict[str, dict[float, float]]:
    """Name of a curve -> value of the parameter -> percent proved; the policy is named where there are several."""
    several = len({row["policy"] for row in rows}) > 1
    found: dict[str, dict[float, float]] = {}
    for row in rows:
        name = f"{row['strategy']}, {row['policy']}" if several else row["strategy"]
        found.setdefault(name, {})[row[parameter]] = row["proved_percent"]
    return found


def labels(sweep: dict) -> dict[str, str]:
    """The strategies of a sweep in words, for a legend."""
    if sweep["source"] == "reference":
        return TITLES | {name: series.label for name, series in PAPER_SERIES.items()}
    return TITLES | {f"{name}{EVERY_POINT}": f"{title}, every point" for name, title in TITLES.items()}


def _meant(name: str) -> tuple[str, bool]:
    """The strategy of a name in a sweep file, and whether its points are chosen."""
    return FIELD_NAMES.get(name, name.removesuffix(EVERY_POINT)), not name.endswith(EVERY_POINT)


def _policies(section: SweepSection, source: str, given: Sequence[str] | None, path: Path) -> list[str]:
    """The full names of the policies of a sweep, each once."""
    names = given or section.policies
    if not names:
        file = path.parent / section.networks.taskset if source == "networks" else None
        names = ["edf"] if file is None else load_taskset(file).platform.scheduler.policies[:1]
    found = list(dict.fromkeys(proved_policy(name, "--policy" if given else f"{path}: policies") for name in names))
    if source == "reference" and found != ["edf"]:
        raise InputError(problem(path, "policies", found, "edf alone with [reference], whose rules are those of EDF"))
    return found


def _values(axis: AxisSection, path: Path) -> list[float]:
    """The values of the parameter, whole ones as whole numbers."""
    span = axis.first, axis.to, axis.step
    given = [name for name, value in (("values", axis.values), *zip(("from", "to", "step"), span, strict=True))
             if value is not None]
    if given not in (["values"], ["from", "to", "step"]):
        raise InputError(problem(path, "x", given, 'either values, or from, to and step'))
    values = axis.values
    if values is None:
        count = int((axis.to - axis.first) / axis.step + 1e-9) + 1
        if not 1 <= count <= 1000:
            raise InputError(problem(path, "x.step", axis.step, "steps that give 1 .. 1000 values"))
        values = [round(axis.first + i * axis.step, 10) for i in range(count)]
    return [int(value) if float(value).is_integer() else value for value in values]


def _changed(section: SweepSection, source: str, base: dict, value: float, path: Path) -> dict:
    """The table of the source, and what changes on the platform, with the parameter at a value."""
    name = section.x.parameter
    if source == "networks" and name.startswith("platform."):
        return {source: base, "platform": {name.removeprefix("platform."): value}}
    numbers = [key for key, old in base.items() if isinstance(old, int | float | list | None)]
    if name not in numbers:
        more = " and platform.SECTION.KEY" if source == "networks" else ""
        raise InputError(problem(path, "x.parameter", name, f"{', '.join(numbers)}{more}"))
    table = {**base, name: [value, value] if isinstance(base[name], list) else value}
    try:
        type(getattr(section, source)).model_validate(freeze(table))
    except ValidationError as e:
        raise InputError(f"{path}: x: {source}.{name} = {value}: {e.errors()[0]['msg'].lower()}") from None
    return {source: table}


def _reference(cell: dict, given: dict) -> dict:
    """The verdicts of series of `reproduce` on a set of the reference's generator."""
    tasks = tasksets.reference_set(cell["seed"], given["workload"], given["utilisation"], cell["index"],
                                   given["number"])
    passed, length = {}, {}
    for name in cell["strategies"]:
        series = ALL_SERIES[name]
        specs = tasksets.specs(tasks, figures.period_model(series), tasksets.reference_periods)
        passed[name] = int(series.verdict(specs).schedulable)
    for spec in tasksets.specs(tasks, PLAIN, tasksets.reference_periods):
        length[spec.name] = PLAIN.execution(spec.layers) / spec.period
    return {"passed": {"edf": passed}, "real": sum(length.values())}


def _of_networks(given: dict, platform: dict[str, Any], rng: random.Random) -> System:
    """The networks of a task set with random shares of a utilisation; deadlines are periods."""
    system = _timed(given["taskset"], json.dumps(platform, sort_keys=True))
    found = shares("uunifast", len(system.tasks), given["utilisation"], given["least"], 1.0, rng)
    tasks = []
    for task, share in zip(system.tasks, found, strict=True):
        period = max(task.length + 1, -(-task.length * 10**9 // max(1, int(share * 10**9))))
        tasks.append(replace(task, period=period, deadline=period))
    return replace(system, tasks=tuple(tasks))


@lru_cache(maxsize=8)
def _timed(file: str, platform: str) -> System:
    """The tasks of a file with their lengths and prices on its platform, of which some keys are changed."""
    taskset = load_taskset(Path(file))
    data = taskset.platform.model_dump()
    for key, value in json.loads(platform).items():
        *sections, last = key.split(".")
        table = data
        for section in sections:
            table = table.get(section) if isinstance(table, dict) else None
        if not isinstance(table, dict) or last not in table:
            raise InputError(f"x.parameter = platform.{key}: allowed are keys of a platform, such as "
                             "platform.memory.read_latency")
        table[last] = value
    changed = validate(data, type(taskset.platform), f"x: {file}")
    return HardwareTiming(compile_taskset(mapped(replace(taskset, platform=changed)), "flexible")).system()
