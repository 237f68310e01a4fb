"""A board's top in a compiled Verilator simulation, reached through its UART pins."""

import math
import re
import struct

from derca_sim.model.board import Board
from derca_sim.model.link import BYTE_BITS
from derca_sim.model.platform import Platform
from derca_sim.model.sdram import Sdram

from .build import BOARD, PLACE, build, generated
from .process import SimulationProcess

#: Core clock cycles per bit of the simulated UART: few, because a simulation pays for every cycle.
DIVISOR = 4


class SimulatedLine:
    """The UART of a simulated board's top; a `host.link.Line` whose seconds are those of the design.

    Time passes only while `read` waits for bytes, and until its time-out in cycles of the design.

    Parameters
    ----------
    binary
        A design compiled with the harness `BOARD`.
    clocks
        Cycles of the pin `clk` per bit.
    clock_mhz
        Rate of the pin `clk`.
    """

    latency = 0.0

    def __init__(self, binary, clocks: int, clock_mhz: float):
        self._hertz = clock_mhz * 1e6
        self.baud = self._hertz / clocks
        self.timeout = 100 * BYTE_BITS / self.baud
        self._process = SimulationProcess(binary, [clocks], "the board")

    def write(self, data: bytes) -> None:
        """Send bytes, after those that still wait to be sent."""
        self._process.ask(b"W" + struct.pack("<I", len(data)) + data)

    def read(self, count: int) -> bytes:
        """The next bytes, fewer if the time-out passes."""
        self._process.ask(b"R" + struct.pack("<IQ", count, round(self.timeout * self._hertz)))
        return self._process.answer(struct.unpack("<I", self._process.answer(4))[0])

    def cycles(self) -> int:
        """Cycles of `clk` so far."""
        self._process.ask(b"C")
        return struct.unpack("<Q", self._process.answer(8))[0]

    def clock(self) -> float:
        """Seconds of the design's time."""
        return self.cycles() / self._hertz

    def leds(self) -> dict[str, bool]:
        """The levels of the pins running, miss and fault."""
        self._process.ask(b"L")
        bits = self._process.answer(1)[0]
        return {name: bool(bits >> i & 1) for i, name in enumerate(("running", "miss", "fault"))}

    def close(self) -> None:
        """End the simulation."""
        self._process.close()

    def __enter__(self) -> "SimulatedLine":
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def sdram_model(chip: Sdram) -> str:
    """Verilog of an SDRAM chip of 256 Mbit with the times of `chip`: module `sdram_chip`."""
    figures = {
        "START": math.ceil(chip.start_us * chip.mhz), "CAS": chip.cas, "tRCD": chip.activate, "tRP": chip.precharge,
        "tRAS": chip.active, "tRC": chip.cycle, "tWR": chip.recovery, "tRFC": chip.refresh,
        "tREFI": int(chip.refresh_ms * 1e3 * chip.mhz / chip.refreshes)}
    text = (PLACE / "sdram.v").read_text()
    for name, figure in figures.items():
        text, count = re.subn(rf"(localparam .*\b{name} = )\d+", rf"\g<1>{figure}", text)
        if count != 1:
            raise RuntimeError(f"sdram.v has no parameter {name}")
    return text


def open_board(board: Board, platform: Platform, *, divisor: int = DIVISOR, progress=None) -> SimulatedLine:
    """Start a simulation of a board's top and return the line to it.

    Parameters
    ----------
    divisor
        Core clock cycles per bit.
    progress
        Called with one line of text before slow work.

    Raises
    ------
    MissingToolError, BuildError
        As `build`.
    """
    def generate() -> str:
        from derca_hw.generate import board_verilog

        return board_verilog(board, platform, divisor)

    verilog = generated(generate, f"board {board.name}", f"{board} {divisor} {platform.model_dump_json()}", progress)
    return _start(verilog + (sdram_model(board.sdram) if board.sdram else ""), board, divisor, progress)


def open_netlist(board: Board, platform: Platform, *, progress=None) -> SimulatedLine:
    """Start a simulation of a board's synthesised netlist, at the board's own baud rate, and return the line to it.

    Raises
    ------
    InputError
        If there are no models of the cells of the board's device.
    CheckFailed, MissingToolError, BuildError
        As `yosys.synthesise` and `build`.
    """
    from derca_hw.generate import BOARD_TOP, board_rtlil

    from ..tools.caching import BOARDS
    from ..tools.netlist import cells, netlist_verilog
    from ..tools.nextpnr import netlist
    from ..tools.targets import TARGETS

    models = cells(board.target)
    progress(f"synthesising for {board.title}")
    synthesised = netlist(board_rtlil(board, platform), TARGETS[board.target], BOARD_TOP, BOARDS, progress, dense=True)
    return _start(models + netlist_verilog(synthesised), board, board.divisor, progress)


def _start(verilog: str, board: Board, divisor: int, progress) -> SimulatedLine:
    binary = build(verilog, BOARD, progress=progress)
    return SimulatedLine(binary, board.steps * divisor, board.steps * board.core_mhz)
