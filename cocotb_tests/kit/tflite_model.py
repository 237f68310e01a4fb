"""TensorFlow Lite models as bytes, made with the schema's own builders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import tflite

_TYPES = {"float32": "FLOAT32", "int8": "INT8", "uint8": "UINT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
          "bool": "BOOL"}


@dataclass(frozen=True)
class T:
    """A tensor of a model; without `data` it is computed."""

    name: str
    shape: Sequence[int]
    dtype: str
    scales: Sequence[float] = ()
    zero_points: Sequence[int] = ()
    axis: int = 0
    data: np.ndarray | None = None
    signature: Sequence[int] = ()


@dataclass(frozen=True)
class Op:
    """An operator: its builtin name, the options' class and fields, indices of its tensors."""

    name: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    custom: str | None = None


def tflite_model(tensors: Sequence[T], operators: Sequence[Op], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """The bytes of a model with one subgraph."""
    b = flatbuffers.Builder(1024)
    buffers = [_buffer(b, None)]  # by convention the first is empty
    made = []
    for tensor in tensors:
        if tensor.data is not None:
            buffers.append(_buffer(b, tensor.data))
        made.append(_tensor(b, tensor, len(buffers) - 1 if tensor.data is not None else 0))
    codes = [_code(b, op) for op in operators]
    ops = [_operator(b, op, i) for i, op in enumerate(operators)]
    parts = (_offsets(b, made, tflite.SubGraphStartTensorsVector), _ints(b, inputs), _ints(b, outputs),
             _offsets(b, ops, tflite.SubGraphStartOperatorsVector))
    tflite.SubGraphStart(b)
    for add, part in zip((tflite.SubGraphAddTensors, tflite.SubGraphAddInputs, tflite.SubGraphAddOutputs,
                          tflite.SubGraphAddOperators), parts, strict=True):
        add(b, part)
    graph = _offsets(b, [tflite.SubGraphEnd(b)], tflite.ModelStartSubgraphsVector)
    codes = _offsets(b, codes, tflite.ModelStartOperatorCodesVector)
    buffers = _offsets(b, buffers, tflite.ModelStartBuffersVector)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, codes)
    tflite.ModelAddSubgraphs(b, graph)
    tflite.ModelAddBuffers(b, buffers)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _offsets(b, items, start) -> int:
    start(b, len(items))
    for item in reversed(items):
        b.PrependUOffsetTRelative(item)
    return b.EndVector()


def _ints(b, values, dtype=np.int32) -> int:
    return b.CreateNumpyVector(np.array(values, dtype))


def _buffer(b, data) -> int:
    vector = None
    if data is not None:
        vector = b.CreateNumpyVector(np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8))
    tflite.BufferStart(b)
    if vector is not None:
        tflite.BufferAddData(b, vector)
    return tflite.BufferEnd(b)


def _tensor(b, tensor: T, buffer: int) -> int:
    name, shape = b.CreateString(tensor.name), _ints(b, tensor.shape)
    signature = _ints(b, tensor.signature) if len(tensor.signature) else None
    quantisation = None
    if len(tensor.scales):
        scales, points = _ints(b, tensor.scales, np.float32), _ints(b, tensor.zero_points, np.int64)
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scales)
        tflite.QuantizationParametersAddZeroPoint(b, points)
        tflite.QuantizationParametersAddQuantizedDimension(b, tensor.axis)
        quantisation = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddName(b, name)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddHasRank(b, True)
    tflite.TensorAddType(b, getattr(tflite.TensorType, _TYPES.get(tensor.dtype, tensor.dtype)))
    tflite.TensorAddBuffer(b, buffer)
    if signature is not None:
        tflite.TensorAddShapeSignature(b, signature)
    if quantisation is not None:
        tflite.TensorAddQuantization(b, quantisation)
    return tflite.TensorEnd(b)


def _code(b, op: Op) -> int:
    number = getattr(tflite.BuiltinOperator, op.name)
    custom = b.CreateString(op.custom) if op.custom else None
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
    tflite.OperatorCodeAddBuiltinCode(b, number)
    tflite.OperatorCodeAddVersion(b, 1)
    if custom is not None:
        tflite.OperatorCodeAddCustomCode(b, custom)
    return tflite.OperatorCodeEnd(b)


def _operator(b, op: Op, code: int) -> int:
    options = None
    if op.options is not None:
        getattr(tflite, f"{op.options}Start")(b)
        for name, value in op.fields.items():
            getattr(tflite, f"{op.options}Add{name}")(b, value)
        options = getattr(tflite, f"{op.options}End")(b)
    inputs, outputs = _ints(b, op.inputs), _ints(b, op.outputs)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, op.options))
        tflite.OperatorAddBuiltinOptions(b, options)
    return tflite.OperatorEnd(b)
