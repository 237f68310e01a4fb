"""Runs in the trace-event format of Chrome, which Perfetto opens.

Timestamps are microseconds, at the platform's clock or in the unit of the task set. Without either, a cycle counts as a
microsecond.
"""

from itertools import count

from ..units import PER_MS


def trace_events(page: dict) -> dict:
    """The runs of `workbench.page_data` as one trace.

    Each run is a process and each task a thread of it: regions are slices; releases, deadlines that were missed,
    preemptions and resumptions are instants. Jobs are asynchronous slices from release to end.
    """
    events, numbers = [], count(1)
    for pid, run in enumerate(page["runs"], 1):
        events += _of_run(run, pid, page["strategies"], numbers)
    return {"displayTimeUnit": "ns", "traceEvents": events}


def _of_run(run: dict, pid: int, strategies: list[dict], numbers) -> list[dict]:
    cycle = 1 / run["clock_mhz"] if run["clock_mhz"] else 1_000 / PER_MS.get(run["unit"], 1_000)
    out = [{"ph": "M", "pid": pid, "name": "process_name", "args": {"name": run["label"]}}]
    out += [{"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": task["name"]}}
            for tid, task in enumerate(run["tasks"], 1)]
    jobs, spans, switches = run["jobs"], run["spans"], run["switches"]

    def instant(job: int, at: int, name: str) -> dict:
        return {"ph": "i", "s": "t", "pid": pid, "tid": jobs["task"][job] + 1, "ts": at * cycle, "name": name}

    for job, task in enumerate(jobs["task"]):
        common = {"cat": "job", "id": next(numbers), "pid": pid, "tid": task + 1,
                  "name": f"{run['tasks'][task]['name']} {jobs['number'][job]}"}
        ended = jobs["ended"][job]
        out.append({"ph": "b", **common, "ts": jobs["release"][job] * cycle, "args": {
            "state": jobs["state"][job], "deadline_cycle": jobs["deadline"][job], "release_cycle": jobs["release"][job],
            "missed": bool(jobs["missed"][job])}})
        out.append({"ph": "e", **common, "ts": (run["horizon"] if ended is None else ended) * cycle})
        out.append(instant(job, jobs["release"][job], "release"))
        if jobs["missed"][job]:
            out.append(instant(job, jobs["deadline"][job], "deadline missed"))
    for i, job in enumerate(spans["job"]):
        start, end = spans["start"][i], spans["end"][i]
        out.append({"ph": "X", "pid": pid, "tid": jobs["task"][job] + 1, "ts": start * cycle,
                    "dur": (end - start) * cycle, "name": f"region {spans['region'][i]}",
                    "args": {"job": jobs["number"][job], "start_cycle": start, "end_cycle": end}})
    for i, job in enumerate(switches["job"]):
        what = "resumed" if switches["resumes"][i] else "preempted"
        out.append(instant(job, switches["cycle"][i], f"{what}: {strategies[switches['strategy'][i]]['name']}"))
    return out
