"""Signatures on the way from read data to operands: placed beats, tiles, reads of the slots."""

from amaranth.hdl import Cat, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.residual import residual_slots
from derca_sim.model.tables import bits_for

from ...layouts import Layouts, pulse
from .sums import bank_address


def _slot(p: Platform) -> int:
    return bits_for(p.buffers.slots - 1)


def _words(p: Platform, lanes: int, panels: int) -> int:
    """Bits of the address of a word in a slot: the panel in the high bits, unless tiles have any shape."""
    words = p.tile.k * lanes // max(lanes, p.beat_bytes)
    return bits_for(panels * words - 1) if p.tile.per_layer else bits_for(panels - 1) + bits_for(words - 1)


def a_words(p: Platform) -> int:
    """Bits of the address of a word in a slot of A; a word is a k step or a whole beat, whichever is wider."""
    return _words(p, p.a_lanes, p.m_panels)


def b_words(p: Platform) -> int:
    """Bits of the address of a word in a slot of B."""
    return _words(p, p.b_lanes, p.n_panels)


def image_read(p: Platform) -> data.StructLayout:
    """Where the rows of the array find their pixels in a slot of A, with `operators.convolution`."""
    word = a_words(p)
    return data.StructLayout({
        # words for the lower and the upper half of the banks: of the window's first pixels, and of those further on
        **dict.fromkeys(("low_near", "low_far", "high_near", "high_far"), word),
        "far": p.a_lanes,  # banks whose pixel is further on
        "shift": bits_for(p.a_lanes - 1),  # the bank of the array's first row
    })


class PlacedBeat(wiring.Signature):
    """A beat of read data and its place in the target, seen from the load stage.

    Members
    -------
    beat : Out(stream, always ready)
    word : Out
        Word of the panel in its slot or bank; of the whole slot or bank where tiles have any shape.
    lane : Out
        Which beat of that word.
    """

    def __init__(self, p: Platform):
        words = (p.a_lanes // p.beat_bytes, p.b_lanes // p.beat_bytes, p.bank_word_beats)
        super().__init__({
            "beat": Out(pulse(Layouts(p).read_beat)),
            "word": Out(range(max(p.most_k, p.tile.n, *(
                (p.a_steps, p.b_steps, p.bank_columns) if p.tile.per_layer else ())))),
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

    With `operators.add` also:

    d_slot : Out
        The slot of D.
    d_full : Out(1)
        The tile of D is in its slot.
    keep : In(1)
        The tile of C that slot `keep_slot` of D belongs to will be complete.
    keep_slot : In
    """

    def __init__(self, p: Platform):
        residual = bits_for(residual_slots(p) - 1)
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
            **({"d_slot": Out(residual), "d_full": Out(1), "keep": In(1), "keep_slot": In(residual)}
               if p.operators.add else {}),
        })


class OperandRead(wiring.Signature):
    """Reads one k step of operands from the slots; seen from the reader.

    Members
    -------
    read : Out(1)
    a_slot, b_slot, a_word, b_word : Out
        Slots, and words in them.
    k : Out
        The step, of which the low bits select one in a word.
    vector : Out(1)
        With `operators.vectors`: A has one row, stored without padding.
    places : Out(image_read)
        With `operators.convolution`, instead of `a_word` and `vector`.
    a_step, b_step : In
        `a_lanes` and `b_lanes` bytes, one cycle after the address.
    """

    def __init__(self, p: Platform):
        super().__init__({
            "read": Out(1),
            "a_slot": Out(_slot(p)),
            "b_slot": Out(_slot(p)),
            **({"places": Out(image_read(p))} if p.operators.convolution else {"a_word": Out(a_words(p))}),
            "b_word": Out(b_words(p)),
            "k": Out(bits_for(p.most_k - 1)),
            **({"vector": Out(1)} if p.operators.vectors and not p.operators.convolution else {}),
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


class ResidualRead(wiring.Signature):
    """Reads columns of D from its slots; seen from the reader.

    Members
    -------
    read : Out(1)
    slot : Out
    address : Out
        The column: as in a bank, but every panel begins with a beat.
    column : In
        `a_lanes` bytes, one cycle after the address; they stay until the next read.
    free : Out(1)
        Slot `slot` is not read any more.
    """

    def __init__(self, p: Platform):
        super().__init__({
            "read": Out(1),
            "slot": Out(bits_for(residual_slots(p) - 1)),
            "address": Out(bank_address(p)),
            "column": In(8 * p.a_lanes),
            "free": Out(1),
        })


def residual_ports(p: Platform) -> dict[str, wiring.Member]:
    """The port through which D is read, seen from the reader; none without `operators.add`."""
    return {"residual": Out(ResidualRead(p))} if p.operators.add else {}


def word_in_unit(p: Platform, placed, bits: int) -> Value:
    """The word of a slot or bank that a placed beat is for; a panel has 2^`bits` words unless tiles have any shape."""
    return placed.word if p.tile.per_layer else Cat(placed.word[:bits], placed.beat.p.target.panel)
