"""What an event log says: jobs, figures per task, and the timeline picture."""
