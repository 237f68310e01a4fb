"""`derca build`: from a board and a task set to a bitstream."""

from .command import build

__all__ = ["build"]
