"""Reading the file of a board for `derca ip`: from TOML to a checked `VendorBoard`."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from derca_hw.families.family import Family
from derca_sim.errors import InputError
from derca_sim.file_kinds import expect
from derca_sim.model.loading import open_input, read_toml, show, validate
from derca_sim.model.platform import Name
from derca_sim.model.sections import Section

from ..boards.file import named_file
from .boards import BOARDS, VendorBoard

Address = Annotated[int, Field(ge=0, lt=1 << 40)]
Count = Annotated[int, Field(ge=1, le=1 << 30)]
#: Words that go into scripts between braces: parts, and patterns of Vivado's names.
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", json_schema_extra={
    "allowed": "names of letters, digits, - and _"})]
Patterns = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:* -]*$", json_schema_extra={
    "allowed": "names of Vivado, in which * stands for anything"})]
Title = Annotated[str, Field(pattern=r"^[^\x00-\x1f*/`|]{1,80}$", json_schema_extra={
    "allowed": "1 to 80 characters on a line, without * / ` |"})]
#: Boards that come with derca, whose facts a design has by default.
_LIKE = {"zynqmp": "zcu104", "versal": "vck190", "artix7": "arty-a7-100"}
#: How the names of a design's devices begin: XCK26 is a Zynq UltraScale+, unlike XCKU5P; XCVU9P is no Versal.
_PARTS = {"zynqmp": r"x[a-z](zu|k\d)", "versal": r"x[a-z]v[^u]", "artix7": r"x[a-z]7"}
#: Ports of the project's top that need pins.
_LEDS = ("led_running", "led_miss", "led_fault")


class VivadoAvailable(Section):
    """Resources of the device, for the estimate; without one of them its use is not shown."""

    LUT: Count | None = None
    """Look-up tables."""
    REG: Count | None = None
    """Registers."""
    BRAM: Count | None = None
    """Blocks of RAM of 36 Kbit."""
    DSP: Count | None = None
    """DSP blocks."""


class VivadoSection(Section):
    """The device and the project."""

    part: Word
    """The device, in the words of Vivado, as `xczu3eg-sbva484-1-i`."""
    design: Literal["zynqmp", "versal", "artix7"]
    """The block design: with the processor of a Zynq UltraScale+ or of a Versal and its DDR, whose settings
    `board_part` has; or without a processor, with a 100 MHz clock, JTAG and block RAM, on a device of the 7 series."""
    board_part: Patterns = ""
    """The board's description in Vivado, as `avnet.com:ultra96v2:part0:*`; the newest that fits is taken. A design
    with a processor needs it."""
    connections: Patterns = ""
    """The carrier board, as Vivado's property `board_connections` has it."""
    base: Address | None = None
    """Address at which the accelerator's memory begins; by default 0x40000000, without a processor 0."""
    registers: Address | None = None
    """Address of the registers, seen by the host; by default that of ZCU104, VCK190 or Arty A7."""
    available: VivadoAvailable = VivadoAvailable()
    """What the device has."""


class VivadoBoardSection(Section):
    """A board that `derca ip` makes projects for. `platform` and `constraints` are paths relative to this file; a
    name without a suffix is that of a sample that comes with derca."""

    name: Name
    """Name of the board."""
    title: Title
    """The board and its FPGA, for people."""
    platform: str
    """Platform that is built; `--platform` replaces it."""
    constraints: str
    """Pins, .xdc, of the ports `led_running`, `led_miss` and `led_fault`, and without a processor of `clk` and of
    `resetn`."""
    vivado: VivadoSection
    """The device and the project."""


def load_vivado_board(path: Path) -> VendorBoard:
    """Read a board file and look through the constraints that it names.

    Raises
    ------
    InputError
        One line for every problem.
    """
    path = Path(path)
    expect(path, "vivado board")
    data = read_toml(path)
    if "vivado" not in data:
        raise InputError(f"{path}: is no board file of derca ip: it has no [vivado]; see docs/boards.md")
    section, problems = validate(data, VivadoBoardSection, path), []
    vivado = section.vivado
    like = BOARDS[_LIKE[vivado.design]]
    if like.processor and not vivado.board_part:
        problems.append(f"vivado.board_part is missing: design = \"{vivado.design}\" takes the settings of processor "
                        f"and DDR from it, such as {like.board_part}; add it")
    if not re.match(_PARTS[vivado.design], vivado.part.lower()):
        problems.append(f"vivado.part = {show(vivado.part)}: allowed with design = \"{vivado.design}\" are devices "
                        f"such as {like.part}")
    files: dict[str, Path] = {}
    for key, kind, suffix in (("platform", "platforms", ".toml"), ("constraints", "constraints", ".xdc")):
        try:
            files[key] = named_file(path, getattr(section, key), kind, suffix)
        except InputError as e:
            problems += [f"{key} = {line}" for line in e.problems]
    if "constraints" in files:
        ports = (*_LEDS, *([] if like.processor else ["clk", "resetn"]))
        problems += _pins(files["constraints"], ports)
    if problems:
        raise InputError(*(f"{path}: {line}" for line in problems))
    return VendorBoard(
        section.name, section.title, vivado.part, vivado.board_part, vivado.connections, like.design,
        Family.ULTRASCALE if vivado.design == "zynqmp" else Family.PORTABLE,
        like.base if vivado.base is None else vivado.base,
        like.registers if vivado.registers is None else vivado.registers,
        vivado.available.model_dump(exclude_none=True), like.synthesis, like.memory, like.interrupt,
        platform_file=files["platform"], constraints_file=files["constraints"])


def _pins(file: Path, ports: tuple[str, ...]) -> list[str]:
    """What the constraints lack, a line for each port."""
    try:
        with open_input(file) as stream:
            text = stream.read().decode("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        return [f"constraints: {file} cannot be read ({e}); give a text file of constraints for Vivado"]
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).replace("\\\n", " ")
    placed = {name for command in re.findall(r"PACKAGE_PIN\b.*", lines)
              for found in re.findall(r'get_ports\s+[{"]?\s*([\w ]+)', command) for name in found.split()}
    return [f"constraints: {file} has no PACKAGE_PIN for the port {port}; add it" for port in ports
            if port not in placed]
