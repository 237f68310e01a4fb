"""The link on its RTL: what damaged frames do (nothing), and that a host gets everything across a bad line."""

import inspect
import itertools
import random
import struct
import zlib

import pytest
from amaranth.hdl import Signal

import derca_hw.board.link.link
from derca_flow.rtl.board import SimulatedLine
from derca_hw.board.link.line import LinkLine
from derca_sim.host.link import Link
from derca_sim.host.transport import AccessRefused
from kit.link_bench import MEMORY, REFUSED, REGISTERS, open_bench
from kit.link_host import (
    ADVANCE,
    BARE,
    CAPACITY,
    FIXED,
    OKAY,
    READ_EVENTS,
    READ_MEMORY,
    READ_REGISTERS,
    SEQUENCE,
    SLVERR,
    SYNC,
    UNKNOWN,
    WRITE_MEMORY,
    WRITE_REGISTERS,
    Bench,
    frame,
    seeded,
)


@pytest.fixture
def bench():
    with open_bench() as line:
        yield Bench(line)


# -- the protocol, undamaged -----------------------------------------------------------------------------------------

def test_registers_and_memory_are_written_and_read(bench):
    rng = seeded(1)
    values = [rng.getrandbits(32) for _ in range(CAPACITY)]
    assert bench.execute(WRITE_REGISTERS | ADVANCE, CAPACITY, 0x40, values) == (BARE, CAPACITY, ())
    assert bench.log() == [("register", 0x40 + 4 * i, v) for i, v in enumerate(values)]
    assert bench.execute(READ_REGISTERS | ADVANCE, CAPACITY, 0x40) == (OKAY, CAPACITY, tuple(values))
    assert bench.execute(WRITE_REGISTERS | FIXED, 3, 0x40, [7, 8, 9]) == (BARE, 3, ())
    assert bench.log() == [("register", 0x40, v) for v in (7, 8, 9)]
    assert bench.execute(READ_REGISTERS | FIXED, 2, 0x40) == (OKAY, 2, (9, 9))
    for first in range(0, MEMORY, CAPACITY):
        assert bench.execute(WRITE_MEMORY | ADVANCE, CAPACITY, 4 * first, values) == (BARE, CAPACITY, ())
    assert bench.log() == [("memory", 4 * i, values[i % CAPACITY]) for i in range(MEMORY)]
    assert bench.execute(READ_MEMORY | ADVANCE, 3, 4 * MEMORY - 12) == (OKAY, 3, tuple(values[-3:]))
    assert bench.execute(READ_MEMORY | ADVANCE, 0, 0) == (OKAY, 0, ())


@pytest.mark.parametrize(("operation", "count", "address", "answer"), [
    (WRITE_REGISTERS, 4, REFUSED - 8, (SLVERR | BARE, 2, ())),
    (WRITE_REGISTERS, 4, REFUSED, (SLVERR | BARE, 0, ())),
    (READ_REGISTERS, 4, REFUSED - 4, (SLVERR, 1, None)),
    (READ_REGISTERS, 1, 0x40000, (SLVERR, 0, ())),
    (READ_REGISTERS, 1, 0x80000000, (SLVERR, 0, ())),
    (READ_REGISTERS, 1, 2, (SLVERR, 0, ())),
    (WRITE_MEMORY, 3, 4 * MEMORY - 4, (SLVERR | BARE, 1, ())),
    (WRITE_MEMORY, 1, 4 * MEMORY, (SLVERR | BARE, 0, ())),
    (READ_MEMORY, 1, 0x1000000, (SLVERR, 0, ())),
    (READ_MEMORY, 2, 4 * MEMORY - 4, (SLVERR, 1, None)),
    (WRITE_MEMORY, 1, 8192 - 4, (SLVERR | BARE, 0, ())),  # in the bits of an address, not in the memory
    (READ_MEMORY, 1, 8192 - 4, (SLVERR, 0, ())),
    (READ_MEMORY, 1, 8192, (SLVERR, 0, ())),
])
def test_what_is_refused_ends_the_request_and_says_at_which_word(bench, operation, count, address, answer):
    writes = bool(operation & 1)
    got = bench.execute(operation | ADVANCE, count, address, [5] * (count if writes else 0))
    assert got[:2] == answer[:2] and len(got[2]) == (0 if writes else answer[1])
    assert len(bench.log()) == (answer[1] if writes else 0)
    assert bench.execute(READ_MEMORY, 1, 0)[:2] == (OKAY, 1)


@pytest.mark.parametrize("operation", [0x10, 0x80, SYNC | 1, READ_EVENTS | 1])
def test_unknown_operations_do_nothing_and_take_no_number(bench, operation):
    request = frame(bench.number + 1, operation, 1, 0, [1] if operation & 1 else [])
    assert bench.ask(request)[:2] == (bench.number, UNKNOWN | BARE)
    assert bench.log() == []


def test_a_count_beyond_the_capacity_is_refused(bench):
    assert bench.ask(frame(bench.number + 1, READ_MEMORY, CAPACITY + 1, 0))[:2] == (bench.number, UNKNOWN | BARE)
    too_many = frame(bench.number + 1, WRITE_MEMORY, CAPACITY + 1, 0, [3] * (CAPACITY + 1))
    assert bench.ask(too_many)[:2] == (bench.number, UNKNOWN | BARE)
    assert bench.log() == []


def test_numbers_run_round_and_only_the_next_one_is_executed(bench):
    for i in range(300):
        assert bench.execute(WRITE_REGISTERS, 1, 4 * (i % REGISTERS), [i]) == (BARE, 1, ())
        if i % 30 == 0:
            for wrong in (2, 3, 127, 128, 254):  # added to the last number; 255 is the one before
                assert bench.ask(frame(bench.number + wrong, WRITE_REGISTERS, 1, 0, [99]))[1] == SEQUENCE | BARE
    assert bench.log() == [("register", 4 * (i % REGISTERS), i) for i in range(300)]


def test_before_synchronisation_nothing_is_executed():
    with open_bench() as line:
        for number in (0, 1, 2):
            line.write(frame(number, WRITE_REGISTERS, 1, 0, [1]))
            line.timeout = 1000 / line.baud
            assert line.read(8)[2:3] == bytes([SEQUENCE | BARE])
        assert Bench(line).log() == []


def test_a_repeated_request_is_answered_again_and_not_executed_again(bench):
    first = bench.execute(READ_EVENTS | ADVANCE, 6, 0)
    again = frame(bench.number, READ_EVENTS | ADVANCE, 6, 0)
    assert first[1] >= 2
    assert bench.ask(again)[1:] == first
    damaged = frame(bench.number, WRITE_MEMORY | ADVANCE, 6, 0, [0xDEAD] * 6)
    bench.line.write(damaged[:-1] + bytes([damaged[-1] ^ 1]))  # fills the buffer for requests, but is not executed
    bench.silence(len(damaged))
    assert bench.ask(again)[1:] == first
    after = bench.execute(READ_EVENTS | ADVANCE, 6, 0)
    assert after != first and after[2][0] > first[2][-2]
    write = frame(bench.number + 1, WRITE_MEMORY, 2, 8, [1, 2])
    assert bench.ask(write) == bench.ask(write) == (bench.number + 1, BARE, 2, ())
    bench.number += 1
    assert bench.log() == [("memory", 8, 1), ("memory", 8, 2)]


def test_events_come_whole_in_order_and_none_is_lost(bench):
    cycles = []
    while len(cycles) < 200:
        status, count, got = bench.execute(READ_EVENTS | ADVANCE, 2 * (1 + len(cycles) % 5), 0)
        assert status == OKAY and count == len(got) <= 10 and count % 2 == 0
        for cycle, fields in zip(got[::2], got[1::2], strict=True):
            low = fields & (1 << 18) - 1  # of a platform with 8 tasks and 256 regions
            assert low == cycle % 4 | cycle % 32 << 2 | (cycle >> 2) % 8 << 7 | (cycle >> 3) % 256 << 10
        cycles += got[::2]
    assert cycles == [n for n in range(cycles[-1] + 1) if n % 4 != 3]


@pytest.mark.parametrize("clocks", [24, 25, 26])
def test_speeds_may_differ_by_four_percent(clocks):
    with open_bench(25, clocks) as line:
        bench = Bench(line)
        values = [0, 0xFFFFFFFF, 0x55555555, 0xAAAAAAAA]
        assert bench.execute(WRITE_MEMORY | ADVANCE, 4, 0, values) == (BARE, 4, ())
        assert bench.execute(READ_MEMORY | ADVANCE, 4, 0) == (OKAY, 4, tuple(values))


# -- damage -----------------------------------------------------------------------------------------------------------

def flip(rng, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def lose(rng, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice([1, 1, 2, 5]):]


def insert(rng, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice([b"\xa5", rng.randbytes(1), rng.randbytes(4)]) + data[at:]


def swap(rng, data: bytes) -> bytes:
    at = rng.randrange(len(data) - 1)
    return data[:at] + data[at + 1:at + 2] + data[at:at + 1] + data[at + 2:]


#: Each makes bytes for the line of a request, the one after it, and one executed earlier.
DAMAGE = {
    "bits flipped": lambda rng, now, after, old: flip(rng, now),
    "cut off": lambda rng, now, after, old: now[:rng.randrange(len(now))],
    "bytes lost": lambda rng, now, after, old: lose(rng, now),
    "bytes inserted": lambda rng, now, after, old: insert(rng, now),
    "bytes swapped": lambda rng, now, after, old: swap(rng, now),
    "sent twice": lambda rng, now, after, old: now + now,
    "cut off, then whole": lambda rng, now, after, old: now[:rng.randrange(len(now))] + now,
    "out of order": lambda rng, now, after, old: after + now,
    "an old one again": lambda rng, now, after, old: old,
    "an old one before": lambda rng, now, after, old: old + now,
    "wrong CRC": lambda rng, now, after, old: now[:-4] + rng.randbytes(4),
    "wrong length": lambda rng, now, after, old: now[:3] + bytes([rng.randrange(256)]) + now[4:],
    "right CRC, a word too few": lambda rng, now, after, old: _close(now[:-8]),
    "right CRC, a word too many": lambda rng, now, after, old: _close(now[:-4] + rng.randbytes(4)),
    "garbage": lambda rng, now, after, old: rng.randbytes(rng.randrange(1, 40)),
    "garbage around": lambda rng, now, after, old: rng.randbytes(rng.randrange(9)) + now + rng.randbytes(3),
    "two damaged": lambda rng, now, after, old: flip(rng, now) + flip(rng, after),
}


def _close(data: bytes) -> bytes:
    return data + struct.pack("<I", zlib.crc32(data[1:]))


def a_write(rng, number: int) -> tuple[bytes, list[tuple[str, int, int]]]:
    """A request that writes, and the writes."""
    count, target = rng.choice([1, 1, 2, 3, 7]), rng.choice(["register", "memory"])
    advance = rng.choice([FIXED, ADVANCE])
    first = 4 * rng.randrange((REGISTERS if target == "register" else MEMORY) - count)
    values = [rng.choice([rng.getrandbits(32), 0xA5A5A5A5]) for _ in range(count)]
    operation = (WRITE_REGISTERS if target == "register" else WRITE_MEMORY) | advance
    return (frame(number, operation, count, first, values),
            [(target, first + 4 * i * (advance == ADVANCE), v) for i, v in enumerate(values)])


def campaign(bench: Bench, rng: random.Random, rounds: int) -> None:
    """Damage, then the request again: it must have been executed once, and nothing else at all."""
    intended, old = [], frame(bench.number, WRITE_MEMORY, 1, 0, [0xBAD])
    for i, kind in zip(range(rounds), itertools.cycle(DAMAGE), strict=False):
        now, writes = a_write(rng, bench.number + 1)
        after, _ = a_write(rng, bench.number + 2)
        sent = DAMAGE[kind](rng, now, after, old)
        bench.line.write(sent)
        bench.silence(len(sent))
        if now not in sent:
            found = bench.ask(frame(bench.number + 1, 0x10, 0, 0))[0]  # unknown: tells the last number, takes none
            assert found == bench.number, f"round {i}, {kind}: {sent.hex()} was executed"
        number, status, count, _ = bench.ask(now)
        bench.number = (bench.number + 1) % 256
        assert (number, status, count) == (bench.number, BARE, len(writes)), f"round {i}, {kind}: {sent.hex()}"
        intended += writes
        old = now if rng.random() < 0.5 else old
        if i % 100 == 99 or i == rounds - 1:
            left = bench.log()
            assert left == intended, f"up to round {i}: first difference at {_first(left, intended)}"
            intended.clear()


def _first(a: list, b: list):
    return next((pair for pair in itertools.zip_longest(a, b) if pair[0] != pair[1]), None)


def test_a_thousand_damaged_frames_write_nothing_and_the_link_recovers(bench):
    campaign(bench, seeded(7), 1000)


class Credulous(LinkLine):
    """Takes every CRC for right."""

    def elaborate(self, platform):
        port, self.damaged = self.damaged, Signal()
        m = super().elaborate(platform)
        self.damaged = port
        return m


def test_the_campaign_notices_a_link_that_does_not_look_at_the_crc(monkeypatch):
    monkeypatch.setattr(derca_hw.board.link.link, "LinkLine", Credulous)
    with open_bench(variant=inspect.getsource(Credulous)) as line:
        bench = Bench(line)
        with pytest.raises(AssertionError, match="was executed"):
            campaign(bench, seeded(7), 100)


# -- the product's host, on a line that does damage -------------------------------------------------------------------

class BadLine:
    """A line that flips, loses and doubles bytes both ways, `share` of them, and frames now and then."""

    def __init__(self, line: SimulatedLine, rng: random.Random, share: float):
        self._line, self._rng, self._share, self.damages = line, rng, share, 0
        self.baud, self.latency = line.baud, line.latency

    @property
    def timeout(self):
        return self._line.timeout

    @timeout.setter
    def timeout(self, seconds):
        self._line.timeout = seconds

    def clock(self):
        return self._line.clock()

    def _through(self, data: bytes) -> bytes:
        out = b""
        for byte in data:
            if self._rng.random() < self._share:
                self.damages += 1
                out += self._rng.choice([b"", bytes([byte ^ 1 << self._rng.randrange(8)]), bytes([byte, byte])])
            else:
                out += bytes([byte])
        return out

    def write(self, data):
        data = self._through(data)
        self._line.write(data + data if self._rng.random() < 0.05 else data)

    def read(self, count):
        return self._through(self._line.read(count))[:count]


def test_everything_arrives_once_and_in_order_across_a_line_that_does_damage():
    rng = seeded(3)
    image = rng.randbytes(4 * MEMORY)
    writes = [(4 * rng.randrange(REGISTERS), rng.getrandbits(32)) for _ in range(150)]
    writes += [(0x20, i) for i in range(200)] + [(4 * i, i) for i in range(200)]
    with open_bench() as line:
        bad = BadLine(line, rng, 1 / 700)
        link = Link.open(bad)
        told = []
        link.write_memory(0, image, told.append)
        link.write_all(writes)
        assert told[-1] == len(image) and told == sorted(told)
        assert link.read_memory(0, len(image)) == image
        assert link.read_memory(5, 21) == image[5:26]
        last = dict(writes)
        assert {address: link.read(address) for address in list(last)[:40]} == dict(list(last.items())[:40])
        cycles = [cycle for _ in range(40) for cycle in link.events()[::2]]
        assert cycles == [n for n in range(cycles[-1] + 1) if n % 4 != 3]
        assert bad.damages > 20 and link.repeats > 5
        with pytest.raises(AccessRefused, match="0x20000"):
            link.write(REFUSED, 1)
        with pytest.raises(AccessRefused, match="beyond the end"):
            link.write_memory(4 * MEMORY, bytes(4))
        assert Bench(line).log() == [
            *(("memory", 4 * i, v) for i, (v,) in enumerate(struct.iter_unpack("<I", image))),
            *(("register", address, value) for address, value in writes)]


