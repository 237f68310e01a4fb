"""A model on the simulated system, from samples to results."""

from pathlib import Path

import numpy as np

from derca_sim.compile import Compiled, compile_taskset
from derca_sim.events import Kind
from derca_sim.golden.machine import run
from derca_sim.model.platform import Platform
from derca_sim.networks.lowering.deploy import check_platform, load_model
from derca_sim.timing.mapping import choose
from derca_sim.workload.taskset import Task, TaskSet

from .system import run_rtl

#: Cycles in which the golden machine first looks for the end of the job.
_FIRST = 1 << 16


def infer(model: Path, samples: Path | None, platform: Platform,
          batch: int = 1) -> np.ndarray | dict[str, np.ndarray]:
    """Results [batch, *shape] of a trained model for `batch` samples, as its framework would give them.

    Those of a model with several outputs come by name.

    One job runs on the RTL, in a compiled simulation of the platform. The host's part is done here: inputs are
    quantised, outputs dequantised.

    Parameters
    ----------
    samples : an `.npz` file with an array [count, *shape] for each input; None draws them from the inputs' ranges.

    Raises
    ------
    InputError
        If the model cannot run, or does not fit the platform.
    RtlError, BuildError
        As `run_rtl`.
    """
    network = load_model(model).network(Path(model).stem, samples, 0, batch)
    check_platform(network, platform)
    never = 1 << 30
    task = Task("inference", 0, choose(platform, network), never, never, 0, False, ())
    compiled = compile_taskset(TaskSet("inference", Path(model), platform, never, (task,)), "np")
    horizon, end = _FIRST, None
    while end is None:
        horizon *= 2
        end = next((e.cycle for e in run(compiled, horizon) if e.kind == Kind.FINISH), None)
    made = results(compiled, run_rtl(compiled, end + 1).memory, 0)
    return made if len(made) > 1 else next(iter(made.values()))


def results(compiled: Compiled, memory: np.ndarray, task: int) -> dict[str, np.ndarray]:
    """What a task's last job has left in memory: its model's outputs [batch, *shape] by name.

    Without a model it is the output [m, n] of the last layer, of name "".
    """
    outputs, model = compiled.read_outputs(memory, task), compiled.tasks[task].network.model
    return {"": outputs[-1]} if model is None else model.results(outputs)
