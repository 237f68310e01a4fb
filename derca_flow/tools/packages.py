"""Packages of FPGAs and their pins, as the databases that come with nextpnr list them.

They are read out of the installed wheels, so they are those of the nextpnr that will place the design. Without a wheel
nothing is known, and nothing is checked before nextpnr runs.
"""

import json
import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from derca_sim.errors import MissingToolError

from .toolchain import nextpnr_share

#: Option of nextpnr-ice40 -> its database, and what it appends to packages of smaller devices in the same database.
_ICE40 = {
    "--lp384": ("384", ""), **{f"--{kind}1k": ("1k", "") for kind in ("lp", "hx")},
    **{f"--{kind}4k": ("8k", ":4k") for kind in ("lp", "hx")}, **{f"--{kind}8k": ("8k", "") for kind in ("lp", "hx")},
    "--up3k": ("5k", ""), "--up5k": ("5k", ""), "--u1k": ("u4k", ""), "--u2k": ("u4k", ""), "--u4k": ("u4k", ""),
}
#: Option of nextpnr-ecp5 -> the device of its database.
_ECP5 = {f"--{prefix}{size}k": f"LFE5{series}-{size}F" for prefix, series, sizes in (
    ("", "U", (12, 25, 45, 85)), ("um-", "UM", (25, 45, 85)), ("um5g-", "UM5G", (25, 45, 85))) for size in sizes}
#: Speed grades of an ECP5; those of the 5G series are the fastest alone.
_SPEEDS, _SPEEDS_5G = ("6", "7", "8"), ("8",)


@dataclass(frozen=True)
class Known:
    """What is known of a device.

    Attributes
    ----------
    option
        That of nextpnr which names it.
    packages
        Package -> the names of its pins that a design can use.
    speeds
        Speed grades, the slowest first; empty if the family has none.
    """

    option: str
    packages: dict[str, frozenset[str]]
    speeds: tuple[str, ...]


def known(family: str, options: Sequence[str]) -> Known | None:
    """The device that options of nextpnr name; None if that is unknown, or nextpnr is not installed."""
    table = _ECP5 if family == "ecp5" else _ICE40
    option = next((word for word in options if word in table), None)
    if option is None:
        return None
    try:
        share = nextpnr_share(family)
    except MissingToolError:
        return None
    if family == "ecp5":
        return Known(option, _of_ecp5(share / "trellis" / "database" / "ECP5" / _ECP5[option] / "iodb.json"),
                     _SPEEDS_5G if "5g" in option else _SPEEDS)
    name, suffix = _ICE40[option]
    found = _of_ice40(share / "ice40" / f"chipdb-{name}.bin")
    return Known(option, {package.removesuffix(suffix): pins for package, pins in found.items()
                          if ":" + package.partition(":")[2] == (suffix or ":")}, ())


@cache
def _of_ecp5(file: Path) -> dict[str, frozenset[str]]:
    """The packages of Project Trellis' database."""
    found = json.loads(file.read_text(encoding="utf-8"))["packages"]
    return {package: frozenset(pins) for package, pins in found.items()}


@cache
def _of_ice40(file: Path) -> dict[str, frozenset[str]]:
    """The packages of a database of nextpnr-ice40, which is its structures as they lie in memory.

    A reference is the distance from itself. The first one points to a record: three numbers, four lists, a reference, a
    list, then the list of packages. A list is a reference and a length; a package is a name and a list of pins, each a
    name and a number.
    """
    with open(file, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        def number(at: int) -> int:
            return struct.unpack_from("<i", data, at)[0]

        def text(at: int) -> str:
            begin = at + number(at)
            return data[begin:data.find(b"\0", begin)].decode("ascii")

        def items(at: int, size: int) -> range:
            return range(at + number(at), at + number(at) + size * number(at + 4), size)

        record = number(0)
        packages = items(record + 3 * 4 + 4 * 8 + 4 + 8, 12)
        return {text(package): frozenset(text(pin) for pin in items(package + 4, 8)) for package in packages}
