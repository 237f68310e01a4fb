"""Task sets of random networks as models: what runs on the accelerator, what LiteRT makes of it, and when jobs come.

A seed fixes everything about a case.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from campaigns.network_platforms import network_platform
from campaigns.random_sets import compile_drawn, mapped_at_random, rough_cycles
from derca_sim.compile import Compiled
from derca_sim.compile.patches import window_tiles
from derca_sim.errors import InputError
from derca_sim.model.network import Network
from derca_sim.model.platform import Platform
from derca_sim.networks.lowering.deploy import Model, check_platform
from derca_sim.networks.lowering.samples import drawn
from derca_sim.networks.tflite import graph_of
from derca_sim.timing.mapping import choose
from derca_sim.timing.pitch import pitched
from derca_sim.workload.taskset import Task, TaskSet
from kit.graph_models import random_graph
from kit.image_graphs import random_image_graph
from oracles.litert import LiteRt

#: Networks of a case.
NETWORKS = 3
#: Longest job of a network, in cycles by a rough estimate, and the longest run.
_LONGEST, _HORIZON = 16_000, 90_000


@dataclass(frozen=True, eq=False)
class Drawn:
    """A network of a model, mapped, with the outputs of LiteRT's reference kernels for its samples: by name, in order.

    `kinds` counts the model's operators, `skipped` the draws before it that the platform cannot place, by reason.
    """

    network: Network
    wanted: dict[str, list[np.ndarray]]
    kinds: Counter
    skipped: Counter

    def differs(self, outputs: list[np.ndarray]) -> list[str]:
        """The outputs of the model that are not LiteRT's, given the outputs of all layers."""
        made = self.network.model.results(outputs)
        return [name for name, wanted in self.wanted.items() if not all(
            np.array_equal(found.reshape(value.shape), value)
            for found, value in zip(made[name], wanted, strict=True))]


@dataclass(frozen=True, eq=False)
class NetworkCase:
    """The case of a seed: its networks in the order of the tasks, and the compiled task set."""

    seed: int
    networks: tuple[Drawn, ...]
    compiled: Compiled

    def __str__(self) -> str:
        tasks = "; ".join(f"{t.name} {len(t.layers)} layers period {t.period} deadline {t.deadline} offset {t.offset}"
                          for t in self.compiled.tasks)
        return (f"seed {self.seed}: platform {self.compiled.platform.name}, strategy {self.compiled.strategy}, horizon "
                f"{self.compiled.taskset.horizon}: {tasks}")


def random_model(rng: np.random.Generator, p: Platform, name: str) -> Drawn:
    """A random model that the platform can run, mapped at random, or now and then as the compiler chooses."""
    skipped: Counter = Counter()
    while True:
        if p.operators.matmul and p.operators.transpose and rng.random() < 0.1:  # products, no images
            data, kinds = random_graph(int(rng.integers(1 << 30))), Counter({"products": 1})
        else:
            made = random_image_graph(p, rng)
            data, kinds = made.model, made.kinds
        try:
            model = Model(graph_of(name, data))
            network = _mapped(model.network(name, None, 0, 1 if rng.random() < 0.85 else 2), p, rng)
        except InputError as e:
            skipped[e.problems[0]] += 1
            continue
        if rough_cycles(p, network) <= _LONGEST:
            break
    count, oracle = network.model.count, LiteRt(data)
    samples = drawn(model.graph, count)
    each = [oracle.outputs([samples[x][i].reshape(model.graph.tensors[x].shape) for x in model.graph.inputs])
            for i in range(count)]
    wanted = {y: [values[j] for values in each] for j, y in enumerate(model.graph.outputs)}
    return Drawn(network, wanted, kinds, skipped)


def _mapped(network: Network, p: Platform, rng: np.random.Generator) -> Network:
    """The network with a tile for every layer.

    Raises
    ------
    InputError
        If the platform cannot place it, or has no tile for a window.
    """
    if rng.random() < 0.15:
        network = choose(p, network)
    else:
        network = pitched(p, network)
        if any(x.window is not None and next(window_tiles(p, x), None) is None for x in network.layers):
            raise InputError("no tile for a window")
        network = mapped_at_random(network, p, rng)
    check_platform(network, p)
    return network


def network_case(seed: int, platform: str) -> NetworkCase:
    """The task set of a seed on one of `NETWORK_PLATFORMS`: each of its tasks has a network of its own.

    The longest job comes first and has time. The others come while it runs, with earlier deadlines, and again.
    """
    p = network_platform(platform)
    rng = np.random.default_rng([51, seed])
    networks = [random_model(rng, p, f"net{i}") for i in range(NETWORKS)]
    networks.sort(key=lambda x: rough_cycles(p, x.network))
    cycles = [rough_cycles(p, x.network) for x in networks]
    horizon = min(_HORIZON, 3 * sum(cycles) + 4000)
    tasks = []
    for i, (one, own) in enumerate(zip(networks, cycles, strict=True)):
        longest = i == NETWORKS - 1
        period = horizon if longest else min(horizon, 3 * own // 2 + int(rng.integers(1, horizon // 5)))
        deadline = period if longest else max(1, int(period * rng.uniform(0.3, 0.95)))
        offset = int(rng.integers(20)) if longest else int(rng.integers(max(1, cycles[-1])))
        tasks.append(Task(f"t{i}", i, one.network, period, deadline, offset, False, ()))
    taskset = TaskSet(f"networks-{seed}", Path(f"networks-{seed}.toml"), p, horizon, tuple(tasks))
    choices = ["lw"] if p.preemption == "layer" else ["recompute", "persist", "flexible", "mixed"]
    choices += ["park", "park"] if p.buffers.spare else []
    strategy = choices[int(rng.integers(len(choices)))]
    every = int(rng.integers(1, 6))
    for sparser in (every, 4 * every, 16 * every, None):
        try:
            return NetworkCase(seed, tuple(networks), compile_drawn(rng, taskset, strategy, sparser))
        except InputError:
            if sparser is None:
                raise
    raise AssertionError("one of them is compiled, or none can be")
