"""An AXI4 slave of our own, cycle by cycle: any delay, any error on any beat, a record of every burst."""

from collections import deque
from dataclasses import dataclass, field

from kit.cycles import Cycles

#: Responses: done, error of the slave, error of the decoder.
OKAY, SLVERR, DECERR = 0, 2, 3


@dataclass
class Burst:
    """A burst as it was on the bus: the data of a write, the responses per beat of a read or one of a write."""

    address: int
    beats: int
    due: int
    id: int = 0
    data: list[int] = field(default_factory=list)
    responses: list[int] = field(default_factory=list)


class Bus:
    """Answers `m_axi_*` of a component; call `step` after each tick.

    Attributes
    ----------
    stalls : float
        Share of the cycles in which a channel makes its other side wait.
    errors : float
        Share of the beats read, and of the bursts written, that are answered with an error.
    latencies : list
        A burst's answer begins so many cycles after its address or its last beat, one of these at random.
    handshake : tuple of str
        One of `HANDSHAKES`: what AWREADY and WREADY wait for.
    exclusive : bool
        No read is in work together with a write.
    reads, writes : list of Burst
        All bursts in the order of their addresses.
    """

    #: What AWREADY and WREADY may wait for.
    HANDSHAKES = (("free", "free"), ("free", "address offered"), ("free", "address"), ("data offered", "free"),
                  ("data offered", "address"), ("data", "free"), ("data", "address offered"))

    def __init__(self, bench: Cycles, beat_bytes: int, random):
        self._bench, self._beat_bytes, self._random = bench, beat_bytes, random
        self.stalls, self.errors, self.latencies = 0.0, 0.0, [1]
        self.handshake, self.exclusive = self.HANDSHAKES[0], False
        self.reads: list[Burst] = []
        self.writes: list[Burst] = []
        self._to_read: deque[Burst] = deque()
        self._to_write: deque[Burst] = deque()
        self._to_answer: deque[Burst] = deque()
        self._ahead: list[int] = []  # data of a burst whose address was not taken yet
        self._complete = False  # it is whole
        self._turn = "r"
        self._ready = {"ar": 0, "aw": 0, "w": 0}
        self._r = self._b = False  # an answer is on offer

    def word(self, address: int) -> int:
        """The data that a beat reads."""
        return (address // self._beat_bytes + 1) * 0x9E3779B97F4A7C15 % (1 << 8 * self._beat_bytes)

    @property
    def quiet(self) -> bool:
        """Whether nothing waits to be answered."""
        return not (self._to_read or self._to_write or self._to_answer or self._ahead)

    @property
    def ids(self) -> set[int]:
        """IDs of the bursts that are not answered."""
        return {burst.id for queue in (self._to_read, self._to_write, self._to_answer) for burst in queue}

    @property
    def writing(self) -> bool:
        """Whether a burst has its address without all its data, or data without its address."""
        return bool(self._to_write or self._ahead)

    def _response(self) -> int:
        return self._random.choice([SLVERR, DECERR]) if self._random.random() < self.errors else OKAY

    def _due(self) -> int:
        return self._bench.cycle + self._random.choice(self.latencies)

    def step(self) -> None:
        """Take the transfers of the cycle that has ended, and decide on the next cycle."""
        self._addresses()
        self._read_data()
        self._write_data()
        may = self._may()
        for channel in self._ready:
            self._ready[channel] = int(may[channel] and self._random.random() >= self.stalls)
            self._bench.set(**{f"m_axi_{channel}ready": self._ready[channel]})

    def _may(self) -> dict[str, bool]:
        """Whether a channel may be ready, by the habits and by what was offered in the cycle that has ended."""
        address, data = self.handshake
        offered = {channel: bool(self._bench.get(f"m_axi_{channel}valid")) and not self._ready[channel]
                   for channel in self._ready}
        if address == "data offered":
            aw = bool(self._ahead) or (offered["w"] and not self._to_write)
        else:
            aw = address == "free" or self._complete
        if self._to_write:
            w = True
        else:
            w = not self._complete and (data == "free" or data == "address offered" and offered["aw"])
        may = {"ar": True, "aw": aw, "w": w}
        if self.exclusive:
            writes = bool(self._to_write or self._to_answer or self._ahead)
            if not (writes or self._to_read):
                wants = {"r": offered["ar"], "w": offered["aw"] or offered["w"]}
                other = {"r": "w", "w": "r"}[self._turn]
                self._turn = other if wants[other] else self._turn
                may["ar"] &= self._turn == "r"
                may["aw"] &= self._turn == "w"
                may["w"] &= self._turn == "w"
            elif writes:
                may["ar"] = False
                may["aw"] &= bool(self._ahead)
                may["w"] &= bool(self._ahead or self._to_write)
            else:
                may["aw"] = may["w"] = False
                may["ar"] &= not (offered["aw"] or offered["w"])
        return may

    def _addresses(self):
        get, size = self._bench.get, self._beat_bytes.bit_length() - 1
        for channel, bursts, waiting in (("ar", self.reads, self._to_read), ("aw", self.writes, self._to_write)):
            if get(f"m_axi_{channel}valid") and self._ready[channel]:
                assert get(f"m_axi_{channel}size") == size and get(f"m_axi_{channel}burst") == 1
                burst = Burst(get(f"m_axi_{channel}addr"), get(f"m_axi_{channel}len") + 1, self._due(),
                              get(f"m_axi_{channel}id"))
                bursts.append(burst)
                waiting.append(burst)
                if channel == "aw" and self._ahead:
                    ahead, complete, self._ahead, self._complete = self._ahead, self._complete, [], False
                    for i, word in enumerate(ahead):
                        self._take(word, complete and i == len(ahead) - 1)

    def _read_data(self):
        get, set_ = self._bench.get, self._bench.set
        if self._r and get("m_axi_rready"):
            self._r = False
            if len(self._to_read[0].responses) == self._to_read[0].beats:
                self._to_read.popleft()
        if self._r:
            return
        head = self._to_read[0] if self._to_read else None
        if head and self._bench.cycle + 1 >= head.due and self._random.random() >= self.stalls:
            place = len(head.responses)
            head.responses.append(self._response())
            set_(m_axi_rdata=self.word(head.address + place * self._beat_bytes), m_axi_rresp=head.responses[-1],
                 m_axi_rlast=int(place == head.beats - 1), m_axi_rid=head.id)
            self._r = True
        set_(m_axi_rvalid=int(self._r))

    def _take(self, word: int, last: bool) -> None:
        """A beat of the oldest burst that is not whole."""
        head = self._to_write[0]
        head.data.append(word)
        assert last == (len(head.data) == head.beats), "w: last is wrong"
        if last:
            head.due = self._due()
            self._to_answer.append(self._to_write.popleft())

    def _write_data(self):
        get, set_ = self._bench.get, self._bench.set
        if get("m_axi_wvalid") and self._ready["w"]:
            assert get("m_axi_wstrb") == (1 << self._beat_bytes) - 1
            if self._to_write:
                self._take(get("m_axi_wdata"), bool(get("m_axi_wlast")))
            else:
                assert not self._complete, "w: two bursts ahead of their addresses"
                self._ahead.append(get("m_axi_wdata"))
                self._complete = bool(get("m_axi_wlast"))
        if self._b and get("m_axi_bready"):
            self._b = False
            self._to_answer.popleft()
        if self._b:
            return
        if self._to_answer and self._bench.cycle + 1 >= self._to_answer[0].due and (
                self._random.random() >= self.stalls):
            self._to_answer[0].responses.append(self._response())
            set_(m_axi_bresp=self._to_answer[0].responses[-1], m_axi_bid=self._to_answer[0].id)
            self._b = True
        set_(m_axi_bvalid=int(self._b))
