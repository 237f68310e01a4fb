"""Supervision: execution budgets, watchdog, jobs that fail, the safe state."""
