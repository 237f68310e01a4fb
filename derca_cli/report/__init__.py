"""`derca report`: what the hardware costs, per module."""

from .command import report
from .measurement import load_platform, measure

__all__ = ["load_platform", "measure", "report"]
