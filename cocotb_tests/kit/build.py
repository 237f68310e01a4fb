"""One Amaranth component as a cocotb simulation, compiled once per content."""

import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.config
from amaranth.back import rtlil, verilog
from amaranth.hdl import Const, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from filelock import FileLock

from derca_cli.rtl.build import call, digest, work_dir
from derca_cli.toolchain import build_directory, verilator_command, verilator_environment, verilator_version

#: Name of the top module and of the simulation binary.
TOP = "top"
VERILATOR_FLAGS = (
    "--cc", "--exe", "--vpi", "--public-flat-rw", "--top-module", TOP, "--prefix", "Vtop", "-o", TOP,
    "--timescale", "1ns/1ps", "-Wno-fatal", "-Wno-lint", "-Wno-style",
)
MAKE_FLAGS = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")


def ports(component: wiring.Component) -> dict:
    """Ports of a component by flat name, as `release__payload`; constant members (`ready` of pulses) are left out."""
    out = {}
    for path, member, value in component.signature.flatten(component):
        value = Value.cast(value)
        if not isinstance(value, Const):
            direction = PortDirection.Output if member.flow == wiring.Out else PortDirection.Input
            out["__".join(map(str, path))] = (value, direction)
    return out


def build(factory: Callable[[], wiring.Component], *, waves: bool = False, models: str = "") -> Path:
    """Compile a component for cocotb; return the folder with the binary `TOP`.

    Parameters
    ----------
    factory
        Makes a fresh component.
    waves
        Build waveform output (VCD) in.
    models
        Verilog of the primitives that the component instantiates.

    Raises
    ------
    MissingToolError, BuildError
        As `derca_cli.rtl.build.build`.
    """
    component = factory()
    text = rtlil.convert(component, name=TOP, ports=ports(component), emit_src=False)
    flags = (*VERILATOR_FLAGS, *(("--trace",) if waves else ()))
    key = digest(
        text.encode(), models.encode(), " ".join((*flags, *MAKE_FLAGS)).encode(), version("amaranth").encode(),
        version("cocotb").encode(), verilator_version().encode(),
    )
    place = build_directory("cocotb") / key
    with FileLock(f"{place}.lock"):
        if (place / TOP).exists():
            return place
        command, env = verilator_command(), verilator_environment()
        main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
        libraries = cocotb_tools.config.libs_dir
        link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
        with work_dir(place) as work:
            component = factory()
            (work / "top.v").write_text(
                verilog.convert(component, name=TOP, ports=ports(component), strip_internal_attrs=True) + models)
            call([*command, *flags, "--Mdir", "obj", "-LDFLAGS", link, str(main), "top.v"], work, env)
            _make(work / "obj", env, digest(" ".join((*flags, *MAKE_FLAGS)).encode(), verilator_version().encode()))
            shutil.copy2(work / "obj" / TOP, work / TOP)
            shutil.rmtree(work / "obj")
    return place


def _make(obj: Path, env: dict[str, str], key: str) -> None:
    """Compile what Verilator wrote. Verilator's own library, which takes longest, is compiled once per `key`."""
    library = build_directory("cocotb") / f"library-{key}"
    make = ["make", "-s", "-f", "Vtop.mk", "-j2", *MAKE_FLAGS]
    with FileLock(f"{library}.lock"):
        if not library.exists():
            call(make, obj, env)
            with work_dir(library) as work:
                for path in obj.glob("verilated*.o"):
                    shutil.copy(path, work)
            return
    for path in library.glob("*.o"):
        shutil.copy(path, obj)  # newer than its source, so that make takes it as it is
    call(make, obj, env)
