"""The inputs that a build depends on, as text for cache keys and as hashes for the manifest."""

import hashlib
from pathlib import Path

from derca_sim.model.loading import read_toml

from ..rtl.content import python_sources


def taskset_files(path: Path) -> list[Path]:
    """A task set and the networks it names."""
    networks = read_toml(path).get("network", ())
    return [path, *(path.parent / n["file"] for n in networks if "file" in n)]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def package_hash(*packages: str) -> str:
    """SHA-256 of the Python sources of packages and modules."""
    return hashlib.sha256(python_sources(*packages)).hexdigest()
