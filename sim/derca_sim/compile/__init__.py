"""The compiler: task set -> metadata tables, memory image and expected results."""

from .compiler import Compiled, compile_taskset
from .layers import LayerPlan
from .plan import EntryPlan, Point, RegionPlan, TaskPlan

__all__ = ["Compiled", "EntryPlan", "LayerPlan", "Point", "RegionPlan", "TaskPlan", "compile_taskset"]
