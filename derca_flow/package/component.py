"""The IP-XACT description (IEEE 1685-2009) of the packaged accelerator, in the shape that Vivado reads and writes."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from derca_hw.families.family import Family
from derca_hw.ip import TOP
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map

from .interfaces import Interface, Port, interfaces_of
from .memory_map import memory_map
from .xml import SPIRIT, XILINX, add, child

#: Device families that can be built from the Verilog of each of ours.
FAMILIES = {
    Family.PORTABLE: ("artix7", "kintex7", "spartan7", "virtex7", "zynq", "kintexu", "virtexu", "artixuplus",
                      "kintexuplus", "virtexuplus", "zynquplus", "versal"),
    Family.ULTRASCALE: ("kintexu", "virtexu", "artixuplus", "kintexuplus", "virtexuplus", "zynquplus"),
}
_SYNTHESIS, _SIMULATION, _PAGE = "xilinx_anylanguagesynthesis", "xilinx_anylanguagebehavioralsimulation", "xilinx_xpgui"
#: Views: display name, environment, whether it has a module.
_VIEWS = {
    _SYNTHESIS: ("Synthesis", ":vivado.xilinx.com:synthesis", True),
    _SIMULATION: ("Simulation", ":vivado.xilinx.com:simulation", True),
    _PAGE: ("UI Layout", ":vivado.xilinx.com:xgui.ui", False),
}


@dataclass(frozen=True)
class Identity:
    """What the IP catalogue knows the IP by; the version is that of the register interface."""

    vendor: str
    library: str
    name: str
    version: str

    @classmethod
    def of(cls, p: Platform) -> "Identity":
        """The identity of the accelerator built for a platform."""
        version = register_map(p)["VERSION"]
        number = version.unpack(version.reset)
        return cls("derca", "accelerators", "derca", f"{number['major']}.{number['minor']}")

    @property
    def vlnv(self) -> str:
        """Vendor, library, name, version, as Tcl commands take them."""
        return f"{self.vendor}:{self.library}:{self.name}:{self.version}"

    @property
    def page(self) -> str:
        """File of the customisation page, named as Vivado expects it."""
        return f"xgui/{self.name}_v{self.version.replace('.', '_')}.tcl"


#: Files of the folder that `component.xml` stands in.
HDL, OUT_OF_CONTEXT = f"hdl/{TOP}.v", f"constraints/{TOP}_ooc.xdc"


def component(p: Platform, ports: dict[str, Port], family: Family) -> str:
    """`component.xml` for hardware with these ports.

    Parameters
    ----------
    ports
        As `ports_of` read them back from the Verilog.
    """
    for prefix, uri in (("spirit", SPIRIT), ("xilinx", XILINX)):
        ElementTree.register_namespace(prefix, uri)
    identity, interfaces = Identity.of(p), interfaces_of(ports)
    root = ElementTree.Element(f"{{{SPIRIT}}}component")
    add(root, vendor=identity.vendor, library=identity.library, name=identity.name, version=identity.version)
    buses = child(root, "busInterfaces")
    for interface in interfaces.values():
        _bus_interface(buses, interface)
    spaces = child(root, "addressSpaces")
    for interface in interfaces.values():
        if _is_memory_mapped(interface) and interface.mode == "master":
            space = child(spaces, "addressSpace")
            add(space, name=interface.name)
            add(space, "long", range=1 << int(interface.parameters["ADDR_WIDTH"]),
                width=interface.parameters["DATA_WIDTH"])
    maps = child(root, "memoryMaps")
    for interface in interfaces.values():
        if _is_memory_mapped(interface) and interface.mode == "slave":
            memory_map(maps, interface.name, register_map(p))
    model = child(root, "model")
    _views(child(model, "views"))
    _ports(child(model, "ports"), ports, interfaces)
    _file_sets(child(root, "fileSets"), identity)
    add(root, description=f"DNN accelerator, preemptible inside layers, with a real-time scheduler. Platform {p.name}, "
                          f"configuration {p.config_hash:08x}")
    parameter = child(child(root, "parameters"), "parameter")
    add(parameter, name="Component_Name")
    child(parameter, "value", resolve="user", id="PARAM_VALUE.Component_Name", order="1").text = identity.name
    _extensions(child(root, "vendorExtensions"), p, family)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _is_memory_mapped(interface: Interface) -> bool:
    return interface.type.split(":")[2] == "aximm"


def _bus_interface(parent: ElementTree.Element, interface: Interface) -> None:
    element = child(parent, "busInterface")
    add(element, name=interface.name)
    vendor, library, name, version = interface.type.split(":")
    child(element, "busType", vendor=vendor, library=library, name=name, version=version)
    child(element, "abstractionType", vendor=vendor, library=library, name=f"{name}_rtl", version=version)
    mode = child(element, interface.mode)
    if _is_memory_mapped(interface):
        reference = {"master": "addressSpaceRef", "slave": "memoryMapRef"}[interface.mode]
        child(mode, reference, **{reference: interface.name})
    maps = child(element, "portMaps")
    for logical, physical in interface.ports.items():
        mapped = child(maps, "portMap")
        add(child(mapped, "logicalPort"), name=logical)
        add(child(mapped, "physicalPort"), name=physical)
    parameters = child(element, "parameters")
    for name, value in interface.parameters.items():
        parameter = child(parameters, "parameter")
        add(parameter, name=name)
        child(parameter, "value", id=f"BUSIFPARAM_VALUE.{interface.name.upper()}.{name}").text = value


def _views(parent: ElementTree.Element) -> None:
    for name, (display, environment, has_module) in _VIEWS.items():
        view = child(parent, "view")
        add(view, name=name, displayName=display, envIdentifier=environment)
        if has_module:
            add(view, language="Verilog", modelName=TOP)
        add(child(view, "fileSetRef"), localName=f"{name}_view_fileset")


def _ports(parent: ElementTree.Element, ports: dict[str, Port], interfaces: dict[str, Interface]) -> None:
    single = {name for i in interfaces.values() if len(i.ports) == 1 for name in i.ports.values()}
    for port in ports.values():
        element = child(parent, "port")
        add(element, name=port.name)
        wire = child(element, "wire")
        add(wire, direction=port.direction)
        if port.vector:
            add(child(wire, "vector"), "long", left=port.width - 1, right=0)
        kind = child(child(wire, "wireTypeDefs"), "wireTypeDef")
        add(kind, typeName="std_logic_vector" if port.vector else "std_logic")
        for view in (_SYNTHESIS, _SIMULATION):
            add(kind, viewNameRef=view)
        if port.direction == "in" and port.name not in single:
            # What an input reads that nobody connects: an event stream without a reader must not fill up.
            add(child(wire, "driver"), "long", defaultValue=int(port.name.endswith("_tready")))


def _file_sets(parent: ElementTree.Element, identity: Identity) -> None:
    def files(view: str, *files: tuple[str, str, tuple[str, ...]]) -> None:
        element = child(parent, "fileSet")
        add(element, name=f"{view}_view_fileset")
        for name, kind, uses in files:
            file = child(element, "file")
            add(file, name=name)
            if kind:
                add(file, fileType=kind)
            for use in uses:
                add(file, userFileType=use)

    timing = ("xdc", "USED_IN_synthesis", "USED_IN_implementation", "USED_IN_out_of_context")
    files(_SYNTHESIS, (HDL, "verilogSource", ()), (OUT_OF_CONTEXT, "", timing))
    files(_SIMULATION, (HDL, "verilogSource", ()))
    files(_PAGE, (identity.page, "tclSource", ("XGUI_VERSION_2",)))


def _extensions(parent: ElementTree.Element, p: Platform, family: Family) -> None:
    core = ElementTree.SubElement(parent, f"{{{XILINX}}}coreExtensions")
    supported = ElementTree.SubElement(core, f"{{{XILINX}}}supportedFamilies")
    for name in FAMILIES[family]:
        ElementTree.SubElement(supported, f"{{{XILINX}}}family", {f"{{{XILINX}}}lifeCycle": "Production"}).text = name
    taxonomies = ElementTree.SubElement(core, f"{{{XILINX}}}taxonomies")
    ElementTree.SubElement(taxonomies, f"{{{XILINX}}}taxonomy").text = "/AXI_Peripheral"
    for name, text in (("displayName", f"DERCA accelerator ({p.name})"), ("definitionSource", "package_project"),
                       ("coreRevision", "1")):
        ElementTree.SubElement(core, f"{{{XILINX}}}{name}").text = text
