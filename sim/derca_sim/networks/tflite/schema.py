"""The schema of TensorFlow Lite, from the package `tflite`, which is optional."""

from functools import cache

import numpy as np

from ...errors import InputError


@cache
def schema():
    """The package with tables by number: `OPERATORS`, `OPTIONS`, `OPTIONS2`, `TYPE_NAMES` names, `TYPES` NumPy types.

    Raises
    ------
    InputError
        If the package is not installed.
    """
    try:
        import tflite
    except ImportError:
        raise InputError("TensorFlow Lite models are read with the package tflite, which is not installed: "
                         "pip install 'derca-hw[networks]'") from None

    def names(enum) -> dict[int, str]:
        return {value: name for name, value in vars(enum).items() if isinstance(value, int)}

    tflite.OPERATORS, tflite.TYPE_NAMES = names(tflite.BuiltinOperator), names(tflite.TensorType)
    tflite.OPTIONS, tflite.OPTIONS2 = names(tflite.BuiltinOptions), names(tflite.BuiltinOptions2)
    kinds = {"FLOAT32": np.float32, "INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "INT32": np.int32,
             "INT64": np.int64, "BOOL": np.bool_}
    tflite.TYPES = {value: np.dtype(kinds[name]) for value, name in tflite.TYPE_NAMES.items() if name in kinds}
    return tflite
