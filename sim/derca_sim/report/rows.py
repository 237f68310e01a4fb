"""The main tables of answers as rows with stable names, for CSV files: snake_case, with the unit where there is one.

Every row also says what it belongs to, so that the rows of several calls can be put together.
"""

Row = dict[str, str | int | float | bool | None]


def analysis_rows(found: dict) -> list[Row]:
    """The tasks of an analysis, one row each; `found` as `report.plan.summarise` gives it."""
    return [{
        **_head(found), "verdict": found["proof"]["verdict"], "task": task["task"],
        "period_cycles": task["period"], "deadline_cycles": task["deadline"],
        "unpreempted_cycles": task["unpreempted"], "charged_cycles": task["charged"],
        "longest_region_cycles": task["longest_region"], "response_bound_cycles": task["response_bound"],
        "slack_cycles": task["slack"], "relative_slack": task["relative_slack"],
        "points": task["points"], "candidate_points": task["candidate_points"],
    } for task in found["tasks"]]


def run_rows(found: dict) -> list[Row]:
    """The tasks of a run, one row each; `found` as in `summary.json`. Preemptions are empty where none are reported."""
    kinds = ("layer", "recompute", "persist", "park")
    return [{
        **_head(found), "verdict": found["proof"]["verdict"], "horizon_cycles": found["horizon"], "task": task["name"],
        "period_cycles": task["period"], "deadline_cycles": task["deadline"], "released": task["released"],
        "finished": task["finished"], "deadline_misses": task["misses"],
        "worst_response_cycles": task["worst_response"], "mean_response_cycles": task["mean_response"],
        **{f"preemptions_{kind}": (task["preemptions"] or {}).get(kind) for kind in kinds},
        "accuracy": task.get("accuracy"),
    } for task in found["tasks"]]


def comparison_rows(found: dict) -> list[Row]:
    """Strategies and tasks, one row for each pair; `found` as `report.comparison.compared` gives it."""
    return [{
        **_head({**found, **one}), "verdict": one["verdict"], "horizon_cycles": found["horizon"], "task": task,
        "least_relative_slack": one["least_relative_slack"], "utilisation": one["utilisation"],
        "deadline_misses": one["deadline_misses"], "preemptions": one["preemptions"], "points": points,
        "worst_response_cycles": worst,
    } for one in found["strategies"]
        for task, points, worst in zip(found["tasks"], one["points"], one["worst_response"], strict=True)]


def _head(found: dict) -> Row:
    """What was analysed or run, and how."""
    return {key: found.get(key) for key in ("taskset", "platform", "clock_mhz", "policy", "strategy")}
