"""The manifest of a build: versions, hashes, seeds, commands and times of its inputs and outputs."""

import hashlib
import importlib.metadata
import platform as machine
import subprocess
from pathlib import Path

from derca_hw.generate import BOARD_TOP
from derca_sim.model.board import Board

from ..tools import nextpnr, toolchain
from ..tools.targets import TARGETS
from . import sources
from .flow import Request, Synthesised
from .routing import PACKERS, Routed, bitstream_name
from .steps import Record

#: Packages whose sources decide what is built.
_PACKAGES = ("derca_hw", "derca_sim", "derca_cli")


def manifest(request: Request, command: str, synthesised: Synthesised, runs: list[Routed], records: list[Record],
             outputs: Path) -> dict:
    """The manifest of a finished build whose files are in the folder `outputs`."""
    board = request.board
    return {
        "board": board.name, "device": board.title, "command": command,
        "platform": request.platform.name, "config_hash": f"{request.platform.config_hash:08x}",
        "taskset": request.tasks.name, "strategy": request.strategy,
        "policy": request.platform.scheduler.policies[0],
        "proof": request.plan.proof.as_dict(),
        "tools": tools(board), "commands": commands(board, runs[-1]),
        "sources": {"git": _git(), **{name: sources.package_hash(name) for name in _PACKAGES}},
        "inputs": {_shown(path): hashlib.sha256(content).hexdigest() for path, content in request.files.items()},
        "outputs": {path.name: sources.file_hash(path) for path in sorted(outputs.iterdir())},
        "netlist": hashlib.sha256(synthesised.netlist.read_bytes()).hexdigest(),
        "seeds": {"tried": [run.seed for run in runs], "chosen": runs[-1].seed},
        "clocks": {c.name: {"mhz": c.mhz, "requested": c.requested} for c in runs[-1].clocks},
        "resources": synthesised.total,
        "steps": [{"number": r.number, "name": r.name, "state": r.state, "seconds": round(r.seconds, 1)}
                  for r in records],
    }


def tools(board: Board) -> dict[str, str]:
    """The version of every tool that takes part."""
    router, packer = nextpnr.NEXTPNR[board.target].tool, PACKERS[board.family].tool
    return {
        "derca": importlib.metadata.version("derca-hw"), "python": machine.python_version(),
        "amaranth": importlib.metadata.version("amaranth"), "verilator": toolchain.verilator_version(),
        **{tool: toolchain.version(tool) for tool in ("yosys", router, packer)},
    }


def commands(board: Board, run: Routed) -> list[str]:
    """The commands given to the tools, in their words."""
    router, packer = nextpnr.NEXTPNR[board.target], PACKERS[board.family]
    script = nextpnr.netlist_script(TARGETS[board.target], BOARD_TOP, dense=True)
    options = " ".join(nextpnr.nextpnr_options(board.target, board.part, run.seed, board.core_mhz))
    return [
        f"yosys: {'; '.join(script.split(chr(10))).strip('; ')}",
        (f"{router.tool} {options} {router.constraints} {board.constraints} --json netlist.json "
         f"{router.config} {nextpnr.CONFIG} --report {nextpnr.REPORT}"),
        " ".join((packer.tool, *packer.before, nextpnr.CONFIG, bitstream_name(board))),
    ]


def _shown(path: Path) -> str:
    """A path relative to the checkout where it lies in it."""
    root = Path(__file__).resolve().parents[2]
    path = path.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _git() -> str | None:
    """The commit of the checkout, marked when files differ from it; None outside of one."""
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True,
                              cwd=Path(__file__).parent)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
