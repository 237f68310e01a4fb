"""One run of the RTL simulation: it takes host writes and memory image, and returns events, results and statistics."""

import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import numpy as np

from derca_sim.errors import MachineError
from derca_sim.events import Event, Kind, number_jobs
from derca_sim.host import counters
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Reg, identity, start_value
from derca_sim.model.timing import longest_lap

from ..tools.caching import check_room
from ..tools.progress import TimeLeft
from .build import build, verilog_for
from .handshake import Handshake

EVENT_DTYPE = np.dtype([
    ("cycle", "<u4"), ("region", "<u2"), ("task", "<u2"), ("kind", "u1"), ("arg", "u1"), ("run", "<u2"),
])
FINISH_DTYPE = np.dtype([("cycle", "<u4"), ("task", "<u4"), ("dump", "<u4"), ("run", "<u4")])
STEP_DTYPE = np.dtype([("run", "<u4"), ("running", "<u4"), ("now", "<u4"), ("pad", "<u4")])
#: Exit code of the harness when the design broke a rule.
BROKE_A_RULE = 4


def drain_cycles(p: Platform) -> int:
    """Cycles that the design runs on after the horizon, so that events of the last cycles leave their buffers."""
    return 1024 + (2 * longest_lap(p) if p.release.kind == "swept" else 0)



class RtlError(Exception):
    """The design broke a protocol rule or did not answer; the message says which and when.

    `events` is the log up to that cycle.
    """

    def __init__(self, message: str, events: Sequence[Event] = ()):
        super().__init__(message)
        self.events = list(events)


@dataclass(frozen=True)
class Jitter:
    """A memory with random timing.

    `cycles` bounds the extra delay of a read or write burst. `stall` is the probability (0 .. 0.9) that a ready or a
    beat is withheld in a cycle. `seed` makes the run repeatable. `handshake` says what the readies wait for.
    """

    cycles: int = 0
    stall: float = 0.0
    seed: int = 1
    handshake: Handshake = field(default_factory=Handshake)


@dataclass(frozen=True)
class Output:
    """A range of a task's results in memory: recorded when a job of the task finishes, then overwritten with 0xA5."""

    task: int
    address: int
    length: int


class When(IntEnum):
    """The meaning of the cycle of a step."""

    RUNNING = 0  #: time in a run
    STOPPED = 1  #: so many cycles without a run
    RESET = 2  #: time in a run: design and memory are reset, nothing is written


@dataclass(frozen=True)
class Step:
    """A host write, or a reset, after the first start: in cycle `cycle` or as soon as possible after it."""

    when: When
    cycle: int
    address: int = 0
    value: int = 0


@dataclass(frozen=True)
class Effect:
    """When a step's write took effect: in cycle `now` of run `run` (counted from 0), or, not `running`, after it."""

    run: int
    running: bool
    now: int


@dataclass(frozen=True)
class Finish:
    """The results of one finished job: `ranges` are (address, bytes) in the order of the task's `Output`s."""

    cycle: int
    task: int
    ranges: tuple[tuple[int, bytes], ...]
    run: int = 0


@dataclass(frozen=True)
class RtlResult:
    """What a run left behind.

    `memory` is the memory at the end (uint8), with every output range as it was when its task last finished a job.
    `bus` counts bursts, beats and stalled cycles from the start to the horizon, and as `withheld` the cycles in which
    the memory made anything wait longer than with fixed latencies; `seconds` is the time the simulator
    took for `cycles` clock cycles; `registers` holds the values read after the run, by address, those of the counters
    as they were when `now` reached the horizon, or shortly after. With steps, `runs` are the events of each run, in the
    order in which they left the hardware, `events` those of the first, and `effects` belong to the steps.
    """

    events: list[Event]
    finishes: list[Finish]
    memory: np.ndarray
    cycles: int
    seconds: float
    bus: dict[str, int] = field(default_factory=dict)
    registers: dict[int, int] = field(default_factory=dict)
    runs: list[list[Event]] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    @property
    def cycles_per_second(self) -> float:
        """Simulated clock cycles per second of wall time."""
        return self.cycles / self.seconds if self.seconds else float("inf")


def simulate(
    platform: Platform,
    host_writes: Sequence[tuple[int, int]],
    image: np.ndarray,
    horizon: int,
    triggers: Iterable[tuple[int, ...]] = (),
    jitter: Jitter | None = None,
    *,
    steps: Sequence[Step] = (),
    outputs: Sequence[Output] = (),
    verilog: str | None = None,
    vcd: tuple[Path, int, int] | None = None,
    progress=None,
) -> RtlResult:
    """Run the platform's RTL from start until `now` is `horizon`.

    Parameters
    ----------
    platform
        The design; its `memory` section sets the timing and size of the simulated memory.
    host_writes
        AXI4-Lite writes (byte address, value) before the start.
    image
        Initial memory, uint8, at most `platform.memory.size` bytes; the rest is zero.
    horizon
        Cycles to run. Only events before it are returned.
    triggers
        (cycle, task) or (cycle, task, run): external releases, in a run counted from 0.
    steps
        What the host writes after the first start, one after the other; the simulation ends after the last one.
    jitter
        Random memory timing instead of the fixed one.
    outputs
        Result ranges to record at every FINISH.
    verilog
        Source text instead of the generated one; its registers are then neither checked nor read.
    vcd
        Waveform file, first and last cycle.
    progress
        Called with one line of text before slow work.

    Raises
    ------
    RtlError
        If the design breaks an AXI rule, does not start or does not answer its host.
    MachineError
        If the simulation cannot be run to its end here: no room on the disk, not enough memory.
    """
    memory_size = platform.memory.size
    if len(image) > memory_size:
        raise ValueError(f"image of {len(image)} bytes exceeds the memory of {memory_size} bytes")
    for out in outputs:
        if out.address < 0 or out.length < 1 or out.address + out.length > memory_size:
            raise ValueError(f"output range {out} lies outside the memory of {memory_size} bytes")
    own = verilog is None
    binary = build(verilog_for(platform, progress) if own else verilog, trace=vcd is not None, progress=progress)

    lines = [
        f"memory {memory_size}", f"horizon {horizon}", f"drain {drain_cycles(platform)}", f"finish {int(Kind.FINISH)}",
        f"read_latency {platform.memory.read_latency}", f"write_latency {platform.memory.write_latency}",
        f"start {int(Reg.CONTROL)} {start_value(platform)}",
    ]
    if jitter:
        lines += [
            "random 1", f"jitter {jitter.cycles}", f"seed {jitter.seed}", f"stall {round(jitter.stall * 1000)}",
            *jitter.handshake.script(),
        ]
    if own:
        lines += [f"check {r.offset} {r.reset}" for r in identity(platform)]
        lines += [f"after {int(reg)}" for reg in (Reg.STATUS, Reg.FAULTS, Reg.EVENTS_DROPPED)]
        if platform.trace.counters:
            lines += [f"mark {int(Reg.SNAPSHOT)} 1", *(f"count {address}" for address in counters.addresses(platform))]
    lines += [f"write {address} {value}" for address, value in host_writes]
    for cycle, task, *run in sorted(triggers, key=lambda t: (t[2:], t)):
        lines.append(f"trigger {cycle} {task} {run[0] if run else 0}")
    lines += [f"step {int(step.when)} {step.cycle} {step.address} {step.value}" for step in steps]
    lines += [f"output {out.task} {out.address} {out.length}" for out in outputs]
    if vcd:
        lines.append(f"vcd {vcd[1]} {vcd[2]}")

    if progress:
        progress(f"running {horizon:,} cycles of RTL")
    with tempfile.TemporaryDirectory(prefix="derca-rtl-") as name:
        folder = Path(name)
        (folder / "script.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
        (folder / "image.bin").write_bytes(np.ascontiguousarray(image, dtype=np.uint8).tobytes())
        with (folder / "errors.txt").open("w+") as errors:
            run = subprocess.Popen([str(binary), str(folder), *([str(Path(vcd[0]).resolve())] if vcd else [])],
                                   stdout=subprocess.PIPE, stderr=errors, text=True)
            try:
                left = TimeLeft()
                for line in run.stdout:
                    if progress:
                        now = int(re.sub(r"\D", "", line) or 0)
                        progress(f"cycle {now:,} of {horizon:,}{left(now, horizon)}")
            except BaseException:
                run.kill()
                raise
            finally:
                code = run.wait()
                run.stdout.close()
        if code:
            lines = (folder / "errors.txt").read_text(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"the simulation ended with exit code {code}"
            if code != BROKE_A_RULE:
                check_room(folder, "TMPDIR")
                killed = " (killed; was there enough memory?)" if code == -9 else ""
                raise MachineError(f"running the simulation: {reason}{killed}")
            raise RtlError(reason, _events(folder) if (folder / "events.bin").exists() else ())
        return _read(folder, outputs)


def _events(folder: Path) -> list[Event]:
    return number_jobs(e for _, e in _records(folder))


def _records(folder: Path) -> list[tuple[int, Event]]:
    """(run, event) in the order in which they came."""
    records = np.fromfile(folder / "events.bin", dtype=EVENT_DTYPE)
    columns = (records[name].tolist() for name in ("run", "cycle", "kind", "task", "region", "arg"))
    return [(run, Event(cycle, Kind(kind), task, region=region, arg=arg))
            for run, cycle, kind, task, region, arg in zip(*columns, strict=True)]


def _runs(folder: Path, effects: list[Effect]) -> list[list[Event]]:
    records = _records(folder)
    runs = [[] for _ in range(1 + max([e.run for e in effects] + [run for run, _ in records]))]
    for run, event in records:
        runs[run].append(event)
    return runs


def _read(folder: Path, outputs: Sequence[Output]) -> RtlResult:
    events = _events(folder)
    memory = np.fromfile(folder / "memory.bin", dtype=np.uint8)
    finishes = _finishes(folder, outputs)
    for finish in finishes:
        for address, data in finish.ranges:
            memory[address : address + len(data)] = np.frombuffer(data, dtype=np.uint8)
    stats = dict(line.split() for line in (folder / "stats.txt").read_text().splitlines())
    cycles, seconds = int(stats.pop("cycles")), float(stats.pop("seconds"))
    registers = dict(map(int, line.split()) for line in (folder / "registers.txt").read_text().splitlines())
    effects = [Effect(run, bool(running), now)
               for run, running, now, _ in np.fromfile(folder / "steps.bin", dtype=STEP_DTYPE).tolist()]
    return RtlResult(
        events, finishes, memory, cycles, seconds, {key: int(value) for key, value in stats.items()}, registers,
        _runs(folder, effects) if effects else [events], effects,
    )


def _finishes(folder: Path, outputs: Sequence[Output]) -> list[Finish]:
    """Split the dumps: dump i belongs to the task of the first finish that refers to it."""
    ranges: dict[int, list[Output]] = {}
    for out in outputs:
        ranges.setdefault(out.task, []).append(out)
    data = (folder / "dumps.bin").read_bytes()
    dumps: list[tuple[tuple[int, bytes], ...]] = []
    finishes, at = [], 0
    for cycle, task, index, run in np.fromfile(folder / "finishes.bin", dtype=FINISH_DTYPE).tolist():
        if index == len(dumps):
            parts = []
            for out in ranges[task]:
                parts.append((out.address, data[at : at + out.length]))
                at += out.length
            dumps.append(tuple(parts))
        finishes.append(Finish(cycle, task, dumps[index], run))
    return finishes
