"""Where matrices lie in memory: panels, and the areas they are placed in.

A matrix of `rows` x `k` elements (int8 or int16, little endian) is cut into panels of `group` rows. A panel holds, for
each k, `lanes` bytes: the panel's rows at column k, then zeros up to `lanes`. So activations A [m, k] have groups of
array rows, weights B [k, n] (as their transpose) groups of array columns, and outputs C [m, n] have the layout of the A
of the next layer. A layer that stores C transposed has that layout of C^T.
"""

from dataclasses import dataclass

import numpy as np

from ..model.network import Place
from ..model.platform import Platform

#: Every area starts at a multiple of this many bytes; the first such block of memory stays unused.
ALIGNMENT = 64


def ceil_div(a: int, b: int) -> int:
    """a / b rounded up."""
    return -(-a // b)


def pack_panels(matrix: np.ndarray, group: int, lanes: int, stride: int) -> np.ndarray:
    """uint8 bytes of `matrix` [rows, k] in panels of `group` rows, `stride` bytes apart."""
    rows, k = matrix.shape
    panels, dtype = ceil_div(rows, group), matrix.dtype.newbyteorder("<")
    padded = np.zeros((panels * group, k), dtype)
    padded[:rows] = matrix
    out = np.zeros((panels, stride), np.uint8)
    cells = np.zeros((panels, k, lanes // dtype.itemsize), dtype)
    cells[:, :, :group] = padded.reshape(panels, group, k).transpose(0, 2, 1)
    out[:, : k * lanes] = cells.reshape(panels, -1).view(np.uint8)
    return out.reshape(-1)


def unpack_panels(data: np.ndarray, rows: int, k: int, group: int, lanes: int, stride: int, dtype) -> np.ndarray:
    """Inverse of `pack_panels`: [rows, k] of `dtype` from uint8 bytes, without the padding."""
    panels = ceil_div(rows, group)
    used = np.ascontiguousarray(data[: panels * stride].reshape(panels, stride)[:, : k * lanes])
    cells = used.view(np.dtype(dtype).newbyteorder("<")).reshape(panels, k, -1)
    matrix = cells[:, :, :group].transpose(0, 2, 1).reshape(panels * group, k)
    return np.ascontiguousarray(matrix[:rows], dtype)


@dataclass(frozen=True)
class Area:
    """A matrix in memory: its address, its size, the distance of its panels and of their columns, in bytes.

    A panel has `group` rows.
    """

    address: int
    size: int
    panel_stride: int
    lanes: int
    group: int

    def pack(self, matrix: np.ndarray) -> np.ndarray:
        """The bytes of the matrix in this area."""
        return pack_panels(matrix, self.group, self.lanes, self.panel_stride)


@dataclass(frozen=True)
class Operand:
    """A part of a matrix in memory: the area of the matrix, and the address at which the part begins."""

    area: Area
    base: int


def activations(platform: Platform, memory: "Allocator", shape: tuple[int, int], vector: bool = False) -> Area:
    """A new area for a matrix that layers read as A; a `vector`, which has one row, is stored without padding."""
    rows, columns = shape
    lanes, group = (platform.array.element_bytes, 1) if vector else (platform.a_lanes, platform.array.rows)
    stride = platform.panel_stride(columns, lanes)
    size = ceil_div(rows, group) * stride
    return Area(memory.take(size), size, stride, lanes, group)


def weights(platform: Platform, memory: "Allocator", n: int, stride: int) -> Area:
    """A new area for weights of `n` columns, with panels `stride` bytes apart."""
    size = ceil_div(n, platform.array.cols) * stride
    return Area(memory.take(size), size, stride, platform.b_lanes, platform.array.cols)


def part(area: Area, place: Place) -> Operand:
    """A part of a matrix in an area."""
    return Operand(area, area.address + place.row // area.group * area.panel_stride + place.column * area.lanes)


def bias_bytes(platform: Platform, n: int) -> int:
    """Bytes of n int32 biases, in whole beats."""
    return ceil_div(4 * n, platform.beat_bytes) * platform.beat_bytes


class Allocator:
    """Hands out aligned areas one after the other; `used` is the first free byte."""

    def __init__(self):
        self.used = ALIGNMENT

    def take(self, size: int) -> int:
        """The address of a new area of `size` bytes."""
        address = self.used
        self.used = ceil_div(address + size, ALIGNMENT) * ALIGNMENT
        return address
