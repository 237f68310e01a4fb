"""Supervision: which task set runs, execution budgets, watchdog."""
