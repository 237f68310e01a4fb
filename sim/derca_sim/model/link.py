"""The link between a host and an accelerator on a board: the words of its protocol.

Little endian. A request is `REQUEST`, sequence number, operation, count of words, address (4 bytes), with writes the
payload, and the CRC-32 of all that but the first byte. An answer is `ANSWER`, sequence number, status, count, with
`Status.WRITTEN` clear a payload of count words, and the CRC-32 likewise. `csr.protocol` builds and reads them.
"""

from enum import IntEnum, IntFlag

#: First byte of a request and of an answer.
REQUEST, ANSWER = 0xA5, 0x5A
#: Version of the protocol.
VERSION = 1
#: Words that the payload of a frame can have.
CAPACITY = 128
#: A pause longer than this many byte times ends a frame.
GAP_BYTES = 16


class Target(IntEnum):
    """Bits 2 and 1 of an operation: what is accessed."""

    SYNC = 0  #: read: the sequence number is the last one executed; one word, capacity | version << 16
    REGISTERS = 1  #: of the accelerator
    MEMORY = 2  #: the accelerator's main memory
    EVENTS = 3  #: read: as many events as wait, at most count words, `EVENT_WORDS` each


#: Bit 0 of an operation: write.
WRITE = 1
#: Bit 3 of an operation: the address advances by a word each.
ADVANCE = 8


class Status(IntFlag):
    """The status of an answer: a code, and whether the request was an executed write."""

    OKAY = 0
    REFUSED = 1  #: an access failed, or was outside; count words were done before
    SEQUENCE = 2  #: the number is neither the next nor the last one; nothing was done
    UNKNOWN = 3  #: there is no such operation, or count exceeds the capacity; nothing was done
    WRITTEN = 4  #: count says how many words were written; no payload


#: Words of an event: its cycle; then the fields below, from bit 0 on.
EVENT_WORDS = 2
EVENT_FIELDS = {"arg": 2, "kind": 5, "task": 10, "region": 15}
