"""The compiler: task set -> metadata tables, memory image and expected results."""

from .compiler import Compiled, compile_taskset
from .plan import EntryPlan, LayerPlan, RegionPlan, TaskPlan

__all__ = ["Compiled", "EntryPlan", "LayerPlan", "RegionPlan", "TaskPlan", "compile_taskset"]
