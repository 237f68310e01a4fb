"""What the parts of the walk over tiles tell each other."""

from typing import NamedTuple

from amaranth.hdl import Value


class Places(NamedTuple):
    """The position of the walk, in beats, and the stride of panels of B."""

    a_row: Value
    b_col: Value
    c_row: Value
    b_panel_stride: Value


class Shape(NamedTuple):
    """The full tile of a layer."""

    m_panels: Value | int
    k: Value | int
    n: Value | int


class Ends(NamedTuple):
    """Whether an iteration is the last along M, N and K."""

    m: Value
    n: Value
    k: Value
