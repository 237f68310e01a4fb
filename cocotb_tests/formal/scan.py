"""Invariants of `scan`."""


def invariants(proof, inside, lay) -> None:
    """None yet."""
