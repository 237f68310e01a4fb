"""The golden machine: every event of a run, at its exact cycle, on a memory with fixed latencies.

It shares the configuration, the plan and the declared latencies with the hardware, and nothing else: the hardware
steps state machines cycle by cycle, the golden machine visits only cycles in which something may begin and computes
when it will be done.
"""

from ..compile.compiler import Compiled
from ..events import Event, Kind, number_jobs
from ..model.tables import Strategy
from ..model.timing import KernelTiming
from .agenda import Agenda
from .dataflow import DataflowModel
from .release import release_model
from .scheduler import SchedulerModel
from .supervision import BudgetModel


def run(compiled: Compiled, horizon: int) -> list[Event]:
    """All events before cycle `horizon`, numbered and in order."""
    agenda, log = Agenda(), []
    if compiled.platform.tables.shadow:  # the start commits what was written before
        log.append(Event(0, Kind.COMMIT, 0))
    tasks = compiled.tasks
    plans = {t.index: t for t in tasks}
    release = release_model(compiled.platform, tasks, agenda, log.append)
    scheduler = SchedulerModel(compiled.platform, tasks, release, agenda, log.append)
    finishes: dict[int, list[int]] = {}  # cycle -> tasks

    def stored(task: int, final: bool, persist: bool, cycle: int) -> None:
        if final:
            finishes.setdefault(cycle, []).append(task)
        if persist:
            log.append(Event(cycle, Kind.SAVED, task, arg=int(Strategy.PERSIST)))

    budgets = BudgetModel({t.index: t.job_budget for t in tasks}, {t.index: t.region_budget for t in tasks}, log.append)
    supervised = compiled.platform.supervision.budgets

    def feedback(cycle: int) -> None:
        scheduler.feedback(cycle)
        if supervised:
            budgets.feedback(cycle)

    flow = DataflowModel(compiled.platform, agenda, log.append, feedback, stored)
    grants: dict[int, tuple] = {}  # cycle -> instruction
    announced = horizon + release.late_announcements  # releases before the horizon are logged when they are announced
    while (cycle := agenda.next()) is not None and cycle < announced:
        for task in finishes.pop(cycle, ()):
            release.finish(task, cycle)
        release.visit(cycle)
        instruction = scheduler.visit(cycle)
        if instruction is not None:
            grants[cycle + KernelTiming.GRANT] = instruction
            agenda.at(cycle + KernelTiming.GRANT)
        if cycle in grants:
            task, region, switch, preempt, resume, abort = grants.pop(cycle)
            if supervised:
                budgets.instruction(cycle, task, region)
            flow.grant(cycle, plans[task], plans[task].regions[region], switch, preempt, resume, abort)
        flow.visit(cycle)
    return number_jobs(e for e in log if e.cycle < horizon)

