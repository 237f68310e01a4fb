"""The keys that order jobs under each policy."""

from ..compile.plan import TaskPlan


def key(policy: str, task: TaskPlan, release: int) -> int:
    """The scheduling key of a job of `task` that was released in cycle `release`; lower ones first."""
    return {
        "edf": release + task.deadline,
        "fifo": release,
        "deadline_monotonic": task.deadline,
        "least_slack": release + task.slack,
    }[policy]
