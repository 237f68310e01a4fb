"""Networks over images of 224 x 224 pixels, from the model to the RTL, and what each step costs.

    PYTHONPATH=.:sim:cocotb_tests .venv/bin/python -m campaigns.large_networks --rtl

compiles each network, analyses it beside the keywords of `sim/networks`, runs one job on the golden model and on the
RTL, and compares the outputs with LiteRT's. It prints a row of the table in `docs/networks.md` for each.
"""

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from campaigns.judged_run import judged_run
from derca_sim.compile import Compiled, compile_taskset
from derca_sim.events import Kind
from derca_sim.golden.machine import run
from derca_sim.model.network import Network
from derca_sim.model.platform import Platform
from derca_sim.networks.lowering.deploy import Model, check_platform, load_model
from derca_sim.networks.lowering.mapping import place
from derca_sim.networks.lowering.samples import drawn
from derca_sim.networks.lowering.walk import Walk
from derca_sim.planning import Plan, analyse_taskset
from derca_sim.timing.mapping import alone, choose
from derca_sim.workload.taskset import Task, TaskSet, load_platform
from kit.checkout import SIM
from kit.large_networks import NETWORKS
from oracles.litert import LiteRt

#: Period and relative deadline of the keywords, in cycles.
KEYWORDS = 1_000_000, 100_000
_NEVER = 1 << 30


def imagenet() -> Platform:
    """The platform of these networks."""
    return load_platform(SIM / "platforms" / "imagenet.toml")


@dataclass(frozen=True)
class Mapped:
    """A network with its tiles on a platform, and the cycles of a job alone. `macs` are those of the model itself."""

    data: bytes
    model: Model
    platform: Platform
    network: Network
    macs: int
    cycles: int

    @property
    def utilisation(self) -> float:
        """Share of the array's cycles that multiply-accumulates of the model take."""
        return self.macs / (self.platform.array.rows * self.platform.array.cols) / self.cycles

    def alone(self) -> Compiled:
        """The tables of one job, without preemption points."""
        return compile_taskset(self._taskset(Task(self.network.name, 0, self.network, _NEVER, _NEVER, 0, False, ())),
                               "np")

    def beside_keywords(self) -> TaskSet:
        """The network with half as much time again as a job takes, and keywords whose deadline is a part of it."""
        keywords = load_model(SIM / "networks" / "keyword_spotting.tflite").network("keywords", None, 0, 1)
        period = self.cycles * 3 // 2
        return self._taskset(
            Task("keywords", 0, choose(self.platform, keywords), *KEYWORDS, 20_000, False, ()),
            Task(self.network.name, 1, self.network, period, period, 0, False, ()))

    def is_litert(self, outputs: list[np.ndarray]) -> bool:
        """Whether outputs of all layers give the model's outputs as LiteRT computes them."""
        samples = [values[0] for values in drawn(self.model.graph, 1).values()]
        (made,), = self.network.model.results(outputs).values()
        wanted, = LiteRt(self.data).outputs(samples)
        return bool(np.array_equal(made, wanted)) and len(np.unique(wanted)) > 50

    def _taskset(self, *tasks: Task) -> TaskSet:
        return TaskSet(self.network.name, Path("large.toml"), self.platform, self.cycles + 100, tasks)


def mapped(name: str, p: Platform, size: int = 224) -> Mapped:
    """One of `NETWORKS`, compiled for a platform; `size` is the side of its image."""
    data = NETWORKS[name](size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.tflite"
        path.write_bytes(data)
        model = load_model(path)
    network = model.network(name, None, 0, 1)
    check_platform(network, p)
    network = choose(p, network)
    macs = sum(each.macs for each in place(model.graph, Walk(model.graph)))
    return Mapped(data, model, p, network, macs, alone(p, network))


@dataclass
class Costs:
    """Processor seconds of each step, of this process and of those that it started."""

    seconds: dict[str, float] = field(default_factory=dict)
    _before: float = 0.0

    def __post_init__(self):
        self._before = _used()

    def step(self, name: str) -> None:
        """A step has ended."""
        now = _used()
        self.seconds[name], self._before = now - self._before, now

    @property
    def megabytes(self) -> float:
        """The most that this process has held so far, without those that it started."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _used() -> float:
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + own.ru_utime + own.ru_stime


def golden(one: Mapped) -> list[str]:
    """One job on the golden model and in the integer model; what is wrong, in words."""
    compiled = one.alone()
    events = run(compiled, one.cycles + 100)
    problems = [] if sum(e.kind == Kind.FINISH for e in events) == 1 else ["the golden model does not end the job"]
    if not one.is_litert(compiled.expected_outputs(0)):
        problems.append("the integer model differs from LiteRT")
    return problems


def rtl(one: Mapped) -> list[str]:
    """One job on the RTL against golden model, integer model and LiteRT; what is wrong, in words."""
    compiled = one.alone()
    judged = judged_run(compiled, one.cycles + 100)
    problems = list(judged.problems)
    if judged.error != 0 or judged.jobs != 1:
        problems.append(f"{judged.jobs} jobs, {judged.error} cycles from the golden model")
    if judged.result is not None and not one.is_litert(compiled.read_outputs(judged.result.memory, 0)):
        problems.append("the RTL differs from LiteRT")
    return problems


def analysed(one: Mapped) -> Plan:
    """The proof of the network beside keywords."""
    return analyse_taskset(one.beside_keywords())


def main() -> int:
    """Run the steps of each network in turn and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=[*NETWORKS], help=f"some of {', '.join(NETWORKS)}; default all")
    parser.add_argument("--size", type=int, default=224, help="pixels of an image in a row")
    parser.add_argument("--rtl", action="store_true", help="run a job on the RTL, too")
    parser.add_argument("--platform", type=Path, default=SIM / "platforms" / "imagenet.toml", help="another platform")
    asked, failed = parser.parse_args(), False
    for name in asked.networks:
        costs = Costs()
        one = mapped(name, load_platform(asked.platform), asked.size)
        costs.step("compile")
        plan = analysed(one)
        costs.step("analysis")
        problems = golden(one)
        costs.step("golden")
        if asked.rtl:
            problems += rtl(one)
            costs.step("rtl")
        print("|", " | ".join((
            name, f"{one.macs:,}", f"{one.cycles:,}", f"{one.utilisation:.1%}",
            *(f"{costs.seconds[step]:.1f}" if step in costs.seconds else "-"
              for step in ("compile", "analysis", "golden", "rtl")),
            f"{costs.megabytes:.0f} MB", plan.verdict.word, *problems)), "|", flush=True)
        failed |= bool(problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
