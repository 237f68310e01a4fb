"""Stream payloads as integers, through the Amaranth layouts that the hardware uses."""

from amaranth.hdl import Shape
from amaranth.lib import data


def width(shape) -> int:
    """Bits of a shape or layout."""
    return Shape.cast(shape).width


def pack(layout: data.Layout, **values) -> int:
    """An integer with the named fields (nested layouts as dicts); fields not given are 0.

    Raises
    ------
    ValueError
        If a field is unknown or its value does not fit.
    """
    out = 0
    fields = dict(layout)
    for name, value in values.items():
        if name not in fields:
            raise ValueError(f"{name}: not a field of {sorted(fields)}")
        field = fields[name]
        if isinstance(value, dict):
            value = pack(field.shape, **value)
        value, bits = int(value), width(field.shape)
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{name} = {value} does not fit in {bits} bits")
        out |= value << field.offset
    return out


def unpack(layout: data.Layout, value: int) -> dict:
    """Inverse of `pack`: all fields by name, unsigned."""
    out = {}
    for name, field in layout:
        part = value >> field.offset & (1 << width(field.shape)) - 1
        out[name] = unpack(field.shape, part) if isinstance(field.shape, data.Layout) else part
    return out


def signed(value: int, bits: int) -> int:
    """Two's complement of an unsigned value."""
    return value - (1 << bits) if value >> (bits - 1) & 1 else value
