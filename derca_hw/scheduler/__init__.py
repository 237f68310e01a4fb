"""Scheduler: picks the job with the smallest key, which under EDF is the earliest absolute deadline."""
