"""A task set under another policy than its file says."""

from dataclasses import replace
from typing import get_args

from ..analysis.policies import ANALYSED, SHORT
from ..errors import InputError
from ..model.loading import validate
from ..model.platform import Platform, Policy
from .priced import PricedTaskSet
from .taskset import TaskSet

#: All names of policies.
NAMES = (*get_args(Policy), *SHORT)

#: Policies in titles and legends.
TITLES = {"edf": "EDF", "deadline_monotonic": "DM", "fifo": "FIFO", "least_slack": "least slack"}


def named(policy: str) -> str:
    """The policy as the end of a title; EDF, the usual one, is left out."""
    return "" if policy == "edf" else f", {TITLES[policy]}"


def full_name(policy: str | None) -> str | None:
    """The name of a policy in platforms, for any of its `NAMES`; None stays None.

    Raises
    ------
    InputError
        If there is no such policy.
    """
    if policy is not None and policy not in NAMES:
        raise InputError(f"--policy = {policy}: allowed are {', '.join(NAMES)}")
    return SHORT.get(policy, policy)


def proved_policy(policy: str, where: str) -> str:
    """The full name of a policy that the analysis must know; `where` it stands, for messages.

    Raises
    ------
    InputError
        If the analysis does not know it.
    """
    chosen = SHORT.get(policy, policy)
    if chosen not in ANALYSED:
        raise InputError(f"{where} = {policy}: allowed are {', '.join((*ANALYSED, *SHORT))}, which the analysis knows")
    return chosen


def under_policy(tasks: TaskSet | PricedTaskSet, policy: str | None) -> TaskSet | PricedTaskSet:
    """The task set under a policy, by any of its `NAMES`; None changes nothing.

    The policy becomes the first one of the platform, before those that it has. Sets of execution times have no
    platform. They can be under the policies that the analysis knows.

    Raises
    ------
    InputError
        If there is no such policy, or the tasks lack what it orders jobs by.
    """
    chosen = full_name(policy)
    if chosen is None:
        return tasks
    if isinstance(tasks, PricedTaskSet):
        if chosen not in ANALYSED:
            raise InputError(f"--policy = {policy}: allowed are {', '.join((*ANALYSED, *SHORT))} with execution times, "
                             f"as in {tasks.file}")
        return replace(tasks, system=replace(tasks.system, policy=chosen))
    lacking = [t.name for t in tasks.tasks if not (t.work and t.region_budget)]
    if chosen == "least_slack" and lacking:
        raise InputError(f"--policy = least_slack: allowed where all tasks of {tasks.file} have work and region_budget "
                         f"from 1 on; these have not: {', '.join(lacking)}")
    fields = tasks.platform.model_dump()
    others = (other for other in tasks.platform.scheduler.policies if other != chosen)
    fields["scheduler"]["policies"] = (chosen, *others)
    platform = validate(fields, Platform, f"{tasks.file} with --policy {policy}")
    return replace(tasks, platform=platform.read_from(tasks.platform.file))
