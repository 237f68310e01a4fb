"""The AXI ports of whole systems: no combinational path from input to output, and wires alone to what is proved."""


import pytest
from amaranth.back import rtlil as backend
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from campaigns.random_sets import PIPELINES, PLATFORM_NAMES, SCHEDULERS, random_platform
from derca_hw.board.memory.bridge import MainMemory
from derca_hw.bus.axi import Axi4, manager_options
from derca_hw.bus.join import ports
from derca_hw.generate import IP_TOP, TOP
from derca_hw.ip import DercaIp, window_bits
from derca_hw.top import Derca
from derca_sim.workload.taskset import load_platform
from kit.checkout import PLATFORMS
from kit.paths import Paths, modules
from kit.platforms import SMALL, platform

#: Swept release and scan, no windows and no failures: the other side of most options of `SMALL`.
BARE = platform(name="bare", pipeline="lockstep", scheduler={"kind": "scan"}, release={"kind": "swept"},
                supervision={"windows": False, "failures": False, "watchdog": False}, bus={"data_width": 32},
                store={"requant_lanes": 1}, tables={"read": "word", "shadow": False})
#: The clocks, which are no paths.
CLOCKS = {"aclk", "clk"}


def paths(component, name: str) -> Paths:
    return Paths(backend.convert(component, name=name, ports=ports(component), emit_src=False), name)


def check(component, name: str, inputs: str = "", outputs: str = "") -> None:
    """No input that begins so reaches an output that begins so."""
    found = paths(component, name)
    sources = [i for i in found.ports("input") if i.startswith(inputs) and i not in CLOCKS]
    assert sources and any(o.startswith(outputs) for o in found.ports("output"))
    reached = {o: i for o, i in found.outputs_of(sources).items() if o.startswith(outputs)}
    assert not reached, f"{name}: combinational paths to {reached}"


@pytest.mark.parametrize("p", [SMALL, BARE], ids=lambda p: p.name)
def test_no_path_leads_through_the_accelerator(p):
    check(Derca(p), TOP)


def test_no_path_leads_through_the_packaged_accelerator():
    check(DercaIp(SMALL), IP_TOP)


@pytest.mark.full
@pytest.mark.parametrize("name", PLATFORM_NAMES)
@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_no_path_leads_through_any_accelerator(name, pipeline, scheduler):
    for release in ("parallel", "swept"):
        check(Derca(random_platform(name, pipeline, scheduler, release)), TOP)


@pytest.mark.full
@pytest.mark.parametrize("file", sorted(PLATFORMS.glob("*.toml")), ids=lambda f: f.stem)
def test_no_path_leads_through_a_sample_platform(file):
    p = load_platform(file)
    check(Derca(p), TOP)
    check(DercaIp(p), IP_TOP)


def test_no_path_leads_through_main_memory_on_the_chip():
    found, channels = paths(MainMemory(SMALL), "memory"), "axi__"
    sources = [i for i in found.ports("input") if i.startswith(channels)]
    reached = found.outputs_of(sources)
    assert len(sources) >= 8 and not [o for o in reached if o.startswith(channels)]


class Through(wiring.Component):
    """Of each of three outputs: through a register, through gates, through a memory read at once."""

    def __init__(self):
        super().__init__({"valid": In(1), "late": Out(1), "ready": Out(1), "word": Out(2), "other": Out(4)})

    def elaborate(self, _):
        m = Module()
        kept = Signal()
        m.d.sync += kept.eq(self.valid)
        m.submodules.words = memory = Memory(shape=2, depth=2, init=[1, 2])
        words = memory.read_port(domain="comb")
        m.d.comb += [
            self.late.eq(kept),
            self.ready.eq(~kept & self.valid),
            words.addr.eq(self.valid),
            self.word.eq(words.data),
            self.other.eq(kept.replicate(4) & 5),
        ]
        return m


def test_the_search_sees_gates_and_memories_and_stops_at_registers():
    assert paths(Through(), "through").outputs_of(["valid"]) == {"ready": {"valid"}, "word": {"valid"}}


# -- what is proved of the blocks holds at the ports -----------------------------------------------------------------

def expected_wires(p) -> dict[tuple[str, int], tuple[str, str, int]]:
    """By bit of an AXI port of the packaged accelerator: block, its port and bit; none above the memory window."""
    out = {}

    def wire(port, block, inner, first=0, bits=1):
        for bit in range(bits):
            out[port, bit] = (block, inner, first + bit)

    width, memory = p.bus.data_width, "memory_interface"
    signature = Axi4.of(p, **manager_options())
    def payload(channel, name, bits):
        layout = signature.members[channel].signature.members["payload"].shape
        wire(f"m_axi_{channel}{name}", memory, f"axi__{channel}__payload", layout[name].offset, bits)

    for channel in ("aw", "ar"):
        payload(channel, "addr", window_bits(p))
        payload(channel, "len", (p.bus.burst_beats - 1).bit_length())
        payload(channel, "id", 1)
    for channel in ("aw", "w", "b", "ar", "r"):
        for name in ("valid", "ready"):
            wire(f"m_axi_{channel}{name}", memory, f"axi__{channel}__{name}")
    for channel, name, bits in (("w", "data", width), ("w", "last", 1), ("b", "id", 1), ("b", "resp", 2),
                                ("r", "id", 1), ("r", "data", width), ("r", "resp", 2), ("r", "last", 1)):
        payload(channel, name, bits)
    for name, bits in (("wdata", 32), ("wstrb", 4), ("bresp", 2), ("rdata", 32), ("rresp", 2)):
        wire(f"s_axi_{name}", "host_interface", f"s_axi_{name}", 0, bits)
    for channel in ("aw", "w", "b", "ar", "r"):
        for name in ("valid", "ready"):
            wire(f"s_axi_{channel}{name}", "host_interface", f"s_axi_{channel}{name}")
    wire("s_axi_wready", "host_interface", "s_axi_awready")  # one signal
    return out


def inner_bits(cell: dict, net: int) -> list[tuple[str, int]]:
    """Ports of a cell, and their bits, that are on a net."""
    return [(port, i) for port, bits in cell["connections"].items() for i, bit in enumerate(bits) if bit == net]


def test_the_packaged_ports_are_wires_to_the_blocks_that_are_proved():
    component = DercaIp(SMALL, 1 << window_bits(SMALL))
    design = modules(backend.convert(component, name=IP_TOP, emit_src=False), IP_TOP)
    top = design[IP_TOP]
    (outer,) = top["cells"].values()  # nothing but the accelerator is in it
    accelerator = design[outer["type"]]
    constant = {"m_axi_bresp": {0}, "s_axi_bresp": {0}, "s_axi_rresp": {0}}  # of which no block uses or drives this bit
    for (port, bit), (block, name, index) in expected_wires(SMALL).items():
        net = top["ports"][port]["bits"][bit]
        if bit in constant.get(port, ()) and not isinstance(net, int):
            continue
        reached = [
            found for middle, i in inner_bits(outer, net)
            for found in inner_bits(accelerator["cells"][block], accelerator["ports"][middle]["bits"][i])]
        assert (name, index) in reached, f"{port}[{bit}]: {reached}, not {block}.{name}[{index}]"
