"""The link between a host and an accelerator on a board: the words of its protocol.

Little endian. A request is `REQUEST`, sequence number, operation, count of words, address (4 bytes), with writes the
payload, and the CRC-32 of all that but the first byte. An answer is `ANSWER`, the sequence number executed last,
status, count, unless `Status.BARE` a payload of count words, and the CRC-32 likewise. `csr.protocol` builds and reads
them.
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
    """Fields of an event's second word, from bit 0 on, and their bits; what the others are is not said."""
    region = max(bits_for(p.tables.regions - 1), bits_for(max(Fault)))
    return {"arg": 2, "kind": 5, "task": bits_for(p.scheduler.tasks - 1), "region": region}
