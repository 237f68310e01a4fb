"""What a build depends on, as text for cache keys and as hashes for the manifest."""

import hashlib
import tomllib
from pathlib import Path

from derca_sim.errors import InputError
from derca_sim.model.board import Board

from ..rtl.build import python_sources

_CHECKOUT = Path(__file__).resolve().parents[2]


def checkout_file(*parts: str) -> Path:
    """A file of the checkout.

    Raises
    ------
    InputError
        If it is not there.
    """
    path = _CHECKOUT.joinpath(*parts)
    if not path.is_file():
        raise InputError(f"{'/'.join(parts)}: needed, and not in {_CHECKOUT}")
    return path


def platform_file(board: Board) -> Path:
    """The board's platform."""
    return checkout_file("sim", "platforms", board.platform)


def constraints_file(board: Board) -> Path:
    """The board's pins."""
    return checkout_file("constraints", board.constraints)


def taskset_files(path: Path) -> list[Path]:
    """A task set and the networks it names."""
    networks = tomllib.loads(path.read_text()).get("network", [])
    return [path, *(path.parent / n["file"] for n in networks if "file" in n)]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def package_hash(*packages: str) -> str:
    """SHA-256 of the Python sources of packages and modules."""
    return hashlib.sha256(python_sources(*packages)).hexdigest()
