"""Elements of IP-XACT documents."""

import xml.etree.ElementTree as ElementTree

#: Namespaces of IEEE 1685-2009 and of the vendor's extensions.
SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
XILINX = "http://www.xilinx.com"


def child(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    """A new last child; all names are in the standard's namespace."""
    return ElementTree.SubElement(
        parent, f"{{{SPIRIT}}}{tag}", {f"{{{SPIRIT}}}{name}": value for name, value in attributes.items()})


def add(parent: ElementTree.Element, number_format: str = "", **texts) -> None:
    """New last children with text, in the order given, which the schema prescribes."""
    for tag, text in texts.items():
        element = child(parent, tag, **({"format": number_format} if number_format else {}))
        element.text = str(text)
