"""The default output folder of a command: one for each way to run, so that no run replaces the files of another."""

from pathlib import Path


def default_folder(kind: str, *parts: str, **options) -> Path:
    """`out/KIND/PARTS`, followed by every option that differs from its default (None or False)."""
    named = [f"{name.replace('_', '')}{'' if value is True else value}" for name, value in options.items()
             if value is not None and value is not False]
    return Path("out") / kind / "-".join([*parts, *named])
