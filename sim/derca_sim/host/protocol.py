"""Frames of the link's protocol, which `model.link` describes: building requests, reading answers."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..events import Event, Kind
from ..model.link import ANSWER, EVENT_WORDS, REQUEST, Status, event_fields
from ..model.platform import Platform

#: Bytes of a request and of an answer without payload.
REQUEST_BYTES, ANSWER_BYTES = 12, 8


class Damaged(Exception):
    """The bytes received are no whole answer with a right CRC; the message describes them."""


@dataclass(frozen=True)
class Answer:
    """An answer with a right CRC; `code` is a `Status` without its BARE."""

    sequence: int
    code: Status
    bare: bool
    count: int
    payload: bytes


def crc(body: bytes) -> bytes:
    """The four bytes that follow a frame's body."""
    return zlib.crc32(body).to_bytes(4, "little")


def request(sequence: int, operation: int, count: int, address: int, payload: bytes = b"") -> bytes:
    """A request, from its first byte to its CRC."""
    body = bytes([sequence, operation, count]) + address.to_bytes(4, "little") + payload
    return bytes([REQUEST]) + body + crc(body)


def read_answer(read: Callable[[int], bytes]) -> Answer:
    """The next answer on a line. Bytes before its first byte are skipped.

    Parameters
    ----------
    read
        Returns the given number of bytes, or fewer if its time-out passes.

    Raises
    ------
    Damaged
        If the line falls silent before the answer's end, or the CRC is wrong.
    """
    def exactly(count: int) -> bytes:
        data = bytes(read(count))
        if len(data) < count:
            raise Damaged(f"{len(data)} of {count} bytes of an answer came in time")
        return data

    passed = 0
    while (first := bytes(read(1))) != bytes([ANSWER]):
        if not first:
            raise Damaged(f"no answer came in time, {passed} other bytes did")
        passed += 1
    head = exactly(3)
    bare = bool(head[1] & Status.BARE)
    rest = exactly((0 if bare else 4 * head[2]) + 4)
    body = head + rest[:-4]
    if crc(body) != rest[-4:]:
        raise Damaged(f"the CRC of an answer of {len(body)} bytes is wrong")
    return Answer(head[0], Status(head[1] & 3), bare, head[2], rest[:-4])


def decode_events(p: Platform, words: Sequence[int]) -> list[Event]:
    """The events in words of the event stream, without job numbers."""
    events = []
    for cycle, packed in zip(words[::EVENT_WORDS], words[1::EVENT_WORDS], strict=True):
        fields = {}
        for name, width in event_fields(p).items():
            fields[name] = packed & ((1 << width) - 1)
            packed >>= width
        events.append(Event(cycle, Kind(fields.pop("kind")), **fields))
    return events
