"""Timing models: how long the parts of a job last on a platform, and what preempting it between them costs."""
