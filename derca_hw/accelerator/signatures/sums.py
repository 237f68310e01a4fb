"""Signatures of the users of banks."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for


def _bank(p: Platform) -> int:
    return bits_for(p.buffers.banks - 1)


def bank_address(p: Platform) -> int:
    """Bits of the address of a column in a bank.

    The panel is in the high bits and the column of the tile in the low ones. Where tiles have any shape, the columns of
    one panel follow those of the other.
    """
    return bits_for(p.bank_columns - 1) if p.tile.per_layer else bits_for(p.m_panels - 1) + bits_for(p.tile.n - 1)


def subs_of_word(p: Platform) -> int:
    """The most steps in which a word of a bank is read. A step takes `requant_lanes` sums, or one beat of the word."""
    return max(p.array.rows // p.store.requant_lanes, p.bank_word_beats)


def turn_bits(p: Platform) -> int:
    """Bits of a lane of the requantisation; 0 if there is one."""
    return (p.store.requant_lanes - 1).bit_length()


class BankUpdate(wiring.Signature):
    """Reads columns of sums from a bank and writes them back; seen from the compute engine.

    Members
    -------
    read : Out(1)
    read_bank, read_address : Out
    row : In
        The column, one cycle after it was read.
    write : Out(1)
    write_bank, write_address, write_row : Out
    """

    def __init__(self, p: Platform):
        row = 32 * p.array.rows
        super().__init__({
            "read": Out(1),
            "read_bank": Out(_bank(p)),
            "read_address": Out(bank_address(p)),
            "row": In(row),
            "write": Out(1),
            "write_bank": Out(_bank(p)),
            "write_address": Out(bank_address(p)),
            "write_row": Out(row),
        })


class BankRead(wiring.Signature):
    """Reads words of a bank; seen from the store engine.

    Members
    -------
    read : Out(1)
    bank, address : Out
    word : In
        One cycle after it was read; stays until the next read of a bank.
    """

    def __init__(self, p: Platform):
        super().__init__({
            "read": Out(1),
            "bank": Out(_bank(p)),
            "address": Out(bank_address(p)),
            "word": In(8 * p.beat_bytes * p.bank_word_beats),
        })
