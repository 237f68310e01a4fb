"""AXI memories for tests: a component with flat AXI4 ports, a RAM under random stalls, and monitors."""

import logging
import random
import warnings
from collections.abc import Callable

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiBus, AxiRam

from derca_hw.bus.axi import Axi4, manager_options
from derca_hw.bus.join import flat_members, join, join_flat
from derca_hw.memory.ports import MemoryInterface
from derca_sim.model.platform import Platform

#: Content of the memory where nobody may write.
GUARD = 0xAA


class MemoryBench(wiring.Component):
    """The memory interface with AXI4 ports named as a bus model expects them, and the ID of its bursts."""

    def __init__(self, p: Platform):
        self._memory = MemoryInterface(p)
        self._same = {name: member for name, member in self._memory.signature.members.items() if name != "axi"}
        super().__init__({**self._same, "id": Out(1), **flat_members("m_axi_", Axi4.of(p, **manager_options()))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = self._memory
        join(m, self, memory, self._same)
        join_flat(m, self, "m_axi_", memory.axi)
        m.d.comb += self.id.eq(memory.axi.ar.p.id)
        return m


def quiet() -> None:
    """Keep the bus models from logging every burst and their use of names that cocotb deprecates."""
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="cocotbext.axi")
    logging.getLogger("cocotb").setLevel(logging.WARNING)


def pauses(rng: random.Random, share: float, waits: Callable[[], bool] = lambda: False):
    """Endless pause flags: stalls and free runs of random lengths.

    About `share` of the cycles are stalled, and every cycle in which the channel `waits`.
    """
    while True:
        stalled = rng.random() < share
        for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
            yield stalled or waits()


class WriteOrder:
    """The conditions of AWREADY and WREADY of an AXI memory: one of `ORDERS`. Run `watch()` as a task."""

    #: By AWREADY: nothing, that data are offered, that all data of the burst were taken. By WREADY: likewise.
    ORDERS = (("nothing", "nothing"), ("nothing", "offered"), ("nothing", "taken"), ("offered", "nothing"),
              ("offered", "offered"), ("offered", "taken"), ("taken", "nothing"), ("taken", "offered"))

    def __init__(self, dut, clock):
        self._edge = RisingEdge(clock)
        self._pins = {name: getattr(dut, f"m_axi_{name}")
                      for name in ("awvalid", "awready", "wvalid", "wready", "wlast")}
        self.address, self.data = self.ORDERS[0]
        self._ahead = 0  # bursts of data taken less addresses taken
        self._amid = False  # part of a burst of data was taken

    def _now(self, *names: str) -> bool:
        return all(int(self._pins[name].value) for name in names)

    async def watch(self):
        """Never returns."""
        while True:
            await self._edge
            if self._now("wvalid", "wready"):
                self._amid = not self._now("wlast")
                self._ahead += not self._amid
            self._ahead -= self._now("awvalid", "awready")

    def address_waits(self) -> bool:
        """Whether AWREADY must stay low."""
        begun = self._ahead > 0 or self._ahead == 0 and (self._amid or self._now("wvalid"))
        return self.address == "offered" and not begun or self.address == "taken" and self._ahead <= 0

    def data_wait(self) -> bool:
        """Whether WREADY must stay low."""
        return self._ahead > 0 or self._ahead == 0 and (
            self.data == "offered" and not self._now("awvalid") or self.data == "taken")


def stall(interface, rng: random.Random, share: float, order: WriteOrder | None = None) -> None:
    """Stall all five channels of an AXI memory independently; `share` 0 lets them run. An `order` is drawn anew."""
    write, read = interface.write_if, interface.read_if
    waits = {}
    if order:
        order.address, order.data = rng.choice(order.ORDERS)
        waits = {write.aw_channel: order.address_waits, write.w_channel: order.data_wait}
    for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel):
        also = (waits[channel],) if channel in waits else ()
        channel.set_pause_generator(pauses(random.Random(rng.random()), share, *also) if share or also else None)
        channel.pause = False


def ram(dut, clock, reset, size: int, reset_active_level: bool = True) -> AxiRam:
    """An AXI RAM of `size` bytes at `m_axi_*`, full of `GUARD`."""
    quiet()
    memory = AxiRam(
        AxiBus.from_prefix(dut, "m_axi"), clock, reset, reset_active_level=reset_active_level, size=size)
    memory.write(0, bytes([GUARD]) * size)
    return memory


class Watch:
    """Checks the master's side of the bus in every cycle; run `watch()` as a task.

    Attributes
    ----------
    most_reads : int
        Most read bursts in flight at once.
    bursts : dict
        Accepted (address, beats) per channel.
    """

    def __init__(self, dut, clock, beat_bytes: int, longest: int, outstanding: int):
        self._dut, self._clock = dut, clock
        self._beat_bytes, self._longest, self._outstanding = beat_bytes, longest, outstanding
        self.in_flight = self.most_reads = 0
        self.bursts: dict[str, list[tuple[int, int]]] = {"aw": [], "ar": []}

    async def watch(self):
        """Never returns; an assertion fails when a rule of AXI4 or the declared limits are broken."""
        edge, held = RisingEdge(self._clock), {}
        signals = {
            c: {n: getattr(self._dut, f"m_axi_{c}{n}") for n in names}
            for c, names in {
                "aw": ("valid", "ready", "addr", "len"), "ar": ("valid", "ready", "addr", "len"),
                "w": ("valid", "ready", "data", "last"), "r": ("valid", "ready", "last"),
            }.items()
        }
        due: list[int] = []  # beats of the bursts of which not all have come
        early = 0  # beats that came before the address of their burst
        early_last = False
        while True:
            await edge
            now = {c: {n: int(s.value) for n, s in of.items()} for c, of in signals.items()}
            for c in ("aw", "ar", "w"):
                if c in held:
                    assert now[c] == {**held[c], "ready": now[c]["ready"]}, f"{c}: changed while waiting for ready"
                held.pop(c, None)
                if now[c]["valid"] and not now[c]["ready"]:
                    held[c] = now[c]
            for c in ("aw", "ar"):
                if now[c]["valid"] and now[c]["ready"]:
                    address, beats = now[c]["addr"], now[c]["len"] + 1
                    assert address % self._beat_bytes == 0 and beats <= self._longest
                    assert address % 4096 + beats * self._beat_bytes <= 4096, f"{c}: crosses 4 KiB"
                    self.bursts[c].append((address, beats))
                    if c == "aw":
                        assert early < beats or (early == beats and early_last), "w: more beats than the burst has"
                        assert not early_last or early == beats, "w: last before the end of the burst"
                        if not early_last:
                            due.append(beats - early)
                        early, early_last = 0, False
            if now["w"]["valid"] and now["w"]["ready"]:
                if due:
                    due[0] -= 1
                    assert now["w"]["last"] == (due[0] == 0), "w: last is wrong"
                    if due[0] == 0:
                        due.pop(0)
                else:
                    assert not early_last, "w: two bursts ahead of their addresses"
                    early, early_last = early + 1, bool(now["w"]["last"])
            self.in_flight += now["ar"]["valid"] and now["ar"]["ready"]
            self.most_reads = max(self.most_reads, self.in_flight)
            assert self.in_flight <= self._outstanding, "more read bursts in flight than allowed"
            self.in_flight -= now["r"]["valid"] and now["r"]["ready"] and now["r"]["last"]
