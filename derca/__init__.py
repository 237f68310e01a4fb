"""derca from Python: task sets in; proofs, schedules, simulations of the hardware and Verilog out.

A task set is read from a file (`load`), or made of execution times (`Task`, `task_set`). Then `analyze` proves that
every deadline is met or says why not, `simulate` makes a schedule, `compare` asks both for every strategy. Networks on
a platform also `run` on the RTL, `generate` writes their Verilog and tables, `report` the resources, and `infer` takes
samples to results. `simulated`, `open_board` and `open_uio` open an `Accelerator` that takes tensors and gives tensors.
Bad input raises `InputError`, whose text says what is allowed.

All times are clock cycles, or the unit that a set of execution times says.
"""

from derca_sim.errors import CheckFailed, InputError, MissingToolError

from .accelerator import Accelerator, open_board, open_uio, simulated
from .answers import Analysis, Schedule, TaskAnswer, analyze, compare, simulate
from .hardware import generate, infer, report, run
from .tasks import Task, TaskSet, load, load_platform, task_set

__all__ = ["Accelerator", "Analysis", "CheckFailed", "InputError", "MissingToolError", "Schedule", "Task", "TaskAnswer",
           "TaskSet", "analyze", "compare", "generate", "infer", "load", "load_platform", "open_board", "open_uio",
           "report", "run", "simulate", "simulated", "task_set"]
