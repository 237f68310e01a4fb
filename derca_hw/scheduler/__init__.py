"""Scheduler: picks the job with the earliest absolute deadline."""
