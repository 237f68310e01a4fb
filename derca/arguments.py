"""Checks of what the functions of this package are given, so that a wrong argument is named and not found far below."""

from typing import Any

import numpy as np

from derca_sim.errors import InputError
from derca_sim.workload.priced import PricedTaskSet
from derca_sim.workload.taskset import TaskSet

#: Most cycles of a run.
MOST = (1 << 31) - 1


def checked_tasks(tasks: Any) -> TaskSet | PricedTaskSet:
    """What `load` or `task_set` returned.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(tasks, TaskSet | PricedTaskSet):
        raise TypeError(f"tasks = {_short(tasks)}: allowed is what derca.load(FILE) or derca.task_set([...]) returns")
    return tasks


def checked_strategy(strategy: Any) -> str:
    """A name; whether it is one of a strategy, the analysis says.

    Raises
    ------
    TypeError
        If it is no text.
    """
    if not isinstance(strategy, str):
        raise TypeError(f'strategy = {_short(strategy)}: allowed is the name of one, such as "joint"')
    return strategy


def checked_horizon(horizon: Any, default: int) -> int:
    """Cycles of a run, `default` for None.

    Raises
    ------
    TypeError
        If they are no whole number.
    InputError
        If they are too few or too many.
    """
    if horizon is None:
        return default
    horizon = plain(horizon)
    if not isinstance(horizon, int) or isinstance(horizon, bool):
        raise TypeError(f"horizon = {_short(horizon)}: allowed are whole numbers, in cycles")
    if not 1 <= horizon <= MOST:
        raise InputError(f"horizon = {horizon}: allowed are 1 .. {MOST} cycles")
    return horizon


def plain(value: Any) -> Any:
    """A whole number of NumPy as one of Python; anything else as it is."""
    return int(value) if isinstance(value, np.integer) else value


def _short(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
