"""The bytes of a model's file."""

from pathlib import Path

from ..errors import InputError
from ..model.loading import open_input

#: Most bytes of a file.
MAX_BYTES = 2 << 30


def read_model(path: Path, kind: str) -> bytes:
    """The content of a file of a kind, as `a .tflite`.

    Raises
    ------
    InputError
        If it cannot be read, or is too large.
    """
    try:
        with open_input(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror or e}): give the path of {kind} file") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES >> 30} GiB, the most that is read")
    return data
