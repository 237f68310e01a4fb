"""A host that knows the protocol of the link by heart, byte by byte."""

import os
import random
import struct
import zlib

from derca_flow.rtl.board import SimulatedLine
from kit.link_bench import LOG, LOG_BASE, LOG_COUNT
from kit.run import SEED

#: Operations, statuses and sizes, written out once more: the tests' own reading of the protocol.
SYNC, READ_REGISTERS, WRITE_REGISTERS, READ_MEMORY, WRITE_MEMORY, READ_EVENTS = 0, 2, 3, 4, 5, 6
ADVANCE, FIXED = 8, 0
OKAY, SLVERR, SEQUENCE, UNKNOWN, BARE = 0, 1, 2, 3, 4
VERSION, CAPACITY, GAP = 1, 64, 16


def seeded(seed: int) -> random.Random:
    seed = int(os.environ.get(SEED, seed))
    print(f"seed {seed} ({SEED} sets another)")
    return random.Random(seed)

def words(values) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)

def frame(number, operation, count, address, values=()) -> bytes:
    body = struct.pack("<BBBI", number % 256, operation, count, address) + words(values)
    return b"\xa5" + body + struct.pack("<I", zlib.crc32(body))

class Bench:
    """A host that knows the protocol by heart; `number` is that of the last request executed."""

    def __init__(self, line: SimulatedLine):
        self.line, self.number, self.logged = line, VERSION, 0
        self.bytes = 10 / line.baud  # seconds of a byte
        self.silence()
        assert self.ask(frame(0, SYNC, 1, 0)) == (VERSION, BARE, CAPACITY, ())

    def receive(self, count: int, timeout: int = 40) -> bytes:
        self.line.timeout = (timeout + count) * self.bytes
        return self.line.read(count)

    def answer(self):
        """(number, status, count, words) of an answer that must come, and be whole and right."""
        head = self.receive(4, 2000)
        assert head[:1] == b"\x5a", head.hex()
        payload = self.receive(0 if head[2] & BARE else 4 * head[3])
        assert struct.unpack("<I", self.receive(4))[0] == zlib.crc32(head[1:] + payload)
        return head[1], head[2], head[3], struct.unpack(f"<{len(payload) // 4}I", payload)

    def ask(self, request: bytes):
        self.line.write(request)
        return self.answer()

    def execute(self, operation, count, address, values=()):
        """Status, count, words of the next request's answer."""
        self.number = (self.number + 1) % 256
        number, *rest = self.ask(frame(self.number, operation, count, address, values))
        assert number == self.number
        return tuple(rest)

    def silence(self, sent: int = 0) -> bytes:
        """Wait until the line, on which `sent` bytes are on their way, has been silent for longer than the gap; what
        came before.
        """
        came = b""
        while more := self.receive(1, sent + 2 * GAP + 8):
            came += more
        return came

    def log(self) -> list[tuple[str, int, int]]:
        """Writes that have left the link since the last call."""
        status, _, (count,) = self.execute(READ_REGISTERS | ADVANCE, 1, LOG_COUNT)
        assert status == OKAY and count - self.logged <= LOG
        out = []
        for entry in range(self.logged, count):
            if not (entry - self.logged) % (CAPACITY // 2) or entry % LOG == 0:
                most = min(CAPACITY // 2, count - entry, LOG - entry % LOG)
                status, _, got = self.execute(READ_REGISTERS | ADVANCE, 2 * most, LOG_BASE + 8 * (entry % LOG))
                assert status == OKAY
                found = iter(zip(got[::2], got[1::2], strict=True))
            where, value = next(found)
            out.append(("memory" if where >> 16 else "register", where & 0xFFFF, value))
        self.logged = count
        return out
