"""Arithmetic without multipliers."""


def times(value, factor: int):
    """A product with a constant, by shifts and additions."""
    return sum(value << bit for bit in range(factor.bit_length()) if factor >> bit & 1)
