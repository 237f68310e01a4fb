"""The registers as the memory map of an IP-XACT component."""

import xml.etree.ElementTree as ElementTree

from derca_sim.model.description import WORD_BITS, Access, Field, Register, RegisterMap

from .xml import add, child

#: Name of the one block of addresses, that Vivado's own packager gives it; block designs name the segment by it.
BLOCK = "reg0"

_ACCESS = {
    Access.READ: "read-only", Access.WRITE: "write-only", Access.READ_WRITE: "read-write", Access.CLEAR: "read-write",
}


def memory_map(parent: ElementTree.Element, name: str, registers: RegisterMap) -> None:
    """One block of all addresses that the port can reach, as wide as a register.

    Registers of tasks are written out, one by one: vendor tools read neither register files nor dimensions with a
    stride.
    """
    element = child(parent, "memoryMap")
    add(element, name=name)
    block = child(element, "addressBlock")
    add(block, name=BLOCK)
    add(block, "long", baseAddress=0, range=1 << registers.address_bits, width=WORD_BITS)
    add(block, usage="register")
    for register in registers.registers:
        _register(block, register, register.name, register.offset)
    array = registers.tasks
    for element in range(array.count):
        for register in array.registers:
            _register(block, register, f"{array.name}{element}_{register.name}",
                      array.base + element * array.stride + register.offset)


def _register(parent: ElementTree.Element, r: Register, name: str, offset: int) -> None:
    element = child(parent, "register")
    add(element, name=name, description=r.doc, addressOffset=f"{offset:#x}")
    add(element, "long", size=WORD_BITS)
    add(element, access=_ACCESS[r.access])
    add(child(element, "reset"), "long", value=f"{r.reset:#x}")
    for f in r.fields or (Field("value", 0, r.width, r.doc),):
        field = child(element, "field")
        add(field, name=f.name, description=f.doc, bitOffset=f.low)
        add(field, "long", bitWidth=f.width)
        add(field, access=_ACCESS[r.access])
        if f.choices:
            values = child(field, "enumeratedValues")
            for choice in f.choices:
                add(child(values, "enumeratedValue"), name=choice.name, description=choice.doc, value=choice.value)
        if r.access == Access.CLEAR:
            add(field, modifiedWriteValue="oneToClear")
