"""Small control planes of every kind, and tasks for them."""

import pytest

from kit.platforms import platform
from kit.workload import task

N = 8

TIME = 16


def control(kind: str, release: str):
    """A small platform with this control plane, all of whose tasks are used."""
    return platform(name=f"faults-{kind}", scheduler={"tasks": N, "kind": kind, "time_width": TIME},
                    release={"kind": release}, trace={"depth": 64})


PLATFORMS = [control("scan", "swept"), control("tournament", "parallel"), control("heap", "parallel")]


def tasks(p, **settings):
    """A long job of many regions, and seven short ones that preempt it again and again."""
    long = [(p.tile.m, 6 * p.tile.k, 2 * p.tile.n, False), (p.tile.m, 2 * p.tile.n, p.tile.n, True)]
    out = [task(0, long, 1, **{"period": 9000, "deadline": 8000, **settings})]
    for i in range(1, N):
        fast = {"period": 1500 + 250 * i, "deadline": 700 + 100 * i, "offset": 170 * i, **settings}
        out.append(task(i, [(p.array.rows, p.tile.k, p.array.cols, i % 2 == 0)], 1 + i, **fast))
    return out


def each_scheduler(tests: list[str], of_the_scheduler: tuple[str, ...]) -> list:
    """Parameters (platform, test): all tests with the first platform, those of the scheduler with the last as well.

    ./scripts/test --full runs all with each.
    """
    quick = {PLATFORMS[0].name: tests, PLATFORMS[-1].name: of_the_scheduler}
    return [pytest.param(p, test, id=f"{p.scheduler.kind}-{test}",
                         marks=[] if test in quick.get(p.name, ()) else [pytest.mark.full])
            for p in PLATFORMS for test in tests]
