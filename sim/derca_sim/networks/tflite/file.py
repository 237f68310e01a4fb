"""The contents of a `.tflite` file: tensors with their data, operators with their options."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..graph import Quantisation, Tensor
from .schema import schema


class MalformedError(Exception):
    """What is wrong with a file, in words."""


@dataclass(frozen=True)
class Call:
    """An operator of the file: its name in the schema, the indices of its tensors (-1: absent), and its options."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: object | None


class File:
    """The only subgraph of a model.

    Parameters
    ----------
    data : the bytes of the file.

    Raises
    ------
    MalformedError
        If these are no model, or one whose parts are missing or contradict each other.
    """

    def __init__(self, data: bytes):
        self._data = data
        if data[4:8] != b"TFL3":
            raise MalformedError("its bytes 4 to 7 are not TFL3, as those of every TensorFlow Lite model are")
        self._model = schema().Model.GetRootAs(data, 0)
        if self._model.SubgraphsLength() != 1:
            raise MalformedError(f"it has {self._model.SubgraphsLength()} subgraphs: allowed is 1, without control "
                                 "flow and signatures of several functions")
        self._graph = self._model.Subgraphs(0)
        for what, count in (("tensors", self._graph.TensorsLength()), ("operators", self._graph.OperatorsLength())):
            if count > len(data) // 4:  # each takes an offset
                raise MalformedError(f"{len(data):,} bytes cannot hold {count:,} {what}")

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors by index; names that occur twice, or are empty, get their index."""
        names: set[str] = set()
        out = []
        for i in range(self._graph.TensorsLength()):
            tensor = self._tensor(i, self._graph.Tensors(i))
            name = tensor.name if tensor.name and tensor.name not in names else f"{tensor.name or 'tensor'}:{i}"
            names.add(name)
            out.append(Tensor(name, tensor.shape, tensor.dtype, tensor.quantisation, tensor.data))
        return tuple(out)

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """All operators in order."""
        return tuple(self._call(i, self._graph.Operators(i)) for i in range(self._graph.OperatorsLength()))

    @property
    def inputs(self) -> tuple[int, ...]:
        """Indices of the inputs."""
        return self._indices(self._graph.InputsAsNumpy(), self._graph.InputsLength(), "the inputs of the model")

    @property
    def outputs(self) -> tuple[int, ...]:
        """Indices of the outputs."""
        return self._indices(self._graph.OutputsAsNumpy(), self._graph.OutputsLength(), "the outputs of the model")

    def _indices(self, values, count: int, whose: str, least: int = 0) -> tuple[int, ...]:
        indices = tuple(int(i) for i in values) if count else ()
        if any(not least <= i < self._graph.TensorsLength() for i in indices):
            raise MalformedError(f"{whose} are tensors {list(indices)} of {self._graph.TensorsLength()}")
        return indices

    def _call(self, index: int, operator) -> Call:
        codes = self._model.OperatorCodesLength()
        if not 0 <= operator.OpcodeIndex() < codes:
            raise MalformedError(f"operator {index} has code {operator.OpcodeIndex()} of {codes}")
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # the second holds those below 127
        name = schema().OPERATORS.get(builtin, f"BUILTIN_{builtin}")
        if name == "CUSTOM":
            name = f"CUSTOM {(code.CustomCode() or b'').decode('utf-8', 'replace')}".rstrip()
        whose = f"operator {index} ({name}): its"
        return Call(
            index, name, self._indices(operator.InputsAsNumpy(), operator.InputsLength(), f"{whose} inputs", -1),
            self._indices(operator.OutputsAsNumpy(), operator.OutputsLength(), f"{whose} outputs"),
            self._options(operator),
        )

    @staticmethod
    def _options(operator):
        """The options in their class; None if there are none, or some that the schema here does not know."""
        for table, kind, names in (
            (operator.BuiltinOptions(), operator.BuiltinOptionsType(), schema().OPTIONS),
            (operator.BuiltinOptions2(), operator.BuiltinOptions2Type(), schema().OPTIONS2),
        ):
            cls = getattr(schema(), names.get(kind, ""), None)
            if table is not None and cls is not None:
                options = cls()
                options.Init(table.Bytes, table.Pos)
                return options
        return None

    def _tensor(self, index: int, tensor) -> Tensor:
        name = (tensor.Name() or b"").decode("utf-8", "replace")
        what = f"tensor {index} ({name})"
        dtype = schema().TYPES.get(tensor.Type())
        if dtype is None:
            raise MalformedError(f"{what} has type {schema().TYPE_NAMES.get(tensor.Type(), tensor.Type())}: allowed "
                                 f"are {', '.join(sorted({t.name for t in schema().TYPES.values()}))}")
        dynamic = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else ()
        shape = tuple(int(d) for d in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
        if any(d < 0 for d in dynamic) and not all(d >= 1 for d in shape) or any(d < 0 for d in shape):
            raise MalformedError(f"{what} has the dynamic shape {[int(d) for d in dynamic] or list(shape)}: convert "
                                 "the model with fixed shapes")
        if any(d == 0 for d in shape):
            raise MalformedError(f"{what} has shape {list(shape)}: every dimension is at least 1")
        if tensor.Sparsity() is not None:
            raise MalformedError(f"{what} is stored sparsely: convert the model with dense weights")
        return Tensor(name, shape, dtype, self._quantisation(what, tensor.Quantization(), shape),
                      self._values(what, tensor, shape, dtype))

    def _values(self, what: str, tensor, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
        if not 0 <= tensor.Buffer() < self._model.BuffersLength():
            raise MalformedError(f"{what} has buffer {tensor.Buffer()} of {self._model.BuffersLength()}")
        buffer = self._model.Buffers(tensor.Buffer())
        if buffer.DataLength():
            data = buffer.DataAsNumpy().tobytes()
        elif buffer.Offset() > 1:  # of a model beyond 2 GB
            data = self._data[buffer.Offset() : buffer.Offset() + buffer.Size()]
        else:
            return None
        wanted = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if len(data) != wanted:
            raise MalformedError(f"{what} has {len(data):,} bytes of data, but {dtype} {list(shape)} takes {wanted:,}")
        return np.frombuffer(data, dtype).reshape(shape)

    @staticmethod
    def _quantisation(what: str, found, shape: tuple[int, ...]) -> Quantisation | None:
        if found is None or not found.ScaleLength():
            return None
        scales, axis = found.ScaleAsNumpy().astype(np.float32), found.QuantizedDimension()
        points = (found.ZeroPointAsNumpy().astype(np.int64) if found.ZeroPointLength()
                  else np.zeros(len(scales), np.int64))
        if len(points) == 1:
            points = points.repeat(len(scales))
        fits = len(scales) == 1 or 0 <= axis < len(shape) and shape[axis] == len(scales)
        if not fits or len(points) != len(scales):
            raise MalformedError(f"{what} has {len(scales)} scales and {len(points)} zero points along dimension "
                                 f"{axis} of {list(shape)}: allowed are 1 or as many as that dimension has elements")
        if not (np.isfinite(scales).all() and (scales > 0).all()):
            raise MalformedError(f"{what} has a scale of {scales[~(scales > 0) | ~np.isfinite(scales)][0]}: scales are "
                                 "finite and above 0")
        return Quantisation(scales, points, axis if len(scales) > 1 else 0)
