"""The load/compute/store pipeline of one layer: blocks that cannot be divided, and what is on chip between them.

Output stationary: of m x k x n tiles, k accumulate into one output tile before the next is begun. Inputs and outputs
are double buffered. Times are whole cycles.

- *lock-step*: iteration i loads tile i, computes tile i-1 and stores the output tile completed in iteration i-1; it
  lasts as long as the longest of what is present; m*k*n + 2 iterations.
- *decoupled*: each engine waits only for its own operands, a max-plus recurrence: load i starts when load i-1 is done
  and the slot of tile i-2 is free; compute i when compute i-1 and load i are done and, at the start of an output tile,
  when the store of the output tile before the last is done; stores follow one another.
"""

from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache


class OnChip(Enum):
    """The contents of the output bank in use at a boundary."""

    NOTHING = "nothing"
    PARTIAL = "partial sums"
    COMPLETE = "a complete output tile that is not yet stored"


@dataclass(frozen=True)
class Boundary:
    """The state between two blocks. All figures are cycles.

    `redo` repeats the work in the bank, from its first input load on. `reload` brings the prefetched inputs back.
    `draining` is the rest of the store of an earlier output tile. `saved` is what the next block gets shorter by when
    the complete tile on chip has been stored by then.
    """

    holds: OnChip
    redo: int
    reload: int
    draining: int = 0
    saved: int = 0


@dataclass(frozen=True)
class LayerProfile:
    """Blocks of a layer and the boundaries between them; `first_need` as in `TimingModel`."""

    blocks: tuple[int, ...]
    boundaries: tuple[Boundary, ...]
    first_need: int

    @property
    def length(self) -> int:
        return sum(self.blocks)


@lru_cache(maxsize=4096)
def lockstep(outputs: int, k: int, load: int, compute: int, store: int, pieces: int = 1) -> LayerProfile:
    """Profile of a layer of `outputs` output tiles of `k` input tiles each, in lock-step.

    With `pieces` > 1 what a store lasts beyond the load and the compute of its iteration is divided into so many parts
    at bursts; the rest of the store then goes on behind a preemption.
    """
    tiles = outputs * k
    loads = [load if i < tiles else 0 for i in range(tiles + 2)]
    computes = [compute if 0 < i <= tiles else 0 for i in range(tiles + 2)]
    stores = [store if i >= 2 and (i - 1) % k == 0 else 0 for i in range(tiles + 2)]
    lengths = [max(x) for x in zip(loads, computes, stores, strict=True)]

    def state(j: int, draining: int = 0) -> Boundary:
        """Before iteration j: tiles 0 .. j-2 are computed, tile j-1 is loaded; stores up to iteration j-1 are done."""
        reload = loads[j - 1]
        if j == 1:
            return Boundary(OnChip.NOTHING, reload, reload, draining)
        if j == tiles + 2:
            return Boundary(OnChip.NOTHING, 0, 0, draining)
        first = (j - 2) // k * k
        redo = loads[first] + sum(max(loads[i], computes[i]) for i in range(first + 1, j))
        if (j - 1) % k:
            return Boundary(OnChip.PARTIAL, redo, reload, draining)
        saved = lengths[j] - max(loads[j], computes[j])
        return Boundary(OnChip.COMPLETE, redo, reload, draining, saved)

    blocks: list[int] = []
    boundaries: list[Boundary] = []
    for i, length in enumerate(lengths):
        body = max(loads[i], computes[i])
        tail = length - body
        if pieces > 1 and tail > 0:
            parts = ([body] if body else []) + split(tail, pieces)
        else:
            parts = [length]
        remaining = length
        for part in parts:
            blocks.append(part)
            remaining -= part
            if i < tiles + 1 or remaining:
                boundaries.append(state(i + 1, remaining))
    return LayerProfile(tuple(blocks), tuple(boundaries), sum(lengths[:k + 1]))


@lru_cache(maxsize=4096)
def decoupled(outputs: int, k: int, load: int, compute: int, store: int, pieces: int = 1) -> LayerProfile:
    """The profile of a layer like `lockstep`, for engines that synchronise only through slots and banks.

    A block ends with each compute; the last block is the rest of the final store. With `pieces` > 1 that block, and
    every wait of the compute engine, are divided into so many parts.
    """
    tiles = outputs * k
    loaded = computed = stored = stored_before = first_need = 0
    slot_free = [0, 0]
    blocks: list[int] = []
    boundaries: list[Boundary] = []

    def wait(cycles: int) -> None:
        """The compute engine waits: nothing changes but what is left of the store."""
        at = boundaries[-1]
        for part in split(cycles, pieces):
            blocks.append(part)
            cycles -= part
            at = replace(at, draining=max(0, at.draining - part))
            boundaries.append(at)

    for i in range(tiles):
        before = computed
        loaded = max(loaded, slot_free[i % 2]) + load
        start = max(computed, loaded, stored_before if i % k == 0 else 0)
        computed = slot_free[i % 2] = start + compute
        if i and pieces > 1:
            wait(start - before)
            before = start
        blocks.append(computed - before)
        # Both slots are empty after a preemption: the first load is exposed, then the slower engine sets the pace.
        redo = load + i % k * max(load, compute) + compute + max(0, load - compute)
        reload = load if i < tiles - 1 else 0
        if i % k < k - 1:
            boundaries.append(Boundary(OnChip.PARTIAL, redo, reload, max(0, stored - computed)))
        else:
            boundaries.append(Boundary(OnChip.COMPLETE, redo, reload, max(0, stored - computed)))
            stored_before, stored = stored, max(stored, computed) + store
        if i == k - 1:
            first_need = computed
    remaining = stored - computed
    if pieces > 1:
        wait(boundaries[-1].draining)
        remaining = stored - max(stored_before, computed)
    for part in split(remaining, pieces):
        blocks.append(part)
        remaining -= part
        if remaining:
            boundaries.append(Boundary(OnChip.NOTHING, 0, 0, remaining))
    return LayerProfile(tuple(blocks), tuple(boundaries), first_need)


def split(length: int, pieces: int) -> list[int]:
    """`length` in at most `pieces` positive parts that differ by one at most, the longer ones first."""
    pieces = min(pieces, length)
    return [length // pieces + (i < length % pieces) for i in range(pieces)]
