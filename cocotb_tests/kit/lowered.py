"""Networks of models, checked against LiteRT."""

import numpy as np

from derca_sim.model.numerics import run_network
from derca_sim.networks.lowering.deploy import Model
from derca_sim.networks.lowering.samples import drawn
from derca_sim.networks.tflite import graph_of
from oracles.litert import LiteRt


def check(data: bytes, batch: int = 1, adds: int | None = None):
    """The network of a model, whose outputs are those of LiteRT's reference kernels."""
    model = Model(graph_of("net", data))
    network = model.network("net", None, 0, batch)
    found, samples, litert = network.model.results(run_network(network)), drawn(model.graph, batch), LiteRt(data)
    for i in range(batch):
        wanted = litert.outputs([samples[name][i].reshape(model.graph.tensors[name].shape)
                                 for name in model.graph.inputs])
        for name, values in zip(model.graph.outputs, wanted, strict=True):
            assert np.array_equal(found[name][i].reshape(values.shape), values), name
    if adds is not None:
        assert sum(layer.add is not None for layer in network.layers) == adds * batch // (
            batch if network.model.stacked else 1)
    return network
