"""Small control planes of every kind, and tasks for them."""

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
