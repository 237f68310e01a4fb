"""Which reads of a bank bring the outputs of a packed tile: its columns are rows of outputs, its rows their pixels."""

from functools import lru_cache

import numpy as np

from ..model.platform import Platform


@lru_cache(maxsize=4096)
def reads_of(p: Platform, width: int, first: int) -> tuple[int, ...]:
    """For each pixel of a panel of outputs that begins with pixel `first` of a tile: the number of the read.

    The tile has rows of `width` pixels. A read brings lanes of one word, outputs of one row, to one beat.
    """
    pixels = np.arange(first, first + p.array.rows)
    new = (pixels % width % p.store.requant_lanes == 0) | (pixels % p.beat_bytes == 0)
    return tuple(int(number) for number in np.cumsum(new) - 1)
