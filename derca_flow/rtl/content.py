"""Names for content, under which what is made from it is kept."""

import hashlib
from pathlib import Path


def digest(*parts: bytes) -> str:
    """A name for content; different parts have different names."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little") + part)
    return state.hexdigest()[:24]


def python_sources(*names: str) -> bytes:
    """The Python sources of packages and modules in one string: any change of them changes the hardware's key."""
    out = []
    for name in names:
        file = Path(__import__(name, fromlist=["__file__"]).__file__)
        for path in sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]:
            out.append(str(path.relative_to(file.parent)).encode() + b"\0" + path.read_bytes())
    return b"\0".join(out)
