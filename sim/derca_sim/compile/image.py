"""The memory image of a task set: placing every area, filling it, and reading results back."""

from collections.abc import Sequence

import numpy as np

from ..model.network import Layer, Network
from ..model.placing import vectors
from ..model.platform import Platform
from ..model.tables import own_b_stride
from ..model.tile import Tile
from ..workload.taskset import Task
from .layers import LayerPlan
from .layout import Allocator, Area, Operand, activations, bias_bytes, pack_panels, part, unpack_panels, weights
from .mapping import mapping_of
from .patches import patch_of
from .waits import wait_of

#: Outputs hold this byte before the first job, so that one that is never written cannot pass for a result.
POISON = 0xA5


class _Constants:
    """Places of weights, biases, scales and tables. Layers with the same arrays share one place."""

    def __init__(self, platform: Platform, memory: Allocator):
        self._p = platform
        self._memory = memory
        self._weights: dict[tuple[int, int, tuple[int, int] | None], Area] = {}
        self._biases: dict[tuple, int] = {}
        self._scales: dict[tuple, int] = {}
        self._channels = 0
        self._tables: dict[bytes, int] = {}

    def weights(self, layer: Layer, tile: Tile, a_stride: int) -> Operand:
        """Weights of a layer whose panels of A are `a_stride` bytes apart, as those of B are without own stride.

        The weights of windows lie in the order of their tiles along K.
        """
        patch = patch_of(self._p, layer, tile)
        own = self._p.panel_stride(patch.k, self._p.b_lanes)
        order = (tile.k, tile.rows) if layer.window else None
        key = id(layer.weights), own if own_b_stride(self._p) else a_stride, order
        if key not in self._weights:
            self._weights[key] = weights(self._p, self._memory, patch.n, key[1])
        return Operand(self._weights[key], self._weights[key].address)

    def bias(self, layer: Layer, tile: Tile) -> int:
        """The address of a layer's biases, one for each column of its product."""
        n = patch_of(self._p, layer, tile).n
        key = id(layer.bias), n, (id(layer.weights), tile.rows, layer.window) if tile.rows else None
        if key not in self._biases:
            self._biases[key] = self._memory.take(bias_bytes(self._p, n))
        return self._biases[key]

    def scale(self, layer: Layer) -> int:
        """The row of a layer's first channel in the table of scales."""
        parts = (id(v) if isinstance(v, np.ndarray) else v for v in (layer.multiplier, layer.shift, layer.rounding))
        key = layer.n, *parts
        if key not in self._scales:
            self._scales[key] = self._channels
            self._channels += layer.n
        return self._scales[key]

    def table(self, layer: Layer) -> int | None:
        """The number of the table that a layer's outputs go through; None without. Equal tables have one number."""
        return None if layer.table is None else self._tables.setdefault(layer.table.tobytes(), len(self._tables))


def place(platform: Platform, tasks: Sequence[Task]) -> tuple[list[tuple[LayerPlan, ...]], int]:
    """Place all areas; return the layers of each task, and the bytes of memory used.

    Weights, biases and scales are shared by all layers that have the same arrays, tables of outputs by all that have
    equal ones. Of a task's own areas, those that it writes come last, so that no input lies between them.
    """
    memory, placed, row = Allocator(), [], 0
    constants = _Constants(platform, memory)
    for task in tasks:
        layers = _placed(platform, task, row, memory, constants)
        row += len(layers)
        placed.append(layers)
    return placed, memory.used


def _placed(p: Platform, task: Task, row: int, memory: Allocator, constants: _Constants) -> tuple[LayerPlan, ...]:
    network, plans = task.network, []
    strides = [p.panel_stride(columns, p.a_lanes) for _, columns in network.matrices]
    b, biases = [], []
    tiles = [mapping_of(p, layer) for layer in network.layers]
    for layer, (tile, _) in zip(network.layers, tiles, strict=True):
        b.append(None if layer.weights is None else constants.weights(layer, tile, strides[layer.a.matrix]))
        biases.append(constants.bias(layer, tile))
    given = [i for i, rows in enumerate(network.inputs) if rows is not None]
    narrow = vectors(network, p)
    areas = {i: activations(p, memory, network.matrices[i], i in narrow) for i in given}
    save = memory.take(p.bank_bytes)
    areas |= {i: activations(p, memory, shape, i in narrow)
              for i, shape in enumerate(network.matrices) if i not in areas}
    for i, layer in enumerate(network.layers):
        plans.append(LayerPlan(
            p, layer, task.index, i, row + i, part(areas[layer.a.matrix], layer.a),
            b[i] or part(areas[layer.b.matrix], layer.b), biases[i], part(areas[layer.c.matrix], layer.c), save,
            wait_of(network, plans, tiles[i].tile), i == len(network.layers) - 1, constants.scale(layer),
            constants.table(layer), *tiles[i],
            None if layer.add is None else part(areas[layer.add.d.matrix], layer.add.d)))
    return tuple(plans)


def fill(platform: Platform, placed: Sequence[tuple[Sequence[LayerPlan], Network]], size: int) -> np.ndarray:
    """uint8 [size]: weights, biases and inputs in place, outputs poisoned, everything else zero."""
    image = np.zeros(size, np.uint8)

    def put(address: int, data: np.ndarray):
        image[address : address + len(data)] = data

    for layers, network in placed:
        for plan in layers:
            layer = plan.layer
            if layer.weights is not None:
                put(plan.b_base, pack_panels(plan.weights.T, platform.array.cols, platform.b_lanes,
                                             plan.b_panel_stride))
            put(plan.bias_base, plan.biases.astype("<i4").view(np.uint8))
        for i, area in areas_of(layers).items():
            if network.inputs[i] is None:
                image[area.address : area.address + area.size] = POISON
            else:
                put(area.address, area.pack(network.inputs[i]))
    return image


def areas_of(layers: Sequence[LayerPlan]) -> dict[int, Area]:
    """The areas of a task's matrices by the matrices' numbers, in the order in which layers use them."""
    out: dict[int, Area] = {}
    for plan in layers:
        layer = plan.layer
        for place, operand in (
                (layer.a, plan.a), (layer.b, plan.b), (layer.add and layer.add.d, plan.d), (layer.c, plan.c)):
            if place is not None:
                out.setdefault(place.matrix, operand.area)
    return out


def output_ranges(layers: Sequence[LayerPlan]) -> list[tuple[int, int]]:
    """(address, length) in bytes of every matrix that a task's layers write, padding included, in their order."""
    return list(dict.fromkeys((plan.c.area.address, plan.c.area.size) for plan in layers))


def read_output(memory: np.ndarray, plan: LayerPlan) -> np.ndarray:
    """A layer's output [m, n] from uint8 memory, without padding."""
    p, (rows, columns) = plan.platform, plan.layer.c_shape
    first, area = plan.c_base, plan.c.area
    stride = area.panel_stride
    panels = -(-rows // area.group)
    data = np.zeros(panels * stride, np.uint8)
    have = memory[first : first + len(data)]
    data[: len(have)] = have
    stored = unpack_panels(data, rows, columns, area.group, area.lanes, stride, p.array.dtype)
    return stored.T if plan.layer.transposed else stored
