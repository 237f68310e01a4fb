"""How a product is rounded when its sum is requantised."""

from enum import IntEnum


class Rounding(IntEnum):
    """What becomes of sum * multiplier / 2^shift between two whole numbers; the values are those of the layer table."""

    AWAY = 0  #: to the nearest, half away from zero
    UP = 1  #: to the nearest, half towards +infinity: TensorFlow Lite's matrix products
    TWICE = 2  #: as UP to a multiple of 2^(31 - shift), then half away from zero: its convolutions; shift is 32 or more
