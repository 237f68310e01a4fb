"""Accelerator: dataflow control, load, compute and store engines, PE array."""
