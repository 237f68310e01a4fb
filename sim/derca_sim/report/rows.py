"""The main tables of answers as rows with stable names, for CSV files: snake_case, with the unit where there is one.

Times end with the unit of the task set, which is cycles unless a set of execution times names another.

Every row also says what it belongs to, so that the rows of several calls can be put together.
"""

Row = dict[str, str | int | float | bool | None]


def analysis_rows(found: dict) -> list[Row]:
    """The tasks of an analysis, one row each; `found` as `report.plan.summarise` gives it."""
    unit = found["unit"]
    return [{
        **_head(found), "verdict": found["proof"]["verdict"], "task": task["task"],
        f"period_{unit}": task["period"], f"deadline_{unit}": task["deadline"],
        f"unpreempted_{unit}": task["unpreempted"], f"charged_{unit}": task["charged"],
        f"longest_region_{unit}": task["longest_region"], f"response_bound_{unit}": task["response_bound"],
        f"slack_{unit}": task["slack"], "relative_slack": task["relative_slack"],
        "points": task["points"], "candidate_points": task["candidate_points"],
    } for task in found["tasks"]]


def run_rows(found: dict) -> list[Row]:
    """The tasks of a run, one row each; `found` as in `summary.json`. Preemptions are empty where none are reported."""
    kinds, unit = ("layer", "recompute", "persist", "park"), found.get("unit", "cycles")
    return [{
        **_head(found), "verdict": found["proof"]["verdict"], f"horizon_{unit}": found["horizon"], "task": task["name"],
        f"period_{unit}": task["period"], f"deadline_{unit}": task["deadline"], "released": task["released"],
        "finished": task["finished"], "deadline_misses": task["misses"],
        f"worst_response_{unit}": task["worst_response"], f"mean_response_{unit}": task["mean_response"],
        **{f"preemptions_{kind}": (task["preemptions"] or {}).get(kind) for kind in kinds},
        "accuracy": task.get("accuracy"),
    } for task in found["tasks"]]


def comparison_rows(found: dict) -> list[Row]:
    """Strategies and tasks, one row for each pair; `found` as `report.comparison.compared` gives it."""
    unit = found["unit"]
    return [{
        **_head({**found, **one}), "verdict": one["verdict"], f"horizon_{unit}": found["horizon"], "task": task,
        "least_relative_slack": one["least_relative_slack"], "utilisation": one["utilisation"],
        "deadline_misses": one["deadline_misses"], "preemptions": one["preemptions"], "points": points,
        f"worst_response_{unit}": worst,
    } for one in found["strategies"]
        for task, points, worst in zip(found["tasks"], one["points"], one["worst_response"], strict=True)]


def _head(found: dict) -> Row:
    """What was analysed or run, and how."""
    return {key: found.get(key) for key in ("taskset", "platform", "clock_mhz", "policy", "strategy")}
