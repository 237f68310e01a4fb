"""Inputs of networks: crops of the photographs that scikit-learn ships, and values drawn from an input's own range."""

from functools import cache

import numpy as np
from sklearn.datasets import load_sample_images

from derca_sim.networks.graph import Graph, Tensor
from derca_sim.networks.interpreter.values import dequantised


@cache
def _photographs() -> list[np.ndarray]:
    return load_sample_images().images  # uint8 [427, 640, 3] each


def crop(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """int8 [1, height, width, channels]: a random crop of a photograph, at a random size, one channel or three."""
    _, height, width, channels = shape
    photograph = _photographs()[int(rng.integers(2))]
    step = int(rng.integers(1, min(427 // height, 640 // width) + 1))
    top, left = (int(rng.integers(0, size - step * n + 1))
                 for size, n in zip(photograph.shape, (height, width), strict=False))
    part = photograph[top : top + step * height : step, left : left + step * width : step]
    part = part if channels == 3 else part.mean(axis=2, keepdims=True).repeat(channels, axis=2)
    return (part.astype(np.int16) - 128).astype(np.int8)[None]


def graph_inputs(graph: Graph, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """An input for each of a graph's: every other one of a photograph if it is an image, else bell-shaped in its range.

    Inputs in float32 are those that their quantisation takes to the drawn values.
    """
    out = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        stored = _quantised(graph, tensor)
        values = (crop(tensor.shape, rng) if len(tensor.shape) == 4 and rng.random() < 0.5 else
                  np.clip(rng.normal(0, rng.choice([10, 40, 90]), tensor.shape), -128, 127).astype(np.int8))
        out[name] = dequantised(values, stored) if tensor.dtype == np.float32 else values
    return out


def _quantised(graph: Graph, tensor: Tensor) -> Tensor:
    """The tensor in which an input is stored."""
    return tensor if tensor.quantisation else graph.tensors[graph.users[tensor.name][0].outputs[0]]
