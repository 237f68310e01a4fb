"""The transport through a link: registers, main memory and events behind a byte stream that may damage data."""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from ..model.link import ADVANCE, BYTE_BITS, CAPACITY, EVENT_WORDS, GAP_BYTES, VERSION, WRITE, Status, Target
from .protocol import ANSWER_BYTES, REQUEST_BYTES, Answer, Damaged, read_answer, request
from .transport import AccessRefused, LinkError

#: Times a request is sent before the link is given up.
ATTEMPTS = 10
#: Reads after which a line that is never silent is taken as it is.
CHATTER = 500
#: Seconds that accesses of one request may wait for the accelerator.
BUSY = 2e-3


class Line(Protocol):
    """A serial line, as a `Link` needs it.

    Attributes
    ----------
    baud
        Bits per second.
    latency
        Seconds that bytes may spend on their way, there and back, apart from their bits.
    timeout
        Seconds after which `read` gives up; set by the user of the line.
    """

    baud: float
    latency: float
    timeout: float

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def read(self, count: int) -> bytes:
        """The next bytes, fewer if the time-out passes."""

    def clock(self) -> float:
        """Seconds on the clock of the line."""


class Link:
    """Registers, main memory and events through a line. `Link.open` makes one.

    A `transport.MemoryTransport`. Requests that stay without a right answer are repeated; the link executes each once.

    Attributes
    ----------
    capacity
        Words in a request or an answer.
    repeats
        Requests that had to be sent again.
    bytes
        Sent and received, damage and repeats included.
    """

    traced = True

    def __init__(self, line: Line):
        self._line = line
        self._last = VERSION
        self.capacity = 1
        self.repeats = 0
        self.bytes = 0

    @classmethod
    def open(cls, line: Line) -> "Link":
        """Begin a session: both sides count requests from here.

        Raises
        ------
        LinkError
            If nothing answers, or what answers speaks another version of the protocol.
        """
        link = cls(line)
        link._settle()
        link._synchronise()
        return link

    def clock(self) -> float:
        """Seconds, as the line counts them."""
        return self._line.clock()

    def pause(self, seconds: float) -> None:
        """Nothing: every access takes its time on the line."""

    # -- registers ---------------------------------------------------------------------------------------------------

    def read(self, address: int) -> int:
        """The register's value."""
        words = self._read(Target.REGISTERS, address, 1, f"the read of register {address:#x}")
        return words[0]

    def write(self, address: int, value: int) -> None:
        """Change the register."""
        self.write_all([(address, value)])

    def write_all(self, writes: Iterable[tuple[int, int]], progress: Callable[[int], None] | None = None) -> None:
        """Change registers, in this order; `progress` is called with the number done."""
        done = 0
        for address, advance, values in runs(writes, self.capacity):
            answer = self._write(Target.REGISTERS, address, values, advance)
            if answer.code:
                at = address + 4 * answer.count * advance
                raise AccessRefused(f"the write of {values[answer.count]:#x} to register {at:#x} was refused (SLVERR)")
            done += len(values)
            if progress:
                progress(done)

    # -- main memory -------------------------------------------------------------------------------------------------

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of main memory."""
        first, end = address // 4, -(-(address + size) // 4)
        words = []
        for at in range(first, end, self.capacity):
            words += self._read(Target.MEMORY, 4 * at, min(self.capacity, end - at), f"the read of memory {4 * at:#x}")
        return struct.pack(f"<{len(words)}I", *words)[address - 4 * first:][:size]

    def write_memory(self, address: int, data: bytes, progress: Callable[[int], None] | None = None) -> None:
        """Write whole words of main memory; `progress` is called with the number of bytes done."""
        if address % 4 or len(data) % 4:
            raise ValueError(f"{len(data)} bytes at {address:#x}: allowed are whole words of 4 bytes")
        words = struct.unpack(f"<{len(data) // 4}I", data)
        for at in range(0, len(words), self.capacity):
            answer = self._write(Target.MEMORY, address + 4 * at, words[at:at + self.capacity], 1)
            if answer.code:
                raise AccessRefused(f"the write to memory {address + 4 * (at + answer.count):#x} was refused: it is "
                                    "beyond the end")
            if progress:
                progress(4 * min(at + self.capacity, len(words)))

    # -- events ------------------------------------------------------------------------------------------------------

    def events(self) -> list[int]:
        """Words of the waiting events, `EVENT_WORDS` each, as many as an answer holds."""
        return self._read(Target.EVENTS, 0, self.capacity // EVENT_WORDS * EVENT_WORDS, "the read of events")

    # -- requests ----------------------------------------------------------------------------------------------------

    def _read(self, target: Target, address: int, count: int, what: str) -> list[int]:
        answer = self._execute(target << 1 | ADVANCE, count, address, b"", what)
        if answer.code:
            raise AccessRefused(f"{what} was refused (SLVERR at word {answer.count})")
        return list(struct.unpack(f"<{answer.count}I", answer.payload))

    def _write(self, target: Target, address: int, words: Iterable[int], advance: int) -> Answer:
        payload = struct.pack(f"<{len(words)}I", *(word & 0xFFFFFFFF for word in words))
        return self._execute(target << 1 | WRITE | ADVANCE * advance, len(words), address, payload,
                             f"the write to {target.name.lower()} at {address:#x}")

    def _execute(self, operation: int, count: int, address: int, payload: bytes, what: str) -> Answer:
        """Have a request executed exactly once."""
        number = (self._last + 1) % 256
        answer = self._exchange(
            request(number, operation, count, address, payload), what,
            lambda answer: answer.sequence == number and answer.code in (Status.OKAY, Status.REFUSED),
            0 if operation & WRITE else 4 * count)
        self._last = number
        return answer

    def _synchronise(self) -> None:
        answer = self._exchange(request(0, Target.SYNC << 1, 1, 0), "the request for synchronisation",
                                lambda answer: answer.bare and answer.code == Status.OKAY, 0)
        if answer.sequence != VERSION:
            raise LinkError(f"the link speaks version {answer.sequence} of the protocol, this host version {VERSION}: "
                            "generate and load the bitstream with this version of derca")
        self._last, self.capacity = VERSION, min(answer.count, CAPACITY)

    def _exchange(self, frame: bytes, what: str, expected: Callable[[Answer], bool], size: int) -> Answer:
        line, foreign, heard = self._line, 0, ""
        both = len(frame) + ANSWER_BYTES + size
        for attempt in range(ATTEMPTS):
            if attempt:
                self.repeats += 1
                self._settle()
            line.write(frame)
            self.bytes += len(frame)
            line.timeout = self.duration(2 * both) + BUSY
            end, others = line.clock() + line.timeout, ""
            try:
                while line.clock() <= end:
                    answer = read_answer(self._read_line)
                    if expected(answer):
                        return answer
                    if answer.code == Status.UNKNOWN:
                        raise LinkError(f"{what}: the link does not know the request; generate and load the bitstream "
                                        "with this version of derca")
                    others = heard = f"an answer with number {answer.sequence}, {answer.code.name}"
            except Damaged as e:
                heard = others or str(e)
            foreign += bool(others)
        if foreign == ATTEMPTS:
            advice = "the board was reset, or another program uses the line; start again"
        else:
            advice = (f"check the port, that the speed is {line.baud:,.0f} bits per second, that rx and tx are not "
                      "swapped, and that the board has power and its bitstream")
        raise LinkError(f"{what}: no right answer to {ATTEMPTS} requests (last: {heard}); {advice}")

    def _read_line(self, count: int) -> bytes:
        data = self._line.read(count)
        self.bytes += len(data)
        return data

    def _settle(self) -> None:
        """Wait until the line has been silent for long enough to end any frame, and drop what arrives meanwhile."""
        self._line.timeout = self.duration(2 * GAP_BYTES)
        for _ in range(CHATTER):
            if not self._read_line(REQUEST_BYTES):
                return

    def duration(self, count: int) -> float:
        """Seconds that so many bytes take."""
        return self._line.latency + count * BYTE_BITS / self._line.baud


def runs(writes: Iterable[tuple[int, int]], most: int) -> Iterator[tuple[int, int, list[int]]]:
    """Group writes (address, value) into requests: first address, whether it advances, values."""
    address, advance, values = 0, 0, []
    for at, value in writes:
        if values and len(values) < most:
            step = at - (address + 4 * advance * (len(values) - 1))
            if len(values) == 1 and step in (0, 4):
                advance = step // 4
                values.append(value)
                continue
            if len(values) > 1 and step == 4 * advance:
                values.append(value)
                continue
        if values:
            yield address, advance, values
        address, advance, values = at, 0, [value]
    if values:
        yield address, advance, values
