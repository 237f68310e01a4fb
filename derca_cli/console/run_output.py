"""The output of a run of a task set, on the RTL or in simulation: what is printed, and the files it leaves."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from derca_sim.errors import InputError

from .output import format_cell, say, say_result, show_milliseconds, show_table
from .verdict import on, show_proof

#: Files that a run leaves in its folder.
FILES = {
    "events": "events.jsonl", "timeline": "timeline.svg", "timeline_png": "timeline.png", "summary": "summary.json",
    "plan": "plan.json",
}
#: Header of the counts of preemptions: layer, recompute, persist, park.
KINDS = "L/R/Pe/Pa"


FromOption = Annotated[int | None, typer.Option(
    "--from", metavar="N", help="First cycle that the timeline shows enlarged; by default around a miss or preemption.",
    show_default=False)]
ToOption = Annotated[int | None, typer.Option(
    "--to", metavar="N", help="Last cycle that the timeline shows enlarged.", show_default=False)]


def met(misses: int, finished: int) -> str:
    """The deadlines of a run in words: met, missed, or none judged."""
    if misses:
        return f"{misses} missed"
    return "all met" if finished else "none judged: no job ended"


def result_of(misses: int, finished: int, late: Sequence[str] = ()) -> str:
    """The deadlines of a run as the beginning of its result; `late` are the tasks that missed one."""
    if misses:
        return f"{misses} deadline{'s' * (misses > 1)} missed" + (f" by {', '.join(late)}" if late else "")
    return "all deadlines met" if finished else "no deadline judged: no job ended"


def window(first: int | None, last: int | None, horizon: int) -> tuple[int, int] | None:
    """The cycles that `--from` and `--to` name; None if neither is given.

    Raises
    ------
    InputError
        If they are not in order, or not within the run.
    """
    if first is None and last is None:
        return None
    begin, end = first or 0, horizon if last is None else last
    if not 0 <= begin < end <= horizon:
        raise InputError(f"--from, --to = {begin}, {end}: allowed are cycles in order, within 0 .. {horizon}")
    return begin, end


def write_files(folder: Path, summary: dict, proof, plan: dict, events, infos,
                shown: tuple[int, int] | None = None) -> None:
    """Write the event log, the timelines, the summary and the `plan_record` into `folder`.

    `shown` are cycles that the timelines show enlarged.
    """
    from derca_sim.events import write_log
    from derca_sim.report.timeline import draw_timeline
    from derca_sim.workload.policies import named

    write_log(folder / FILES["events"], events)
    pipeline = f", {summary['pipeline']}" if "pipeline" in summary else ""
    title = f"{summary['taskset']}, {summary['strategy']}{named(summary['policy'])}{pipeline}, {proof.title}"
    draw_timeline([folder / FILES[key] for key in ("timeline", "timeline_png")], events, infos, summary["horizon"],
                  plan["clock_mhz"], title, shown or "auto", plan["unit"])
    for key, content in (("summary", summary), ("plan", plan)):
        (folder / FILES[key]).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _by_kind(preemptions: dict[str, int] | None) -> str | None:
    return None if preemptions is None else "/".join(map(str, preemptions.values()))


def _result(s: dict, proof) -> str:
    """A run in a line: its deadlines, what was compared, and what is proved."""
    late = [t["name"] for t in s["tasks"] if t["misses"]]
    others = s.get("runs", {}).get("deadline_misses", 0)
    parts = [result_of(s["deadline_misses"], sum(t["finished"] for t in s["tasks"]), late)]
    parts += [f"{others} with other arrivals"] if others else []
    if "bit_exact" in s:
        parts.append({True: "results bit-exact", False: "results WRONG", None: "no result to compare"}[s["bit_exact"]])
    if (error := s.get("model_cycle_error")) is not None:
        parts.append("every event as predicted" if error == 0 else "events differ from the golden model's")
    return f"{', '.join(parts)}; {proof.title}"


def show_run(s: dict, proof) -> None:
    """Print a run: a row per task, the proof, deadlines, and what it has of results, events, array and speed."""
    missed = s["deadline_misses"] or s.get("runs", {}).get("deadline_misses")
    differs = s.get("bit_exact") is False or s.get("model_cycle_error") not in (None, 0)
    say_result(_result(s, proof), not missed and not differs)
    unit = s.get("unit", "cycles")
    with_labels = any("accuracy" in t for t in s["tasks"])
    columns = ["task", "period", "deadline", "jobs", "done", "worst", "mean", "missed", KINDS]
    rows = []
    for t in s["tasks"]:
        mean = t["mean_response"]
        rows.append([
            t["name"], t["period"], t["deadline"], t["released"], t["finished"], t["worst_response"],
            None if mean is None else round(mean), t["misses"], _by_kind(t["preemptions"]),
            *([f"{100 * t['accuracy']:.1f} %" if "accuracy" in t else None] if with_labels else []),
        ])
    total = ["total", None, None, sum(t["released"] for t in s["tasks"]), sum(t["finished"] for t in s["tasks"]), None,
             None, s["deadline_misses"], _by_kind(s["preemptions"]), *([None] if with_labels else [])]
    show_table(
        f"{s['taskset']}{on(s['platform'], s['policy'])}: strategy {s['strategy']}, "
        f"{s['pipeline'] + ' pipeline, ' if 'pipeline' in s else ''}{s['horizon']:,} {unit}, {proof.title}",
        [*columns, *(["accuracy"] if with_labels else [])], [*rows, total], total=True,
        bad=[i for i, t in enumerate(s["tasks"]) if t["misses"]],
        caption=f"Periods, deadlines, worst and mean response in {unit}. {KINDS}: how often jobs were preempted, by "
                "kind: " + ("not reported with platform.trace.enabled = false" if s["preemptions"] is None
                            else ", ".join(s["preemptions"])) + ".",
    )
    show_milliseconds(s["clock_mhz"], ["task", "period", "deadline", "worst", "mean"], [
        [t["name"], t["period"], t["deadline"], t["worst_response"], t["mean_response"]] for t in s["tasks"]])
    show_proof(proof)
    lines = [("deadlines", met(s["deadline_misses"], sum(t["finished"] for t in s["tasks"])))]
    if "bit_exact" in s:
        exact = {True: "bit-exact", False: "WRONG", None: "none to compare"}[s["bit_exact"]]
        lines.append(("results", f"{exact} ({s['jobs_checked']} jobs compared with the integer model)"))
    events = f"{s['events']:,}"
    if "model_cycle_error" in s:
        error = s["model_cycle_error"]
        events += "; largest difference from the golden model: " + (
            "not compared" if error is None else f"{error} cycles" if isinstance(error, int) else error)
    lines.append(("events", events))
    if "pe_utilisation" in s:
        lines.append(("array", f"{100 * s['pe_utilisation']:.1f} % busy with useful multiply-accumulates"))
    if "cycles_per_second" in s:
        lines.append(("speed", f"{format_cell(s['cycles_per_second'])} cycles per second"))
    lines.append(("files", ", ".join(s["files"].values())))
    for name, text in lines:
        say(name, text)
