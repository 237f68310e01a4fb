"""Tables of results, independent of how they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table: the first column is text, the others are figures; the last `total` rows stand below a line."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence]
    caption: str = ""
    total: int = 0
