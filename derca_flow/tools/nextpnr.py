"""From RTLIL to a placed and routed design: the netlist by Yosys, the rest by nextpnr, with progress and a cache."""

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from derca_sim.errors import CheckFailed

from . import small_sums, toolchain
from .caching import check_room, read_json, read_text
from .cells import check_log
from .targets import Target
from .yosys import cached, run_yosys


@dataclass(frozen=True)
class Nextpnr:
    """The call of nextpnr for one device family.

    Attributes
    ----------
    tool
        Its name in `toolchain.WASM_TOOLS`.
    constraints, config
        Its options for the constraints it reads and the configuration it writes.
    options
        Further options. The electrostatic placer needs a fifth less wire for a full ECP5 than the default one.
    """

    tool: str
    constraints: str
    config: str
    options: tuple[str, ...] = ()


#: By target of `targets.TARGETS`.
NEXTPNR = {
    "ecp5": Nextpnr("nextpnr-ecp5", "--lpf", "--textcfg", ("--placer", "static")),
    "ice40": Nextpnr("nextpnr-ice40", "--pcf", "--asc"),
    "ice40hx": Nextpnr("nextpnr-ice40", "--pcf", "--asc"),
}
#: Files in the folder of a run.
REPORT, CONFIG, LOG = "report.json", "config.txt", "nextpnr.log"

#: What nextpnr says when a device has too little of something.
_FULL = re.compile("no BELs remaining|legal placement|failed to place", re.IGNORECASE)

Progress = Callable[[str], None]


def _silent(detail: str) -> None:
    """Shows no progress."""


def netlist(design: str, target: Target, top: str, part: str, progress: Progress = _silent,
            dense: bool = False) -> Path:
    """Synthesise RTLIL; return the JSON netlist that nextpnr reads, kept as `part` when unchanged.

    `stat.json` and `yosys.log` lie beside it. `dense` synthesises for the fewest cells, where the target has a way to
    do so.

    Raises
    ------
    CheckFailed, MissingToolError
        As `yosys.synthesise`.
    """
    command, text = toolchain.command("yosys"), netlist_script(target, top, dense)

    def fill(work: Path) -> None:
        (work / "design.il").write_text(design)
        (work / "script.ys").write_text(text)
        (work / small_sums.RULE_FILE).write_text(small_sums.RULE)
        run_yosys(command, work, progress)
        (work / "design.il").unlink()

    done = cached(part, [toolchain.version("yosys"), text, small_sums.RULE, design], fill)
    check_log(read_text(done / "yosys.log"))
    return done / "netlist.json"


def netlist_script(target: Target, top: str, dense: bool = False) -> str:
    """The script of Yosys that writes `netlist.json`."""
    plain = [f"{target.synthesis} -top {top}"]
    synthesis = small_sums.commands(target.synthesis, top) if dense and target.name in small_sums.TARGETS else plain
    return "\n".join(["read_rtlil design.il", *synthesis, "write_json netlist.json", "check",
                      "tee -q -o stat.json stat -json", ""])


def place_and_route(source: Path, family: str, options: tuple[str, ...], seed: int, mhz: float, part: str,
                    constraints: str | None = None, progress: Progress = _silent) -> Path:
    """Place and route a netlist; return a folder with `REPORT`, `CONFIG` and `LOG`, kept as `part` when unchanged.

    Missed clock rates do not fail the run; the report shows them.

    Parameters
    ----------
    source
        The JSON netlist.
    options
        The options that name the device.
    mhz
        Requested of every clock without a rate in the constraints.
    constraints
        Text of the constraints file; without it nextpnr chooses the pins.
    progress
        Called with the last line of the log, about twice a second.

    Raises
    ------
    CheckFailed
        If nextpnr fails, in its words.
    MissingToolError
        If it is not installed.
    """
    tool = NEXTPNR[family]
    command, text = toolchain.command(tool.tool), read_text(source)
    chosen = nextpnr_options(family, options, seed, mhz)
    pins = () if constraints is None else (tool.constraints, "pins.txt")

    def fill(work: Path) -> None:
        (work / "netlist.json").write_text(text)
        if constraints is not None:
            (work / "pins.txt").write_text(constraints)
        files = ("--json", "netlist.json", "--report", REPORT, tool.config, CONFIG, "--log", LOG, *pins)
        _run([*command, *chosen, *files, "--quiet"], work, seed, progress)
        (work / "netlist.json").unlink()

    return cached(part, [toolchain.version(tool.tool), *chosen, constraints or "", text], fill)


def nextpnr_options(family: str, device: tuple[str, ...], seed: int, mhz: float) -> list[str]:
    """The options of nextpnr besides the files."""
    return [*device, *NEXTPNR[family].options, "--seed", str(seed), "--freq", f"{mhz:g}", "--timing-allow-fail"]


def _run(command: list[str], work: Path, seed: int, progress: Progress) -> None:
    log = work / LOG
    with open(work / "stdout", "w") as out:
        process = subprocess.Popen(command, cwd=work, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        while process.poll() is None:
            time.sleep(0.2)
            if log.is_file() and (lines := log.read_text(errors="replace").splitlines()):
                progress(lines[-1].removeprefix("Info:").strip())
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode or not (work / REPORT).is_file():
        check_room(work)
        printed = (work / "stdout").read_text(errors="replace")
        lines = (printed or (log.read_text(errors="replace") if log.is_file() else "")).splitlines()
        reasons = [line for line in lines if line.startswith("ERROR:")] or lines[-3:] or ["failed without a message"]
        if any(_FULL.search(line) for line in reasons):
            reasons.append("the design does not fit the device; make the platform smaller")
        raise CheckFailed(*(f"nextpnr, seed {seed}: {line}" for line in reasons))
    (work / "stdout").unlink()


@dataclass(frozen=True)
class Clock:
    """The rate that a run reached for one clock, in MHz, and the requested rate."""

    name: str
    mhz: float
    requested: float

    @property
    def met(self) -> bool:
        """Whether the clock may run as requested."""
        return self.mhz >= self.requested


def clocks(report: dict) -> list[Clock]:
    """The clocks of a report of nextpnr."""
    return [Clock(_clock(name), round(found["achieved"], 2), round(found["constraint"], 2))
            for name, found in sorted(report["fmax"].items())]


#: What nextpnr adds to the name of a clock's net.
_PROMOTED = re.compile(r"^\$glbnet\$|\$(TRELLIS_IO_IN|SB_IO_IN\w*)$")


def _clock(name: str) -> str:
    """The name of a clock, as the design knows it."""
    return _PROMOTED.sub("", name)


def crossings(report: dict) -> dict[str, float]:
    """The longest path from each clock to each other, in ns; paths of pins are left out."""
    out = {}
    for found in report["critical_paths"]:
        ends = [_clock(found[end].split()[-1]) for end in ("from", "to")]
        if ends[0] != ends[1] and "<async>" not in ends:
            out[" to ".join(ends)] = round(sum(s["delay"] for s in found["path"]), 2)
    return out


def critical_path(report: dict, clock: str) -> dict:
    """The critical path from register to register: the delays of logic and wires, and the signals along it."""
    for found in report["critical_paths"]:
        if _clock(found["from"].split()[-1]) == _clock(found["to"].split()[-1]) == clock:
            steps = found["path"]
            wires = [s for s in steps if s["type"] == "routing"]
            names = [_signal(s["net"]) for s in wires] + [_signal(steps[-1]["to"]["cell"])]
            return {
                "logic_ns": round(sum(s["delay"] for s in steps) - sum(s["delay"] for s in wires), 2),
                "wires_ns": round(sum(s["delay"] for s in wires), 2),
                "cells": sum(s["type"] == "logic" for s in steps),
                "signals": [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]],
            }
    return {}


#: What Yosys and nextpnr add to the name of the signal that a cell or wire was made for.
_MADE = re.compile(r"(_(LUT4|CCU2C|PFUMX|L6MUX21|TRELLIS|DO[AB]?\d*(_|\[|$)|D_|Q_|RAD|SB_)|\.\d+\.\d|\$).*")


def _signal(name: str) -> str:
    """The source signal of a wire or cell of the netlist, as far as its name shows it."""
    return _MADE.sub("", name).removeprefix("block.")


def read_report(run: Path) -> dict:
    """The report of a run that `place_and_route` gave."""
    return read_json(run / REPORT)
