"""Running a compiled task set on the RTL, and comparing the run with the integer model and the golden model."""

from dataclasses import dataclass

import numpy as np

from derca_sim.compile import Compiled
from derca_sim.events import WITHIN_JOBS, Event, cycle_error
from derca_sim.model.registers import FAULT_DOCS, Fault, Reg
from derca_sim.report.jobs import TaskInfo

from ..rtl.simulate import Finish, Jitter, Output, RtlResult, simulate


def task_infos(compiled: Compiled) -> list[TaskInfo]:
    """The tasks in the form that reports use."""
    return [TaskInfo(t.name, t.period, t.deadline, compiled.useful_macs(t.index)) for t in compiled.tasks]


def run_rtl(compiled: Compiled, horizon: int, jitter: Jitter | None = None, **options) -> RtlResult:
    """Run the RTL on a compiled task set; `options` go to `simulate`.

    Raises
    ------
    RtlError, BuildError
        As `simulate` and `build`.
    """
    platform = compiled.platform
    outputs = [
        Output(t.index, address, length) for t in compiled.tasks for address, length in compiled.output_ranges(t.index)
    ]
    triggers = [(cycle, t.index) for t in compiled.tasks if t.sporadic for cycle in t.triggers]
    return simulate(
        platform, compiled.host_writes(), compiled.image, horizon, triggers, jitter, outputs=outputs, **options,
    )


@dataclass(frozen=True)
class ResultCheck:
    """Results of finished jobs against the integer model.

    `checked` counts jobs; `differences` has one line per task and kind of difference. `accuracy` holds, per task with
    labels and a finished job, the share of its inputs that its last finished job classified correctly.
    """

    checked: int
    differences: list[str]
    accuracy: dict[int, float]

    @property
    def bit_exact(self) -> bool | None:
        """Whether every result is exact; None when no job finished."""
        return not self.differences if self.checked else None


def check_results(compiled: Compiled, finishes: list[Finish]) -> ResultCheck:
    """Compare what every job left in its output ranges, byte for byte except padding, with the integer model."""
    scratch = np.zeros(compiled.platform.memory.size, np.uint8)
    verdicts: dict[int, bool] = {}  # by identity of the recorded ranges: equal results are recorded once
    differences: dict[int, str] = {}
    accuracy = {}
    for number, finish in enumerate(finishes):
        key = id(finish.ranges)
        if key in verdicts:
            continue
        for address, data in finish.ranges:
            scratch[address : address + len(data)] = np.frombuffer(data, np.uint8)
        verdicts[key] = compiled.bit_exact(scratch, finish.task)
        if not verdicts[key] and finish.task not in differences:
            differences[finish.task] = _difference(compiled, scratch, finishes[: number + 1])
        labels = compiled.tasks[finish.task].network.labels
        if labels is not None:
            answer = compiled.read_outputs(scratch, finish.task)[-1].argmax(axis=1)
            accuracy[finish.task] = float((answer == labels).mean())
    return ResultCheck(len(finishes), [differences[task] for task in sorted(differences)], accuracy)


def _difference(compiled: Compiled, memory: np.ndarray, finishes: list[Finish]) -> str:
    finish = finishes[-1]
    job = sum(f.task == finish.task for f in finishes) - 1
    found, expected = compiled.read_outputs(memory, finish.task), compiled.expected_outputs(finish.task)
    for index, (have, want) in enumerate(zip(found, expected, strict=True)):
        wrong = np.argwhere(have != want)
        if len(wrong):
            m, n = wrong[0]
            return (
                f"task {compiled.tasks[finish.task].name}, finished job {job} (cycle {finish.cycle}): layer {index} "
                f"has {len(wrong)} of {want.size} results wrong, first [{m}, {n}] = {have[m, n]}, expected {want[m, n]}"
            )
    raise AssertionError("results that differ have a first difference")


def compare_with_model(compiled: Compiled, events: list[Event], horizon: int) -> tuple[float, list[str]]:
    """Largest difference in cycles between the RTL's events and the golden model's, and the first ones in words.

    Only kinds of events that the platform's hardware sends are compared.
    """
    from derca_sim.golden.machine import run

    silent = frozenset() if compiled.platform.trace.enabled else WITHIN_JOBS
    return cycle_error(events, [e for e in run(compiled, horizon) if e.cycle < horizon and e.kind not in silent])


def hardware_complaints(result: RtlResult) -> list[str]:
    """The faults that the hardware's own registers report after a run."""
    out = []
    dropped = result.registers.get(int(Reg.EVENTS_DROPPED), 0)
    if dropped:
        out.append(f"the hardware dropped {dropped} events because a buffer was full; raise platform.trace.depth")
    faults = result.registers.get(int(Reg.FAULTS), 0)
    out += [f"the hardware reports {fault.name}: {FAULT_DOCS[fault]}" for fault in Fault if faults >> fault & 1]
    return out
