"""The package `onnx`, which is optional."""

from functools import cache

from ....errors import InputError


@cache
def package():
    """The package.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        import onnx
        import onnx.external_data_helper
        import onnx.inliner
        import onnx.shape_inference
    except ImportError:
        raise InputError("ONNX models are read with the package onnx, which is not installed: "
                         "pip install 'derca-hw[networks]'") from None
    return onnx


def short(error: Exception) -> str:
    """What an exception of the package says, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
