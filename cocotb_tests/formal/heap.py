"""Invariants of `heap`."""


def invariants(proof, inside, lay) -> None:
    """None yet."""
