"""Job release: who is released when, and which of them is offered to the scheduler."""

from collections.abc import Callable

from ..compile.plan import TaskPlan
from ..events import Event
from ..model.platform import Platform
from .agenda import Agenda
from .parallel import ParallelRelease
from .swept import SweptRelease

#: What the scheduler sees of either unit: `offer`, `abort`, `take`; and the machine: `finish`, `visit`, `latest`.
ReleaseModel = ParallelRelease | SweptRelease


def release_model(p: Platform, tasks: tuple[TaskPlan, ...], agenda: Agenda, log: Callable[[Event], None],
                  policy: int = 0) -> ReleaseModel:
    """The model of the platform's job release; jobs are ordered by `scheduler.policies[policy]`."""
    unit = SweptRelease if p.release.kind == "swept" else ParallelRelease
    return unit(p, tasks, agenda, log, policy)


