"""The files that come with the sources: sample platforms, task sets, networks, sweeps and boards, and their pins."""

from pathlib import Path

from derca_sim.errors import InputError

#: Holds them by kind. In a checkout its folders are links to where the files lie.
_SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def samples(kind: str) -> list[Path]:
    """The sample files of a kind: `tasksets`, `platforms`, `networks`, `sweeps`, `boards` or `constraints`."""
    return sorted(path for path in (_SAMPLES / kind).resolve().iterdir() if path.is_file())


def sample(kind: str, name: str) -> Path:
    """A sample file.

    Raises
    ------
    InputError
        If there is none of the name.
    """
    path = (_SAMPLES / kind / name).resolve()
    if not path.is_file():
        raise InputError(f"{path}: absent, though it comes with derca; install derca again")
    return path
