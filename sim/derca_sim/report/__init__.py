"""Reports from an event log: jobs, figures per task, and the timeline picture."""
