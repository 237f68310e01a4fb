"""The front end for TensorFlow Lite: a `.tflite` file as a graph."""

from .load import graph_of, load_tflite

__all__ = ["graph_of", "load_tflite"]
