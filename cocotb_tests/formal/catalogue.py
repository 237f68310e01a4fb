"""The catalogue of all proofs: the properties of each, its size, method and depth."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from derca_hw.host.interface import HostInterface
from derca_hw.memory.burst import BurstSplitter
from derca_hw.memory.ports import MemoryInterface
from derca_hw.release.parallel import ParallelRelease
from derca_hw.release.swept import SweptRelease
from derca_sim.events import Kind
from formal import heap, scan, tournament
from formal.axi import memory_proof, reset_proof
from formal.lite import LiteSlaveProof
from formal.order import order_proof
from formal.planted import BUGS, planted
from formal.properties import Properties
from formal.prover import Answer, Design
from formal.scheduler import SchedulerProof, small
from formal.streams import release_proof, splitter_proof
from kit.platforms import platform

#: The platform of the interfaces' proofs.
INTERFACES = platform(tables={"regions": 4}, scheduler={"tasks": 2, "time_width": 16})
#: That of the memory interface's: as small as it can be with several bursts and commands in work.
MEMORY = platform(bus={"outstanding": 2, "burst_beats": 4, "address_width": 16, "data_width": 32},
                  memory={"size": 1 << 16}, tables={"regions": 4, "shadow": False}, store={"requant_lanes": 1},
                  scheduler={"tasks": 2, "time_width": 16})
#: Kinds of events from each source of the host interface.
KINDS = ((Kind.FINISH,), (Kind.RELEASE,))
#: The numbered properties that a proof of a scheduler states; 9 is `order`, 11 the invariants, 10 is of other blocks.
SCHEDULER = "1-7, 12-16"


@dataclass(frozen=True)
class Proof:
    """One question to the prover, and its method.

    `method` is induction (with its base), bounded, covers (every one is reached) or planted (a counterexample is
    found).
    """

    name: str
    properties: str
    tasks: int | str
    width: int | str
    method: str
    depth: int
    build: Callable[[], Properties]
    quick: bool = False

    def run(self, limit: float | None = None) -> Answer:
        """Ask the prover; the answer `holds` when it is the expected one."""
        design = Design(self.build(), self.name.replace(" ", "_").replace("/", "_"))
        if self.method == "induction":
            base = design.bounded(self.depth + 2, limit)
            if not base.holds:
                return base
            step = design.inductive(self.depth, limit)
            step.seconds += base.seconds
            return step
        if self.method == "covers":
            return design.reached(self.depth, limit)
        answer = design.bounded(self.depth, limit)
        if self.method == "planted":
            answer.holds = not answer.holds and bool(answer.failed)
        return answer


def _memory(*parts):
    return memory_proof(MemoryInterface(MEMORY), MEMORY, *parts)


def _bug(bug):
    with planted(bug) as component:
        if bug.package == "memory":
            return memory_proof(component(MEMORY), MEMORY)
        if bug.package == "bus":
            return LiteSlaveProof(component(INTERFACES, KINDS), reads_wait=True)
        return SchedulerProof(small(bug.kind, bug.tasks, 4), factory=component)


#: Planted bugs that the quick proofs refute.
QUICK_BUGS = {
    "the running job loses ties",
    "keys compare without wrapping",
    "resume without a switch",
    "a release in the cycle of an instruction is lost",
    "WVALID waits for AWREADY",
}


def _proofs():
    def scheduler(kind, n, width, *, release="swept", **options):
        return partial(SchedulerProof, small(kind, n, width, release=release), **options)

    yield Proof("order", "9", "-", 8, "induction", 1, partial(order_proof, 8), quick=True)
    yield Proof("order 32", "9", "-", 32, "bounded", 1, partial(order_proof, 32))
    for n in (2, 3, 4):
        for kind, width, depth in (
            ("tournament", 8 if n < 4 else 6, tournament.depth),
            ("scan", 8 if n < 4 else 5, scan.depth),
            ("heap", 5 if n < 3 else 4, heap.depth),
        ):
            if kind == "heap" and n > 2:
                continue  # Yices finds no answer in minutes: bounded, below
            cycles = depth(small(kind, n, width))
            yield Proof(
                f"{kind} {n}",
                SCHEDULER + ", 11",
                n,
                width,
                "induction",
                cycles,
                scheduler(kind, n, width, inductive=True),
                quick=n == 2,
            )
        yield Proof(
            f"tournament {n} parallel",
            SCHEDULER + ", 11",
            n,
            6,
            "induction",
            tournament.depth(small("tournament", n, 6)),
            scheduler("tournament", n, 6, release="parallel", inductive=True),
            quick=n == 2,
        )
    yield Proof("heap 2 bounded", SCHEDULER, 2, 4, "bounded", 12, scheduler("heap", 2, 4))
    yield Proof("heap 3 bounded", SCHEDULER, 3, 5, "bounded", 22, scheduler("heap", 3, 5, cleared=True))
    yield Proof("heap 4 bounded", SCHEDULER, 4, 5, "bounded", 20, scheduler("heap", 4, 5, cleared=True))
    yield Proof(
        "tournament 16", SCHEDULER, 16, 5, "bounded", 14, scheduler("tournament", 16, 5, inductive=True, cleared=True)
    )
    yield Proof("scan 16", SCHEDULER, 16, 5, "bounded", 26, scheduler("scan", 16, 5, inductive=True, cleared=True))
    for kind, depth in (("tournament", 24), ("scan", 24)):
        yield Proof(f"{kind} covers", "reached", 2, 4, "covers", depth, scheduler(kind, 2, 4), quick=True)
    yield Proof("heap covers", "reached", 2, 4, "covers", 24, scheduler("heap", 2, 4))
    for what, bug in BUGS.items():
        yield Proof(f"bug: {what}", "refuted", bug.tasks if bug.package == "scheduler" else "-", 4, "planted",
                    16 if bug.package == "scheduler" else 12, partial(_bug, bug), quick=what in QUICK_BUGS)
    p = INTERFACES
    yield Proof(
        "host interface", "AXI4-Lite", "-", "-", "bounded", 16,
        lambda: LiteSlaveProof(HostInterface(p, KINDS), reads_wait=True), quick=True,
    )
    yield Proof(
        "host interface covers",
        "reached",
        "-",
        "-",
        "covers",
        8,
        lambda: LiteSlaveProof(HostInterface(p, KINDS), reads_wait=True),
        quick=True,
    )
    yield Proof(
        "bursts", "4 KiB, stable", "-", "-", "induction", 2, lambda: splitter_proof(BurstSplitter(p), p), quick=True
    )
    for part, depth in (("streams", 20), ("reads", 20), ("writes", 12), ("WLAST", 11)):
        yield Proof(f"memory interface, {part}", "AXI4", "-", "-", "bounded", depth, partial(_memory, part))
    yield Proof("memory interface, short", "AXI4", "-", "-", "bounded", 8, _memory, quick=True)
    for what, properties, method, depth in (("reset", "nothing valid", "induction", 1),
                                            ("reset covers", "reached", "covers", 6)):
        yield Proof(f"memory interface, {what}", properties, "-", "-", method, depth,
                    lambda: reset_proof(MemoryInterface(MEMORY)), quick=True)
    for unit in (ParallelRelease, SweptRelease):
        what = "parallel release" if unit is ParallelRelease else "swept release"
        yield Proof(what, "streams", 2, 16, "bounded", 40, lambda unit=unit: release_proof(unit(p), 2))
        yield Proof(f"{what} covers", "reached", 2, 16, "covers", 40, lambda unit=unit: release_proof(unit(p), 2))
    yield Proof("memory interface covers", "reached", "-", "-", "covers", 12, _memory)


#: Every proof by name.
PROOFS = {proof.name: proof for proof in _proofs()}
