"""Timing of the AXI4 memory with fixed latencies, and of the managers in front of it, as recurrences over bursts.

"In cycle t" is the cycle of a handshake. The first beat of a read burst comes `read_latency` after its AR, or right
after the previous beat if that is later. B comes `write_latency` after the last W beat.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..model.platform import Platform


def bursts(p: Platform, address: int, beats: int) -> Iterator[int]:
    """Lengths in beats of the bursts a request is split into: none crosses 4 KiB nor exceeds `bus.burst_beats`."""
    while beats:
        to_page = (4096 - address % 4096) // p.beat_bytes
        n = min(beats, to_page, p.bus.burst_beats)
        yield n
        address += n * p.beat_bytes
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
        self._p = p
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
        self._beats += [last_beat] * self._p.bus.outstanding
        self._requests.append((ReadRequest(-1, last_ar, last_beat), len(self._beats)))

    def signature(self, cycle: int) -> tuple:
        """What later requests depend on, relative to `cycle`."""
        previous = self._previous
        flying = tuple(beat - cycle for beat in self._beats[-self._p.bus.outstanding:] if beat >= cycle)
        return max(previous.last_ar - cycle, 0), max(previous.last_beat - cycle, -1), flying

    def request(self, offered: int, address: int, beats: int) -> ReadRequest:
        """Schedule a request offered from cycle `offered` on."""
        p = self._p
        taken = max(offered, self._previous.last_ar)
        ar, last_beat = taken, self._previous.last_beat
        for n in bursts(p, address, beats):
            ar += 1
            if len(self._beats) >= p.bus.outstanding:
                ar = max(ar, self._beats[-p.bus.outstanding] + 1)
            last_beat = max(ar + p.memory.read_latency, last_beat + 1) + n - 1
            self._beats.append(last_beat)
        done = ReadRequest(taken, ar, last_beat)
        self._requests.append((done, len(self._beats)))
        return done

    def drop_after(self, cycle: int) -> None:
        """Forget the requests that had not been taken by the end of `cycle`."""
        while self._requests and self._requests[-1][0].taken > cycle:
            self._requests.pop()
        del self._beats[self._requests[-1][1] if self._requests else 0:]


class WriteChannel:
    """The write manager and the memory behind it. Data never wait for addresses by more than the pipeline's depth."""

    #: Cycles from a request to the first W beat it allows.
    FIRST_BEAT = 3

    def __init__(self, p: Platform):
        self._p = p
        self._last_aw = self._last_w = self._last_b = -1

    def signature(self, cycle: int) -> tuple:
        """What later stores depend on, relative to `cycle`."""
        return tuple(max(last - cycle, -1) for last in (self._last_aw, self._last_w, self._last_b))

    @property
    def next_request(self) -> int:
        """First cycle in which another request is taken."""
        return self._last_aw

    def store(self, panels: list[tuple[int, int, list[int]]]) -> int:
        """Write panels of (cycle of the request, address, cycle each beat is ready); the cycle of the last B."""
        for requested, address, ready in panels:
            aw = max(requested, self._last_aw)
            if aw > requested:
                raise AssertionError("a write request stalled: the store engine's timing would no longer be regular")
            beats = iter(ready)
            for n in bursts(self._p, address, len(ready)):
                aw += 1
                for _ in range(n):
                    self._last_w = max(next(beats), self._last_w + 1, aw + self.FIRST_BEAT - 1)
                self._last_b = max(self._last_w + self._p.memory.write_latency, self._last_b + 1)
            self._last_aw = aw
        return self._last_b
