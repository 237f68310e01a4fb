"""Verilog to a simulation binary, cached by the content of everything that goes into it."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from derca_sim.model.platform import Platform

from ..toolchain import build_directory, verilator_command, verilator_environment, verilator_version


@dataclass(frozen=True)
class Harness:
    """A C++ program around a design: the design's top module, and the program's files, the main one first."""

    top: str
    sources: tuple[str, ...]


#: Runs a task set on the accelerator; talks to the UART of a board's top.
RUN = Harness("derca", ("harness.cpp", "axi_memory.h", "axi_handshake.h", "axi_lite_host.h"))
BOARD = Harness("derca_board", ("board.cpp",))
PLACE = Path(__file__).parent
VERILATOR_FLAGS = (
    "--cc", "--exe", "--prefix", "Vderca", "-O3", "--x-assign", "fast", "--x-initial", "fast",
    "--noassert", "-Wno-fatal", "-Wno-lint", "-Wno-style",
)
#: How far the C++ compiler optimises; 1 compiles twice as fast and simulates a little slower.
MAKE_FLAGS = (f"OPT_FAST=-O{os.environ.get('DERCA_SIMULATION_O', '2')}", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")



class BuildError(Exception):
    """Verilator or the C++ compiler refused the sources; the message ends with what it printed."""


def digest(*parts: bytes) -> str:
    """A name for content: different parts have different names."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little") + part)
    return state.hexdigest()[:24]


def python_sources(*names: str) -> bytes:
    """Python sources of the named packages and modules in one string: a change of any changes the hardware's key."""
    out = []
    for name in names:
        file = Path(__import__(name, fromlist=["__file__"]).__file__)
        for path in sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]:
            out.append(str(path.relative_to(file.parent)).encode() + b"\0" + path.read_bytes())
    return b"\0".join(out)


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
    path = build_directory("verilog") / f"{digest(sources, key.encode(), version('amaranth').encode())}.v"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            if progress:
                progress(f"generating Verilog of {name}")
            _write(path, generate())
    return path.read_text()


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as f:
        f.write(text)
    os.replace(f.name, path)


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
    command, env = verilator_command(), verilator_environment()
    flags = ("--top-module", harness.top, *VERILATOR_FLAGS, *(("--trace-vcd",) if trace else ()))
    sources = [(PLACE / name).read_bytes() for name in harness.sources]
    key = digest(
        verilog.encode(), *sources, " ".join((*flags, *MAKE_FLAGS)).encode(), verilator_version().encode(),
        sys.platform.encode(),
    )
    place = build_directory("rtl") / key
    binary = place / "harness"
    with FileLock(f"{place}.lock"):
        if binary.exists():
            return binary
        if progress:
            progress("compiling the RTL simulation (once per design)")
        with work_dir(place) as work:
            for name, content in zip(harness.sources, sources, strict=True):
                (work / name).write_bytes(content)
            (work / "derca.v").write_text(verilog)
            call([*command, *flags, "--Mdir", "obj", "-o", "harness", "derca.v", harness.sources[0], "-CFLAGS",
                  "-I.."],
                  work, env)
            make(work / "obj", "Vderca.mk", flags, MAKE_FLAGS, env)
            shutil.copy2(work / "obj" / "harness", work / "harness")
            shutil.rmtree(work / "obj")
    return binary


@contextlib.contextmanager
def work_dir(place: Path):
    """A directory beside `place` that becomes `place` when the block succeeds, and vanishes when it does not."""
    work = Path(tempfile.mkdtemp(prefix="tmp-", dir=place.parent))
    try:
        yield work
        shutil.rmtree(place, ignore_errors=True)
        os.replace(work, place)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def call(command: list[str], cwd: Path, env: dict[str, str]) -> None:
    """Run a tool of the build.

    Raises
    ------
    BuildError
        With the end of what it printed, if it fails.
    """
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise BuildError(f"{Path(command[0]).name} failed with exit code {done.returncode}:\n{tail}")


def make(obj: Path, makefile: str, flags: tuple[str, ...], make_flags: tuple[str, ...], env: dict[str, str]) -> None:
    """Compile what Verilator wrote into a folder.

    Verilator's own library, which takes longest for a small design, is compiled once per options of both tools.
    """
    key = digest(" ".join((*flags, *make_flags)).encode(), verilator_version().encode(), sys.platform.encode())
    library = build_directory("verilator") / key
    command = ["make", "-s", "-f", makefile, "-j2", *make_flags]
    with FileLock(f"{library}.lock"):
        if not library.exists():
            call(command, obj, env)
            with work_dir(library) as work:
                for path in obj.glob("verilated*.o"):
                    shutil.copy(path, work)
            return
    for path in library.glob("*.o"):
        shutil.copy(path, obj)  # newer than its source, so that make takes it as it is
    call(command, obj, env)
