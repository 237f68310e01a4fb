"""Where the inputs and outputs of a compiled task set lie in memory, for hosts in any language."""

from ..compile import Compiled
from ..compile.layers import LayerPlan

#: Where an element lies.
RULE = ("element [row, column] lies at address + (row // panel_rows) * panel_stride + column * column_stride + "
        "(row % panel_rows) * element_bytes")


def tensors(compiled: Compiled) -> dict:
    """For each task its inputs (those of layers that take no other layer's output) and the output of its last layer.

    A task of a trained model also has the model's input and output by name, with shape, type and quantisation, and the
    rows of the first layer that make one sample.
    """
    return {"rule": RULE, "tasks": [_task(task.name, task.layers, task.network) for task in compiled.tasks]}


def _task(name: str, layers: tuple[LayerPlan, ...], network) -> dict:
    out = {
        "task": name, "network": network.name,
        "inputs": [_place(plan, plan.a_base, plan.layer.m, plan.layer.k, plan.a_panel_stride)
                   for plan in layers if not plan.layer.chained],
        "output": _place(layers[-1], layers[-1].c_base, *layers[-1].layer.stored, layers[-1].c_panel_stride),
    }
    if network.model is not None:
        model = network.model
        out |= {"model": model.graph.name, "rows_of_a_sample": model.rows,
                "model_input": _tensor(model.graph.tensors[model.graph.inputs[0]]),
                "model_output": _tensor(model.graph.tensors[model.graph.outputs[0]]),
                "stored_input": _tensor(model.first), "stored_output": _tensor(model.last)}
    return out


def _place(plan: LayerPlan, address: int, rows: int, columns: int, stride: int) -> dict:
    p = plan.platform
    return {"layer": plan.index, "address": address, "rows": rows, "columns": columns, "type": p.array.dtype,
            "panel_rows": p.array.rows, "panel_stride": stride, "column_stride": p.a_lanes,
            "element_bytes": p.array.element_bytes}


def _tensor(tensor) -> dict:
    q = tensor.quantisation
    return {"name": tensor.name, "shape": list(tensor.shape), "type": str(tensor.dtype),
            **({"scale": float(q.scale), "zero_point": q.zero_point} if q is not None else {})}
