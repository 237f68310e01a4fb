"""The front end for ONNX: an `.onnx` file as a graph."""

from .load import graph_of, load_onnx, simplified

__all__ = ["graph_of", "load_onnx", "simplified"]
