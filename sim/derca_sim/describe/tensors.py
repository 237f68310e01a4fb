"""Where the inputs and outputs of a compiled task set lie in memory, for hosts in any language."""

from ..compile import Compiled
from ..compile.image import areas_of
from ..compile.layers import LayerPlan
from ..compile.layout import Area
from ..model.network import Network
from ..model.platform import Platform

#: Where an element lies.
RULE = ("element [row, column] lies at address + (row // panel_rows) * panel_stride + column * column_stride + "
        "(row % panel_rows) * element_bytes")


def tensors(compiled: Compiled) -> dict:
    """For each task its inputs, the matrices that the host fills, and its outputs, layers that the host reads.

    A task of a trained model also has the model's inputs and outputs by name, with shape, type and quantisation, and
    which of its tensors are stored in which matrices and by which layers.
    """
    return {"rule": RULE, "tasks": [_task(task.name, task.layers, task.network) for task in compiled.tasks]}


def _task(name: str, layers: tuple[LayerPlan, ...], network: Network) -> dict:
    model = network.model
    read = [len(layers) - 1] if model is None else model.output_layers
    out = {
        "task": name, "network": network.name,
        "inputs": [{"matrix": i, **_place(layers[0].platform, area.address, network.matrices[i], area)}
                   for i, area in areas_of(layers).items() if network.inputs[i] is not None],
        "outputs": [{"layer": i, "transposed": layers[i].layer.transposed,
                     **_place(layers[i].platform, layers[i].c_base, layers[i].layer.c_shape, layers[i].c.area)}
                    for i in read],
    }
    if model is not None:
        graph = model.graph
        out |= {"model": graph.name, "samples": model.count,
                "model_inputs": [_tensor(graph.tensors[name]) for name in graph.inputs],
                "model_outputs": [_tensor(graph.tensors[name]) for name in graph.outputs],
                "stored_inputs": [{**_tensor(graph.tensors[name]), "matrices": matrices}
                                  for name, matrices in model.stored_inputs.items()],
                "stored_outputs": [{**_tensor(graph.tensors[name]), "layers": own}
                                   for name, own in model.stored_outputs.items()]}
    return out


def _place(p: Platform, address: int, shape: tuple[int, int], area: Area) -> dict:
    return {"address": address, "rows": shape[0], "columns": shape[1], "type": p.array.dtype,
            "panel_rows": area.group, "panel_stride": area.panel_stride, "column_stride": area.lanes,
            "element_bytes": p.array.element_bytes}


def _tensor(tensor) -> dict:
    q = tensor.quantisation
    return {"name": tensor.name, "shape": list(tensor.shape), "type": str(tensor.dtype),
            **({"scale": float(q.scale), "zero_point": q.zero_point} if q is not None else {})}
