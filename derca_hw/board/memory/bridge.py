"""Main memory on the chip: an AXI4 slave for the accelerator, with a port for the host."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from derca_sim.errors import InputError
from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import store_commands

from ...blocks.arithmetic import count
from ...blocks.fifo import Fifo
from ...bus.axi import OKAY, SLVERR, Axi4
from ...layouts import offset_bits
from ...memory.write import waiting_bursts
from ..link.access import host_ports

#: Shortest latency of a read: one cycle each into the queue, to the burst's registers, to the store, and out of it.
READ_LATENCY = 3


class MainMemory(wiring.Component):
    """Serves the accelerator's bursts and the host's words from a store.

    It passes one beat per cycle in each direction, bursts back to back, with the latencies of the platform's `memory`
    section. The first beat of an AR accepted in cycle t is valid in t + read_latency, or in the cycle after the last
    beat of the burst before it if that is later. The B of a last W beat accepted in t comes in t + write_latency, or
    after the B before it. A beat shows what the store held at the start of the cycle before.

    Addresses and W beats are always accepted. So the master must keep two limits: at most `bus.outstanding` bursts of
    reads are in flight, and W comes at least 2 cycles after its AW. Bursts beyond the memory are answered with SLVERR
    and change nothing.

    The host gets the cycles that the accelerator leaves free. A write needs a cycle without a W beat. A read needs a
    cycle in which no burst is active and no beat waits. `memory_valid` comes in the cycle after a read was accepted.

    Attributes
    ----------
    axi : In
        The channels of AXI4. No address and no write beat ever waits.
    memory_request, memory_data, memory_valid
        The host's port, see `host_ports`.
    read : Out(1)
        Read from the store.
    read_address : Out
        In beats.
    read_data : In
        The beat. It appears in the next cycle and stays until the next read.
    write : Out
        A bit per 32-bit word of the beat: write it to the store.
    write_address : Out
        In beats.
    write_data : Out
        The beat.

    Raises
    ------
    InputError
        `memory.read_latency` is below `READ_LATENCY`, or `memory.size` is not a multiple of 4096.
    """

    def __init__(self, p: Platform):
        if p.memory.read_latency < READ_LATENCY:
            raise InputError(f"platform.memory.read_latency must be at least {READ_LATENCY} with main memory on the "
                             f"chip, not {p.memory.read_latency}")
        if p.memory.size % 4096:
            raise InputError(f"platform.memory.size must be a multiple of 4096, not {p.memory.size}: no burst lies "
                             "across its end")
        self._p = p
        self._beats = p.memory.size // p.beat_bytes
        address = bits_for(self._beats - 1)
        super().__init__({
            "axi": In(Axi4.of(p)),
            **{name: host_ports(p)[name].flip() for name in ("memory_request", "memory_data", "memory_valid")},
            "read": Out(1),
            "read_address": Out(address),
            "read_data": In(p.bus.data_width),
            "write": Out(p.bus.data_width // 32),
            "write_address": Out(address),
            "write_data": Out(p.bus.data_width),
        })

    @property
    def _all_addresses_exist(self) -> bool:
        return self._p.memory.size == 1 << self._p.bus.address_width

    def _place(self, address):
        """Return the beat of a byte address, and whether it lies beyond the memory."""
        beat = address[offset_bits(self._p):]
        return beat[:len(self.read_address)], 0 if self._all_addresses_exist else beat >= self._beats

    def _next(self, beat):
        """Return the assignment of a burst's next beat; a burst never crosses 4 KiB."""
        page = beat[:(4096 // self._p.beat_bytes).bit_length() - 1]
        return page.eq(page + 1)

    def elaborate(self, platform):
        m = Module()
        host = self.memory_request
        lanes = len(self.write)
        lane_bits = lanes.bit_length() - 1
        host_reads, host_writes = self._reads(m, host), self._writes(m, host, lane_bits)
        m.d.comb += [self.axi.ar.ready.eq(1), self.axi.aw.ready.eq(1), self.axi.w.ready.eq(1)]
        m.d.comb += host.ready.eq((host_writes & host.p.write) | (host_reads & ~host.p.write))

        # -- answers to the host -------------------------------------------------------------------------------------
        lane = Signal(lane_bits)
        m.d.sync += [
            self.memory_valid.eq(host.valid & ~host.p.write & host_reads),
            lane.eq(host.p.address[:lane_bits]),
        ]
        m.d.comb += self.memory_data.eq(self.read_data.word_select(lane, 32))
        return m

    def _reads(self, m, host):
        """Answer AR on R; return whether the host may read in this cycle."""
        p = self._p
        address, beyond = self._place(self.axi.ar.p.addr)
        length = bits_for(p.bus.burst_beats - 1)
        waiting = StructLayout({"address": len(address), "len": length, "beyond": 1})
        m.submodules.reads = queue = Fifo(width=waiting.size, depth=p.bus.outstanding)
        head = waiting(queue.r_data)
        arrived = self._delayed(m, self.axi.ar.valid, p.memory.read_latency - READ_LATENCY, "read")
        due = Signal(range(p.bus.outstanding + 1))  # bursts in the queue whose time has come
        take = Signal()
        active = Signal()
        left = Signal(length)
        wrong = Signal()
        at = Signal(len(address))
        valid = Signal()
        last = Signal()
        answer = Signal()
        free = Signal()
        issue = Signal()
        m.d.comb += [
            queue.w_en.eq(self.axi.ar.valid),
            queue.w_data.eq(Cat(address, self.axi.ar.p.len[:length], beyond)),
            free.eq(~valid | self.axi.r.ready),
            issue.eq(active & free),
            take.eq((due != 0) & (~active | (issue & (left == 0)))),
            queue.r_en.eq(take),
            self.read.eq(issue | (host.valid & ~host.p.write & ~active & free)),
            self.read_address.eq(host.p.address[(len(self.write).bit_length() - 1):]),
            self.axi.r.valid.eq(valid),
            self.axi.r.p.data.eq(self.read_data),
            self.axi.r.p.last.eq(last),
            self.axi.r.p.resp.eq(Mux(answer, SLVERR, OKAY)),
        ]
        with m.If(active):
            m.d.comb += self.read_address.eq(at)
        count(m, due, arrived, take)
        with m.If(free):
            m.d.sync += [valid.eq(active), last.eq(left == 0), answer.eq(wrong)]
        with m.If(issue):
            m.d.sync += [self._next(at), left.eq(left - 1), active.eq(left != 0)]
        with m.If(take):
            m.d.sync += [at.eq(head.address), left.eq(head.len), wrong.eq(head.beyond), active.eq(1)]
        return ~active & free

    def _writes(self, m, host, lane_bits):
        """Answer AW and W on B; return whether the host may write in this cycle."""
        p = self._p
        address, beyond = self._place(self.axi.aw.p.addr)
        bursts = waiting_bursts(p)
        waiting = StructLayout({"address": len(address), "beyond": 1})
        m.submodules.writes = queue = Fifo(width=waiting.size, depth=bursts)
        head = waiting(queue.r_data)
        active = Signal()
        wrong = Signal()
        at = Signal(len(address))
        done = self.axi.w.valid & self.axi.w.p.last
        m.d.comb += [
            queue.w_en.eq(self.axi.aw.valid),
            queue.w_data.eq(Cat(address, beyond)),
            queue.r_en.eq(~active | done),
            self.write.eq((host.valid & host.p.write) << host.p.address[:lane_bits]),
            self.write_address.eq(host.p.address[lane_bits:]),
            self.write_data.eq(host.p.data.replicate(len(self.write))),
        ]
        with m.If(self.axi.w.valid):
            m.d.comb += [
                self.write.eq((~wrong).replicate(len(self.write))),
                self.write_address.eq(at),
                self.write_data.eq(self.axi.w.p.data),
            ]
            m.d.sync += self._next(at)
        with m.If(queue.r_en):
            m.d.sync += [active.eq(queue.r_rdy), at.eq(head.address), wrong.eq(head.beyond)]

        # Responses wait while the master takes none. `most` is the largest number of bursts that it leaves waiting.
        most = store_commands(p) * bursts
        due = Signal(range(most + 1))
        arrived = self._delayed(m, done, p.memory.write_latency - 1, "write")
        answered = Signal()
        m.d.comb += [
            self.axi.b.valid.eq(due != 0),
            answered.eq(self.axi.b.valid & self.axi.b.ready),
        ]
        count(m, due, arrived, answered)
        if not self._all_addresses_exist:
            m.submodules.responses = responses = Fifo(width=1, depth=most + p.memory.write_latency)
            m.d.comb += [
                responses.w_en.eq(done),
                responses.w_data.eq(wrong),
                responses.r_en.eq(answered),
                self.axi.b.p.resp.eq(Mux(responses.r_data, SLVERR, OKAY)),
            ]
        return ~self.axi.w.valid

    def _delayed(self, m, strobe, cycles: int, name: str):
        """Return the strobe, delayed by some cycles."""
        if not cycles:
            return strobe
        line = Signal(cycles, name=f"{name}_delay")
        m.d.sync += line.eq(Cat(strobe, line))
        return line[-1]
