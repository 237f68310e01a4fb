"""Reading a board file: from TOML to a checked `Board`."""

from dataclasses import replace
from pathlib import Path

from derca_sim.errors import InputError
from derca_sim.file_kinds import expect
from derca_sim.model.board import LEDS, Board
from derca_sim.model.loading import open_input, problem, read_toml, show, validate
from derca_sim.workload.taskset import load_platform

from ..tools import checkout
from . import pins
from .checks import Resolved, clock_problems, device_of, pin_problems, program_problems
from .section import BoardSection


def load_board(path: Path) -> Board:
    """Read a board file and the constraints that it names.

    Raises
    ------
    InputError
        One line for every problem.
    """
    path = Path(path)
    expect(path, "board")
    data = read_toml(path)
    if not {"device", "clock"} & set(data):
        raise InputError(f"{path}: is no board file: it has no [device] and no [clock]; see sim/boards/ulx3s-25f.toml")
    section = validate(data, BoardSection, path)
    device, wrong = device_of(section)
    problems = wrong or [*clock_problems(section, device), *pin_problems(section, device)]
    problems += program_problems(section)
    files = [path]
    named: dict[str, Path | None] = {}
    for key, kind in (("platform", "platforms"), ("taskset", "tasksets"), ("constraints", "constraints")):
        try:
            named[key] = named_file(
                path, getattr(section, key), kind, pins.SUFFIXES[device.family] if key == "constraints" else ".toml")
        except InputError as e:
            problems += [f"{key} = {line}" for line in e.problems]
    if problems:
        raise InputError(*(f"{path}: {line}" for line in problems))
    if (given := named["constraints"]) is not None:
        files.append(given)
        text = _checked(section, device, given)
    else:
        rates = {"fast_clock": 2 * device.core_mhz} if section.memory.kind == "spram" else {}
        if rates or section.clock.mhz != device.core_mhz:
            rates["core_clock"] = device.core_mhz
        text = pins.written(section, device.family, rates)
    leds = {name: led for name in LEDS if (led := getattr(section.leds, name)) is not None}
    return Board(
        name=section.name, title=section.title, family=device.family, part=device.options, pin_mhz=section.clock.mhz,
        core_mhz=device.core_mhz, available=device.available, pll_pad=section.clock.pll_pad,
        doubled=section.memory.kind == "spram", sdram=section.chip, leds=tuple(leds),
        low_leds=tuple(name for name, led in leds.items() if led.low),
        baud=section.uart.baud, platform=named["platform"], taskset=named["taskset"],
        constraints=given.name if given else f"{section.name}{pins.SUFFIXES[device.family]}", pins=text,
        programs=section.program or (), files=tuple(files))


def with_platform(board: Board, platform: Path | None) -> Board:
    """The board with another platform, if one is given. Its clock must be that of the board's core.

    Raises
    ------
    InputError
        If it is not, or the file is no platform.
    """
    file = platform or board.platform
    mhz = load_platform(file).clock_mhz
    if mhz != board.core_mhz:
        raise InputError(problem(file, "clock_mhz", mhz, f"{board.core_mhz:g} on the board {board.name}, whose core "
                                 "clock that is; write it there"))
    return replace(board, platform=file)


def named_file(board: Path, value: str | None, kind: str, suffix: str) -> Path | None:
    """The file that a value names: a path relative to the board file, or a sample if it has no suffix.

    Parameters
    ----------
    kind
        That of the sample, as `tools.checkout.samples` has it.

    Raises
    ------
    InputError
        If there is no such file.
    """
    if value is None:
        return None
    if Path(value).suffix:
        path = board.parent / value
        if not path.is_file():
            raise InputError(f"{show(value)}: no file {path}; allowed are paths relative to the board file, or names "
                             "of samples without suffix")
        return path
    known = {path.stem: path for path in checkout.samples(kind) if path.suffix == suffix}
    if value not in known:
        raise InputError(f"{show(value)}: no sample; allowed are {', '.join(known)}; a file of yours needs its suffix, "
                         f"{suffix}")
    return known[value]


def _checked(section: BoardSection, device: Resolved, file: Path) -> str:
    """The text of a constraints file that places every port.

    Raises
    ------
    InputError
        If it cannot be read or lacks something.
    """
    try:
        with open_input(file) as stream:
            text = stream.read().decode("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{file}: cannot be read ({e}); give a text file of constraints for nextpnr") from None
    suffix = pins.SUFFIXES[device.family]
    if problems := pins.problems_of(text, suffix, pins.needed(section), section.clock.mhz, device.package):
        raise InputError(*(f"{file}: {line}" for line in problems))
    return text
