"""The contents of an `.onnx` file: tensors with their shapes and data, nodes with their attributes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ...graph import Tensor
from .batch import one_sample
from .package import package, short

#: Oldest version of the operator set that is read, and the oldest one that the package converts to it.
LEAST_OPSET, CONVERTED_FROM = 13, 7


class MalformedError(Exception):
    """What is wrong with a file, in words, and what would help."""


@dataclass(frozen=True)
class Call:
    """A node of the file: its operator, the names of its tensors (None: absent) and its attributes."""

    index: int
    name: str
    domain: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str | None, ...]
    attributes: dict = field(default_factory=dict)

    @property
    def operator(self) -> str:
        """Its operator, with the domain where that is not ONNX's own."""
        return f"{self.domain}.{self.name}" if self.domain else self.name

    @property
    def label(self) -> str:
        """The name of the graph's node."""
        return f"{self.index} {self.name}"


class File:
    """A model whose shapes are inferred.

    Parameters
    ----------
    data : the bytes of the file.
    folder : where the files of external data lie.

    Raises
    ------
    MalformedError
        If these are no model, or one that is older than `CONVERTED_FROM`, dynamic, or contradicts itself.
    """

    def __init__(self, data: bytes, folder: Path):
        onnx = package()
        try:
            model = onnx.load_model_from_string(data)
        except Exception as e:  # DecodeError of a package that is not ours
            raise MalformedError(f"its bytes are no ONNX model ({short(e)}): it may be cut off or damaged") from None
        if not model.HasField("graph") or not model.opset_import:
            raise MalformedError("it has no graph or names no operator set: it may be cut off, or another kind of file")
        self.opset = self._check_opset(model)
        if self.opset < LEAST_OPSET:
            model, self.opset = self._converted(model), LEAST_OPSET
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        self._load_external(model, folder)
        self._given = {tensor.name for tensor in model.graph.initializer}
        if model.graph.sparse_initializer:
            raise MalformedError("it stores weights sparsely: export the model with dense weights")
        one_sample(model.graph, self._given)
        self._check_inputs(model.graph)
        self._check_order(model.graph)
        try:
            self._graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
        except onnx.shape_inference.InferenceError as e:
            raise MalformedError(f"its shapes contradict each other ({short(e)}): "
                                 "export it anew; onnx.checker.check_model(path, full_check=True) tells more") from None

    @staticmethod
    def _check_opset(model) -> int:
        versions = {entry.domain: entry.version for entry in model.opset_import}
        version, newest = versions.get("", versions.get("ai.onnx", 0)), package().defs.onnx_opset_version()
        if version < CONVERTED_FROM:
            raise MalformedError(f"it uses operator set {version}: allowed are those from {LEAST_OPSET} on, and from "
                                 f"{CONVERTED_FROM} on those that can be converted; export it anew")
        if version > newest:
            raise MalformedError(f"it uses operator set {version}, but the installed package onnx knows those up to "
                                 f"{newest}: pip install --upgrade onnx, or export it with an older set")
        return version

    def _converted(self, model):
        """The model in operator set `LEAST_OPSET`."""
        try:
            return package().version_converter.convert_version(model, LEAST_OPSET)
        except Exception as e:  # ConvertError and RuntimeError of the package
            raise MalformedError(f"it uses operator set {self.opset}, and onnx cannot convert it to {LEAST_OPSET} "
                                 f"({short(e)}): export it anew") from None

    @staticmethod
    def _load_external(model, folder: Path) -> None:
        try:
            package().external_data_helper.load_external_data_for_model(model, str(folder))
        except Exception as e:  # OSError, ValidationError and others of the package
            raise MalformedError(f"the file with its external data cannot be read ({short(e)}): put it beside the "
                                 "model, or save the model with its data inside") from None

    def _check_inputs(self, graph) -> None:
        for value in graph.input:
            if value.name in self._given:
                continue
            if not value.type.HasField("tensor_type"):
                raise MalformedError(f"input {value.name} is a {value.type.WhichOneof('value')}: allowed are tensors")
            kind = value.type.tensor_type
            if not kind.HasField("shape"):
                raise MalformedError(f"input {value.name} has no shape: export the model with fixed shapes")
            for i, dimension in enumerate(kind.shape.dim):
                if not dimension.HasField("dim_value") or dimension.dim_value < 0:
                    named, fix = (f" ({dimension.dim_param})", f"--dim_param {dimension.dim_param} --dim_value 1") \
                        if dimension.dim_param else ("", f"--input_name {value.name} --input_shape ...")
                    raise MalformedError(
                        f"input {value.name}: dimension {i}{named} is dynamic: fix it, as with python -m "
                        f"onnxruntime.tools.make_dynamic_shape_fixed {fix}")
                if dimension.dim_value == 0:
                    raise MalformedError(f"input {value.name}: dimension {i} is 0: every dimension is at least 1")

    def _check_order(self, graph) -> None:
        """Every tensor has one maker, which stands before the nodes that read it."""
        known = self._given | {value.name for value in graph.input}
        makers = {name: f"{i} {node.op_type}" for i, node in reversed(list(enumerate(graph.node)))
                  for name in node.output}
        for i, node in enumerate(graph.node):
            label = f"{i} {node.op_type}"
            for name in filter(None, node.input):
                if name not in known:
                    if name not in makers:
                        raise MalformedError(f"tensor {name}, an input of node {label}, is made by no node")
                    raise MalformedError(f"tensor {name}, an input of node {label}, is made by node {makers[name]}, "
                                         "which does not stand before it: nodes stand in order, without cycles")
            for name in filter(None, node.output):
                if name in known:
                    raise MalformedError(f"tensor {name} is made by node {label}, but there is one of this name "
                                         "already: a tensor has one maker")
                known.add(name)
        for value in graph.output:
            if value.name not in known:
                raise MalformedError(f"its output {value.name} is made by no node")

    @cached_property
    def constants(self) -> dict[str, Tensor]:
        """The tensors that the file stores."""
        return {proto.name: constant(proto.name, proto) for proto in self._graph.initializer}

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs, without those that the file stores."""
        return tuple(self.declared[value.name] for value in self._graph.input if value.name not in self._given)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(value.name for value in self._graph.output)

    @cached_property
    def declared(self) -> dict[str, Tensor]:
        """Tensors whose shape and type are declared or inferred, by name."""
        found = {}
        for value in (*self._graph.value_info, *self._graph.output, *self._graph.input):
            kind = value.type.tensor_type
            if value.type.HasField("tensor_type") and kind.HasField("shape") and all(
                    d.HasField("dim_value") for d in kind.shape.dim):
                dtype = _dtype(value.name, kind.elem_type)
                found[value.name] = Tensor(value.name, tuple(int(d.dim_value) for d in kind.shape.dim), dtype)
        return found

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """All nodes in order."""
        return tuple(self._call(i, node) for i, node in enumerate(self._graph.node))

    @staticmethod
    def _call(index: int, node) -> Call:
        domain = "" if node.domain == "ai.onnx" else node.domain
        attributes = {}
        for attribute in node.attribute:
            value = package().helper.get_attribute_value(attribute)
            attributes[attribute.name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        return Call(index, node.op_type, domain, _names(node.input), _names(node.output), attributes)


def constant(name: str, proto) -> Tensor:
    """A stored tensor with its data.

    Raises
    ------
    MalformedError
        If its data does not have its shape.
    """
    dtype = _dtype(name, proto.data_type)
    try:
        data = np.asarray(package().numpy_helper.to_array(proto))
    except Exception as e:  # what reading damaged data raises
        raise MalformedError(f"the data of tensor {name} ({dtype} {list(proto.dims)}) cannot be read: "
                             f"{short(e)}") from None
    return Tensor(name, tuple(data.shape), data.dtype, None, data)


def _dtype(name: str, code: int) -> np.dtype:
    try:
        return package().helper.tensor_dtype_to_np_dtype(code)
    except KeyError:
        raise MalformedError(f"tensor {name} has type {code}, which ONNX does not define") from None


def _names(names: Sequence[str]) -> tuple[str | None, ...]:
    return tuple(name or None for name in names)
