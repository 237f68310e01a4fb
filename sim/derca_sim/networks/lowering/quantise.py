"""Float ONNX models quantised by ONNX Runtime's own quantiser."""

import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...file_kinds import expect
from ...model.network_files import read_npz
from .. import operators as op
from ..graph import Graph
from ..onnx import load_onnx
from ..onnx.reading.package import package, short
from .prepare import absorb_normalisations, join_biases, pool_means
from .samples import load_samples

#: Most samples that calibrate.
MAX_SAMPLES = 1000


def quantised(model: Path, samples: Path, made_by: str = "") -> bytes:
    """An `.onnx` model in int8, one scale for each tensor: the bytes of a model with QDQ, its data inside.

    Parameters
    ----------
    model : a float model with one input of type float32.
    samples : an `.npz` file with an array [count, *shape] of that input's name, or a single one of any name. The
        ranges of the tensors are taken from its first `MAX_SAMPLES`.
    made_by : what the model's description says about its origin.

    Raises
    ------
    InputError
        If the package `onnxruntime` is missing, a file cannot be read, or the model cannot be quantised.
    """
    try:
        from onnxruntime import quantization
    except ImportError:
        raise InputError("models are quantised with the package onnxruntime, which is not installed: "
                         "pip install 'derca-hw[networks]'") from None
    graph = _float_graph(model)
    taken = _samples(graph, samples)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger().addFilter(_no_advice)
        try:
            source, target = Path(folder) / "float.onnx", Path(folder) / "quantised.onnx"
            package().save(_prepared(model), source)
            quantization.quantize_static(
                source, target, _reader(quantization, graph.inputs[0], taken),
                quant_format=quantization.QuantFormat.QDQ, activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8)
        except Exception as e:  # of the quantiser, in many classes
            raise InputError(f"{model}: ONNX Runtime cannot quantise it: {short(e)}") from None
        finally:
            logging.getLogger().removeFilter(_no_advice)
        made = package().load(target)
    made.doc_string = made_by
    return made.SerializeToString()


def _float_graph(path: Path) -> Graph:
    """The graph of a model that can be quantised."""
    if Path(path).suffix.lower() != ".onnx":
        raise InputError(f"{path}: allowed are float models whose names end in .onnx: export the model to ONNX, or "
                         "quantise it in its own framework")
    graph = load_onnx(path)
    if any(isinstance(node.operator, op.Quantise | op.Dequantise) for node in graph.nodes) or any(
            t.quantisation is not None for t in graph.tensors.values()):
        raise InputError(f"{path}: it is quantised already: allowed are float models")
    if len(graph.inputs) != 1:
        raise InputError(f"{path}: it has {len(graph.inputs)} inputs: allowed is 1")
    x = graph.tensors[graph.inputs[0]]
    if x.dtype != np.float32:
        raise InputError(f"{path}: its input {x.name} is {x.dtype}: allowed is float32")
    return graph


def _samples(graph: Graph, path: Path) -> np.ndarray:
    """All samples of a file, as [count, *shape] of the model's input."""
    load_samples(graph, path, 0, 1)  # says what does not fit
    expect(path, "samples")
    name, arrays = graph.inputs[0], read_npz(path)
    found = arrays[name if name in arrays else next(iter(arrays))][:MAX_SAMPLES]
    if not np.isfinite(found).all():
        raise InputError(f"{path}: it holds values that are no finite numbers: ranges are taken from finite ones")
    return found.reshape(-1, *graph.tensors[name].shape)


def _prepared(path: Path):
    """The model with its data, in which layers are one operator each where that is possible."""
    model = package().load(path)
    absorb_normalisations(model)
    join_biases(model)
    pool_means(model)
    return model


def _reader(quantization, name: str, samples: np.ndarray):
    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self._left = iter(samples)

        def get_next(self):
            sample = next(self._left, None)
            return None if sample is None else {name: sample}

    return Reader()


def _no_advice(record: logging.LogRecord) -> bool:
    """The quantiser advises preparations that small models do not need."""
    return "pre-processing" not in record.getMessage() and "bad performance" not in record.getMessage()
