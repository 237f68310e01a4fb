"""Running Yosys on the hardware, with progress and a cache."""

import hashlib
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from derca_sim.errors import CheckFailed

from . import toolchain
from .caching import check_room, kept, read_json, read_text
from .cells import check_log
from .targets import Target

_PASS = re.compile(r"^([\d.]+)\. (Executing .*)$", re.MULTILINE)


def script(target: Target, top: str, keep: list[str]) -> str:
    """The Yosys script: `keep` are the modules that stay apart; empty for the flattened design."""
    lines = ["read_rtlil design.il"]  # the target's command checks the hierarchy, when it knows its primitives
    lines += [f"setattr -mod -set keep_hierarchy 1 {module}" for module in keep]
    lines += [f"{target.synthesis} -top {top}", "check", "tee -q -o stat.json stat -json"]
    return "\n".join(lines) + "\n"


def synthesise(rtlil: str, target: Target, top: str = "derca", keep: list[str] | None = None,
               progress: Callable[[str], None] = lambda detail: None) -> dict:
    """Synthesise, and return the answer of `stat -json`; unchanged inputs are answered from the cache.

    Parameters
    ----------
    rtlil
        The design as RTLIL text.
    progress
        Called with the current pass of Yosys, about twice a second.

    Raises
    ------
    CheckFailed
        If Yosys fails or warns of latches, loops or multiple drivers.
    MissingToolError
        If Yosys is not installed.
    """
    command, text = toolchain.command("yosys"), script(target, top, keep or [])

    def fill(work: Path) -> None:
        (work / "design.il").write_text(rtlil)
        (work / "script.ys").write_text(text)
        run_yosys(command, work, progress)

    done = cached("report", [toolchain.version("yosys"), text, rtlil], fill)
    check_log(read_text(done / "yosys.log"))
    return read_json(done / "stat.json")


def cached(part: str, inputs: list[str], fill: Callable[[Path], None]) -> Path:
    """The folder that `fill` made for the same inputs, now or earlier; all or nothing (`caching.kept`)."""
    return kept(part, hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:20], fill)


def run_yosys(command: list[str], work: Path, progress: Callable[[str], None]) -> None:
    """Run `script.ys` in `work`; leaves `yosys.log` and `stat.json`."""
    # The log goes to a file of its own: what Yosys prints on stdout ends where it calls ABC.
    with open(work / "stdout", "w") as out:
        process = subprocess.Popen([*command, "-q", "-l", "yosys.log", "-s", "script.ys"], cwd=work,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        while process.poll() is None:
            time.sleep(0.2)
            passes = _PASS.findall(_end(work / "yosys.log"))
            if passes:
                progress(f"{passes[-1][0]} {passes[-1][1]}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    log = _read(work / "yosys.log")
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
    if process.returncode or errors or not (work / "stat.json").is_file():
        check_room(work)
        reasons = errors or (_read(work / "stdout") or log).splitlines()[-3:] or ["failed without a message"]
        raise CheckFailed(*(f"yosys: {line}" for line in reasons))


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _end(path: Path) -> str:
    """The end of a log that grows to megabytes: to read all of it for each report of progress would cost as much as
    Yosys."""
    if not path.is_file():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _END))
        return log.read().decode(errors="replace")


#: Bytes at the end of a log in which the current pass of Yosys is looked for.
_END = 1 << 14
#: Yosys processes at a time.
PROCESSES = 2


def synthesise_all(jobs: list[dict], progress: Callable[[str], None] = lambda detail: None) -> list[dict]:
    """Call `synthesise(**job)` for every job, in `PROCESSES` processes at a time; results are in the order of the jobs.

    The first failure is raised; jobs that have not begun then do not begin.
    """
    done = 0

    def work(job: dict) -> dict:
        nonlocal done
        found = synthesise(**job, progress=lambda detail: progress(f"{done} of {len(jobs)} done; {detail}"))
        done += 1
        return found

    with ThreadPoolExecutor(PROCESSES) as pool:
        futures = [pool.submit(work, job) for job in jobs]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
