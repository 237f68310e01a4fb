"""Float ONNX models quantised by ONNX Runtime's own quantiser."""

import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...model.network_files import read_npz
from .reading.package import short

#: Most samples that calibrate.
MAX_SAMPLES = 1000


def quantised(model: Path, samples: Path) -> bytes:
    """An `.onnx` model in int8, one scale for each tensor: the bytes of a model with QDQ.

    Parameters
    ----------
    model : a float model with one input.
    samples : an `.npz` file with an array [count, *shape] of that input, from which the ranges are taken.

    Raises
    ------
    InputError
        If the package `onnxruntime` is missing, a file cannot be read, or the model cannot be quantised.
    """
    try:
        from onnxruntime import InferenceSession, quantization
    except ImportError:
        raise InputError("models are quantised with the package onnxruntime, which is not installed: "
                         "pip install 'derca-hw[networks]'") from None
    try:
        inputs = InferenceSession(str(model), providers=["CPUExecutionProvider"]).get_inputs()
    except Exception as e:  # of the runtime, in many classes
        raise InputError(f"{model}: ONNX Runtime cannot read it: {short(e)}") from None
    if len(inputs) != 1:
        raise InputError(f"{model}: it has {len(inputs)} inputs: allowed is 1")
    reader = _reader(quantization, inputs[0], _samples(samples, inputs[0]))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger().addFilter(_no_advice)
        try:
            quantization.quantize_static(
                model, Path(folder) / "quantised.onnx", reader, quant_format=quantization.QuantFormat.QDQ,
                activation_type=quantization.QuantType.QInt8, weight_type=quantization.QuantType.QInt8)
        except Exception as e:  # of the quantiser, in many classes
            raise InputError(f"{model}: ONNX Runtime cannot quantise it: {short(e)}") from None
        finally:
            logging.getLogger().removeFilter(_no_advice)
        return (Path(folder) / "quantised.onnx").read_bytes()


def _samples(path: Path, wanted) -> np.ndarray:
    """float32 [count, *shape] for an input of the runtime."""
    arrays = read_npz(path)
    name = wanted.name if wanted.name in arrays or len(arrays) != 1 else next(iter(arrays))
    found = arrays.get(name)
    shape = tuple(d if isinstance(d, int) else 1 for d in wanted.shape)
    if found is None or found.dtype != np.float32 or found.shape[1:] not in (shape, shape[1:]) or not len(found):
        has = "missing" if found is None else f"{found.dtype} {list(found.shape)}"
        raise InputError(f"{path}: {name} is {has}: allowed are float32 arrays of shape [count, "
                         f"{', '.join(map(str, shape[1:]))}], the input {wanted.name} of the model")
    return found[:MAX_SAMPLES].reshape(-1, *shape)


def _reader(quantization, wanted, samples: np.ndarray):
    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self._left = iter(samples)

        def get_next(self):
            sample = next(self._left, None)
            return None if sample is None else {wanted.name: sample}

    return Reader()


def _no_advice(record: logging.LogRecord) -> bool:
    """The quantiser advises preparations that small models do not need."""
    return "pre-processing" not in record.getMessage() and "bad performance" not in record.getMessage()
