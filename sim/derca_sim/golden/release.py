"""Job release: the jobs that are released, their cycles, and the one that is offered to the scheduler."""

import math

from ..compile.plan import TaskPlan
from ..model.platform import Platform
from .agenda import Agenda
from .log import Log
from .parallel import ParallelRelease
from .swept import SweptRelease

#: What the scheduler sees of either unit: `offer`, `abort`, `take`; and the machine: `finish`, `visit`, `latest`.
ReleaseModel = ParallelRelease | SweptRelease


def release_model(p: Platform, tasks: tuple[TaskPlan, ...], agenda: Agenda, log: Log, policy: int = 0, *,
                  epoch: int = 0, hold: float = math.inf) -> ReleaseModel:
    """The model of the platform's job release; jobs are ordered by `scheduler.policies[policy]`.

    Timers begin in cycle `epoch`. From `hold` on nothing is released.
    """
    unit = SweptRelease if p.release.kind == "swept" else ParallelRelease
    return unit(p, tasks, agenda, log, policy, epoch, hold)


