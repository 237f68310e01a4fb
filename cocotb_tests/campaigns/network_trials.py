"""One task set of random networks on the RTL, judged: LiteRT's outputs, the golden model's cycles, the bounds."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from campaigns.job_alone import late_alone
from campaigns.judged_run import Judged, judged_run
from campaigns.network_sets import NetworkCase, network_case
from derca_flow.rtl.handshake import random_handshake
from derca_flow.rtl.simulate import Jitter
from derca_sim.analysis.response import response_bounds
from derca_sim.analysis.verdict import analyse
from derca_sim.compile import compile_taskset
from derca_sim.events import Event, Kind
from derca_sim.planning import Plan
from derca_sim.timing.hardware import HardwareTiming
from derca_sim.workload.taskset import TaskSet

#: Memories to run on, and what the summary calls them.
MEMORIES = {"fixed": "fixed latency", "stalls": "random delays, stalls and handshakes",
            "bounded": "random delays up to a bound, which the analysis knows"}
#: Times that a run on a memory with stalls is longer, and that a job alone may take there.
_LONGER, _PATIENCE = 3, 40
#: Slices between the points of sets that are analysed.
_EVERY = 12


@dataclass(frozen=True)
class NetworkTrial:
    """The result of a seed; `problems` is empty if everything is right.

    `networks` counts those that finished a job with LiteRT's outputs, `events` those compared with the golden model.
    `error` is the largest difference from the golden model in cycles, None on a memory other than its own. `closest` is
    the largest share of its bound that a response took, None without bounds.
    """

    seed: int
    platform: str
    strategy: str
    networks: int
    jobs: int
    preemptions: int
    events: int
    cycles: int
    error: float | None
    closest: float | None
    operators: Counter
    skipped: Counter
    problems: tuple[str, ...]
    again: str

    def __str__(self) -> str:
        return "\n    ".join([f"seed {self.seed} ({self.platform}, {self.strategy}) failed; {self.again}",
                              *self.problems])


def network_trial(seed: int, platform: str, memory: str = "fixed") -> NetworkTrial:
    """Run the networks of a seed on a platform with one of `MEMORIES`, and judge every job."""
    case, closest = network_case(seed, platform), None
    if memory == "fixed":
        judged = judged_run(case.compiled, case.compiled.taskset.horizon)
        problems = list(judged.problems)
    elif memory == "stalls":
        judged, problems = _stalled(case, seed)
    else:
        case, judged, problems, closest = _bounded(case, seed)
    if judged.error:
        problems.insert(0, f"largest difference from the golden model: {judged.error} cycles")
    finished = {e.task for e in judged.result.events if e.kind == Kind.FINISH} if judged.result else set()
    for i in sorted(finished):
        outputs = case.compiled.read_outputs(judged.result.memory, i)
        problems += [f"task t{i}: output {name} of its last job is not LiteRT's"
                     for name in case.networks[i].differs(outputs)]
    if problems:
        problems.append(str(case))
    events = 0 if judged.error is None else sum(e.cycle < case.compiled.taskset.horizon for e in judged.result.events)
    again = f"python -m campaigns.networks --count 1 --seed {seed} --platform {platform} --memory {memory}"
    return NetworkTrial(
        seed, platform, case.compiled.strategy, len(finished), judged.jobs, judged.count(Kind.PREEMPT), events,
        case.compiled.taskset.horizon, judged.error, closest, sum((x.kinds for x in case.networks), Counter()),
        sum((x.skipped for x in case.networks), Counter()), tuple(problems), again)


def _stalled(case: NetworkCase, seed: int) -> tuple[Judged, list[str]]:
    """A run on a memory that stalls, and one of each network alone, which is late by no more than was withheld."""
    noise = Jitter(1 + seed * 7 % 90, seed * 13 % 60 / 100, 1 + seed, random_handshake(seed))
    judged = judged_run(case.compiled, _LONGER * case.compiled.taskset.horizon, noise)
    problems = list(judged.problems)
    for i in range(len(case.networks)):
        problems += late_alone(case.compiled.taskset, i, noise, _PATIENCE)
    return judged, problems + ([str(noise)] if problems else [])


def _bounded(case: NetworkCase, seed: int) -> tuple[NetworkCase, Judged, list[str], float]:
    """A run of the set, stretched until it is proved for the longest latencies, on a memory with any up to these."""
    rng = np.random.default_rng([52, seed])
    extra, p = int(rng.integers(5, 60)), case.compiled.platform
    memory = p.memory.model_copy(update={"read_latency": p.memory.read_latency + extra,
                                         "write_latency": p.memory.write_latency + extra})
    slow = replace(case.compiled.taskset, platform=p.model_copy(update={"memory": memory}))
    plan, slow = _proved(slow, seed)
    bounds = response_bounds(plan.system, plan.verdict)
    own = replace(slow, platform=p)
    compiled = replace(plan, candidates=replace(plan.candidates, taskset=own)).compiled()
    judged = judged_run(compiled, own.horizon, Jitter(extra, 0.0, 1 + seed))
    problems, closest = list(judged.problems), 0.0
    events = judged.result.events if judged.result else []
    problems += [f"a proved set: {e.kind.name} of task t{e.task} in cycle {e.cycle}"
                 for e in events if e.kind in (Kind.MISS, Kind.OVERRUN)]
    for task, response in responses(events).items():
        closest = max(closest, response / bounds[task])
        if response > bounds[task]:
            problems.append(f"task t{task}: response {response} over the bound {bounds[task]}")
    return replace(case, compiled=compiled), judged, problems, closest


def _proved(taskset: TaskSet, seed: int) -> tuple[Plan, TaskSet]:
    """A plan with a proof, and the task set with periods and deadlines stretched until there is one."""
    p = taskset.platform
    strategy = "lw" if p.preemption == "layer" else ["if", "ip", "park" if p.buffers.spare else "ir"][seed % 3]
    for _ in range(12):
        candidates = compile_taskset(taskset, strategy if strategy in ("lw", "park") else "flexible", _EVERY)
        system = HardwareTiming(candidates).system()
        verdict = analyse(system, strategy, False)
        if verdict.schedulable:
            return Plan(candidates, system, verdict, strategy), taskset
        tasks = tuple(replace(t, period=t.period * 3 // 2 + 40, deadline=t.deadline * 3 // 2 + 40)
                      for t in taskset.tasks)
        taskset = replace(taskset, tasks=tasks, horizon=2 * max(t.period for t in tasks))
    raise AssertionError(f"seed {seed}: not accepted even with periods stretched: {verdict}")


def responses(events: list[Event]) -> dict[int, int]:
    """The longest response of each task in a log."""
    released: dict[tuple[int, int], int] = {}
    worst: dict[int, int] = {}
    for e in events:
        if e.kind == Kind.RELEASE:
            released[e.task, e.job] = e.cycle
        elif e.kind == Kind.FINISH:
            worst[e.task] = max(worst.get(e.task, 0), e.cycle - released[e.task, e.job])
    return worst
