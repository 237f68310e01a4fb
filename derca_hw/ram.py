"""Memories that are shallow: which RAM they become."""

from amaranth.lib.memory import Memory

from derca_sim.model.tables import bits_for

from .family import BLOCK_RAM_ONLY, Family

#: Words of a distributed memory that need no selection behind it.
DISTRIBUTED = 64


def ram_style(depth: int, family: Family | None) -> dict:
    """Attributes of a memory: shallow ones never become block RAM; what it answers comes late, and sums follow.

    iCE40 has no other RAM.
    """
    return {"ram_style": "distributed"} if depth <= DISTRIBUTED and family not in BLOCK_RAM_ONLY else {}


def table(m, name, shape, depth, family: Family | None):
    """Write port and read port of a memory; the user registers what is read."""
    size = 1 << bits_for(depth - 1)
    m.submodules[name] = memory = Memory(shape=shape, depth=size, init=[], attrs=ram_style(size, family))
    return memory.write_port(), memory.read_port(domain="comb")
