"""The compiler: plans, table rows, memory image, host writes and expected results of a task set."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from ..errors import InputError
from ..model.loading import problem
from ..model.needs import Need, Unsuited
from ..model.numerics import run_network
from ..model.placing import misplaced
from ..model.platform import Platform
from ..model.tables import Strategy
from ..workload.taskset import TaskSet
from . import image as memory_image
from . import tables
from .keys import key_distance, regions_of
from .layers import LayerPlan
from .layout import ceil_div
from .plan import EntryPlan, Point, TaskPlan, entries_and_regions, one_per_cycle
from .strategies import canonical, points_at, points_every, smallest_interval, stays_parked


@dataclass(frozen=True, eq=False)
class Compiled:
    """A compiled task set. Tasks are numbered by their index; `used` is the bytes of memory it occupies."""

    taskset: TaskSet
    strategy: str
    tasks: tuple[TaskPlan, ...]
    used: int

    @property
    def platform(self) -> Platform:
        """The platform it was compiled for."""
        return self.taskset.platform

    @cached_property
    def layers(self) -> tuple[LayerPlan, ...]:
        """All layers in the order of the layer table."""
        return tuple(layer for task in self.tasks for layer in task.layers)

    @cached_property
    def entries(self) -> tuple[EntryPlan, ...]:
        """All entries in the order of the entry table."""
        return tuple(e for task in self.tasks for e in task.entries)

    @cached_property
    def layer_rows(self) -> list[int]:
        """Packed rows of the layer table."""
        return [layer.packed() for layer in self.layers]

    @cached_property
    def entry_rows(self) -> list[int]:
        """Packed rows of the entry table."""
        return [entry.packed() for entry in self.entries]

    @cached_property
    def index_rows(self) -> dict[tuple[int, int], int]:
        """(task, region) -> packed row of the index table."""
        return {(t.index, r.index): r.packed() for t in self.tasks for r in t.regions}

    @cached_property
    def image(self) -> np.ndarray:
        """uint8 [used]: the memory before the start; what lies beyond is zero."""
        placed = [(task.layers, task.network) for task in self.tasks]
        return memory_image.fill(self.platform, placed, self.used)

    def host_writes(self) -> list[tuple[int, int]]:
        """(byte address, 32-bit value) of the AXI4-Lite writes before the start."""
        return tables.host_writes(self.platform, self.layer_rows, self.entry_rows, self.index_rows, self.tasks)

    @cached_property
    def tables_text(self) -> str:
        """`host_writes`, a line for each: address and value in hex."""
        return "".join(f"{address:08x} {value:08x}\n" for address, value in self.host_writes())

    @cached_property
    def tables_hash(self) -> str:
        """SHA-256 of `tables_text`, which identifies tables and task registers."""
        return hashlib.sha256(self.tables_text.encode()).hexdigest()

    @cached_property
    def _expected(self) -> dict[int, list[np.ndarray]]:
        return {}

    def expected_outputs(self, task: int) -> list[np.ndarray]:
        """The output [m, n] of every layer of a task, from the integer model."""
        if task not in self._expected:
            self._expected[task] = run_network(self.tasks[task].network)
        return self._expected[task]

    def output_ranges(self, task: int) -> list[tuple[int, int]]:
        """(address, length) in bytes of every matrix that a task's layers write, padding included."""
        return memory_image.output_ranges(self.tasks[task].layers)

    def read_outputs(self, memory: bytes | np.ndarray, task: int) -> list[np.ndarray]:
        """The output [m, n] of every layer of a task as found in `memory` (from address 0), without padding."""
        data = memory if isinstance(memory, np.ndarray) else np.frombuffer(memory, np.uint8)
        return [memory_image.read_output(data, layer) for layer in self.tasks[task].layers]

    def bit_exact(self, memory: bytes | np.ndarray, task: int) -> bool:
        """Whether `memory` holds exactly the expected outputs of a task."""
        pairs = zip(self.read_outputs(memory, task), self.expected_outputs(task), strict=True)
        return all(np.array_equal(found, expected) for found, expected in pairs)

    def useful_macs(self, task: int) -> int:
        """Multiply-accumulates one job of a task needs."""
        return self.tasks[task].network.macs


def compile_taskset(taskset: TaskSet, strategy: str = "flexible", every: int | None = None) -> Compiled:
    """Compile a task set.

    Parameters
    ----------
    strategy : a name of `strategies.ALIASES`.
    every : slices of a layer between preemption points; default: as few as the tables hold, at best 1.

    Raises
    ------
    InputError
        One line for every resource of the platform that does not suffice, and for an unknown strategy.
    """
    strategy = canonical(strategy)
    if every is not None and every < 1:
        raise InputError(f"every = {every}: allowed are whole numbers from 1, slices between preemption points")
    p = taskset.platform
    placed, used = _place(taskset)
    if every is None:
        intervals = smallest_interval(strategy, placed, p.tables.regions, p.tables.entries)
    else:
        intervals = [every] * len(placed)
    deadlines = [task.deadline for task in taskset.tasks]
    keeps = [any(layer.divisible for layer in layers) for layers in placed]
    where = [
        list(points_every(strategy, layers, j, stays_parked(p, deadlines, keeps, i)))
        for i, (layers, j) in enumerate(zip(placed, intervals, strict=True))
    ]
    return _build(taskset, strategy, placed, used, where, "use another strategy" if every is None else "raise every")


def compile_points(taskset: TaskSet, strategy: str, chosen: Sequence[dict[tuple[int, int], Strategy]]) -> Compiled:
    """Compile a task set with given preemption points, one mapping per task as `strategies.points_at` takes it.

    `strategy` is the name the result goes by.

    Raises
    ------
    InputError
        One line for every resource of the platform that does not suffice.
    """
    placed, used = _place(taskset)
    where = [points_at(layers, own) for layers, own in zip(placed, chosen, strict=True)]
    return _build(taskset, strategy, placed, used, where, "use fewer preemption points")


def _place(taskset: TaskSet) -> tuple[list[tuple[LayerPlan, ...]], int]:
    """Place all tasks.

    Raises
    ------
    InputError
        For matrices that do not lie as the platform needs, and for layers that it does not have.
    """
    problems = [f"{taskset.file}: task {task.name}: {line}" for task in taskset.tasks
                for line in misplaced(task.network, taskset.platform)]
    if problems:
        raise InputError(*problems)
    return memory_image.place(taskset.platform, taskset.tasks)


def _build(taskset: TaskSet, strategy: str, placed: Sequence[Sequence[LayerPlan]], used: int,
           where: Sequence[Sequence[Point]], sparser: str) -> Compiled:
    needs = _needs(taskset, placed, used, where, sparser)
    problems = [*(need.text for need in needs), *_problems(taskset, strategy, placed, where)]
    if problems:
        raise Unsuited(*problems, needs=needs)
    plans, row = [], 0
    triggers = [task.triggers for task in taskset.tasks]
    if taskset.platform.release.kind == "swept":
        triggers = one_per_cycle(triggers)
    for task, layers, own, cycles in zip(taskset.tasks, placed, where, triggers, strict=True):
        entries, regions = entries_and_regions(layers, own, row)
        same = {field.name: getattr(task, field.name) for field in fields(task) if field.name != "triggers"}
        plans.append(TaskPlan(**same, triggers=cycles, layers=layers, entries=entries, regions=regions))
        row += len(entries)
    return Compiled(taskset, strategy, tuple(plans), used)


def _inline(taskset: TaskSet) -> bool:
    """Whether the platform is a table of the task set's file, or of no file."""
    return taskset.platform.file in (None, taskset.file)


def _wrong(taskset: TaskSet, key: str, value: object, allowed: str) -> str:
    """One problem of the platform, in the file where it is."""
    if _inline(taskset):
        return problem(taskset.file, f"platform.{key}", value, allowed)
    return problem(taskset.platform.file, key, value, allowed)


def _needs(taskset: TaskSet, placed: Sequence[Sequence[LayerPlan]], used: int, where: Sequence[Sequence[Point]],
           sparser: str) -> list[Need]:
    """The resources of which the platform has too little."""
    p, out = taskset.platform, []
    whom = "" if _inline(taskset) else f" for {taskset.file}"

    def need(key: str, have: int, least: int, why: str):
        if have < least:
            out.append(Need(key, least, _wrong(taskset, key, have, f"at least {least}{whom}, {why}")))

    need("memory.size", p.memory.size, used, "the bytes of all weights, inputs, outputs and save areas")
    need("tables.layers", p.tables.layers, sum(map(len, placed)), "the layers of all tasks")
    if p.requant.channels:
        need("requant.channels", p.requant.channels, max(x.scale + x.layer.n for layers in placed for x in layers),
             "the output channels of all layers")
    functions = [x.activation for layers in placed for x in layers if x.activation is not None]
    need("requant.tables", p.requant.tables, max(functions, default=-1) + 1, "the functions behind all layers")
    entries = sum(map(len, placed)) + sum(point.inside for points in where for point in points)
    need("tables.entries", p.tables.entries, entries, f"the metadata entries of all tasks; or {sparser}")
    for task, layers, points in zip(taskset.tasks, placed, where, strict=True):
        need("tables.regions", p.tables.regions, len(points) + 1,
             f"the regions of a job of task {task.name}; or {sparser}")
        slices = max(*map(sum, regions_of(layers, points)), *(x.iterations for x in layers))
        need("tables.slices", p.tables.slices, slices,
             f"the slices of the longest region of task {task.name} and the iterations of each layer; or use larger "
             "tiles or more preemption points")
        need("tables.slices", p.tables.slices, ceil_div(max(x.most_allowed for x in layers), 2),
             f"half the output tiles of task {task.name} between a layer and those whose results it reads; or use "
             "larger tiles")
        need("tables.tiles", p.tables.tiles, max(max(x.m_tiles, x.n_tiles, x.k_tiles) for x in layers),
             f"the tiles along a dimension of a layer of task {task.name}; or use larger tiles")
    return out


def _problems(taskset: TaskSet, strategy: str, placed: Sequence[Sequence[LayerPlan]],
              where: Sequence[Sequence[Point]]) -> list[str]:
    """What else of the platform does not suit the task set, one line each."""
    p, out = taskset.platform, []
    if p.preemption == "layer" and any(point.inside for points in where for point in points):
        out.append(_wrong(taskset, "preemption", '"layer"', '"slice" for points inside layers; or use strategy np or '
                          "lw"))
    if strategy == "park" or any(point.strategy == Strategy.PARK for points in where for point in points):
        if not p.buffers.spare:
            out.append(_wrong(taskset, "buffers.spare", 0, "at least 1, banks that hold the sums of preempted jobs, "
                              "for strategy park"))
    for policy in p.scheduler.policies:
        distance = key_distance(policy, p, taskset.tasks, placed, where)
        if distance >= 1 << (p.scheduler.time_width - 1):
            out.append(_wrong(taskset, "scheduler.time_width", p.scheduler.time_width, f"at least "
                              f"{distance.bit_length() + 1} with policy {policy}: jobs of this task set can be up to "
                              f"{distance} cycles apart in overload, which must be less than half the range of keys; "
                              "or use shorter networks or deadlines, overrun = \"skip\", or deadline_monotonic, whose "
                              "keys do not grow with time"))
    rows = tables.index_row(p, len(taskset.tasks) - 1, p.tables.regions - 1) + 1
    if rows > tables.POINTER_ROWS:
        most = tables.POINTER_ROWS // len(taskset.tasks)
        out.append(_wrong(taskset, "tables.regions", p.tables.regions, f"powers of two up to {most}, so that "
                          f"{len(taskset.tasks)} tasks have at most {tables.POINTER_ROWS} index rows"))
    return out
