"""Invariants of `tournament`."""


def invariants(proof, inside, lay) -> None:
    """None yet."""
