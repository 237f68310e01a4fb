"""Networks in `.npz` files, and their test sets.

All weights and inputs of a network have the type of the platform's `array.dtype`, int8 or int16, here called T.

Format of a network file (`numpy.savez`, no pickles), for layers i = 0 .. L-1:

- `weights_i` T [k, n]; `bias_i` int32 [n]; k of a layer equals n of the layer before
- `multiplier` int64 [L], 0 .. 2^31-1; `shift` int64 [L], 1 .. 62; `zero_point` int64 [L], range of T; `relu` bool [L]
- `metadata`, optional JSON text. Its key `test_set` names a file beside the network with `images` T [count, k] and, for
  a classifier, `labels` int64 [count]. Without a test set the inputs are random, the same in every call.
"""

import json
import zipfile
from pathlib import Path

import numpy as np

from ..errors import InputError
from .loading import open_input, problem
from .network import MULTIPLIER_RANGE, SHIFT_RANGE, Layer, Network, chain
from .platform import MAX_DIMENSION

#: Most bytes that the arrays of a file may have together; no platform has half as much memory.
MAX_BYTES = 2 << 30
#: Formats that people have networks in, by the suffix or the beginning of a file.
_FORMATS = {".onnx": "an ONNX model", ".tflite": "a TensorFlow Lite model", ".pt": "a PyTorch file",
            ".pth": "a PyTorch file", ".h5": "an HDF5 file", ".keras": "a Keras model",
            ".safetensors": "a safetensors file", ".npy": "a single array", ".toml": "a TOML file"}
#: Seed of the inputs of a network without a test set.
_INPUT_SEED = 1


def save_network(path: Path, layers: list[Layer], metadata: dict) -> None:
    """Write a network file; the same content gives the same bytes."""
    arrays = {"metadata": np.array(json.dumps(metadata, sort_keys=True))}
    for i, layer in enumerate(layers):
        arrays[f"weights_{i}"], arrays[f"bias_{i}"] = layer.weights, layer.bias
    for key in ("multiplier", "shift", "zero_point"):
        arrays[key] = np.array([getattr(layer, key) for layer in layers], np.int64)
    arrays["relu"] = np.array([layer.relu for layer in layers], bool)
    np.savez(path, **arrays)


def load_network(path: Path, name: str, batch: int, first: int = 0, dtype: str = "int8") -> Network:
    """Read a network file of `dtype` and the `batch` test images from `first` on, or as many random inputs.

    Raises
    ------
    InputError
        One line for every problem of the file, or for a range of images the test set does not have.
    """
    arrays = read_npz(path)
    problems: list[str] = []

    def array(key: str, dtype, shape: tuple[int | None, ...], low: int | None = None, high: int | None = None):
        """The named array, or None and a problem if it is missing or not as allowed."""
        want = f"{np.dtype(dtype).name} arrays of shape [{', '.join('any' if s is None else str(s) for s in shape)}]"
        if low is not None:
            want += f" with values {low} .. {high}"
        if key not in arrays:
            problems.append(f"{path}: {key} is missing: allowed are {want}")
            return None
        a = arrays[key]
        fits = len(a.shape) == len(shape) and all(s in (None, d) for s, d in zip(shape, a.shape, strict=True))
        if a.dtype != dtype or not fits:
            problems.append(problem(path, key, f"{a.dtype} {list(a.shape)}", want))
            return None
        if low is not None and a.size and (a.min() < low or a.max() > high):
            problems.append(problem(path, key, f"values {a.min()} .. {a.max()}", want))
            return None
        return a

    count = 0
    while f"weights_{count}" in arrays:
        count += 1
    if not count:
        raise InputError(f"{path}: weights_0 is missing: allowed are {dtype} arrays of shape [k, n], one per layer")
    known = {"metadata", "multiplier", "shift", "zero_point", "relu"}
    known |= {f"{key}_{i}" for key in ("weights", "bias") for i in range(count)}
    for key in sorted(set(arrays) - known):
        problems.append(f"{path}: {key}: unknown array: allowed are {', '.join(sorted(known))}")
    multiplier = array("multiplier", np.int64, (count,), *MULTIPLIER_RANGE)
    shift = array("shift", np.int64, (count,), *SHIFT_RANGE)
    zero_point = array("zero_point", np.int64, (count,), np.iinfo(dtype).min, np.iinfo(dtype).max)
    relu = array("relu", bool, (count,))
    weights, biases, k = [], [], None
    for i in range(count):
        w = array(f"weights_{i}", dtype, (k, None))
        if w is not None and not all(1 <= d <= MAX_DIMENSION for d in w.shape):
            problems.append(problem(path, f"weights_{i}", f"{dtype} {list(w.shape)}",
                                    f"dimensions 1 .. {MAX_DIMENSION}"))
        k = None if w is None else w.shape[1]
        weights.append(w)
        biases.append(array(f"bias_{i}", np.int32, (k,)))
    metadata = _metadata(path, arrays, problems)
    if problems:
        raise InputError(*problems)
    images, labels = _inputs(path, metadata, weights[0].shape[0], batch, first, dtype)
    layers = tuple(
        Layer(batch, *weights[i].shape, weights[i], biases[i], int(multiplier[i]), int(shift[i]), int(zero_point[i]),
              bool(relu[i]))
        for i in range(count)
    )
    return chain(name, layers, (images, *[None] * (count - 1)), labels=labels, metadata=metadata)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, however it is damaged.

    Raises
    ------
    InputError
        With what is wrong in one line.
    """
    try:
        file = open_input(path)  # numpy leaves a file it opened itself open when it is malformed
    except OSError as e:
        why = e.strerror or e
        raise InputError(f"{path}: cannot be read ({why}): give the path of an existing .npz file") from None
    with file:
        try:
            _check_size(file)
            file.seek(0)
            data = np.load(file, allow_pickle=False)
            return {key: data[key] for key in data.files}
        except (MemoryError, _TooLargeError) as e:
            raise InputError(f"{path}: its arrays are larger than memory allows ({e}): allowed are {MAX_BYTES >> 30} "
                             "GiB in all") from None
        except Exception as e:  # zipfile, zlib, numpy and tokenize each raise their own on damaged bytes
            kind = _FORMATS.get(Path(path).suffix.lower())
            seems = f"by its name {kind}" if kind else " ".join(str(e).split())[:120] or type(e).__name__
            raise InputError(f"{path}: not a well-formed .npz file ({seems}): networks and test sets are read from "
                             ".npz files; write it with numpy.savez") from None


class _TooLargeError(Exception):
    """The contents that a file announces do not fit in memory."""


def _check_size(file) -> None:
    """Refuse archives whose contents are too large, before anything of them is unpacked."""
    with zipfile.ZipFile(file) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_BYTES:
        raise _TooLargeError(f"{size:,} bytes")


def _metadata(path: Path, arrays: dict[str, np.ndarray], problems: list[str]) -> dict:
    if "metadata" not in arrays:
        return {}
    try:
        metadata = json.loads(str(arrays["metadata"]))
        if isinstance(metadata, dict) and isinstance(metadata.get("test_set", ""), str):
            return metadata
    except (ValueError, RecursionError):
        pass
    problems.append(f"{path}: metadata is malformed: allowed are JSON objects; a key test_set in them is text, the "
                    "name of a file beside the network")
    return {}


def test_set(path: Path) -> Path | None:
    """The test set that a network file names; None if it names none.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    arrays, problems = read_npz(path), []
    metadata = _metadata(path, arrays, problems)
    return Path(path).parent / metadata["test_set"] if "test_set" in metadata else None


def _inputs(path: Path, metadata: dict, k: int, batch: int, first: int,
            dtype: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows first .. first+batch-1 of the test set a network names, with their labels; random ones without a set."""
    if "test_set" not in metadata:
        if first:
            raise InputError(problem(path, "first", first, "0 in a network without a test set"))
        limits = np.iinfo(dtype)
        rng = np.random.default_rng(_INPUT_SEED)
        return rng.integers(limits.min, limits.max, (batch, k), dtype, endpoint=True), None
    file = Path(path).parent / metadata["test_set"]
    arrays = read_npz(file)
    images, labels = arrays.get("images"), arrays.get("labels")
    if images is None or images.dtype != dtype or images.ndim != 2 or images.shape[1] != k:
        shape = None if images is None else f"{images.dtype} {list(images.shape)}"
        raise InputError(problem(file, "images", shape, f"{dtype} arrays of shape [count, {k}], the inputs of {path}"))
    if labels is not None and (labels.dtype != np.int64 or labels.shape != images.shape[:1]):
        raise InputError(problem(file, "labels", f"{labels.dtype} {list(labels.shape)}",
                                 f"int64 arrays of shape [{len(images)}], or none where there are no classes"))
    if first + batch > len(images):
        raise InputError(problem(file, "first + batch", first + batch, f"at most {len(images)}, the images of the set"))
    rows = slice(first, first + batch)
    return images[rows].copy(), None if labels is None else labels[rows].copy()
