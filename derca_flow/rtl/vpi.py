"""Compiling Verilog to a simulation binary that cocotb drives, cached by content. Needs cocotb, a development extra."""

import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from derca_sim.errors import MissingToolError

from ..tools import plain
from ..tools.caching import kept
from ..tools.toolchain import verilator_command, verilator_environment, verilator_version
from .build import call
from .compile import compile_model
from .content import digest

VERILATOR_FLAGS = (
    "--cc", "--exe", "--vpi", "--prefix", "Vtop", "--timescale", "1ns/1ps",
    "-Wno-fatal", "-Wno-lint", "-Wno-style",
)
#: What cocotb reaches: the ports of the top module. Every signal within reach is one that Verilator cannot simplify.
PORTS = ("--public-depth", "1")
MAKE_FLAGS = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")


def build(name: bytes, verilog: Callable[[], str], top: str, *, waves: bool = False,
          inside: tuple[str, ...] = ()) -> Path:
    """Compile a design for cocotb; return the folder with the binary `top`.

    Parameters
    ----------
    name
        What the design is made from: another name is another binary.
    verilog
        Makes the source text.
    top
        The top module.
    waves
        Build waveform output (VCD) in.
    inside
        Modules whose signals cocotb reaches as well, by name; `*` stands for any characters.

    Raises
    ------
    MissingToolError, BuildError
        As `build.build`, and without cocotb.
    """
    try:
        import cocotb_tools.config as config
    except ImportError:
        raise MissingToolError("cocotb: not installed; install it with: pip install 'derca-hw[dev]'") from None
    flags = (*VERILATOR_FLAGS, *PORTS, *(("--trace",) if waves else ()), "--top-module", top)
    reached = "".join(f'public_flat_rw -module "{module}" -var "*"\n' for module in inside)
    key = digest(
        name, reached.encode(), " ".join((*flags, *MAKE_FLAGS)).encode(), version("amaranth").encode(),
        version("cocotb").encode(), verilator_version().encode(),
    )

    def fill(work: Path) -> None:
        command, env = verilator_command(), verilator_environment()
        main = plain.link(Path(config.share_dir)) / "lib" / "verilator" / "verilator.cpp"
        libraries = plain.link(Path(config.libs_dir))
        link = f"-L{libraries} -lcocotbvpi_verilator"
        if libraries == Path(config.libs_dir):  # a link is gone when the simulation runs: `library_path`
            link = f"-Wl,-rpath,{libraries} {link}"
        (work / "top.v").write_text(verilog(), encoding="utf-8")
        (work / "inside.vlt").write_text(f"`verilator_config\n{reached}", encoding="utf-8")
        call([*command, *flags, "--Mdir", "obj", "-LDFLAGS", link, "inside.vlt", str(main), "top.v"], work, env)
        binary = compile_model(work / "obj", "Vtop", flags, MAKE_FLAGS, lambda make: call(make, work / "obj", env))
        shutil.copy2(binary, work / top)
        shutil.rmtree(work / "obj")

    return kept("cocotb", key, fill, tools=True)


def library_path() -> dict[str, str]:
    """What the environment of a simulation needs to find cocotb's libraries, wherever they are."""
    import cocotb_tools.config as config

    name = "LD_LIBRARY_PATH"
    return {name: os.pathsep.join(filter(None, (str(config.libs_dir), os.environ.get(name))))}
