"""The words of the protocol between a host and an accelerator on a board. All numbers are little endian.

A request consists of `REQUEST`, sequence number, operation, count of words, address (4 bytes), the payload of a write,
and a CRC-32 over everything but the first byte. An answer consists of `ANSWER`, the sequence number executed last,
status, count, a payload of count words (unless `Status.BARE` is set), and a CRC-32 likewise. `host.protocol` builds and
reads both.
"""

from enum import IntEnum, IntFlag

from .platform import Platform
from .registers import Fault
from .tables import bits_for

#: First byte of a request and of an answer.
REQUEST, ANSWER = 0xA5, 0x5A
#: Version of the protocol.
VERSION = 1
#: Words that the payload of a frame can have.
CAPACITY = 64
#: Bit times of a byte: start bit, data, stop bit.
BYTE_BITS = 10
#: A pause longer than this many byte times ends a frame.
GAP_BYTES = 16


class Target(IntEnum):
    """Bits 2 and 1 of an operation: what is accessed."""

    SYNC = 0  #: read: the number executed last becomes `VERSION`, count of the bare answer is the capacity
    REGISTERS = 1  #: of the accelerator
    MEMORY = 2  #: the accelerator's main memory
    EVENTS = 3  #: read: as many events as wait, at most count words, `EVENT_WORDS` each


#: Bit 0 of an operation: write.
WRITE = 1
#: Bit 3 of an operation: the address advances by a word each.
ADVANCE = 8


class Status(IntFlag):
    """The status of an answer: a code, and whether there is a payload."""

    OKAY = 0  #: count words were done
    REFUSED = 1  #: an access failed or was outside; count words were done before
    SEQUENCE = 2  #: the number is neither the next nor the last one; nothing was done, count says nothing
    UNKNOWN = 3  #: there is no such operation, or count exceeds the capacity; nothing was done, count says nothing
    BARE = 4  #: no payload: a write, SYNC, or nothing was done


#: Words of an event: its cycle; then `event_fields`.
EVENT_WORDS = 2


def event_fields(p: Platform) -> dict[str, int]:
    """Fields of an event's second word, from bit 0 on, and their bits. The remaining bits are undefined."""
    region = max(bits_for(p.tables.regions - 1), bits_for(max(Fault)))
    return {"arg": 2, "kind": 5, "task": bits_for(p.scheduler.tasks - 1), "region": region}
