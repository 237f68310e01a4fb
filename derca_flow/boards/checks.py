"""Checks of a board file that concern several keys. Problems are lines without the file's name."""

import difflib
import itertools
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from derca_sim.errors import InputError
from derca_sim.model.loading import show
from derca_sim.model.pll import ecp5_pll, ice40_pll
from derca_sim.model.sdram import Sdram

from ..area.devices import DEVICES
from ..tools import packages
from ..tools.cells import KINDS
from . import pins
from .section import BoardSection, DeviceSection, SdramSection

#: Devices that nextpnr places, by name.
PLACED = {name: device for name, device in DEVICES.items() if device.option}
#: Keys of a pin, and what its names may be.
_ATTRIBUTES = ("site", "standard", "pull", "drive", "slew")
_NAMES = "allowed are names of letters, digits and _"
#: By how much the rate of the UART may differ from `baud`, and the fewest core cycles of a bit.
_BAUD_ERROR, _BIT_CYCLES = 0.02, 4


@dataclass(frozen=True)
class Resolved:
    """The device and the core clock of a board file.

    Attributes
    ----------
    options
        Those by which nextpnr knows the device.
    package
        Its package with the pins that a design can use; None where they are not known.
    """

    family: str
    options: tuple[str, ...]
    available: dict[str, int]
    core_mhz: float
    package: pins.Package | None = None


def device_of(section: BoardSection) -> tuple[Resolved, list[str]]:
    """The device, and what is wrong with it."""
    device, problems = section.device, []
    known = PLACED.get(device.name) if device.name else None
    if device.name and not known:
        close = difflib.get_close_matches(device.name.lower(), PLACED, 1)
        hint = f"did you mean {close[0]}? For another" if close else "for another"
        problems.append(f"device.name = {show(device.name)}: unknown device: allowed are {', '.join(PLACED)}; {hint} "
                        "leave it out, and give family, options and available")
    if not device.name:
        problems += [f"device.{key} is missing: it is needed for a device without a name; add it, or device.name, one "
                     f"of {', '.join(PLACED)}" for key in ("family", "options") if not getattr(device, key)]
    family = device.family or "ecp5"
    if known:
        family = "ecp5" if known.target == "ecp5" else "ice40"
        if device.family not in (None, family):
            problems.append(f"device.family = {show(device.family)}: {device.name} is {family}; leave it out")
    if known and not device.package and not device.options:
        problems.append("device.package is missing: allowed are packages as nextpnr has them, such as "
                        f"{'CABGA381' if family == 'ecp5' else 'sg48'}; add it")
    if family == "ice40" and device.speed:
        problems.append(f"device.speed = {device.speed}: an iCE40 has none; remove it")
    available = {**(known.available if known else {}),
                 **device.available.model_dump(exclude_none=True)}
    lacking = [kind for kind in KINDS if kind not in available]
    if lacking and not (device.name and not known):
        problems.append(f"device.available.{lacking[0]} is missing: needed are {', '.join(KINDS)} of a device without "
                        "a name; add it from the data sheet")
    options = device.options.split() if device.options else _options(device, known.option if known else "", family)
    if device.options and (device.package or device.speed):
        problems.append("device.package, device.speed: not with device.options, which say them; remove one of the two")
    core = section.clock.core_mhz or section.clock.mhz
    package, wrong = _package(device, family, options)
    return Resolved(family, tuple(options), available, core, package), problems + wrong


def _options(device: DeviceSection, option: str, family: str) -> list[str]:
    slowest = packages.known(family, [option])
    speed = ["--speed", str(device.speed or (slowest.speeds[0] if slowest else 6))] if family == "ecp5" else []
    return [option, "--package", device.package or "", *speed]


def _package(device: DeviceSection, family: str, options: Sequence[str]) -> tuple[pins.Package | None, list[str]]:
    """The package that options of nextpnr name, and what is wrong with it and with the speed grade."""
    known, given = packages.known(family, options), dict(itertools.pairwise(options))
    if known is None:
        return None, []
    name, speed = given.get("--package"), given.get("--speed")
    whose = device.name or known.option
    problems = []
    if speed is not None and known.speeds and speed not in known.speeds:
        problems.append(f"{'device.options' if device.options else 'device.speed'}: speed grade {speed}: {whose} has "
                        f"{', '.join(known.speeds)}")
    if name and name not in known.packages:
        close = difflib.get_close_matches(name.lower(), {each.lower(): each for each in known.packages}, 1, 0.5)
        hint = next((f"; did you mean {each}?" for each in known.packages if each.lower() in close), "")
        problems.append(f"{'device.options' if device.options else 'device.package'} = {show(name)}: allowed for "
                        f"{whose} are {', '.join(known.packages)}{hint}")
    return pins.Package(name, known.packages[name]) if name in known.packages else None, problems


def clock_problems(section: BoardSection, device: Resolved) -> list[str]:
    """What is wrong with the rates of core clock, memory and UART."""
    problems, memory, core = [], section.memory, device.core_mhz
    fast = core
    if memory.kind == "spram":
        fast = 2 * core
        if not device.available.get("SPRAM"):
            problems.append('memory.kind = "spram": the device has none; allowed are "block" and "sdram", or '
                            "device.available.SPRAM")
    if memory.kind == "sdram":
        fast = (memory.sdram or SdramSection()).mhz
        if device.family != "ecp5":
            problems.append('memory.kind = "sdram": allowed on ECP5 only')
        if fast < 2 * core or fast % core:
            problems.append(f"clock.core_mhz = {core:g}: allowed are integer fractions of memory.sdram.mhz = {fast:g}, "
                            "half of it at most")
    elif memory.sdram is not None:
        problems.append(f'memory.sdram: allowed with memory.kind = "sdram" only, not {show(memory.kind)}')
    if fast != section.clock.mhz:
        pll = {"ecp5": ecp5_pll, "ice40": ice40_pll}[device.family]
        problems += _problems_of(partial(pll, section.clock.mhz, fast))
    divisor = round(core * 1e6 / section.uart.baud)
    if divisor < _BIT_CYCLES or abs(divisor * section.uart.baud / (core * 1e6) - 1) > _BAUD_ERROR:
        fitting = int(core * 1e6 / max(divisor, _BIT_CYCLES))
        problems.append(f"uart.baud = {section.uart.baud}: allowed are rates by which the core clock of {core:g} MHz "
                        f"divides into a whole number, 4 at least, within 2 %, such as {fitting}")
    return problems


def program_problems(section: BoardSection) -> list[str]:
    """What is wrong with the commands that load the bitstream."""
    problems = []
    for command in section.program or ():
        try:
            words = shlex.split(command)
        except ValueError as e:
            problems.append(f"program = {show(command)}: {e}: allowed are commands as a shell takes them")
            continue
        if sum("{}" in word for word in words[1:]) != 1:
            problems.append(f"program = {show(command)}: allowed are a program and arguments, one of which has {{}} "
                            "for the bitstream")
    return problems


def _problems_of(call) -> list[str]:
    try:
        call()
    except InputError as e:
        return [f"clock: {line}" for line in e.problems]
    return []


def pin_problems(section: BoardSection, device: Resolved) -> list[str]:
    """What is wrong with the pins: sites and `constraints` exclude each other, an iCE40 knows few attributes, and the
    package must have them."""
    problems, family = [], device.family
    sdram = section.memory.sdram
    placed = pins.ports(section)
    if section.constraints is not None:
        for one in placed:
            given = one.pin.model_dump(include=set(_ATTRIBUTES), exclude_none=True)
            problems += [f"{one.key}.{name} = {show(value)}: not with constraints, which say it; remove one of the two"
                         for name, value in given.items()]
        if sdram and sdram.pins:
            problems.append("memory.sdram.pins: not with constraints, which say them; remove one of the two")
        return problems
    example = show("G2" if family == "ecp5" else "35")
    problems += [f"{one.key} has no site: allowed are names of the package's pins, such as {example}; add it, or "
                 'constraints = "FILE"' for one in placed if not one.pin.site]
    if section.memory.kind == "sdram" and not (sdram and sdram.pins):
        problems.append('memory.sdram.pins is missing: add the pins of the SDRAM, or constraints = "FILE"')
    if sdram and sdram.pins:
        for name, width in pins.sdram_widths(section.chip or Sdram()).items():
            if (found := len(getattr(sdram.pins, name))) != width:
                problems.append(f"memory.sdram.pins.{name}: {found} sites: allowed are {width}, one for each bit")
        placed = [*placed, *pins.sdram_ports(section)]
    if family == "ice40":
        problems += [f"{one.key}.{name} = {show(value)}: an iCE40 has no such setting; remove it"
                     for one in placed for name in ("standard", "drive", "slew", "pull")
                     if (value := getattr(one.pin, name)) and (name, value) != ("pull", "up")]
    if device.package:
        problems += [f"{one.key} = {show(one.pin.site)}: {device.package.lacks(one.pin.site)}" for one in placed
                     if one.pin.site and _is_name(one.pin.site) and one.pin.site not in device.package.pins]
    return problems + _odd_words(placed, section.standard)


def _odd_words(placed: list[pins.Placed], standard: str) -> list[str]:
    """Sites and standards that are no names, and sites given twice."""
    problems, seen = [] if _is_name(standard) else [f"standard = {show(standard)}: {_NAMES}"], {}
    for one in placed:
        if one.pin.site is None:
            continue
        words = [one.pin.site, *([one.pin.standard] if one.pin.standard else [])]
        problems += [f"{one.key} = {show(word)}: {_NAMES}" for word in words if not _is_name(word)]
        if one.pin.site in seen:
            problems.append(f"{one.key} = {show(one.pin.site)}: that pin is {seen[one.pin.site]} already; allowed is "
                            "each pin once")
        seen.setdefault(one.pin.site, one.key)
    return problems


def _is_name(word: str) -> bool:
    return re.fullmatch(r"\w+", word, re.ASCII) is not None
