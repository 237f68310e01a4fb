"""From a task set to tables with a proof: candidate points, their prices on our hardware, the analysis, the plan."""

from dataclasses import dataclass

from .analysis.model import Placement, System, TaskModel
from .analysis.verdict import Verdict, analyse
from .compile.compiler import Compiled, compile_points, compile_taskset
from .compile.plan import TaskPlan
from .model.tables import Strategy
from .model.taskset import TaskSet
from .timing.hardware import HardwareTiming

#: Strategies of the compiler and what the analysis calls them.
ANALYSED_AS = {"np": "np", "lw": "lw", "recompute": "ir", "persist": "ip", "flexible": "if", "joint": "joint"}


@dataclass(frozen=True)
class Plan:
    """A task set analysed under a strategy: candidate points, prices, verdict."""

    candidates: Compiled
    system: System
    verdict: Verdict

    def points(self) -> list[dict[tuple[int, int], Strategy]]:
        """The chosen points of each task as the compiler takes them: (layer, iterations before) -> strategy."""
        return [
            _where(task, placement)
            for task, placement in zip(self.candidates.tasks, self.verdict.placements, strict=True)
        ]

    def compiled(self) -> Compiled:
        """The tables with the chosen points."""
        return compile_points(self.candidates.taskset, "joint", self.points())


def _where(task: TaskPlan, placement: Placement) -> dict[tuple[int, int], Strategy]:
    out = {}
    for chosen in placement.chosen:
        entry = task.regions[chosen.block].entries[-1]
        out[entry.layer.index, entry.start + entry.count] = chosen.option.strategy
    return out


def analyse_taskset(taskset: TaskSet, strategy: str = "joint", placed: bool = True, every: int | None = None) -> Plan:
    """Analyse a task set on its own platform.

    Parameters
    ----------
    strategy : a key of `analysis.verdict.KINDS`.
    placed : choose among the candidate points; otherwise all of them are in use.
    every : iterations between candidate points; default: as few as the platform's tables hold.
    """
    candidates = compile_taskset(taskset, "flexible", every)
    system = HardwareTiming(candidates).system()
    return Plan(candidates, system, analyse(system, strategy, placed))


def compile_any(taskset: TaskSet, strategy: str = "flexible", every: int | None = None) -> Compiled:
    """Compile under a strategy of the compiler, or under `joint` with the points the analysis chooses.

    Where `joint` finds no proof, the points of its nearest attempt are used; without any, every candidate.
    """
    if strategy != "joint":
        return compile_taskset(taskset, strategy, every)
    return analyse_taskset(taskset, "joint", every=every).compiled()


def describe_point(model: TaskModel, task: TaskPlan, block: int) -> str:
    """Where the boundary after a block lies, in words."""
    entry = task.regions[block].entries[-1]
    at = entry.start + entry.count
    if model.layer_ends and block in model.layer_ends:
        return f"end of layer {entry.layer.index}"
    return f"layer {entry.layer.index}, after iteration {at} of {entry.layer.iterations}"
