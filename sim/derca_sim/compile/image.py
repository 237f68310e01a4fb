"""The memory image of a task set: placing every area, filling it, and reading results back."""

from collections.abc import Sequence

import numpy as np

from ..model.network import Network
from ..model.platform import Platform
from ..workload.taskset import Task
from .layers import LayerPlan
from .layout import Allocator, a_bytes, b_bytes, bias_bytes, pack_panels, unpack_panels

#: Outputs hold this byte before the first job, so that one that is never written cannot pass for a result.
POISON = 0xA5


def place(platform: Platform, tasks: Sequence[Task]) -> tuple[list[tuple[LayerPlan, ...]], int]:
    """Place all areas; return the layers of each task, and the bytes of memory used.

    Tasks with the same network share weights and biases, and layers equal tables of outputs. Of a task's own areas,
    those that it writes come last, so that no input lies between them.
    """
    memory, shared, placed, row, channels, functions = Allocator(), {}, [], 0, 0, {}
    for task in tasks:
        network = task.network
        if id(network) not in shared:
            shared[id(network)] = [
                (memory.take(b_bytes(platform, layer.k, layer.n)), memory.take(bias_bytes(platform, layer.n)))
                for layer in network.layers
            ], channels
            channels += sum(layer.n for layer in network.layers)
        inputs = [0 if layer.chained else memory.take(a_bytes(platform, layer.m, layer.k)) for layer in network.layers]
        save, layers, output = memory.take(platform.bank_bytes), [], 0
        weights, scale = shared[id(network)]
        for i, layer in enumerate(network.layers):
            a_base = output if layer.chained else inputs[i]
            output = memory.take(a_bytes(platform, *layer.stored))
            # A row of a transposed matrix takes tiles from all over the layer.
            before = layers[-1].n_tiles if layers and not layers[-1].layer.transposed else 0
            layers.append(LayerPlan(
                platform, layer, task.index, i, row, a_base, *weights[i], output, save, before,
                i == len(network.layers) - 1, scale,
                None if layer.table is None else functions.setdefault(layer.table.tobytes(), len(functions))))
            row, scale = row + 1, scale + layer.n
        placed.append(tuple(layers))
    return placed, memory.used


def fill(platform: Platform, placed: Sequence[tuple[Sequence[LayerPlan], Network]], size: int) -> np.ndarray:
    """uint8 [size]: weights, biases and inputs in place, outputs poisoned, everything else zero."""
    image = np.zeros(size, np.uint8)

    def put(address: int, data: np.ndarray):
        image[address : address + len(data)] = data

    for layers, network in placed:
        for plan, own_input in zip(layers, network.inputs, strict=True):
            layer = plan.layer
            put(plan.b_base, pack_panels(layer.weights.T, platform.array.cols, platform.b_lanes, plan.b_panel_stride))
            put(plan.bias_base, layer.bias.astype("<i4").view(np.uint8))
            if own_input is not None:
                put(plan.a_base, pack_panels(own_input, platform.array.rows, platform.a_lanes, plan.a_panel_stride))
            address, length = output_range(plan)
            image[address : address + length] = POISON
    return image


def output_range(plan: LayerPlan) -> tuple[int, int]:
    """(address, length) in bytes of a layer's output, padding included."""
    return plan.c_base, a_bytes(plan.platform, *plan.layer.stored)


def read_output(memory: np.ndarray, plan: LayerPlan) -> np.ndarray:
    """A layer's output [m, n] from uint8 memory, without padding."""
    address, length = output_range(plan)
    p = plan.platform
    data = memory[address : address + length]
    stored = unpack_panels(data, *plan.layer.stored, p.array.rows, p.a_lanes, plan.c_panel_stride, p.array.dtype)
    return np.ascontiguousarray(stored.T) if plan.layer.transposed else stored
