"""Timing of the AXI4 memory with fixed latencies, and of the managers in front of it, as recurrences over bursts.

"In cycle t" is the cycle of a handshake. The first beat of a read burst comes `read_latency` after its AR, or right
after the previous beat if that is later. B comes `write_latency` after the last W beat.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from ..model.platform import Platform

#: Bytes between addresses that no burst crosses.
_PAGE = 4096


class Bursts:
    """How requests are split into bursts: none crosses 4 KiB nor exceeds `bus.burst_beats`."""

    def __init__(self, p: Platform):
        self._beat_bytes, self._longest = p.beat_bytes, p.bus.burst_beats
        self._known: dict[tuple[int, int], tuple[int, ...]] = {}

    def of(self, address: int, beats: int) -> tuple[int, ...]:
        """Lengths in beats of the bursts of a request."""
        key = address % _PAGE, beats
        if key not in self._known:
            self._known[key] = tuple(self._lengths(*key))
        return self._known[key]

    def _lengths(self, offset: int, beats: int) -> Iterator[int]:
        while beats:
            n = min(beats, (_PAGE - offset) // self._beat_bytes, self._longest)
            yield n
            offset = (offset + n * self._beat_bytes) % _PAGE
            beats -= n


@dataclass
class ReadRequest:
    """The cycles in which the read manager took a request, its last AR went out, and its last beat came."""

    taken: int
    last_ar: int
    last_beat: int


class ReadChannel:
    """The read manager and the memory behind it.

    Requests are scheduled ahead of time. `drop_after` takes back the requests that a flush prevents.
    """

    def __init__(self, p: Platform):
        self._bursts, self._outstanding, self._latency = Bursts(p), p.bus.outstanding, p.memory.read_latency
        self._beats: list[int] = []  # cycle of the last beat of each burst
        self._requests: list[tuple[ReadRequest, int]] = []  # and how many bursts there were after it

    @property
    def _previous(self) -> ReadRequest:
        return self._requests[-1][0] if self._requests else ReadRequest(-1, -1, -1)

    @property
    def idle_from(self) -> int:
        """First cycle in which nothing is in flight, if nothing more is requested."""
        return self._previous.last_beat + 1

    def occupy(self, last_ar: int, last_beat: int) -> None:
        """Other requests are made until `last_ar`, and as many bursts as possible are in flight until `last_beat`."""
        self._beats += [last_beat] * self._outstanding
        self._requests.append((ReadRequest(-1, last_ar, last_beat), len(self._beats)))

    def signature(self, cycle: int) -> tuple:
        """What later requests depend on, relative to `cycle`."""
        previous = self._previous
        flying = tuple(beat - cycle for beat in self._beats[-self._outstanding:] if beat >= cycle)
        return max(previous.last_ar - cycle, 0), max(previous.last_beat - cycle, -1), flying

    def request(self, offered: int, address: int, beats: int) -> ReadRequest:
        """Schedule a request offered from cycle `offered` on."""
        before, known = self._previous, self._beats
        ar = taken = max(offered, before.last_ar)
        last_beat = before.last_beat
        for n in self._bursts.of(address, beats):
            ar += 1
            if len(known) >= self._outstanding:
                ar = max(ar, known[-self._outstanding] + 1)
            last_beat = max(ar + self._latency, last_beat + 1) + n - 1
            known.append(last_beat)
        done = ReadRequest(taken, ar, last_beat)
        self._requests.append((done, len(known)))
        return done

    def drop_after(self, cycle: int) -> None:
        """Forget the requests that had not been taken by the end of `cycle`."""
        while self._requests and self._requests[-1][0].taken > cycle:
            self._requests.pop()
        del self._beats[self._requests[-1][1] if self._requests else 0:]


class Panel(NamedTuple):
    """A panel to be written: the cycle of its request, its address, and when its beats are ready.

    Beat i can go out from cycle `first` + `late[i]` + i on, all beats before it considered.
    """

    requested: int
    address: int
    first: int
    late: tuple[int, ...]


def lateness(ready: Iterable[int]) -> tuple[int, ...]:
    """For beats that are ready in these cycles, `Panel.late`."""
    return tuple(accumulate((cycle - i for i, cycle in enumerate(ready)), max))


class WriteChannel:
    """The write manager and the memory behind it. Data never wait for addresses by more than the pipeline's depth."""

    #: Cycles from a request to the first W beat it allows.
    FIRST_BEAT = 3

    def __init__(self, p: Platform):
        self._bursts, self._latency = Bursts(p), p.memory.write_latency
        self._last_aw = self._last_w = self._last_b = -1

    def signature(self, cycle: int) -> tuple:
        """What later stores depend on, relative to `cycle`."""
        return tuple(max(last - cycle, -1) for last in (self._last_aw, self._last_w, self._last_b))

    @property
    def next_request(self) -> int:
        """First cycle in which another request is taken."""
        return self._last_aw

    def store(self, panels: Iterable[Panel]) -> int:
        """Write panels one after the other; the cycle of the last B."""
        for panel in panels:
            aw = max(panel.requested, self._last_aw)
            if aw > panel.requested:
                raise AssertionError("a write request stalled: the store engine's timing would no longer be regular")
            at, since = 0, self._last_w + 1  # beat `at` goes out in cycle `since` + `at`
            for n in self._bursts.of(panel.address, len(panel.late)):
                aw += 1
                since = max(since, aw + self.FIRST_BEAT - 1 - at, panel.first + panel.late[at + n - 1])
                at += n
                self._last_w = since + at - 1
                self._last_b = max(self._last_w + self._latency, self._last_b + 1)
            self._last_aw = aw
        return self._last_b

    def requests(self, address: int, beats: int) -> int:
        """Bursts of a request."""
        return len(self._bursts.of(address, beats))
