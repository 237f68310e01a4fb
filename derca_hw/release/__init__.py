"""Job release: timers of periodic tasks, triggers of sporadic ones, overruns."""
