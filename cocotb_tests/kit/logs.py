"""Event logs of two tasks."""

from derca_sim.events import Event, number_jobs
from derca_sim.report.jobs import TaskInfo

TASKS = [TaskInfo("fast", 100, 50, macs=640), TaskInfo("slow", 400, 400, macs=2000)]


def log(*rows):
    """Events from (cycle, kind, task, region, arg); region and arg may be left out."""
    return number_jobs([Event(row[0], row[1], row[2], -1, *row[3:]) for row in rows])
