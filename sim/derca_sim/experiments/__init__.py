"""The reference's published experiments, run again: its rules, its public software's answers, and our results."""
