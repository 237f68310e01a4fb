"""Place and route of a board with several seeds, and the bitstream of what was routed."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from derca_sim.errors import CheckFailed
from derca_sim.model.board import Board

from ..tools import nextpnr, toolchain
from ..tools.caching import BOARDS, check_room, read_text
from ..tools.yosys import cached

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Packer:
    """The program that makes a bitstream of nextpnr's configuration: options before and between its two files."""

    tool: str
    suffix: str
    before: tuple[str, ...] = ()


#: By the boards' families.
PACKERS = {
    "ecp5": Packer("ecppack", ".bit", ("--compress",)),
    "ice40": Packer("icepack", ".bin"),
}


@dataclass(frozen=True)
class Routed:
    """A run with one seed: folder, clock rates, and use of the device (resource -> used, available).

    A path between two clocks counts as a clock, at the rate at which the path takes as long as `Board.crossing_ns`
    allows.
    """

    seed: int
    folder: Path
    clocks: list[nextpnr.Clock]
    utilisation: dict[str, tuple[int, int]]
    paths: dict[str, dict]

    @property
    def met(self) -> bool:
        """Whether all clocks may run as requested."""
        return all(clock.met for clock in self.clocks)

    @property
    def margin(self) -> float:
        """The least ratio of reached to requested rate over all clocks."""
        return min((clock.mhz / clock.requested for clock in self.clocks), default=1.0)


def route(netlist: Path, board: Board, seeds: range, progress: Progress) -> list[Routed]:
    """Place and route with one seed after the other, until one meets the requested clock rates; return all runs.

    Raises
    ------
    CheckFailed
        If nextpnr fails, or no seed meets the rates.
    """
    runs = []
    for seed in seeds:
        folder = nextpnr.place_and_route(
            netlist, board.target, board.part, seed, board.core_mhz, BOARDS, board.pins,
            lambda detail, seed=seed: progress(f"seed {seed}: {detail}"))
        runs.append(routed(seed, folder, board))
        if runs[-1].met:
            return runs
    raise CheckFailed(*_unmet(runs, board))


def routed(seed: int, folder: Path, board: Board) -> Routed:
    """The run whose results nextpnr left in a folder."""
    report = nextpnr.read_report(folder)
    clocks = nextpnr.clocks(report)
    if board.crossing_ns:
        needed = round(1000 / board.crossing_ns, 2)
        clocks += [nextpnr.Clock(name, round(1000 / ns, 2), needed) for name, ns in nextpnr.crossings(report).items()]
    used = {name: (n["used"], n["available"]) for name, n in sorted(report["utilization"].items()) if n["used"]}
    return Routed(seed, folder, clocks, used, {c.name: nextpnr.critical_path(report, c.name) for c in clocks})


def _unmet(runs: list[Routed], board: Board) -> list[str]:
    """The message when no seed meets the clock rates, and what can be done."""
    best = max(runs, key=lambda run: run.margin)
    lines = []
    for clock in best.clocks:
        if not clock.met:
            lines.append(f"timing: clock {clock.name} reaches {clock.mhz:g} of {clock.requested:g} MHz with seed "
                         f"{best.seed}, the best of {len(runs)}")
            if path := best.paths[clock.name]:
                lines.append(f"timing: its critical path takes {path['logic_ns']} ns in {path['cells']} cells and "
                             f"{path['wires_ns']} ns in wires: {' -> '.join(path['signals'])}")
    lines.append("timing: try other seeds (--seeds 8), or a smaller platform or a lower clock.core_mhz of "
                 f"{board.name}")
    return lines


def pack(run: Routed, board: Board, progress: Progress) -> Path:
    """A folder with the bitstream, named as `bitstream_name`.

    Raises
    ------
    CheckFailed
        If the packer fails.
    """
    packer = PACKERS[board.family]
    command, config = toolchain.command(packer.tool), run.folder / nextpnr.CONFIG

    def fill(work: Path) -> None:
        (work / nextpnr.CONFIG).write_bytes(config.read_bytes())
        name = bitstream_name(board)
        done = subprocess.run([*command, *packer.before, nextpnr.CONFIG, name], cwd=work, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        (work / nextpnr.CONFIG).unlink()
        if done.returncode or not (work / name).is_file():
            check_room(work)
            reasons = (done.stderr or done.stdout).strip().splitlines()[-3:] or ["failed without a message"]
            raise CheckFailed(*(f"{packer.tool}: {line}" for line in reasons))

    return cached(BOARDS, ["pack", toolchain.version(packer.tool), *packer.before, read_text(config)], fill)


def bitstream_name(board: Board) -> str:
    """File name of the board's bitstream."""
    return f"{board.name}{PACKERS[board.family].suffix}"
