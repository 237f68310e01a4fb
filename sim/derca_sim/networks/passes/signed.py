"""Tensors of uint8 become tensors of int8 with the same real values: stored values and zero points less 128."""

from dataclasses import replace

import numpy as np

from ..graph import Graph, Quantisation, Tensor


def signed(graph: Graph) -> Graph:
    """The graph in int8; as it stands if an input or output of it is uint8, or one that is not quantised."""
    eights = {name: t for name, t in graph.tensors.items() if t.dtype == np.uint8}
    outer = {*graph.inputs, *graph.outputs}
    if any(t.quantisation is None or name in outer for name, t in eights.items()):
        return graph
    return replace(graph, tensors={**graph.tensors, **{name: _signed(t) for name, t in eights.items()}})


def _signed(tensor: Tensor) -> Tensor:
    q = tensor.quantisation
    data = None if tensor.data is None else (tensor.data.astype(np.int16) - 128).astype(np.int8)
    return replace(tensor, dtype=np.dtype(np.int8), data=data,
                   quantisation=Quantisation(q.scales, q.zero_points - 128, q.axis))
