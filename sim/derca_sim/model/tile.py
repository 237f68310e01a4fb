"""The tile of a layer: how much of a product one iteration computes."""

from typing import NamedTuple

from .platform import Platform


class Tile(NamedTuple):
    """`m` x `k` elements of A times `k` x `n` of B.

    With `rows`, B has a panel for each channel of a depthwise layer, and its columns are so many rows of outputs.
    """

    m: int
    k: int
    n: int
    rows: int = 0

    def __str__(self) -> str:
        return f"{self.m} x {self.k} x {self.n}" + f", rows {self.rows}" * (self.rows > 0)


class Mapping(NamedTuple):
    """How a layer runs: its tile, and how many iterations before tiles of A its tiles of B are requested."""

    tile: Tile
    ahead: int


def platform_tile(p: Platform) -> Tile:
    """The tile that every layer has without `tile.per_layer`, and the one that fills slots and banks with it."""
    return Tile(p.tile.m, p.tile.k, p.tile.n)


def fits(p: Platform, tile: Tile) -> bool:
    """Whether a layer may have this tile: within slots, banks and biases, in whole panels and beats.

    With `operators.transpose` its columns are whole panels, and its rows whole beats, of a transposed output too.
    """
    if tile == platform_tile(p):
        return True
    m_panels, n_panels = tile.m // p.array.rows, tile.n // p.array.cols
    return (
        not tile.rows and whole(p, tile)
        and m_panels * tile.k <= p.a_steps and n_panels * tile.k <= p.b_steps
        and not any(tile.k * lanes % p.beat_bytes for lanes in (p.a_lanes, p.b_lanes))
        and not (p.operators.vectors and tile.k * p.array.element_bytes % p.beat_bytes)
    )


def whole(p: Platform, tile: Tile) -> bool:
    """Whether a tile is whole panels, within a bank, and its columns, outputs and biases are whole beats."""
    m_panels, n_panels = tile.m // p.array.rows, tile.n // p.array.cols
    return (
        p.tile.per_layer and min(tile[:3]) > 0
        and tile.m == m_panels * p.array.rows and tile.n == n_panels * p.array.cols
        and m_panels * tile.n <= p.bank_columns and tile.n <= p.tile.n
        and tile.n * p.a_lanes % p.beat_bytes == 0 and tile.n * 4 % p.beat_bytes == 0
        and not (p.operators.vectors and tile.n * p.array.element_bytes % p.beat_bytes)
        and not (p.operators.transpose and (tile.n % p.array.rows or tile.m * p.a_lanes % p.beat_bytes))
    )
