"""A stand-in for Vivado: runs Tcl scripts, knows the pins of the cells they make, refuses what does not exist."""

import fnmatch
import tkinter
from pathlib import Path

from oracles.ip.description import Component

#: Catalogue IP -> its bus interfaces and pins, as far as designs here use them; `!` marks what has to be connected.
CELLS = {
    "zynq_ultra_ps_e": "M_AXI_HPM0_FPD! S_AXI_HP0_FPD! pl_clk0! pl_resetn0! maxihpm0_fpd_aclk! saxihp0_fpd_aclk! "
                       "pl_ps_irq0!",
    "versal_cips": "M_AXI_FPD! m_axi_fpd_aclk! pl0_ref_clk! pl0_resetn! pl_ps_irq0!",
    "proc_sys_reset": "slowest_sync_clk! ext_reset_in! dcm_locked peripheral_aresetn!",
    "smartconnect": "aclk! aresetn! S00_AXI! S01_AXI M00_AXI! M01_AXI",
    "clk_wiz": "clk_in1! resetn! clk_out1! locked!",
    "jtag_axi": "aclk! aresetn! M_AXI!",
    "axi_bram_ctrl": "s_axi_aclk! s_axi_aresetn! S_AXI! BRAM_PORTA! BRAM_PORTB!",
    "blk_mem_gen": "BRAM_PORTA! BRAM_PORTB!",
    "axi_noc": "S06_AXI! aclk7!",
}
#: Address spaces and segments of those cells.
SPACES = {"zynq_ultra_ps_e": ["Data"], "versal_cips": ["M_AXI_FPD"], "jtag_axi": ["Data"]}
SEGMENTS = {"zynq_ultra_ps_e": ["SAXIGP2/HP0_DDR_LOW", "SAXIGP2/HP0_LPS_OCM"], "axi_bram_ctrl": ["S_AXI/Mem0"]}


class Vivado:
    """Runs one script.

    Attributes
    ----------
    calls
        Every command of Vivado, in order.
    cells, ports
        Catalogue IP by cell, direction by external port.
    nets
        What is connected, one set a connection.
    assigned
        Address space, segment, offset, range.
    printed
        Lines that the script has printed.
    """

    def __init__(self, folder: Path, component: Component, parts: list[str]):
        self.folder, self.component, self.parts = folder, component, parts
        self.calls: list[tuple[str, ...]] = []
        self.cells: dict[str, str] = {}
        self.ports: dict[str, str] = {}
        self.nets: list[set[str]] = []
        self.printed: list[str] = []
        self.missing: list[str] = []  # what a command was refused for: Tcl hands no exceptions on
        self.assigned: list[tuple[str, str, str, str]] = []

    def run(self, script: str, *arguments: str) -> None:
        """Source a script of the folder.

        Raises
        ------
        ValueError
            If it names what does not exist.
        tkinter.TclError
            For its own errors, and those of its syntax.
        """
        tcl = tkinter.Tcl()
        tcl.createcommand("unknown", self._unknown)
        tcl.createcommand("puts", lambda *args: self.printed.append(args[-1]))
        tcl.call("set", "argv", " ".join(arguments))
        try:
            tcl.call("source", str(self.folder / script))
        except tkinter.TclError as e:
            if self.missing:
                raise ValueError(self.missing[0]) from e
            raise

    def _unknown(self, *words: str) -> str:
        self.calls.append(words)
        name = words[0].replace("::", "_")
        return getattr(self, name, lambda *args: words[-1])(*words[1:])

    def _need(self, found: bool, what: str) -> None:
        if not found:
            self.missing.append(f"{what} does not exist")
            raise ValueError(self.missing[0])

    def _pins(self, cell: str) -> list[str]:
        if cell == "derca":
            return [*self.component.ports(), *self.component.interfaces]
        return [pin.rstrip("!") for pin in CELLS[self.cells[cell]].split()]

    def unconnected(self) -> list[str]:
        """Pins that have to be connected and are not."""
        connected = set().union(*self.nets)
        needed = {f"derca/{name}" for name in ("aclk", "aresetn", "m_axi", "s_axi")} | set(self.ports)
        needed |= {f"{cell}/{pin[:-1]}" for cell, kind in self.cells.items() if cell != "derca"
                   for pin in CELLS[kind].split() if pin.endswith("!")}
        return sorted(needed - connected)

    # -- commands of Vivado, named as in Tcl

    def source(self, path):
        self._need(Path(path).is_file(), path)

    def get_board_parts(self, *args):
        return " ".join(part for part in self.parts if fnmatch.fnmatch(part, args[-1]))

    def add_files(self, *args):
        self._need(Path(args[-1]).is_file(), args[-1])

    def get_files(self, path):
        return path

    def create_bd_cell(self, *args):
        kind = args[args.index("-vlnv") + 1]
        if args[-1] == "derca":
            version = ":".join(self.component.texts(tag)[0] for tag in ("vendor", "library", "name", "version"))
            self._need(kind == version, kind)
            self.cells["derca"] = "derca"
        else:
            vendor, library, name = kind.split(":")
            self._need((vendor, library) == ("xilinx.com", "ip") and name in CELLS, kind)
            self.cells[args[-1]] = name
        return args[-1]

    def apply_bd_automation(self, *args):
        if "cips" in args[1]:
            self.cells["axi_noc_0"] = "axi_noc"

    def get_bd_cells(self, cell):
        self._need(cell in self.cells, cell)
        return cell

    def create_bd_port(self, *args):
        self.ports[args[-1]] = args[args.index("-dir") + 1]
        return args[-1]

    def get_bd_ports(self, port):
        self._need(port in self.ports, port)
        return port

    def get_bd_pins(self, pin):
        cell, _, name = pin.partition("/")
        self._need(cell in self.cells and name in self._pins(cell), pin)
        return pin

    get_bd_intf_pins = get_bd_pins

    def connect_bd_net(self, *pins):
        self._need(all(pins), str(pins))
        self.nets.append(set(pins))

    connect_bd_intf_net = connect_bd_net

    def get_bd_addr_spaces(self, space):
        cell, _, name = space.partition("/")
        known = self.component.texts("addressSpaces/addressSpace/name") if cell == "derca" \
            else SPACES.get(self.cells[cell], [])
        self._need(name in known, space)
        return space

    def get_bd_addr_segs(self, *args):
        cell, _, name = args[-1].partition("/")
        own = [f"{m}/{b}" for m in self.component.texts("memoryMaps/memoryMap/name")
               for b in self.component.texts("memoryMaps/memoryMap/addressBlock/name")]
        found = fnmatch.filter(own if cell == "derca" else SEGMENTS[self.cells[cell]], name)
        self._need(bool(found), args[-1])
        return " ".join(f"{cell}/{segment}" for segment in found)

    def assign_bd_address(self, *args):
        if args:
            options = dict(zip(args[:-1:2], args[1:-1:2], strict=True))
            self.assigned.append((options["-target_address_space"], args[-1],
                                  options.get("-offset", ""), options.get("-range", "")))

    def get_property(self, name, thing):
        known = {"PROGRESS": "100%", "SLACK": "0.1", "STATUS": "done", "CONFIG.NUM_SI": "6", "CONFIG.NUM_CLKS": "7",
                 "DATA": "0000002a"}
        if name == "interface_mode":
            return self.component.type_and_mode(thing)[1]
        return known[name]

    def ipx_get_bus_interfaces(self, name, *_):
        return name if name in self.component.interfaces else ""

    def ipx_get_ports(self, name, *_):
        self._need(name in self.component.ports(), name)
        return name

    def ipx_get_memory_maps(self, name, *_):
        self._need(name in self.component.texts("memoryMaps/memoryMap/name"), name)
        return name
