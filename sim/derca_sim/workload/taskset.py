"""Task sets: which networks run how often, by when, and on which platform.

`load_taskset` reads a TOML file into a `TaskSet`, resolved and checked. The `*Section` classes describe the file as the
user writes it. Times are clock cycles.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from ..errors import InputError
from ..file_kinds import expect
from ..model.loading import problem, read_toml, show, validate
from ..model.network import Network, random_network
from ..model.network_files import load_network
from ..model.platform import MAX_DIMENSION, Name, Overrun, Platform, Section
from ..model.timing import longest_lap
from ..networks.lowering.deploy import FORMATS, check_platform, load_model

#: Longest default horizon in cycles.
MAX_DEFAULT_HORIZON = 2_000_000
#: Most a cycle count in a file may be; registers and counters have 32 bits.
MAX_CYCLES = (1 << 31) - 1

Dimension = Annotated[int, Field(ge=1, le=MAX_DIMENSION)]
Cycle = Annotated[int, Field(ge=0, le=MAX_CYCLES)]
Duration = Annotated[int, Field(ge=1, le=MAX_CYCLES)]


class LayerSection(Section):
    """A layer given by its shape alone: A [m, k] times B [k, n], with random weights."""

    m: Dimension
    """Rows of A and of the output."""
    k: Dimension
    """Columns of A, rows of B."""
    n: Dimension
    """Columns of B and of the output."""
    relu: bool = False
    """Negative outputs become the zero point."""
    transpose: bool = False
    """Store the transpose of the output."""


class NetworkSection(Section):
    """A network: either from a `file`, or `layers` with random weights."""

    name: Name
    """Name by which tasks call the network."""
    file: str | None = None
    """Model (.tflite, .onnx, .npz), relative to the task set's folder."""
    batch: Dimension | None = None
    """Samples that a job takes at once; by default 1."""
    first: Annotated[int, Field(ge=0, le=1 << 30)] | None = None
    """First sample of `inputs`, or row of the test set of an .npz network; by default 0."""
    inputs: str | None = None
    """Samples of a .tflite or .onnx model: an .npz file with an array for each input. Without it they are drawn from
    the range of each input."""
    seed: Annotated[int, Field(ge=0, le=(1 << 63) - 1)] | None = None
    """Seed of the weights and inputs of `layers`; by default 0."""
    layers: Annotated[tuple[LayerSection, ...], Field(min_length=1)] | None = None
    """The layers, each the input of the next."""


class TaskSection(Section):
    """A task: jobs of a `network`, each within its deadline. Times are clock cycles."""

    name: Name
    """Name of the task."""
    network: str
    """Name of the network that a job computes."""
    period: Duration
    """From one release to the next; the least separation of the releases of a `sporadic` task."""
    deadline: Duration | None = None
    """From the release of a job to its end at the latest; by default the period."""
    offset: Cycle = 0
    """Cycle of the first release."""
    sporadic: bool = False
    """Triggers release the task, instead of its timer."""
    triggers: tuple[Cycle, ...] = ()
    """Cycles at which a simulation triggers a `sporadic` task."""
    overrun: Overrun = "skip"
    """What a release does while the previous job lives; one of the platform's `release.overrun`."""
    job_budget: Cycle = 0
    """A job that executes longer is reported; 0 means no limit."""
    region_budget: Cycle = 0
    """A region that executes longer is reported; 0 means no limit. Policy least_slack takes it as the length of a
    region."""
    work: Cycle = 0
    """Execution time of a job, for policy least_slack."""


class TaskSetSection(Section):
    """A task set file."""

    name: Name
    """Name of the task set."""
    platform: Platform
    """Path of a platform file, relative to the task set's folder; or a table with its content."""
    horizon: Duration | None = None
    """Cycles that a run lasts; by default two hyperperiods after the largest offset, at most 2,000,000 in all."""
    network: Annotated[tuple[NetworkSection, ...], Field(min_length=1)]
    """The networks, a table each."""
    task: Annotated[tuple[TaskSection, ...], Field(min_length=1)]
    """The tasks, a table each; the first is task 0 of the hardware."""


@dataclass(frozen=True, eq=False)
class Task:
    """One resolved task; `index` is its place in the file and its number in the hardware."""

    name: str
    index: int
    network: Network
    period: int
    deadline: int
    offset: int
    sporadic: bool
    triggers: tuple[int, ...]
    overrun: Overrun = "skip"
    job_budget: int = 0
    region_budget: int = 0
    work: int = 0

    @property
    def inputs(self) -> tuple[np.ndarray | None, ...]:
        """Per matrix of the network its elements, or None where layers write it."""
        return self.network.inputs


@dataclass(frozen=True, eq=False)
class TaskSet:
    """A checked task set. `file` is where it came from, for messages; `horizon` the cycles to run."""

    name: str
    file: Path
    platform: Platform
    horizon: int
    tasks: tuple[Task, ...]


def load_platform(path: Path) -> Platform:
    """Read a platform file.

    Raises
    ------
    InputError
        One line for every problem of the file.
    """
    return validate(_platform_table(path), Platform, path).read_from(Path(path))


def _platform_table(path: Path) -> dict:
    """What a platform file holds.

    Raises
    ------
    InputError
        If it cannot be read, or is something else.
    """
    expect(path, "platform")
    data = read_toml(path)
    if len(data) > 2 and not set(data) & set(Platform.model_fields):
        raise InputError(f"{path}: is not a platform: none of its keys is known; allowed are "
                         f"{', '.join(sorted(Platform.model_fields))}; see sim/platforms/demo.toml")
    return data


def load_taskset(path: Path, platform: Path | None = None) -> TaskSet:
    """Read a task set and everything it names: platform, networks, test images.

    Parameters
    ----------
    platform
        A platform file that replaces the one the task set names.

    Raises
    ------
    InputError
        One line for every problem of the files.
    """
    path = Path(path)
    expect(path, "taskset")
    data, parts, problems = read_toml(path), {}, []
    if not {"task", "network"} & set(data):
        raise InputError(f"{path}: is not a task set: it has no [[task]] and no [[network]]; see "
                         "sim/tasksets/demo.toml")
    if platform is not None:
        data["platform"] = str(platform.resolve())
    if isinstance(data.get("platform"), str):
        parts["platform"] = path.parent / data["platform"]
        try:
            data["platform"] = _platform_table(parts["platform"])
        except InputError as e:
            problems += [f"{path}: platform = {show(data['platform'])}: {line}" for line in e.problems]
            data["platform"] = {}
    try:
        section = validate(data, TaskSetSection, path, parts, _words(data))
    except InputError as e:
        raise InputError(*problems, *e.problems) from None
    section = section.model_copy(update={"platform": section.platform.read_from(parts.get("platform", path))})
    problems += _task_problems(section, path) + _network_problems(section, path)
    networks: dict[str, Network] = {}
    if not problems:
        for i, n in enumerate(section.network):
            try:
                networks[n.name] = _network(n, path, section.platform)
            except InputError as e:
                problems += [f"{path}: network[{i}] ({n.name}): {line}" for line in e.problems]
    if problems:
        raise InputError(*problems)
    tasks = tuple(
        Task(**{**dict(t), "index": i, "network": networks[t.network], "deadline": t.deadline or t.period})
        for i, t in enumerate(section.task)
    )
    return TaskSet(section.name, path, section.platform, section.horizon or _default_horizon(tasks), tasks)


def _words(data: dict) -> dict[tuple, str]:
    """What the file itself allows, for problems found before it is understood."""
    networks = data.get("network")
    names = [n["name"] for n in networks if isinstance(n, dict) and isinstance(n.get("name"), str)] \
        if isinstance(networks, tuple) else []
    return {("task", "network"): f"the networks of the file: {', '.join(names)}"} if names else {}


def _default_horizon(tasks: tuple[Task, ...]) -> int:
    """Two hyperperiods after the largest offset, at most `MAX_DEFAULT_HORIZON` in all."""
    hyperperiod = math.lcm(*(t.period for t in tasks))
    return min(2 * hyperperiod + max(t.offset for t in tasks), MAX_DEFAULT_HORIZON)


def _network(n: NetworkSection, path: Path, p: Platform) -> Network:
    if n.file is not None:
        samples = path.parent / n.inputs if n.inputs is not None else None
        return network_of(path.parent / n.file, n.name, p, n.batch or 1, n.first or 0, samples)
    dtype = p.array.dtype
    return random_network(n.name, [(s.m, s.k, s.n, s.relu) for s in n.layers], n.seed or 0, dtype,
                          [s.transpose for s in n.layers])


def network_of(file: Path, name: str, p: Platform, batch: int = 1, first: int = 0,
               samples: Path | None = None) -> Network:
    """The network of a model file, for jobs of `batch` samples.

    Parameters
    ----------
    first, samples
        First sample of the inputs, and where they are read; None takes the file's own, or draws them.

    Raises
    ------
    InputError
        If the file cannot be read, cannot run, or does not fit the platform.
    """
    if file.suffix.lower() not in FORMATS:
        return load_network(file, name, batch, first, p.array.dtype)
    network = load_model(file).network(name, samples, first, batch)
    check_platform(network, p)
    return network


def _repeated(names: list[str]) -> list[int]:
    """Indices of names that occurred before."""
    return [i for i, name in enumerate(names) if name in names[:i]]


def _task_problems(s: TaskSetSection, path: Path) -> list[str]:
    """Checks over tasks, and of tasks against the platform."""
    out = []
    names = [n.name for n in s.network]
    scheduler, where = s.platform.scheduler, s.platform.where
    span = 1 << (scheduler.time_width - 1)
    if len(s.task) > scheduler.tasks:
        out.append(problem(path, "number of tasks", len(s.task), f"1 .. {scheduler.tasks}, scheduler.tasks of "
                           f"{where}; remove tasks or raise scheduler.tasks"))
    for i in _repeated([t.name for t in s.task]):
        out.append(problem(path, f"task[{i}].name", s.task[i].name, "names no other task has"))
    for i, t in enumerate(s.task):
        key, deadline = f"task[{i}]", t.deadline or t.period
        if t.network not in names:
            out.append(problem(path, f"{key}.network", t.network, f"the networks of the file: {', '.join(names)}"))
        if deadline > t.period:
            out.append(problem(path, f"{key}.deadline", deadline, f"1 .. {t.period}, the task's period"))
        if (t.job_budget or t.region_budget) and not s.platform.supervision.budgets and not (
                t.region_budget and "least_slack" in scheduler.policies):
            out.append(problem(path, f"{key}.job_budget, .region_budget", (t.job_budget, t.region_budget),
                               f"0 unless supervision.budgets is true in {where}"))
        if scheduler.policies[0] == "least_slack" and not (t.work and t.region_budget):
            out.append(problem(path, f"{key}.work, .region_budget", (t.work, t.region_budget), "values from 1 with "
                               f"scheduler.policies[0] = least_slack in {where}: it orders jobs by remaining work"))
        if s.platform.release.kind == "swept":
            least = longest_lap(s.platform)
            why = f"the longest lap of the job release (release.kind = swept in {where})"
        else:
            least, why = 2 * len(s.task) + 3, f"so that {len(s.task)} tasks can be released and overrun at once"
        if t.period < least:
            out.append(problem(path, f"{key}.period", t.period, f"at least {least}, {why}"))
        if t.offset >= 2 * span:
            out.append(problem(path, f"{key}.offset", t.offset, f"0 .. {2 * span - 1}, the range of timers of "
                               f"{scheduler.time_width} bits (scheduler.time_width of {where})"))
        if t.period + deadline >= span:
            out.append(problem(path, f"{key}.period", t.period, f"periods with period + deadline < {span}, since "
                               f"deadlines compare modulo 2^{scheduler.time_width} (scheduler.time_width of {where})"))
        kinds = s.platform.release.overrun
        if t.overrun not in kinds:
            out.append(problem(path, f"{key}.overrun", t.overrun, f"those generated in: {', '.join(kinds)} "
                               f"(release.overrun of {where}); add it there"))
        if t.sporadic and not s.platform.release.sporadic:
            out.append(problem(path, f"{key}.sporadic", t.sporadic, f"false with release.sporadic = false in {where}; "
                               "set it to true there"))
        if t.sporadic and t.offset:
            out.append(problem(path, f"{key}.offset", t.offset, "0 with sporadic = true: triggers say when; remove it"))
        if t.triggers and not t.sporadic:
            out.append(problem(path, f"{key}.triggers", t.triggers, "none unless the task has sporadic = true; set it"))
        for earlier, later in zip(t.triggers, t.triggers[1:], strict=False):
            if later <= earlier:
                out.append(problem(path, f"{key}.triggers", [earlier, later], "ascending cycles"))
    return out


def _network_problems(s: TaskSetSection, path: Path) -> list[str]:
    """Checks of networks that need no file, and of their shapes against the platform."""
    out = []
    for i in _repeated([n.name for n in s.network]):
        out.append(problem(path, f"network[{i}].name", s.network[i].name, "names no other network has"))
    for i, n in enumerate(s.network):
        key = f"network[{i}]"
        if (n.file is None) == (n.layers is None):
            given = "neither" if n.file is None else "both"
            out.append(problem(path, f"{key} file, layers", given, "exactly one of file and layers"))
            continue
        wrong, kind = (("seed",), "file") if n.file is not None else (("batch", "first"), "layers")
        for name in wrong:
            value = getattr(n, name)
            if value is not None:
                out.append(problem(path, f"{key}.{name}", value, f"none in a network with {kind}; remove it"))
        for j, layer in enumerate(n.layers or ()):
            elements = layer.m * layer.k + layer.k * layer.n + layer.m * layer.n
            need = elements * s.platform.array.element_bytes
            if need > s.platform.memory.size:
                out.append(problem(path, f"{key}.layers[{j}]", f"{layer.m} x {layer.k} x {layer.n}", f"layers whose "
                                   f"matrices ({need} bytes) fit memory.size = {s.platform.memory.size} bytes of "
                                   f"{s.platform.where}"))
    return out
