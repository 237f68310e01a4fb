"""The pins of a board as constraints of nextpnr: written from a board file, or checked against it."""

import difflib
import re
from dataclasses import dataclass

from derca_sim.model.board import LEDS
from derca_sim.model.sdram import Sdram

from .section import BoardSection, PinSection

#: Suffix of constraints by device family.
SUFFIXES = {"ecp5": ".lpf", "ice40": ".pcf"}
#: Signals of an SDRAM: of one bit, and of several.
_SINGLE, _SEVERAL = ("clk", "cke", "cs_n", "ras_n", "cas_n", "we_n"), ("ba", "a", "dqm", "dq")


@dataclass(frozen=True)
class Placed:
    """A bit of a port of the board's top, the key of the board file that says its pin, and the pin."""

    port: str
    key: str
    pin: PinSection


@dataclass(frozen=True)
class Package:
    """A package, with the names of the pins that a design can use."""

    name: str
    pins: frozenset[str]

    def lacks(self, site: str) -> str:
        """Why a site is no pin of it, and which ones are."""
        close = difflib.get_close_matches(site.upper(), sorted(self.pins), 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        ordered = sorted(self.pins, key=lambda pin: (len(pin), pin))
        return (f"{self.name} has no such pin for signals: allowed are {len(self.pins)}, such as {ordered[0]} and "
                f"{ordered[-1]}{hint}")


def ports(board: BoardSection) -> list[Placed]:
    """The ports of the board's top but those of an SDRAM, in the order of the file."""
    leds = [(f"led_{name}", f"leds.{name}", led) for name in LEDS if (led := getattr(board.leds, name)) is not None]
    return [Placed(*one) for one in (("clk", "clock.pin", board.clock.pin), ("rx", "uart.rx", board.uart.rx),
                                     ("tx", "uart.tx", board.uart.tx), *leds)]


def needed(board: BoardSection) -> list[str]:
    """The names of all ports of the board's top."""
    sdram = [f"sdram_{name}" for name in (*_SINGLE, *_SEVERAL)] if board.memory.kind == "sdram" else []
    return [*(one.port for one in ports(board)), *sdram]


def sdram_widths(chip: Sdram) -> dict[str, int]:
    """Bits of the SDRAM's ports with several, by signal."""
    return {"ba": 2, "a": (chip.rows - 1).bit_length(), "dqm": chip.width // 8, "dq": chip.width}


def sdram_ports(board: BoardSection) -> list[Placed]:
    """The ports of the SDRAM whose pins the board file gives."""
    pins = board.memory.sdram and board.memory.sdram.pins
    if not pins:
        return []
    attributes = pins.model_dump(include={"standard", "pull", "drive", "slew"})
    sites = [(f"sdram_{name}", name, getattr(pins, name)) for name in _SINGLE]
    sites += [(f"sdram_{name}[{i}]", name, site) for name in _SEVERAL
              for i, site in enumerate(getattr(pins, name))]
    return [Placed(port, f"memory.sdram.pins.{name}", PinSection(site=site, **attributes))
            for port, name, site in sites]


def written(board: BoardSection, family: str, rates: dict[str, float]) -> str:
    """The text of the constraints; `rates` are clocks behind a PLL of an iCE40, in MHz by name."""
    placed = [*ports(board), *sdram_ports(board)]
    lines = [f"# {' '.join(board.title.split())}. Made by derca from the board file."]
    for one in placed:
        lines += _lpf(one, board.standard) if family == "ecp5" else _pcf(one)
    rate = f"{board.clock.mhz:g}"
    lines += [f'FREQUENCY PORT "clk" {rate} MHZ;'] if family == "ecp5" else [
        f"set_frequency clk {rate}", *(f"set_frequency {name} {mhz:g}" for name, mhz in rates.items())]
    return "\n".join(lines) + "\n"


def _lpf(one: Placed, standard: str) -> list[str]:
    pin = one.pin
    attributes = {"IO_TYPE": pin.standard or standard, "PULLMODE": (pin.pull or "").upper(), "DRIVE": pin.drive,
                  "SLEWRATE": (pin.slew or "").upper()}
    given = " ".join(f"{name}={value}" for name, value in attributes.items() if value)
    return [f'LOCATE COMP "{one.port}" SITE "{pin.site}";', f'IOBUF PORT "{one.port}" {given};']


def _pcf(one: Placed) -> list[str]:
    return [f"set_io {'-pullup yes ' if one.pin.pull == 'up' else ''}{one.port} {one.pin.site}"]


#: A line that places a port, with the pin, and one that gives the rate of one, by suffix.
_LINES = {
    ".lpf": (r'^\s*LOCATE\s+COMP\s+"([^"[]+)[^"]*"\s+SITE\s+"([^"]+)"',
             r'^\s*FREQUENCY\s+(?:PORT|NET)\s+"clk"\s+([\d.]+)\s*MHZ'),
    ".pcf": (r"^\s*set_io\b[^#\n]*?([A-Za-z_]\w*)(?:\[\d+\])?\s+(\w+)\s*(?:#.*)?$",
             r"^\s*set_frequency\s+clk\s+([\d.]+)"),
}


def problems_of(text: str, suffix: str, names: list[str], mhz: float, package: Package | None) -> list[str]:
    """What constraints lack: ports of `names`, or the rate of `clk`, which must be `mhz`; and pins that are none of the
    package, if that is known. Empty if nothing."""
    place, rate = (re.compile(pattern, re.MULTILINE | re.IGNORECASE) for pattern in _LINES[suffix])
    placed = {found[1] for found in place.finditer(text)}
    wrong = [found for found in place.finditer(text) if package and found[2] not in package.pins]
    out = [f"no pin for the port {port}; add it" for port in names if port not in placed]
    out += [f"{found[1]} at {found[2]}: {package.lacks(found[2])}" for found in wrong]
    unknown = sorted(placed - set(names))
    if unknown:
        out.append(f"a pin for the port {unknown[0]}, which the board's top has not: allowed are {', '.join(names)}; "
                   "remove it, or add what it belongs to in the board file")
    rates = {float(found[1]) for found in rate.finditer(text)}
    if not rates:
        out.append(f"no rate for clk; add it: {mhz:g} MHz")
    elif rates != {mhz}:
        said = " and ".join(f"{one:g}" for one in sorted(rates))
        out.append(f"{said} MHz for clk, but clock.mhz = {mhz:g} in the board file; make them equal")
    return out
