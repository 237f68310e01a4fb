"""Readers of Verilog. Each returns its messages, a line each, and none when it accepts the design."""

import re
import subprocess
from pathlib import Path

from derca_flow.tools.toolchain import command, verilator_command, verilator_environment
from kit.icarus import iverilog


def icarus(files: list[str], folder: Path, top: str) -> list[str]:
    """Icarus Verilog, with all its warnings, as Verilog-2001, 2005 and SystemVerilog-2012; `-f` names a list."""
    out = []
    for standard in (2001, 2005, 2012):
        out += run([iverilog(), f"-g{standard}", "-Wall", "-y", ".", "-s", top, "-o", "/dev/null", *files], folder)
    return [line for line in out if ": warning: Some design elements have no explicit time" not in line]


def slang(verilog: Path, top: str) -> list[str]:
    """slang as Verilog-2005, with its default warnings but one.

    That one says that slang does not check whether a wide one-hot select covers all cases; `default` covers them.
    """
    from pyslang.driver import Driver

    driver = Driver()
    driver.addStandardArgs()
    asked = f'slang --std 1364-2005 -Wno-case-too-complex --top {top} -y "{verilog.parent}" "{verilog}"'
    ready = driver.parseCommandLine(asked) and driver.processOptions() and driver.parseAllSources()
    done = ready and driver.runFullCompilation(True)
    engine = driver.diagEngine
    return [] if done and not engine.numErrors and not engine.numWarnings else [
        f"slang: {engine.numErrors} errors, {engine.numWarnings} warnings (printed above)"]


def yosys(verilog: Path, top: str) -> list[str]:
    """Yosys: nothing undriven, driven twice or in a loop."""
    files = " ".join(path.name for path in sorted(verilog.parent.glob("*.v")))
    return run([*command("yosys"), "-q", "-p",
                 f"read_verilog {files}; hierarchy -check -top {top}; proc; check -assert"], verilog.parent)


def verilator(words: list[str], folder: Path) -> list[str]:
    """`verilator` with these arguments."""
    return run([*verilator_command(), *words], folder, env=verilator_environment())


def run(words: list[str], folder: Path, **options) -> list[str]:
    """What a tool says, a line each; nothing when it succeeds in silence."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, **options)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    said = [line for line in said if not re.match(r"- V e r i l a t|- Verilator:", line)]
    return said or ([f"{words[0]} ended with exit code {done.returncode}"] if done.returncode else [])
