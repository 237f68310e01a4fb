"""Samples for the networks of a task set."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..model.loading import problem
from ..model.network import Network, read_npz
from ..networks.lowering.samples import fitting
from .taskset import TaskSet


def with_inputs(taskset: TaskSet, path: Path) -> TaskSet:
    """The task set with other inputs: of each array of an `.npz` file for the network, or the task, of its name.

    An array has [count, *shape] samples of a model's input, or [count, k] rows of another network's first layer, at
    least as many as the network's batch; the first ones are taken.

    Raises
    ------
    InputError
        If the file cannot be read, names none of them, or does not fit.
    """
    arrays, problems = read_npz(path), []
    names = {name for task in taskset.tasks for name in (task.name, task.network.name)}
    for name in sorted(set(arrays) - names):
        problems.append(problem(path, name, "an array", f"the names of networks and tasks: {', '.join(sorted(names))}"))
    if not arrays:
        problems.append(f"{path}: it holds no array: allowed are {', '.join(sorted(names))}")
    replaced: dict[int, Network] = {}  # by identity: tasks may share a network
    tasks = []
    for task in taskset.tasks:
        network = task.network
        for name in (task.name, network.name):
            if name in arrays and id(network) not in replaced:
                try:
                    replaced[id(network)] = _fed(network, arrays[name])
                except InputError as e:
                    problems += [f"{path}: {name}: {line}" for line in e.problems]
        tasks.append(replace(task, network=replaced.get(id(network), network)))
    if problems:
        raise InputError(*problems)
    return replace(taskset, tasks=tuple(tasks))


def _fed(network: Network, samples: np.ndarray) -> Network:
    first = network.inputs[0]
    if network.model is not None:
        batch = len(first) // network.model.rows
        rows = network.model.quantised(fitting(network.model.graph, samples, batch))
    else:
        if samples.dtype != first.dtype or samples.shape[1:] != first.shape[1:] or len(samples) < len(first):
            raise InputError(f"{samples.dtype} {list(samples.shape)}: allowed are {first.dtype} arrays of shape "
                             f"[count, {first.shape[1]}], count from {len(first)} on")
        rows = samples[: len(first)]
    return replace(network, inputs=(rows, *network.inputs[1:]), labels=None)
