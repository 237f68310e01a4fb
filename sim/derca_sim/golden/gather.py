"""Which reads of a bank bring the outputs of a packed tile: its columns are rows of outputs, its rows their pixels."""

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4096)
def reads_of(rows: int, lanes: int, beat_bytes: int, width: int, first: int) -> tuple[int, ...]:
    """For each pixel of a panel of `rows` outputs that begins with pixel `first` of a tile: the number of the read.

    The tile has rows of `width` pixels. A read brings `lanes` of one word, outputs of one row, to one beat.
    """
    pixels = np.arange(first, first + rows)
    new = (pixels % width % lanes == 0) | (pixels % beat_bytes == 0)
    return tuple(int(number) for number in np.cumsum(new) - 1)
