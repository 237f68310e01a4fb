"""Proofs: one specification, the properties of each interface, invariants of each implementation, and their runner."""
