"""Verilog to a simulation binary, cached by the content of everything that goes into it."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from derca_sim.model.platform import Platform

from ..toolchain import build_directory, verilator_command, verilator_environment, verilator_version

HARNESS = Path(__file__).parent
SOURCES = ("harness.cpp", "axi_memory.h", "axi_lite_host.h")
VERILATOR_FLAGS = (
    "--cc", "--exe", "--top-module", "derca", "--prefix", "Vderca", "-O3", "--x-assign", "fast", "--x-initial", "fast",
    "--noassert", "-Wno-fatal", "-Wno-lint", "-Wno-style",
)
MAKE_FLAGS = ("OPT_FAST=-O2", "OPT_SLOW=-O1", "OPT_GLOBAL=-O2")

#: A word of a memory that is initialised to zero.
ZEROS = re.compile(r"^ *\S+\[\d+\] = \d+'h0+;\n", re.MULTILINE)


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
    """Verilog of the platform for simulation, generated once per content of hardware sources and platform.

    Verilator sets memories to zero by itself; lines that do it word by word would take it minutes to read.

    Parameters
    ----------
    platform
        What to build.
    progress
        Called with one line of text before slow work.
    """
    key = digest(
        python_sources("derca_hw", "derca_sim.model", "derca_sim.events"), platform.model_dump_json().encode(),
        version("amaranth").encode(),
    )
    path = build_directory("verilog") / f"{key}.v"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            from derca_hw.generate import verilog

            if progress:
                progress(f"generating Verilog of platform {platform.name}")
            _write(path, ZEROS.sub("", verilog(platform)))
    return path.read_text()


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as f:
        f.write(text)
    os.replace(f.name, path)


def build(verilog: str, *, trace: bool = False, progress=None) -> Path:
    """Compile a design with a top module `derca` and the harness; return the binary.

    Parameters
    ----------
    verilog
        Source text with the ports of the product's top module.
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
    flags = (*VERILATOR_FLAGS, *(("--trace-vcd",) if trace else ()))
    sources = [(HARNESS / name).read_bytes() for name in SOURCES]
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
            for name, content in zip(SOURCES, sources, strict=True):
                (work / name).write_bytes(content)
            (work / "derca.v").write_text(verilog)
            call([*command, *flags, "--Mdir", "obj", "-o", "harness", "derca.v", "harness.cpp", "-CFLAGS", "-I.."],
                  work, env)
            call(["make", "-s", "-C", "obj", "-f", "Vderca.mk", "-j2", *MAKE_FLAGS], work, env)
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
