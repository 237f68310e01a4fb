"""What a graph means: every operator from its definition, in NumPy, bit by bit."""

from .run import compute, run

__all__ = ["compute", "run"]
