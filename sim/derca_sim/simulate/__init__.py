"""Fast simulation of schedules: region by region over the abstract task model, without hardware."""

from .engine import Result, simulate
from .execution import early
from .releases import random_offsets, random_visibility, sporadic, synchronous

__all__ = ["Result", "early", "random_offsets", "random_visibility", "simulate", "sporadic", "synchronous"]
