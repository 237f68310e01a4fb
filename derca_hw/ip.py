"""The accelerator as an IP for vendor tools: all AXI signals that these expect, events as AXI4-Stream, an interrupt."""

from amaranth.hdl import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map
from derca_sim.model.timing import store_commands

from .bus.axi import Axi4, manager_options
from .bus.join import flat_members, join
from .top import Derca

#: Name of the top module.
TOP = "derca_ip"

#: Bits of the event stream, and the first bit of each field: the layout of a little-endian C structure.
EVENT_BITS = 128
EVENT_OFFSETS = {"cycle": 0, "region": 32, "task": 48, "kind": 64, "arg": 72}

#: Attributes of every burst of the master: normal, bufferable, unprivileged, non-secure, not urgent.
_BURST = {"prot": 0b010, "cache": 0b0011, "lock": 0, "qos": 0}

#: Interface type of the vendor, by the interface's name.
_TYPES = {
    "m_axi": "xilinx.com:interface:aximm:1.0",
    "s_axi": "xilinx.com:interface:aximm:1.0",
    "m_axis_event": "xilinx.com:interface:axis:1.0",
    "aclk": "xilinx.com:signal:clock:1.0",
    "aresetn": "xilinx.com:signal:reset:1.0",
    "interrupt": "xilinx.com:signal:interrupt:1.0",
}
#: The vendor's name of the signal, for interfaces of a single port, which has the interface's name.
_SINGLE = {"aclk": "CLK", "aresetn": "RST", "interrupt": "INTERRUPT"}


def window_bits(p: Platform) -> int:
    """Address bits of the memory window: `memory.size` rounded up to a power of two."""
    return (p.memory.size - 1).bit_length()


def check_base(p: Platform, base: int) -> None:
    """Refuse a memory window at a wrong base.

    Raises
    ------
    ValueError
        The window does not begin at a multiple of its size, or leaves the addresses of the bus.
    """
    window, address = 1 << window_bits(p), p.bus.address_width
    if base % window or not 0 <= base <= (1 << address) - window:
        raise ValueError(f"base = {base:#x}: allowed are multiples of {window:#x}, the room of memory.size = "
                         f"{p.memory.size} bytes, that end within bus.address_width = {address} bits")


class DercaIp(wiring.Component):
    """`Derca` with the ports that IP integrators expect; it adds no cycle to any path.

    The master's addresses are those of `Derca` within the memory window (`window_bits`) that begins at `base`. Whatever
    the tables contain, nothing outside the window is read or written.

    Events leave at `m_axis_event_*`, laid out as `EVENT_OFFSETS` gives, as fast as they come. `interrupt` is `irq` of
    `Derca`, or without `supervision.interrupts` its `faulty`. All other ports are those of `Derca`.
    `interface_attributes` describes the interfaces to vendor tools.

    Raises
    ------
    ValueError
        As `check_base`.
    """

    def __init__(self, p: Platform, base: int = 0):
        check_base(p, base)
        self._p, self._base = p, base
        self._derca = Derca(p)
        members = self._derca.signature.members
        self._same = [name for name in members if name != "irq" and not name.startswith("event_")]
        super().__init__({
            **{name: members[name] for name in self._same},
            **flat_members("m_axi_", Axi4.of(p, attributes=True, **manager_options())),
            "s_axi_awprot": In(3),
            "s_axi_arprot": In(3),
            "m_axis_event_tdata": Out(EVENT_BITS),
            "m_axis_event_tvalid": Out(1),
            "m_axis_event_tready": In(1),
            "interrupt": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.derca = derca = self._derca
        bits = window_bits(self._p)
        above = Const(self._base >> bits, self._p.bus.address_width - bits)
        addresses = ("m_axi_awaddr", "m_axi_araddr")
        join(m, self, derca, (name for name in self._same if name not in addresses))
        for name in addresses:
            m.d.comb += getattr(self, name).eq(Cat(getattr(derca, name)[:bits], above))
        m.d.comb += [
            self.interrupt.eq(derca.irq if self._p.supervision.interrupts else derca.faulty),
            self.m_axis_event_tvalid.eq(derca.event_valid),
            derca.event_ready.eq(self.m_axis_event_tready),
        ]
        for field, offset in EVENT_OFFSETS.items():
            value = getattr(derca, f"event_{field}")
            m.d.comb += self.m_axis_event_tdata[offset:offset + len(value)].eq(value)
        for channel in ("aw", "ar"):
            for name, value in _BURST.items():
                m.d.comb += getattr(self, f"m_axi_{channel}{name}").eq(value)
        return m


def interface_attributes(p: Platform, ports) -> dict[str, dict[str, str]]:
    """Attributes of every port that belongs to an interface; the first port has the interface's mode and parameters."""
    parameters = _parameters(p)
    out: dict[str, dict[str, str]] = {}
    described = set()
    for port, member in ports.items():
        interface = next((name for name in _TYPES if port == name or port.startswith(name + "_")), None)
        if interface is None:
            continue
        signal = _SINGLE.get(interface) or port.removeprefix(interface + "_").upper()
        out[port] = {"X_INTERFACE_INFO": f"{_TYPES[interface]} {interface} {signal}"}
        if interface not in described:
            described.add(interface)
            master = interface.startswith("m_") or member.flow == Out and interface in _SINGLE
            pairs = ", ".join(f"{name} {value}" for name, value in parameters[interface].items())
            out[port] |= {
                "X_INTERFACE_MODE": "master" if master else "slave",
                "X_INTERFACE_PARAMETER": f"XIL_INTERFACENAME {interface}, {pairs}",
            }
    return out


def _parameters(p: Platform) -> dict[str, dict[str, str | int]]:
    """Parameters of every interface, in the vendor's terms."""
    both = {"READ_WRITE_MODE": "READ_WRITE", "SUPPORTS_NARROW_BURST": 0, "HAS_PROT": 1, "HAS_REGION": 0,
            "HAS_WSTRB": 1, "HAS_BRESP": 1, "HAS_RRESP": 1}
    return {
        "aclk": {
            "ASSOCIATED_BUSIF": "m_axi:s_axi:m_axis_event", "ASSOCIATED_RESET": "aresetn",
            # The clock that the platform was made for. Any other will do if the timing is met.
            "FREQ_HZ": round(p.clock_mhz * 1e6), "FREQ_TOLERANCE_HZ": -1,
        },
        "aresetn": {"POLARITY": "ACTIVE_LOW"},
        "m_axi": {
            "PROTOCOL": "AXI4", "DATA_WIDTH": p.bus.data_width, "ADDR_WIDTH": p.bus.address_width, "ID_WIDTH": 1,
            "MAX_BURST_LENGTH": p.bus.burst_beats, "NUM_READ_OUTSTANDING": p.bus.outstanding,
            "NUM_WRITE_OUTSTANDING": store_commands(p), "HAS_BURST": 1, "HAS_LOCK": 1, "HAS_CACHE": 1,
            "HAS_QOS": 1, **both,
        },
        "s_axi": {
            "PROTOCOL": "AXI4LITE", "DATA_WIDTH": 32, "ADDR_WIDTH": register_map(p).address_bits, "ID_WIDTH": 0,
            "MAX_BURST_LENGTH": 1, "NUM_READ_OUTSTANDING": 1, "NUM_WRITE_OUTSTANDING": 1, "HAS_BURST": 0,
            "HAS_LOCK": 0, "HAS_CACHE": 0, "HAS_QOS": 0, **both,
        },
        "m_axis_event": {
            "TDATA_NUM_BYTES": EVENT_BITS // 8, "HAS_TREADY": 1, "HAS_TSTRB": 0, "HAS_TKEEP": 0, "HAS_TLAST": 0,
            "TID_WIDTH": 0, "TDEST_WIDTH": 0, "TUSER_WIDTH": 0,
        },
        "interrupt": {"SENSITIVITY": "LEVEL_HIGH"},
    }
