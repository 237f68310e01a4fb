"""The steps of a build up to the netlist. Each keeps its result under a hash of everything it depends on."""

import importlib.metadata
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from derca_sim.errors import CheckFailed
from derca_sim.model.board import Board
from derca_sim.workload.policies import under_policy
from derca_sim.workload.taskset import TaskSet, load_taskset

from ..area.estimate import TOLERANCE, named
from ..package.description import write_tables
from ..tools import nextpnr
from ..tools.caching import BOARDS, read_json
from ..tools.cells import KINDS, blocks_of, flat_cells, instances, summarise, weigh
from ..tools.targets import TARGETS
from ..tools.yosys import cached, synthesise
from . import sources

#: Files of the kept results.
ANALYSIS, DESIGN, RUN = "analysis.json", "derca_board.il", "run.json"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """The board, task set and options of a build; a `policy` that is not None replaces the one of the board's platform.
    """

    board: Board
    taskset: Path
    strategy: str
    policy: str | None = None

    def __post_init__(self):
        for name in ("tasks", "files"):  # read now: a build takes long, and files may be edited meanwhile
            getattr(self, name)

    @cached_property
    def files(self) -> dict[Path, bytes]:
        """The contents of what the build reads, as they were when it began."""
        paths = (*self.board.files, self.board.platform, *sources.taskset_files(self.taskset))
        return {path: path.read_bytes() for path in paths}

    @cached_property
    def tasks(self) -> TaskSet:
        """The task set on the board's platform."""
        return under_policy(load_taskset(self.taskset, self.board.platform), self.policy)

    @cached_property
    def plan(self):
        """The task set analysed."""
        from derca_sim.planning import analyse_taskset

        return analyse_taskset(self.tasks, self.strategy)

    @property
    def platform(self):
        return self.tasks.platform

    def software(self) -> list[str]:
        """The cache key of the software that runs on the hardware."""
        files = [sources.file_hash(path) for path in sources.taskset_files(self.taskset)]
        return [sources.package_hash("derca_sim"), self.platform.model_dump_json(), self.strategy, *files]


def analyse(request: Request, progress: Progress) -> Path:
    """A folder with the verdict, the host's writes and the memory image.

    Raises
    ------
    CheckFailed
        If there is no proof that all deadlines are met.
    """
    from derca_sim.report.plan import summarise as summary_of

    def fill(work: Path) -> None:
        plan = request.plan
        (work / ANALYSIS).write_text(json.dumps(summary_of(plan), indent=1) + "\n")
        write_tables(work, plan.compiled(), plan.proof)

    done = cached(BOARDS, ["analyse", *request.software()], fill)
    found = read_json(done / ANALYSIS)
    if found["proof"]["verdict"] != "proved":
        raise CheckFailed(f"{request.taskset} on {request.platform.where}: {found['proof']['verdict']}: "
                          f"{found['reason']}; "
                          "to build all the same, add --skip analyse")
    return done


def generate(request: Request, progress: Progress) -> Path:
    """A folder with the RTLIL of the board's top."""
    def fill(work: Path) -> None:
        from derca_hw.generate import board_rtlil

        (work / DESIGN).write_text(board_rtlil(request.board, request.platform))

    hardware = sources.package_hash("derca_hw", "derca_sim.model", "derca_sim.events")
    return cached(BOARDS, ["generate", hardware, importlib.metadata.version("amaranth"),
                         request.platform.model_dump_json(), repr(request.board)], fill)


def simulate(request: Request, progress: Progress) -> Path:
    """A folder with the results of a run of the task set on the RTL, which matched the models.

    A platform without event stream is simulated with one, because the events of a run are compared.

    Raises
    ------
    CheckFailed
        If a deadline is missed, or results or events differ.
    """
    def fill(work: Path) -> None:
        (work / RUN).write_text(json.dumps(_run(request, progress), indent=1) + "\n")

    hardware = sources.package_hash("derca_hw", "derca_flow.rtl")
    return cached(BOARDS, ["simulate", hardware, str(request.tasks.horizon), *request.software()], fill)


def _run(request: Request, progress: Progress) -> dict:
    from derca_sim.compile.compiler import compile_points
    from derca_sim.report.metrics import measure

    from ..rtl.simulate import RtlError
    from ..sessions.system import check_results, compare_with_model, hardware_complaints, run_rtl, task_infos
    platform, horizon = request.platform, request.tasks.horizon
    compiled = request.plan.compiled()
    if not platform.trace.enabled:
        watched = platform.model_copy(update={"trace": platform.trace.model_copy(update={"enabled": True})})
        compiled = compile_points(replace(request.tasks, platform=watched), request.strategy, request.plan.points())
    try:
        result = run_rtl(compiled, horizon, progress=progress)
    except RtlError as e:
        raise CheckFailed(*str(e).splitlines()) from e
    results = check_results(compiled, result.finishes)
    error, differences = compare_with_model(compiled, result.events, horizon)
    array = platform.array
    metrics = measure(result.events, task_infos(compiled), horizon, array.rows * array.cols)
    problems = [*results.differences, *differences, *hardware_complaints(result)]
    if metrics.deadline_misses:
        problems.insert(0, f"deadlines missed: {metrics.deadline_misses}, skipped and unfinished jobs included")
    if problems:
        raise CheckFailed(*problems)
    return {"cycles": horizon, "jobs_checked": results.checked, "bit_exact": results.bit_exact, "cycle_error": error,
            "preemptions": metrics.preemptions, "deadline_misses": metrics.deadline_misses}


@dataclass(frozen=True)
class Synthesised:
    """The netlist, its resources, and the resources per module from a synthesis that keeps modules apart."""

    netlist: Path
    total: dict[str, float]
    rows: list[dict]


def synthesise_board(request: Request, design: str, progress: Progress) -> Synthesised:
    """Synthesise the board's top twice: dissolved for the netlist, and with the modules kept apart for the report.

    Raises
    ------
    CheckFailed
        If Yosys fails, or the netlist needs more than the device has.
    """
    from derca_hw.generate import BOARD_TOP

    target = TARGETS[request.board.target]
    blocks = board_blocks(design, BOARD_TOP)
    with ThreadPoolExecutor(2) as pool:
        flat = pool.submit(nextpnr.netlist, design, target, BOARD_TOP, BOARDS, progress, dense=True)
        apart = pool.submit(synthesise, design, target, BOARD_TOP, list(blocks))
        netlist, stat = flat.result(), apart.result()
    total = weigh(flat_cells(read_json(netlist.parent / "stat.json")), target)
    check_fit(total, request.board)
    return Synthesised(netlist, total, summarise(stat, blocks, target, BOARD_TOP))


def board_blocks(design: str, top: str) -> dict[str, str]:
    """Module -> row of the table: the blocks of the accelerator's top, and the other parts of the board's top."""
    parts = instances(design, top)
    derca = next(module for module, name in parts.items() if name == "derca")
    return {**blocks_of(design, derca), **{module: name for module, name in parts.items() if name != "derca"}}


def check_fit(total: dict[str, float], board: Board) -> None:
    """Refuse a netlist that needs more than the device has.

    Raises
    ------
    CheckFailed
        One line per kind that does not fit.
    """
    short = [kind for kind in KINDS if total[kind] > board.available[kind]]
    if short:
        raise CheckFailed(*(
            f"does not fit: {total[kind]:,g} {kind} of {board.available[kind]:,} on {board.title} "
            f"({total[kind] / board.available[kind]:.0%}); make the platform smaller ({board.platform})"
            if board.available[kind] else
            f"does not fit: {total[kind]:,g} {kind}, and {board.title} has none; change the platform "
            f"({board.platform})" for kind in short))


def check_estimate(total: dict[str, float], board: Board, parts: dict[str, float]) -> str:
    """Say in words whether an estimated total fits.

    Parameters
    ----------
    parts
        Blocks of RAM by what they hold.

    Raises
    ------
    CheckFailed
        If it would not fit even if the estimate were too high by its tolerance: a line for each kind, and one for the
        parts of block RAM that does not fit.
    """
    uses = {kind: total[kind] / board.available[kind] if board.available[kind] else float(total[kind] > 0) * 9
            for kind in KINDS}
    needs = {kind: f"{kind} {total[kind]:,g} of {board.available[kind]:,}" for kind in KINDS}
    short = [kind for kind in KINDS if uses[kind] > 1 + TOLERANCE]
    if short:
        raise CheckFailed(*(f"will not fit: about {needs[kind]} on {board.title}; make the platform smaller "
                            f"({board.platform})" for kind in short),
                          *[f"block RAM by what it holds, and the keys that size it: {named(parts)}"]
                          * ("BRAM" in short))
    kind = max(uses, key=uses.get)
    return f"{'fits' if uses[kind] < 1 - TOLERANCE else 'may just fit'}: {needs[kind]}, {uses[kind]:.0%}, the scarcest"
