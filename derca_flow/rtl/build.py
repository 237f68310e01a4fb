"""Compiling Verilog to a simulation binary, cached by the content of everything that goes into it."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from derca_sim.errors import InputError, MachineError
from derca_sim.model.platform import Platform

from ..tools.caching import check_room, folder, kept
from ..tools.toolchain import verilator_command, verilator_environment, verilator_version
from .compile import compile_model
from .content import digest, python_sources


@dataclass(frozen=True)
class Harness:
    """A C++ program around a design: the design's top module, and the program's files, the main one first."""

    top: str
    sources: tuple[str, ...]


#: Runs a task set on the accelerator; serves single accesses to it; talks to the UART of a board's top.
RUN = Harness("derca", ("harness.cpp", "harness_script.h", "axi_memory.h", "axi_handshake.h", "axi_lite_host.h"))
MAPPED = Harness("derca", ("mapped.cpp", "axi_memory.h", "axi_handshake.h"))
BOARD = Harness("derca_board", ("board.cpp",))
PLACE = Path(__file__).parent
VERILATOR_FLAGS = (
    "--cc", "--exe", "--prefix", "Vderca", "-O3", "--x-assign", "fast", "--x-initial", "fast",
    "--noassert", "-Wno-fatal", "-Wno-lint", "-Wno-style",
)
#: How far the C++ compiler optimises: the variable, what it may be and what it is by default. 1 compiles twice as fast
#: and simulates a little slower.
OPTIMISATION, LEVELS, LEVEL = "DERCA_SIMULATION_O", ("0", "1", "2", "3", "s", "g", "fast"), "2"



class BuildError(MachineError):
    """Verilator or the C++ compiler refused the sources; the message has the reason and the path of all output."""


def make_flags() -> tuple[str, ...]:
    """Options of make.

    Raises
    ------
    InputError
        If the environment asks for an optimisation that there is not.
    """
    level = os.environ.get(OPTIMISATION) or LEVEL
    if level not in LEVELS:
        raise InputError(f"{OPTIMISATION} = {level}: allowed are {', '.join(LEVELS)}; set it to one, or unset it")
    return f"OPT_FAST=-O{level}", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2"


def verilog_for(platform: Platform, progress=None) -> str:
    """Verilog of the platform for simulation, cached by content.

    Parameters
    ----------
    platform
        What to build.
    progress
        Called with one line of text before slow work.
    """
    def generate() -> str:
        from derca_hw.generate import verilog

        return verilog(platform)

    return generated(generate, platform.name, platform.model_dump_json(), progress)


def generated(generate: Callable[[], str], name: str, key: str, progress=None) -> str:
    """Verilog for simulation that `generate` gives, once per content of hardware sources and `key`."""
    sources = python_sources("derca_hw", "derca_sim.model", "derca_sim.events")
    def fill(work: Path) -> None:
        if progress:
            progress(f"generating Verilog of {name}")
        (work / "derca.v").write_text(generate(), encoding="utf-8")

    entry = kept("verilog", digest(sources, key.encode(), version("amaranth").encode()), fill)
    return (entry / "derca.v").read_text(encoding="utf-8")


def build(verilog: str, harness: Harness = RUN, *, trace: bool = False, progress=None) -> Path:
    """Compile a design and a harness; return the binary.

    Parameters
    ----------
    verilog
        Source text with the top module that the harness knows.
    harness
        What drives it.
    trace
        Build waveform output in: slower to build and to run.
    progress
        Called with one line of text before slow work.

    Raises
    ------
    MissingToolError
        If Verilator, g++ or make is not there.
    BuildError
        If a tool refuses the sources.
    """
    command, env, levels = verilator_command(), verilator_environment(), make_flags()
    flags = ("--top-module", harness.top, *VERILATOR_FLAGS, *(("--trace-vcd",) if trace else ()))
    sources = [(PLACE / name).read_bytes() for name in harness.sources]
    key = digest(
        verilog.encode(), *sources, " ".join((*flags, *levels)).encode(), verilator_version().encode(),
        sys.platform.encode(),
    )

    def fill(work: Path) -> None:
        if progress:
            progress("compiling the RTL simulation (once per design)")
        for name, content in zip(harness.sources, sources, strict=True):
            (work / name).write_bytes(content)
        (work / "derca.v").write_text(verilog, encoding="utf-8")
        call([*command, *flags, "--Mdir", "obj", "derca.v", harness.sources[0], "-CFLAGS", "-I.."],
             work, env)
        binary = compile_model(work / "obj", "Vderca", flags, levels, lambda make: call(make, work / "obj", env))
        shutil.copy2(binary, work / "harness")
        shutil.rmtree(work / "obj")

    return kept("rtl", key, fill, tools=True) / "harness"


def call(command: list[str], cwd: Path, env: dict[str, str]) -> None:
    """Run a tool of the build.

    Raises
    ------
    BuildError
        With the end of what it printed, if it fails.
    """
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, errors="replace")
    if done.returncode:
        check_room(cwd)
        printed = (done.stdout + done.stderr).splitlines()
        reason = next((line for line in printed if _REASON.search(line)), printed[-1] if printed else "no message")
        raise BuildError(f"{Path(command[0]).name} failed with exit code {done.returncode}: {reason.strip()}"
                         f"{_log(command, printed)}")


#: What lines with a reason have in them.
_REASON = re.compile(r"\b(error|fatal|cannot|not found|no such|no space|killed|unsupported)\b", re.IGNORECASE)


def _log(command: list[str], printed: list[str]) -> str:
    """Keep the whole output of a tool, if possible; return its place, in words."""
    with contextlib.suppress(OSError, MachineError):
        file = folder("logs") / "failed-build.txt"
        file.write_text("\n".join([" ".join(command), *printed, ""]), encoding="utf-8", errors="replace")
        return f"; all it printed: {file}"
    return ""
