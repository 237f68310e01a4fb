"""Task set files of either kind: networks on a platform, or execution times alone."""

from pathlib import Path

from ..errors import InputError
from ..file_kinds import expect, is_of_times
from ..model.loading import read_toml
from .policies import under_policy
from .priced import PricedTaskSet, load_priced
from .taskset import TaskSet, load_taskset


def load_tasks(path: Path, platform: Path | None = None, policy: str | None = None) -> TaskSet | PricedTaskSet:
    """Read a task set file, and everything that it names.

    Parameters
    ----------
    platform
        A platform file instead of the one that the task set names.
    policy
        Any name of a policy, instead of that of the file.

    Raises
    ------
    InputError
        One line for every problem, or if the file is of another kind.
    """
    expect(path, "taskset", "times")
    if is_of_times(read_toml(path)):
        if platform is not None:
            raise InputError(f"--platform = {platform}: allowed with networks alone; {path} gives execution times")
        return under_policy(load_priced(path), policy)
    return under_policy(load_taskset(path, platform), policy)
