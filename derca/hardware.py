"""Hardware: runs of the RTL, Verilog, resources, and models from samples to results."""

from os import PathLike
from pathlib import Path

import numpy as np

from derca_flow.area import measurement
from derca_flow.rtl.simulate import RtlError
from derca_flow.sessions import inference
from derca_flow.sessions.system import check_results, compare_with_model, run_rtl, task_infos
from derca_flow.tools.targets import TARGETS
from derca_hw import generate as hardware
from derca_sim.errors import CheckFailed, InputError
from derca_sim.planning import DEFAULT, analyse_taskset
from derca_sim.report.metrics import measure
from derca_sim.workload import taskset
from derca_sim.workload.policies import under_policy
from derca_sim.workload.priced import PricedTaskSet

from .answers import Schedule
from .arguments import checked_horizon, checked_strategy, checked_tasks
from .tasks import TaskSet, load_platform


def run(tasks: TaskSet, strategy: str = DEFAULT, *, horizon: int | None = None, policy: str | None = None) -> Schedule:
    """Run a task set of networks on the RTL, in a compiled simulation, and compare it with the models.

    A `policy` replaces that of the task set.

    Raises
    ------
    InputError
        If the task set has no networks, or does not fit its platform.
    CheckFailed
        If a result differs from the integer model's, or an event from the golden model's.
    MissingToolError
        If Verilator or a compiler is missing.
    """
    checked_strategy(strategy)
    if isinstance(checked_tasks(tasks), PricedTaskSet):
        raise InputError(f"{tasks.name}: has execution times alone; allowed are task sets of networks on a platform")
    cycles = checked_horizon(horizon, tasks.horizon)
    compiled = analyse_taskset(under_policy(tasks, policy), strategy).compiled()
    p = compiled.platform
    try:
        result = run_rtl(compiled, cycles)
    except RtlError as e:
        raise CheckFailed(*str(e).splitlines()) from e
    differences = [*check_results(compiled, result.finishes).differences,
                   *compare_with_model(compiled, result.events, cycles)[1]]
    if differences:
        raise CheckFailed(*differences)
    infos = task_infos(compiled)
    figures = measure(result.events, infos, cycles, p.array.rows * p.array.cols)
    return Schedule(tasks.name, cycles, tuple(result.events), figures, tuple(infos), p.clock_mhz)


def generate(platform: str | PathLike, target: str | None = None) -> str:
    """The Verilog of a platform file, top module `derca`; for a `target` of `report` with its multipliers.

    Raises
    ------
    InputError
        If the file is wrong, or there is no such target.
    """
    return hardware.verilog(load_platform(platform), None if target is None else _target(target).family)


def report(platform: str | PathLike, target: str = "ecp5") -> list[dict]:
    """LUT, REG, BRAM and DSP of a platform file per module, by synthesis; the last row is the total.

    Raises
    ------
    InputError
        If the file is wrong, or there is no such target.
    MissingToolError
        If Yosys is missing.
    """
    return measurement.measure(_target(target), Path(platform))["rows"]


def infer(model: str | PathLike, samples: str | PathLike | None, platform: str | PathLike,
          batch: int = 1) -> np.ndarray | dict[str, np.ndarray]:
    """Results [batch, *shape] of a trained model on the simulated RTL; by name where it has several outputs.

    Parameters
    ----------
    samples
        An `.npz` file with an array [count, *shape] for each input; None draws them.

    Raises
    ------
    InputError
        If the model cannot run, or does not fit the platform.
    """
    return inference.infer(Path(model), None if samples is None else Path(samples), taskset.load_platform(
        Path(platform)), batch)


def _target(name: str):
    if name not in TARGETS:
        raise InputError(f"target = {name}: allowed are {', '.join(TARGETS)}")
    return TARGETS[name]
