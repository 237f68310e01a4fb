"""The default output folder of a command: one for each way to run, so that no run replaces the files of another."""

from pathlib import Path


def default_folder(kind: str, *parts: str, **options) -> Path:
    """`out/KIND/PARTS`, followed by every option that differs from its default (None or False)."""
    named = [f"{name.replace('_', '')}{'' if value is True else value}" for name, value in options.items()
             if value is not None and value is not False]
    return Path("out") / kind / "-".join([*parts, *named])


def other_policy(policy: str) -> str | None:
    """The policy of a run where it is to be named: any but EDF."""
    return None if policy == "edf" else policy


def shown_in(first: int | None, last: int | None) -> dict[str, int | None]:
    """The options `--from` and `--to`, as `default_folder` takes them."""
    return {"from": first, "to": last}
