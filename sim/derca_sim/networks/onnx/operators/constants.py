"""Operators whose results are known when a model is read, and those that only hand on."""

from collections.abc import Sequence

import numpy as np

from ...graph import Tensor
from ..reading.builder import UnsupportedError
from ..reading.file import constant
from ..reading.package import package
from .found import Found


def _constant(found: Found) -> Tensor:
    attributes = found.call.attributes
    if "value" in attributes:
        return found.builder.constant(constant(found.call.label, attributes["value"]).data)
    for name, dtype in (("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64),
                        ("value_ints", np.int64)):
        if name in attributes:
            return found.builder.constant(np.array(attributes[name], dtype))
    raise UnsupportedError(f"its attributes are {', '.join(attributes) or 'none'}: allowed are numbers")


def _constant_of_shape(found: Found) -> Tensor:
    """The value is stored once, however large the result is."""
    shape = found.numbers(0, "dimensions")
    value = found.call.attributes.get("value")
    one = np.zeros(1, np.float32) if value is None else constant(found.call.label, value).data
    if min(shape, default=1) < 0 or one.size != 1:
        raise UnsupportedError(f"shape {list(shape)} of {one.size} values: allowed are numbers from 0 on and one value")
    return found.builder.constant(np.broadcast_to(one.reshape(()), shape))


def _shape(found: Found) -> Tensor:
    shape = found.needed(0).shape
    part = shape[found.attribute("start", 0) : found.attribute("end", len(shape))]
    return found.builder.constant(np.array(part, np.int64))


def _cast(found: Found) -> Tensor:
    x, code = found.needed(0), found.attribute("to", kind=int)
    dtype = package().helper.tensor_dtype_to_np_dtype(code)
    if dtype == x.dtype:
        return x
    if dtype.kind not in "fiub":
        raise UnsupportedError(f"it makes {dtype}: allowed are NumPy's numbers")
    with np.errstate(all="ignore"):
        return found.builder.constant(found.data(0, "inputs").astype(dtype))


def _div(found: Found) -> Tensor:
    a, b = found.data(0, "inputs"), found.data(1, "inputs")
    if a.dtype != b.dtype or (a.dtype.kind != "f" and not b.all()):
        raise UnsupportedError("it divides by 0, or numbers of two types")
    with np.errstate(all="ignore"):
        whole = np.trunc(a.astype(np.float64) / b).astype(a.dtype)
        return found.builder.constant(a / b if a.dtype.kind == "f" else whole)


def _identity(found: Found) -> Tensor:
    return found.needed(0)


def _dropout(found: Found) -> Sequence[Tensor]:
    """Nothing, in inference; its mask keeps everything."""
    if found.given(2) and found.data(2, "training modes").any():
        raise UnsupportedError("training_mode 1: export the model for inference")
    x = found.needed(0)
    mask = len(found.call.outputs) > 1 and found.call.outputs[1] is not None
    return (x, found.builder.constant(np.ones(x.shape, np.bool_))) if mask else (x,)


RULES = {"Constant": _constant, "ConstantOfShape": _constant_of_shape, "Shape": _shape, "Cast": _cast, "Div": _div,
         "Identity": _identity, "Dropout": _dropout}
