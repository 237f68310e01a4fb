"""Four-state runs of generated Verilog under Icarus Verilog."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from derca_flow.rtl.simulate import drain_cycles
from derca_sim.compile import Compiled
from derca_sim.events import Event, Kind, number_jobs
from derca_sim.model.registers import Reg, register_map, start_value

BENCH = Path(__file__).with_name("icarus.v")
#: A port in the text of the top module.
_PORT = re.compile(r"^  (input|output) +(?:wire|reg) +(?:\[(\d+):0\] )?(\w+)(?: = [\w']+)?,?$", re.MULTILINE)
#: Outputs that mean something only while their channel is valid.
_PAYLOAD = re.compile(
    r"m_axi_(a[rw](addr|len|size|burst|id)|w(data|strb|last))|s_axi_(rdata|[rb]resp)|event_(?!valid)\w+")


def iverilog() -> str:
    """The compiler of Icarus Verilog; a test that needs it fails where there is none, and says what installs it."""
    found = shutil.which("iverilog")
    if found is None:
        pytest.fail("Icarus Verilog is missing: looked for iverilog on PATH; install it with: "
                    "sudo apt-get install iverilog", pytrace=False)
    return found


@dataclass(frozen=True)
class FourStateRun:
    """The result of a run: its events, the memory at the end, and every other line that the bench printed."""

    events: list[Event]
    memory: np.ndarray
    complaints: list[str]


def ports_of(verilog: str, top: str) -> list[tuple[str, int, str]]:
    """(direction, width, name) of every port of a module."""
    body = re.search(rf"^module {top}\(.*?^\);", verilog, re.DOTALL | re.MULTILINE)[0]
    return [(direction, int(left or 0) + 1, name) for direction, left, name in _PORT.findall(body)]


def run(folder: Path, verilog: str, compiled: Compiled, horizon: int) -> FourStateRun:
    """Load a compiled task set into `derca` and run it until `now` is `horizon`; files go to `folder`."""
    p = compiled.platform
    writes = [*compiled.host_writes(), (int(Reg.CONTROL), start_value(p))]
    registers = register_map(p)
    reads = [r.offset for r in registers.registers if r.readable] + [
        registers.address(r.name, task) for task in range(p.scheduler.tasks) for r in registers.tasks.registers
        if r.readable]
    image = np.zeros(p.memory.size, np.uint8)
    image[:len(compiled.image)] = compiled.image
    ports = ports_of(verilog, "derca")
    declared = " ".join(f"{'reg' if way == 'input' else 'wire'} [{width - 1}:0] {name}{' = 0' * (way == 'input')};"
                        for way, width, name in ports)
    constants = {
        "DECLARATIONS": declared,
        "CONNECTIONS": ", ".join(f".{name}({name})" for _, _, name in ports),
        "QUALIFIERS": "{" + ", ".join(n for way, _, n in ports if way == "output" and not _PAYLOAD.fullmatch(n)) + "}",
        "MEMORY": p.memory.size, "BEAT": p.beat_bytes, "WRITES": len(writes), "READS": len(reads),
        "READ_LATENCY": p.memory.read_latency, "WRITE_LATENCY": p.memory.write_latency,
        "HORIZON": horizon, "DRAIN": drain_cycles(p), "LIMIT": 2 * horizon + 8 * (len(writes) + len(reads)) + 10_000,
    }
    (folder / "ports.vh").write_text("".join(f"`define {name} {value}\n" for name, value in constants.items()))
    for name, words, width in (("image", image, 2), ("writes", np.ravel(writes), 8), ("reads", reads, 8)):
        (folder / f"{name}.hex").write_text("".join(f"{int(word):0{width}x}\n" for word in words))
    (folder / "derca.v").write_text(verilog)
    subprocess.run([iverilog(), "-g2005", "-o", "bench.vvp", str(BENCH), "derca.v"], cwd=folder, check=True)
    said = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = said.splitlines()
    events = [list(map(int, line.split()[1:])) for line in lines if re.fullmatch(r"event( \d+){5}", line)]
    memory = [int(word, 16) for line in (folder / "memory.hex").read_text().splitlines() if not line.startswith("//")
              for word in line.replace("x", "0").split()]
    return FourStateRun(
        number_jobs([Event(cycle, Kind(kind), task, region=region, arg=arg) for cycle, kind, task, region, arg in events
                     if cycle < horizon]),
        np.array(memory, np.uint8),
        [line for line in lines if line != "done" and not re.fullmatch(r"event( \d+){5}", line)]
        + ([] if "done" in lines else ["the run did not end"]))
