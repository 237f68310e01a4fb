"""Job release: periodic timers, sporadic triggers, overruns."""
