"""Bugs planted on purpose: a proof that accepts one of them proves nothing."""

import importlib
import itertools
import shutil
import sys
import tempfile
import types
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import derca_hw


@dataclass(frozen=True)
class Bug:
    """A text of a component's source, and its wrong replacement.

    `kind` is that of the scheduler, or the package of another component. `tasks` are the scheduler's.
    """

    kind: str
    file: str
    old: str
    new: str
    tasks: int = 2

    @property
    def package(self) -> str:
        """Where the source stands."""
        return self.kind if self.kind in COMPONENTS else "scheduler"


#: The component that is proved when a package has a bug: its module and its name.
COMPONENTS = {
    "scheduler": ("scheduler.scheduler", "Scheduler"),
    "memory": ("memory.ports", "MemoryInterface"),
    "bus": ("host.interface", "HostInterface"),
}

#: By what goes wrong.
BUGS = {
    "the running job loses ties": Bug(
        "scan", "scheduler.py", "earlier(jobs.best.key, current.key)", "~earlier(current.key, jobs.best.key)"
    ),
    "the higher task wins ties in the tree": Bug(
        "tournament", "tournament.py", "earlier(right.key, left.key)", "~earlier(left.key, right.key)", 3
    ),
    "the first taken wins ties in the heap": Bug(
        "heap", "order.py", "earlier(Cat(a.task, a.key), Cat(b.task, b.key))", "earlier(a.key, b.key)"
    ),
    "keys compare without wrapping": Bug("tournament", "order.py", "a[-1] ^ b[-1] ^ (a[:-1] < b[:-1])", "a < b"),
    "resume without a switch": Bug(
        "tournament", "scheduler.py", "switched & counters.begun", "counters.begun"
    ),
    "preempt ignores the running job": Bug(
        "scan", "scheduler.py", "preempted.eq(switch & (current_valid | dropped))", "preempted.eq(switch)"
    ),
    "the first record is not scanned": Bug(
        "scan", "scan.py", "m.d.sync += [scanning.eq(1), pointer.eq(0)]", "m.d.sync += [scanning.eq(1), pointer.eq(1)]"
    ),
    "a scan ends before its last record": Bug("scan", "scan.py", "begin | scanning | scanned))", "begin | scanning))"),
    "a release in the cycle of an instruction is lost": Bug(
        "tournament", "tournament.py", "load.eq(Cat(*sources).any())", "load.eq(Cat(*sources).any() & ~jobs.issued)"
    ),
    "a release and the end of the running job write one record": Bug(
        "scan", "scan.py", "jobs.release.ready.eq(~clearing & ~jobs.issued)", "jobs.release.ready.eq(~clearing)"
    ),
    "the loser is not inserted": Bug("heap", "heap.py", "placed.eq(~best_valid),", "placed.eq(1),"),
    "the winner's place is not refilled": Bug(
        "heap", "heap.py", "best_valid.eq(back_valid | (size != 0))", "best_valid.eq(back_valid)"
    ),
    "a job has one region too few": Bug(
        "heap", "regions.py", "following == count_r.data", "following + 1 == count_r.data"
    ),
    "jobs outlive a stop": Bug("tournament", "tournament.py", "m.d.sync += [live.eq(0), empty.eq(~0)]", "pass"),
    "an instruction without a feedback": Bug(
        "tournament", "scheduler.py", "(~outstanding | self.feedback) & jobs.settled", "jobs.settled"
    ),
    "WVALID waits for AWREADY": Bug("memory", "write.py", "lengths.w_en.eq(open_ & ~announced)",
                                    "lengths.w_en.eq(split.take)"),
    "AWVALID waits for WREADY": Bug("memory", "write.py", "aw.valid.eq(open_ & ~drop)",
                                    "aw.valid.eq(open_ & ~drop & (self.axi.w.ready | ~self.beat.valid))"),
    "AWVALID is withdrawn once the data side knows": Bug(
        "memory", "write.py", "aw.valid.eq(open_ & ~drop)", "aw.valid.eq(open_ & ~drop & ~announced)"),
    "RREADY waits for ARREADY": Bug("memory", "read.py", "tracker.r_rdy & ~head.refused)),",
                                    "tracker.r_rdy & ~head.refused & ~ar.valid)),"),
    "ARVALID waits for the end of a write": Bug(
        "memory", "ports.py", "connect(m, read.axi.ar, flipped(self.axi.ar))",
        "m.d.comb += [self.axi.ar.payload.eq(read.axi.ar.payload), "
        "self.axi.ar.valid.eq(read.axi.ar.valid & ~write.busy), "
        "read.axi.ar.ready.eq(self.axi.ar.ready & ~write.busy)]"),
    "BREADY waits for AWREADY": Bug("memory", "write.py", "b.ready.eq(~(pop & silent)),",
                                    "b.ready.eq(~(pop & silent) & ~aw.valid),"),
    "WLAST comes a beat early": Bug("memory", "write.py", "w.p.last.eq(sent == burst.len)",
                                    "w.p.last.eq((sent == burst.len) | (sent + 1 == burst.len))"),
    "an answer of before the reset counts": Bug("memory", "read.py", "~none & (r.p.id == self.id)", "~none"),
    "RVALID comes before the address is accepted": Bug(
        "bus", "axi_lite.py", "with m.If(fetched & self.s_axi_arvalid)", "with m.If(self.read & self.read_done)"),
    "a write is accepted while a response waits": Bug(
        "bus", "axi_lite.py", "~accept & write_free", "~accept"),
    "a write is accepted without its data": Bug(
        "bus", "axi_lite.py", "self.s_axi_awvalid & self.s_axi_wvalid & ~accept", "self.s_axi_awvalid & ~accept"),
}

_serial = itertools.count()


@contextmanager
def planted(bug: Bug):
    """The component's class with the bug in it.

    Raises
    ------
    ValueError
        If the text does not stand exactly once in the source: the bug must follow the source.
    """
    name = f"derca_hw.planted_{next(_serial)}"
    module, component = COMPONENTS[bug.package]
    with tempfile.TemporaryDirectory() as folder:
        hardware = Path(derca_hw.__file__).parent
        shutil.copytree(hardware / bug.package, Path(folder, bug.package))
        path = Path(folder, bug.package, bug.file)
        text = path.read_text()
        if text.count(bug.old) != 1:
            raise ValueError(
                f"{bug.old!r} stands {text.count(bug.old)} times in {bug.file}, must be once: mend planted.BUGS"
            )
        path.write_text(text.replace(bug.old, bug.new))
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [folder, str(hardware)]  # every other package is the original's
        try:
            yield getattr(importlib.import_module(f"{name}.{module}"), component)
        finally:
            for module in [m for m in sys.modules if m.split(".")[:2] == name.split(".")]:
                del sys.modules[module]
