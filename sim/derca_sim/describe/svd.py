"""The register map as a CMSIS-SVD file (System View Description 1.3), for debuggers and generators of drivers."""

import xml.etree.ElementTree as ElementTree

from ..model.description import WORD_BITS, Access, Field, Register
from ..model.platform import Platform
from ..model.registers import register_map

_ACCESS = {
    Access.READ: "read-only", Access.WRITE: "write-only", Access.READ_WRITE: "read-write", Access.CLEAR: "read-write",
}
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


def svd(p: Platform, name: str = "derca", base: int = 0) -> str:
    """One device with one peripheral at address `base`; tasks are an array of clusters."""
    registers = register_map(p)
    array = registers.tasks
    device = ElementTree.Element("device", {
        "schemaVersion": "1.3", "xmlns:xs": _INSTANCE, "xs:noNamespaceSchemaLocation": "CMSIS-SVD.xsd",
    })
    version = next(r for r in registers.registers if r.name == "VERSION")
    number = ".".join(str(version["major"].get(version.reset) if i == 0 else version["minor"].get(version.reset))
                      for i in range(2))
    _text(device, name=name, version=number, description=f"Platform {p.name}, configuration {p.config_hash:08x}",
          addressUnitBits=8, width=WORD_BITS, size=WORD_BITS, access="read-write", resetValue="0x0",
          resetMask="0xffffffff")
    peripheral = ElementTree.SubElement(ElementTree.SubElement(device, "peripherals"), "peripheral")
    _text(peripheral, name=name.upper(), description="DNN accelerator with a real-time scheduler",
          baseAddress=f"{base:#x}")
    _text(ElementTree.SubElement(peripheral, "addressBlock"), offset="0x0", size=f"{registers.size:#x}",
          usage="registers")
    block = ElementTree.SubElement(peripheral, "registers")
    for r in registers.registers:
        _register(block, r)
    cluster = ElementTree.SubElement(block, "cluster")
    _text(cluster, dim=array.count, dimIncrement=f"{array.stride:#x}", name=f"{array.name}[%s]", description=array.doc,
          addressOffset=f"{array.base:#x}")
    for r in array.registers:
        _register(cluster, r)
    ElementTree.indent(device)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(device, encoding="unicode") + "\n"


def _text(parent: ElementTree.Element, **children) -> None:
    """Children with text, in the order given, which the schema prescribes."""
    for tag, text in children.items():
        ElementTree.SubElement(parent, tag).text = str(text)


def _register(parent: ElementTree.Element, r: Register) -> None:
    element = ElementTree.SubElement(parent, "register")
    _text(element, name=r.name, description=r.doc, addressOffset=f"{r.offset:#x}", access=_ACCESS[r.access],
          resetValue=f"{r.reset:#x}")
    if r.access == Access.CLEAR:
        _text(element, modifiedWriteValues="oneToClear")
    fields = r.fields or (Field("value", 0, r.width, r.doc),)
    block = ElementTree.SubElement(element, "fields")
    for f in fields:
        field = ElementTree.SubElement(block, "field")
        _text(field, name=f.name, description=f.doc, bitOffset=f.low, bitWidth=f.width)
        if f.choices:
            values = ElementTree.SubElement(field, "enumeratedValues")
            for choice in f.choices:
                _text(ElementTree.SubElement(values, "enumeratedValue"), name=choice.name, description=choice.doc,
                      value=choice.value)
