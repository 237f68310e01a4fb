"""Rules written down by hand: the element order of IEEE 1685-2009, and what Vivado's bus definitions require."""

#: Namespace prefixes as ElementTree spells them.
SPIRIT, XILINX = "{http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009}", "{http://www.xilinx.com}"

#: Element -> the children it may have, in the order of the schema; `!` marks required ones. Elements that are not
#: named here have text and no children.
ORDER = {
    "component": "vendor! library! name! version! busInterfaces channels remapStates addressSpaces memoryMaps model "
                 "componentGenerators choices fileSets whiteboxElements cpus otherClockDrivers description parameters "
                 "vendorExtensions",
    "busInterfaces": "busInterface!",
    "busInterface": "name! displayName description busType! abstractionType master slave connectionRequired portMaps "
                    "bitsInLau bitSteering endianness parameters vendorExtensions",
    "busType": "", "abstractionType": "", "addressSpaceRef": "", "memoryMapRef": "",
    "master": "addressSpaceRef",
    "slave": "memoryMapRef bridge fileSetRefGroup",
    "portMaps": "portMap!",
    "portMap": "logicalPort! physicalPort!",
    "logicalPort": "name! vector",
    "physicalPort": "name! vector",
    "parameters": "parameter!",
    "parameter": "name! displayName description value! vendorExtensions",
    "addressSpaces": "addressSpace!",
    "addressSpace": "name! displayName description range! width! segments addressUnitBits",
    "memoryMaps": "memoryMap!",
    "memoryMap": "name! displayName description addressBlock! addressUnitBits",
    "addressBlock": "name! displayName description baseAddress! typeIdentifier range! width! usage volatile access "
                    "parameters register",
    "register": "name! displayName description dim addressOffset! typeIdentifier size! volatile access reset field",
    "reset": "value! mask",
    "field": "name! displayName description bitOffset! typeIdentifier bitWidth! volatile access enumeratedValues "
             "modifiedWriteValue writeValueConstraint readAction testable",
    "enumeratedValues": "enumeratedValue!",
    "enumeratedValue": "name! displayName description value!",
    "model": "views ports modelParameters",
    "views": "view!",
    "view": "name! displayName description envIdentifier! language modelName defaultFileBuilder fileSetRef "
            "constraintSetRef parameters",
    "fileSetRef": "localName!",
    "ports": "port!",
    "port": "name! displayName description wire!",
    "wire": "direction! vector wireTypeDefs driver constraintSets",
    "vector": "left! right!",
    "wireTypeDefs": "wireTypeDef!",
    "wireTypeDef": "typeName! typeDefinition viewNameRef",
    "driver": "defaultValue!",
    "fileSets": "fileSet!",
    "fileSet": "name! displayName description group file! defaultFileBuilder",
    "file": "name! fileType userFileType isIncludeFile logicalName",
    "vendorExtensions": "coreExtensions packagingInfo",
    "coreExtensions": "supportedFamilies taxonomies displayName definitionSource vendorDisplayName coreRevision "
                      "coreCreationDateTime",
    "supportedFamilies": "family!",
    "taxonomies": "taxonomy!",
}
ENUMERATED = {
    "direction": {"in", "out", "inout", "phantom"},
    "access": {"read-only", "write-only", "read-write", "writeOnce", "read-writeOnce"},
    "usage": {"memory", "register", "reserved"},
    "modifiedWriteValue": {"oneToClear", "oneToSet", "oneToToggle", "zeroToClear", "zeroToSet", "zeroToToggle",
                           "clear", "set", "modify"},
    "fileType": {"verilogSource", "systemVerilogSource", "vhdlSource", "tclSource", "unknown"},
}


def structure_errors(element, place: str = "") -> list[str]:
    """Where an element breaks the order, lacks a required child, has one too many, or a value that is not allowed."""
    tag = element.tag.split("}")[1]
    place = f"{place}/{tag}"
    children = [child.tag.split("}")[1] for child in element]
    out = []
    if tag not in ORDER:
        if children:
            out.append(f"{place}: has children")
        elif not (element.text or "").strip():
            out.append(f"{place}: is empty")
        elif tag in ENUMERATED and element.text not in ENUMERATED[tag]:
            out.append(f"{place}: {element.text}")
        return out
    allowed = [name.rstrip("!") for name in ORDER[tag].split()]
    places = [allowed.index(name) if name in allowed else -1 for name in children]
    if -1 in places or places != sorted(places):
        out.append(f"{place}: children {' '.join(dict.fromkeys(children))}")
    out += [f"{place}: no {name.rstrip('!')}" for name in ORDER[tag].split()
            if name.endswith("!") and name.rstrip("!") not in children]
    return out + [error for child in element for error in structure_errors(child, place)]


def _signals(text: str) -> dict[str, str]:
    """Signal -> direction at the side that begins: `>` out, `<` in."""
    return {signal[1:]: {">": "out", "<": "in"}[signal[0]] for signal in text.split()}


_ADDRESS = ">{0}ADDR >{0}PROT >{0}VALID <{0}READY"
_BURST = " >{0}LEN >{0}SIZE >{0}BURST >{0}LOCK >{0}CACHE >{0}QOS"
_DATA = " >WDATA >WSTRB >WVALID <WREADY <BRESP <BVALID >BREADY <RDATA <RRESP <RVALID >RREADY"
_ADDRESSES = " ".join(_ADDRESS.format(c) for c in ("AW", "AR"))
_BURSTS = "".join(_BURST.format(c) for c in ("AW", "AR"))

#: Interface, or its type -> signals that Vivado's definition requires or this IP promises, seen from the master;
#: IDs stand apart, they may be there. AMBA AXI (IHI 0022), AXI4-Stream (IHI 0051), Vivado's *_rtl.xml.
REQUIRED = {
    "m_axi": _signals(_ADDRESSES + _BURSTS + _DATA + " >WLAST <RLAST"),
    "s_axi": _signals(_ADDRESSES + _DATA),
    "m_axis_event": _signals(">TDATA >TVALID <TREADY"),
    "aclk": _signals(">CLK"),
    "aresetn": _signals(">RST"),
    "interrupt": _signals(">INTERRUPT"),
}
OPTIONAL = {"m_axi": _signals(">AWID >ARID <BID <RID")}
#: Widths that the protocol fixes.
WIDTHS = {"LEN": 8, "SIZE": 3, "BURST": 2, "LOCK": 1, "CACHE": 4, "PROT": 3, "QOS": 4, "RESP": 2, "VALID": 1,
          "READY": 1, "LAST": 1, "CLK": 1, "RST": 1, "INTERRUPT": 1}
TYPES = {
    "m_axi": ("xilinx.com:interface:aximm:1.0", "master"), "s_axi": ("xilinx.com:interface:aximm:1.0", "slave"),
    "m_axis_event": ("xilinx.com:interface:axis:1.0", "master"), "aclk": ("xilinx.com:signal:clock:1.0", "slave"),
    "aresetn": ("xilinx.com:signal:reset:1.0", "slave"), "interrupt": ("xilinx.com:signal:interrupt:1.0", "master"),
}
