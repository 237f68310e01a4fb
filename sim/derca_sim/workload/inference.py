"""Samples for the networks of a task set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..file_kinds import expect
from ..model.loading import problem
from ..model.network import Network
from ..model.network_files import read_npz
from ..networks.lowering.samples import fitting
from .taskset import TaskSet


def with_inputs(taskset: TaskSet, path: Path) -> TaskSet:
    """The task set with other inputs: of each array of an `.npz` file for the network, or the task, of its name.

    An array has [count, *shape] samples of a model's input, or [count, k] rows of another network's first layer, at
    least as many as the network's batch; the first ones are taken. A model with several inputs takes an array for each,
    NAME/INPUT.

    Raises
    ------
    InputError
        If the file cannot be read, names none of them, or does not fit.
    """
    expect(path, "samples")
    arrays, problems = read_npz(path), []
    wanted = {(task.index, name): _keys(task.network, name)
              for task in taskset.tasks for name in (task.name, task.network.name)}
    allowed = sorted({key for keys in wanted.values() for key in keys.values()})
    for name in sorted(set(arrays) - set(allowed)):
        problems.append(problem(path, name, "an array", f"the names of networks and tasks: {', '.join(allowed)}"))
    if not arrays:
        problems.append(f"{path}: it holds no array: allowed are {', '.join(allowed)}")
    replaced: dict[int, Network] = {}  # by identity: tasks may share a network
    tasks = []
    for task in taskset.tasks:
        network = task.network
        for name in (task.name, network.name):
            keys = wanted[task.index, name]
            if id(network) in replaced or not set(keys.values()) & set(arrays):
                continue
            missing = [key for key in keys.values() if key not in arrays]
            if missing:
                problems.append(f"{path}: {name}: {', '.join(missing)} missing: give an array for each of its inputs")
                continue
            try:
                replaced[id(network)] = fed(network, {given: arrays[key] for given, key in keys.items()})
            except InputError as e:
                problems += [f"{path}: {name}: {line}" for line in e.problems]
        tasks.append(replace(task, network=replaced.get(id(network), network)))
    if problems:
        raise InputError(*problems)
    return replace(taskset, tasks=tuple(tasks))


def _keys(network: Network, name: str) -> dict[str, str]:
    """The arrays for a task or network of a name, by input: its name alone, or with each of several inputs."""
    names = ("",) if network.model is None else network.model.graph.inputs
    return named(name, names)


def named(name: str, parts: Sequence[str]) -> dict[str, str]:
    """What the arrays of a task are called in a file: its name, or NAME/PART if there are several."""
    return {part: name if len(parts) == 1 else f"{name}/{part}" for part in parts}


def fed(network: Network, samples: Mapping[str, np.ndarray]) -> Network:
    """A network with other inputs: the first samples [count, *shape] of each input by name, "" without a model.

    Raises
    ------
    InputError
        If they do not fit, or are fewer than the network's batch.
    """
    model = network.model
    if model is not None:
        return replace(network, inputs=model.inputs(fitting(model.graph, samples, model.count)))
    rows, (first, *others) = samples[""], network.inputs
    if rows.dtype != first.dtype or rows.shape[1:] != first.shape[1:] or len(rows) < len(first):
        raise InputError(f"{rows.dtype} {list(rows.shape)}: allowed are {first.dtype} arrays of shape "
                         f"[count, {first.shape[1]}], count from {len(first)} on")
    return replace(network, inputs=(rows[: len(first)], *others), labels=None)
