"""Random task sets that demand more than there is: releases that are kept or abort, policies other than EDF.

A seed fixes everything about a case. Each kind of set has a few control planes, which seeds take in turn, so that few
simulations are compiled. Most of them have times of 16 bits, and runs last longer than 2^16 cycles.
"""

from itertools import product
from pathlib import Path

import numpy as np

from campaigns.random_sets import Case, compile_drawn, rough_cycles
from derca_sim.compile import Compiled
from derca_sim.errors import InputError
from derca_sim.model.network import Network, random_network
from derca_sim.model.platform import Platform
from derca_sim.model.timing import longest_lap
from derca_sim.workload.taskset import Task, TaskSet

_POLICIES, _SCHEDULERS = ("edf", "deadline_monotonic", "least_slack"), ("scan", "tournament", "heap")
#: What is drawn -> control planes (policy, scheduler, release) that take turns.
KINDS = {
    "queue": tuple(product(_POLICIES, _SCHEDULERS, ("swept",))),
    "abort": tuple(product(_POLICIES, ("scan", "tournament"), ("swept",))),
    "deadline_monotonic": tuple(product(("deadline_monotonic",), _SCHEDULERS, ("parallel", "swept"))),
    "least_slack": tuple(product(("least_slack",), _SCHEDULERS, ("parallel", "swept"))),
}
#: Longest run, in cycles: time wraps within it.
HORIZON = 120_000
STRATEGIES = ("np", "lw", "recompute", "persist", "flexible", "mixed")


def overload_platform(policy: str, scheduler: str, release: str) -> Platform:
    """A small platform with this control plane; times of 16 bits but for one scheduler."""
    overrun = ("skip",) if release == "parallel" else ("skip", "queue") if scheduler == "heap" else (
        "skip", "queue", "abort")
    return Platform.model_validate({
        "name": f"{policy}-{scheduler}-{release}".replace("_", "-"),
        "array": {"rows": 2, "cols": 2}, "tile": {"m": 4, "k": 8, "n": 4},
        "bus": {"data_width": 32, "outstanding": 4, "burst_beats": 8}, "store": {"requant_lanes": 1},
        "memory": {"read_latency": 4, "write_latency": 2, "size": 1 << 16},
        "scheduler": {"tasks": 4, "kind": scheduler, "policies": (policy,),
                      "time_width": 32 if scheduler == "heap" else 16},
        "release": {"kind": release, "overrun": overrun}, "trace": {"depth": 64},
        "tables": {"layers": 16, "entries": 128, "regions": 64},
    })


def overload_case(seed: int, kind: str) -> Case:
    """The task set of a seed, drawn until the compiler accepts the largest distance of its keys."""
    controls = KINDS[kind]
    p = overload_platform(*controls[seed % len(controls)])
    for attempt in range(200):
        rng = np.random.default_rng([30, seed, list(KINDS).index(kind), attempt])
        try:
            return Case(seed, _drawn(rng, p, kind, f"{kind}-{seed}".replace("_", "-"), least=attempt > 20), None)
        except InputError as e:
            refused = e
    raise AssertionError(f"seed {seed}: {refused}")


def _drawn(rng: np.random.Generator, p: Platform, kind: str, name: str, least: bool) -> Compiled:
    """A task set; with `least` of the smallest networks only."""
    count = int(rng.integers(2, p.scheduler.tasks + 1))
    networks = [_network(rng, p, i, least) for i in range(count)]
    load = float(rng.choice([1.1, 1.5, 2.5, 5.0]))
    shortest = longest_lap(p) if p.release.kind == "swept" else 2 * count + 3
    tasks = []
    for i, (network, share) in enumerate(zip(networks, rng.dirichlet(np.ones(count)) * load, strict=True)):
        length = rough_cycles(p, network)
        period = int(np.clip(length / max(share, 0.05), shortest, 12_000))
        deadline = int(rng.choice([period, int(rng.integers(1, period + 1)), max(1, period // 8)]))
        sporadic = bool(rng.random() < 0.5)
        tasks.append(Task(
            f"t{i}", i, network, period, deadline, 0 if sporadic else int(rng.integers(0, period)), sporadic,
            _triggers(rng, period) if sporadic else (), overrun=_overrun(rng, p, kind),
            work=int(rng.integers(1, length + 1)), region_budget=int(rng.integers(1, max(2, length // 4))),
        ))
    taskset = TaskSet(name, Path(f"{name}.toml"), p, HORIZON, tuple(tasks))
    return compile_drawn(rng, taskset, STRATEGIES[rng.integers(len(STRATEGIES))], None)


def _overrun(rng: np.random.Generator, p: Platform, kind: str) -> str:
    """Most tasks have what is drawn; with the policies everything that the platform has."""
    if kind in ("queue", "abort") and rng.random() < 0.7:
        return kind
    return str(rng.choice(p.release.overrun))


def _network(rng: np.random.Generator, p: Platform, number: int, least: bool) -> Network:
    most = 1 if least else 3
    shapes = [(int(rng.integers(1, most * p.tile.m)), int(rng.integers(1, most * p.tile.k)),
               int(rng.integers(1, most * p.tile.n)), bool(rng.random() < 0.5)) for _ in range(rng.integers(1, 3))]
    return random_network(f"net{number}", shapes, int(rng.integers(1 << 30)), p.array.dtype)


def _triggers(rng: np.random.Generator, period: int) -> tuple[int, ...]:
    """Dense triggers, some of them early. They end so soon that every starved task has its turn."""
    end = int(HORIZON * rng.choice([0.4, 0.7, 1.0]))
    out, cycle = [], int(rng.integers(0, period))
    while cycle < end:
        out.append(cycle)
        cycle += max(1, int(period * rng.choice([0.3, 0.9, 1.0, 1.0, 1.0, 1.1])))
    return tuple(out)
