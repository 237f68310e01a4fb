"""The host's side of the link alone: damaged answers, other versions, lines that do not answer."""


import pytest
from hypothesis import given
from hypothesis import strategies as st

from derca_sim.errors import InputError
from derca_sim.host.link import Link, runs
from derca_sim.host.port import Port
from derca_sim.host.protocol import Damaged, crc, read_answer
from derca_sim.host.transport import LinkError
from kit.link_host import BARE, CAPACITY, OKAY, SEQUENCE, VERSION, words


class Recording:
    """A line that answers with given bytes."""

    baud, latency, timeout = 1e6, 0.0, 0.0

    def __init__(self, *answers: bytes):
        self.answers, self.waiting, self.now = list(answers), b"", 0.0

    def write(self, data):
        self.waiting += self.answers.pop(0) if self.answers else b""

    def read(self, count):
        out, self.waiting = self.waiting[:count], self.waiting[count:]
        self.now += self.timeout if len(out) < count else 0.0
        return out

    def clock(self):
        return self.now


def answer(number, status, count, payload=b""):
    body = bytes([number, status, count]) + payload
    return b"\x5a" + body + crc(body)


@pytest.mark.parametrize(("data", "text"), [
    (b"", "no answer came in time, 0 other bytes"),
    (b"\x00\x01", "2 other bytes"),
    (answer(1, OKAY, 1, b"\1\2\3\4")[:-1], "3 of 4|7 of 8"),
    (answer(1, OKAY, 1, b"\1\2\3\4")[:-1] + b"\0", "CRC of an answer of 7 bytes is wrong"),
])
def test_damaged_answers_are_told_apart(data, text):
    line = Recording(data)
    line.write(b"")
    with pytest.raises(Damaged, match=text):
        read_answer(line.read)


def test_a_dead_line_another_version_and_a_lost_state_are_explained():
    with pytest.raises(LinkError, match=r"no right answer to 10 requests .* the speed is 1,000,000 bits"):
        Link.open(Recording())
    with pytest.raises(LinkError, match="speaks version 9 of the protocol, this host version 1"):
        Link.open(Recording(answer(9, BARE, CAPACITY)))
    link = Link.open(Recording(answer(VERSION, BARE, CAPACITY), *[answer(77, SEQUENCE | BARE, 0)] * 10))
    with pytest.raises(LinkError, match="the board was reset, or another program uses the line"):
        link.write(0, 1)


def test_an_answer_to_an_earlier_request_is_passed_over():
    link = Link.open(Recording(
        answer(VERSION, BARE, CAPACITY), answer(VERSION, BARE, 1) + answer(VERSION + 1, OKAY, 1, words([42]))))
    assert link.read(0) == 42 and link.repeats == 0


def test_a_port_that_is_not_there_is_bad_input():
    with pytest.raises(InputError, match=r"--port = /dev/nowhere: cannot be opened .*allowed are serial ports"):
        Port("/dev/nowhere", 1_000_000)


@given(st.lists(st.tuples(st.sampled_from([0, 4, 8, 12, 16, 0x34]), st.integers(0, 9)), max_size=60), st.integers(1, 8))
def test_runs_are_the_writes_in_order(writes, most):
    groups = list(runs(writes, most))
    assert [(a + 4 * i * advance, v) for a, advance, values in groups for i, v in enumerate(values)] == writes
    assert all(1 <= len(values) <= most and advance in (0, 1) for _, advance, values in groups)
