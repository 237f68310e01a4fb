"""Signatures on the way from read data to operands: placed beats, tiles, reads of the slots."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...layouts import Layouts, pulse


def _slot(p: Platform) -> int:
    return bits_for(p.buffers.slots - 1)


class PlacedBeat(wiring.Signature):
    """A beat of read data and its place in the target, seen from the load stage.

    Members
    -------
    beat : Out(stream, always ready)
    word : Out
        Word of the slot's panel, or of the bank.
    lane : Out
        Which beat of that word.
    """

    def __init__(self, p: Platform):
        words = (p.a_lanes // p.beat_bytes, p.b_lanes // p.beat_bytes, p.bank_word_beats)
        super().__init__({
            "beat": Out(pulse(Layouts(p).read_beat)),
            "word": Out(range(max(p.tile.k, p.tile.n))),
            "lane": Out(bits_for(max(words) - 1)),
        })


class TileSupply(wiring.Signature):
    """The tiles of the next iteration, seen from the load stage.

    Members
    -------
    head : Out(stream)
        The tag of the iteration.
    a_slot, b_slot : Out
        The slots of its tiles.
    a_full, b_full : Out(1)
        The tile is in its slot.
    bias_set : Out
        The set of biases of the iteration.
    release : In(1)
        The iteration in work has used its tiles.
    last_a, last_b : In(1)
        With `release`: the iteration is the last one to use its tile of A, of B.
    """

    def __init__(self, p: Platform):
        super().__init__({
            "head": Out(stream.Signature(Layouts(p).tag)),
            "a_slot": Out(_slot(p)),
            "b_slot": Out(_slot(p)),
            "a_full": Out(1),
            "b_full": Out(1),
            "bias_set": Out(_slot(p) + 1),
            "release": In(1),
            "last_a": In(1),
            "last_b": In(1),
        })


class OperandRead(wiring.Signature):
    """Reads one k step of operands from the slots; seen from the reader.

    Members
    -------
    read : Out(1)
    a_slot, b_slot, m_panel, n_panel, k : Out
        The address.
    a_step, b_step : In
        `a_lanes` and `b_lanes` bytes, one cycle after the address.
    """

    def __init__(self, p: Platform):
        super().__init__({
            "read": Out(1),
            "a_slot": Out(_slot(p)),
            "b_slot": Out(_slot(p)),
            "m_panel": Out(bits_for(p.m_panels - 1)),
            "n_panel": Out(bits_for(p.n_panels - 1)),
            "k": Out(bits_for(p.tile.k - 1)),
            "a_step": In(8 * p.a_lanes),
            "b_step": In(8 * p.b_lanes),
        })


class BiasRead(wiring.Signature):
    """Reads a bias from the slots; seen from the reader.

    Members
    -------
    set : Out
        The set of biases.
    n : Out
        The column of the tile.
    value : In(32)
        One cycle after the address.
    """

    def __init__(self, p: Platform):
        super().__init__({"set": Out(_slot(p) + 1), "n": Out(bits_for(p.tile.n - 1)), "value": In(32)})
