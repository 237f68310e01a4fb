"""Running many independent cells of an experiment: in processes or on a Dask cluster, resumable, in any order.

Finished cells are appended to a JSON-lines file whose first line identifies what results depend on besides their cells.
A call that finds such a file runs only the cells that the file has not. So one that was interrupted goes on, and one
with more cells than before keeps those that it had. Results are returned in the order of the cells, so neither the
number of processes nor the order of completion influences them.
"""

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError, MissingToolError

#: Cells that one worker takes at a time.
BATCH = 4


def run(cells: Sequence[dict], evaluate: Callable[[dict], dict], log: Path | None = None, *, jobs: int = 1,
        engine: str = "local", scheduler: str | None = None, identity: str = "",
        progress: Callable[[int, int], None] = lambda done, total: None) -> list[dict]:
    """The results of `evaluate` for all `cells`, in their order.

    Parameters
    ----------
    cells : JSON objects, no two alike.
    evaluate : a function of a module (workers import it) from a cell to a JSON object, that depends on nothing else.
    log : file of finished cells, read and continued if it exists.
    engine : `local` (`jobs` processes; 1 runs in this one) or `dask` (`scheduler` is the address of the cluster).
    identity : what else the results depend on, such as `source_digest()`: a log of another identity is refused.
    progress : called with the number of finished cells and that of all.

    Raises
    ------
    InputError
        If the log is of another identity or function, or the cluster cannot be reached.
    MissingToolError
        If the engine is `dask` and dask.distributed is not installed.
    """
    keys = [_key(cell) for cell in cells]
    plan = hashlib.sha256(f"{identity}\n{evaluate.__module__}.{evaluate.__qualname__}".encode()).hexdigest()
    found, wanted = _read(log, plan) if log else {}, set(keys)
    done = {key: result for key, result in found.items() if key in wanted}
    todo = [cell for cell, key in zip(cells, keys, strict=True) if key not in done]
    progress(len(cells) - len(todo), len(cells))
    with _appending(log, plan) as write:
        batches = [todo[i:i + BATCH] for i in range(0, len(todo), BATCH)]
        for finished in _engine(engine, jobs, scheduler)(evaluate, batches):
            for cell, result in finished:
                key = _key(cell)
                done[key] = json.loads(json.dumps(result))
                write({"cell": key, "result": result})
            progress(len(done), len(cells))
    return [done[key] for key in keys]


def source_digest() -> str:
    """Identity of the sources of this package, on which every result depends."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _key(cell: dict) -> str:
    return json.dumps(cell, sort_keys=True)


def _batch(evaluate: Callable[[dict], dict], cells: list[dict]) -> list[tuple[dict, dict]]:
    return [(cell, evaluate(cell)) for cell in cells]


def _read(log: Path, plan: str) -> dict[str, dict]:
    """Finished cells of a log. A last line that was cut off while being written does not count."""
    if not log.exists():
        return {}
    try:
        *lines, cut = log.read_bytes().decode("utf-8", "replace").split("\n")
    except OSError as e:
        raise InputError(f"log = {log}: cannot be read ({e.strerror}); choose another folder with -o") from e
    begun = '{"plan": '
    if not lines and (cut.startswith(begun) or begun.startswith(cut)):  # nothing yet, or cut off in its first line
        return {}
    try:
        head, *rows = [json.loads(line) for line in lines]
        if head.get("plan") == plan:
            if cut:
                log.write_text("\n".join([*lines, ""]), encoding="utf-8")
            return {row["cell"]: row["result"] for row in rows}
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        pass
    raise InputError(f"log = {log}: holds results of another experiment or of another version of the software; "
                     "remove it or choose another folder with -o")


@contextmanager
def _appending(log: Path | None, plan: str) -> Iterator[Callable[[dict], None]]:
    if log is None:
        yield lambda row: None
        return
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        new = not log.exists() or b"\n" not in log.read_bytes()
        file = log.open("w" if new else "a")
    except OSError as e:
        raise InputError(f"log = {log}: cannot be written ({e.strerror}); give a path in a folder you own") from e
    with file:
        def write(row: dict) -> None:
            file.write(json.dumps(row) + "\n")
            file.flush()

        if new:
            write({"plan": plan})
        yield write


def _engine(engine: str, jobs: int, scheduler: str | None) -> Callable:
    if engine == "dask":
        if not scheduler:
            raise InputError('scheduler is missing: allowed are addresses of a Dask scheduler such as tcp://host:8786; '
                             'give --dask ADDRESS with --engine dask')
        return lambda evaluate, batches: _on_cluster(evaluate, batches, scheduler)
    if engine != "local":
        raise InputError(f'engine = "{engine}": allowed are local, dask')
    if jobs < 1:
        raise InputError(f"jobs = {jobs}: allowed are whole numbers from 1")
    return lambda evaluate, batches: _in_processes(evaluate, batches, jobs)


def _in_processes(evaluate, batches: list[list[dict]], jobs: int) -> Iterator[list[tuple[dict, dict]]]:
    if jobs == 1 or len(batches) < 2:
        for batch in batches:
            yield _batch(evaluate, batch)
        return
    # Not forked: a fork copies locks that threads of this process may hold.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(_batch, evaluate, batch) for batch in batches]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _on_cluster(evaluate, batches: list[list[dict]], address: str) -> Iterator[list[tuple[dict, dict]]]:
    try:
        from distributed import Client
        from distributed import as_completed as completed
    except ImportError as e:
        raise MissingToolError("dask.distributed: not found in this Python environment; install it with: "
                               "python -m pip install 'derca-hw[cluster]'") from e
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as e:
        raise InputError(f"scheduler = {address}: cannot be reached ({e}); start one with `dask scheduler`, "
                         "workers with `dask worker ADDRESS`") from e
    with client:
        futures = [client.submit(_batch, evaluate, batch, pure=False) for batch in batches]
        for future in completed(futures):
            yield future.result()
