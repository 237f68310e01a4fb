"""The parts of the parallel job release: a timer per task, and what takes turns among the tasks."""
