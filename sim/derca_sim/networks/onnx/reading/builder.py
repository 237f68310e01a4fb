"""A graph while it grows, node of the file by node of the file."""

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ... import operators as op
from ...graph import Arithmetic, Graph, Node, Quantisation, Tensor
from ...passes.fold import folded
from ...passes.moving import MOVING, moved, same
from ...shapes import result_shapes
from .file import Call, File, MalformedError


class UnsupportedError(Exception):
    """Why an operator cannot be taken over, and what would help."""


class Builder:
    """Tensors and nodes so far, and which tensor each name of the file means."""

    def __init__(self, file: File):
        self._file = file
        self.tensors: dict[str, Tensor] = {t.name: t for t in (*file.constants.values(), *file.inputs)}
        self._meant: dict[str, str] = {name: name for name in self.tensors}
        self._nodes: list[Node] = []
        self._names = {name for call in file.calls for name in (*call.inputs, *call.outputs) if name}
        self._names |= set(self.tensors)
        self._label = ""
        self._new: list[Node] = []

    def tensor(self, name: str | None) -> Tensor | None:
        """What a name of the file means; None for an input that is absent."""
        return None if name is None else self.tensors[self._meant[name]]

    def source(self, tensor: Tensor) -> Tensor | None:
        """The constant that a tensor is, or whose real values it holds; None if it is computed."""
        if tensor.constant:
            return tensor
        maker = next((n for n in reversed((*self._nodes, *self._new)) if tensor.name in n.outputs), None)
        found = maker is not None and isinstance(maker.operator, op.Dequantise) and self.tensors[maker.inputs[0]]
        return found if found and found.constant else None

    def begin(self, call: Call) -> None:
        """Start with a node of the file."""
        self._label, self._new = call.label, []

    def constant(self, data: np.ndarray) -> Tensor:
        """A new constant."""
        data = np.asarray(data)
        return self._add(Tensor(self._fresh("constant"), data.shape, data.dtype, None, data))

    def emit(self, operator: op.Operator, inputs: Sequence[Tensor | None], shape: Sequence[int] = (),
             like: Tensor | None = None) -> Tensor:
        """The result of a new node, computed at once if it is constant.

        Parameters
        ----------
        shape : of the result, if that is a reshape.
        like : gives the type and quantisation of the result; by default, the first input does.
        """
        made, = self.emit_parts(operator, inputs, [shape], like)
        return made

    def emit_parts(self, operator: op.Operator, inputs: Sequence[Tensor | None], shapes: Sequence[Sequence[int]],
                   like: Tensor | None = None) -> list[Tensor]:
        """The results of a new node with as many outputs as there are shapes; see `emit`.

        Raises
        ------
        ShapeError, UnsupportedError
            If the operator has no result for these inputs.
        """
        given = [None if t is None else t.shape for t in inputs]
        found = result_shapes(operator, given, [tuple(s) for s in shapes])
        if any(0 in s for s in found) and not all(t is None or t.constant for t in inputs):
            raise UnsupportedError(f"its result has shape {list(found[0])}: every dimension is at least 1")
        dtype = (like or inputs[0]).dtype
        quantisation = like.quantisation if like is not None else self._carried(operator, inputs)
        made = [Tensor(self._fresh(operator.kind), s, dtype, quantisation) for s in found]
        node = Node(self._label if not self._new else f"{self._label}:{len(self._new)}", operator,
                    tuple(None if t is None else t.name for t in inputs), tuple(t.name for t in made))
        values = folded(node, ChainMap({t.name: t for t in made}, self.tensors), Arithmetic.ONNX)
        if values is not None:
            return [self._add(replace(t, data=values[t.name])) for t in made]
        self._new.append(node)
        return [self._add(t) for t in made]

    @staticmethod
    def _carried(operator: op.Operator, inputs: Sequence[Tensor | None]) -> Quantisation | None:
        if all(t is None or t.quantisation is None for t in inputs) or isinstance(operator, op.Dequantise):
            return None
        if not isinstance(operator, MOVING):
            raise UnsupportedError("it computes with the stored values of quantised tensors: dequantise them first")
        if any(t.quantisation is None or not same(t.quantisation, inputs[0].quantisation) for t in inputs):
            raise UnsupportedError("it joins tensors of different scales: quantise them alike first")
        quantisation = moved(operator, inputs[0].quantisation)
        if quantisation is None:
            raise UnsupportedError("it moves elements of a tensor that has a scale for each slice")
        return quantisation

    def settle(self, tensor: Tensor, quantisation: Quantisation) -> Tensor:
        """The tensor with the quantisation that a node of the file reads it with.

        Raises
        ------
        UnsupportedError
            If it has another one.
        """
        if tensor.quantisation is not None:
            if same(tensor.quantisation, quantisation):
                return tensor
            if not tensor.constant:
                raise UnsupportedError(f"it reads tensor {tensor.name} with another scale or zero point than that is "
                                       "stored with: quantise it anew")
            return self._add(replace(tensor, name=self._fresh(tensor.name), quantisation=quantisation))
        nodes = (*self._nodes, *self._new)
        maker = next((n for n in nodes if tensor.name in n.outputs), None)
        around = [n for n in nodes if tensor.name in n.inputs] if not tensor.constant else []
        for node in (*around, *([maker] if maker is not None else [])):
            plain = isinstance(node.operator, op.Pad) and (quantisation.zero_points != 0).any()
            if plain or not isinstance(node.operator, (*MOVING, op.Unknown)):
                raise UnsupportedError(f"it gives tensor {tensor.name} a scale, but {node.name} computes with its "
                                       "stored values")
        settled = self._add(replace(tensor, quantisation=quantisation))
        if maker is not None and not isinstance(maker.operator, op.Unknown):
            if not quantisation.per_tensor:
                raise UnsupportedError(f"it gives tensor {tensor.name}, whose elements were moved, a scale for each "
                                       "slice")
            for name in (*maker.inputs, *maker.outputs):
                self.settle(self.tensors[name], quantisation)
        return settled

    def end(self, call: Call, results: Sequence[Tensor]) -> None:
        """Finish a node of the file, whose outputs are `results`, one by one.

        Raises
        ------
        UnsupportedError
            If an output is declared otherwise.
        """
        results = list(results)
        if any(name is not None for name in call.outputs[len(results):]):
            raise UnsupportedError(f"its output {len(results)} is used: allowed is the first {len(results)}")
        for i, name in enumerate(call.outputs[: len(results)]):
            declared = self._file.declared.get(name)
            if declared is not None and (declared.shape, declared.dtype) != (results[i].shape, results[i].dtype):
                raise UnsupportedError(
                    f"it makes {results[i].dtype} {list(results[i].shape)}, but its output is declared "
                    f"{declared.dtype} {list(declared.shape)}")
            fresh = any(results[i].name in node.outputs for node in self._new)
            if name in self._file.outputs and not fresh and not results[i].constant:
                results[i] = self.emit(op.Reshape(), [results[i]], results[i].shape)
        renamed = {}
        for name, result in zip(call.outputs, results, strict=False):
            if name is None:
                continue
            if any(result.name in node.outputs for node in self._new) or name in self._file.outputs:
                renamed[result.name] = name
                self._add(replace(self.tensors[result.name], name=name))
            self._meant[name] = renamed.get(result.name, result.name)
        self._nodes += [replace(node, inputs=tuple(renamed.get(n, n) for n in node.inputs),
                                outputs=tuple(renamed.get(n, n) for n in node.outputs)) for node in self._new]
        self._new = []

    def unknown(self, call: Call, reason: str) -> None:
        """Finish a node of the file that cannot be taken over.

        Raises
        ------
        MalformedError
            If the shape of a result is unknown.
        """
        made = [name for name in call.outputs if name is not None]
        for name in made:
            if name not in self._file.declared:
                raise MalformedError(f"node {call.index} ({call.operator}) cannot be taken over ({reason}), and the "
                                     f"shape of its output {name} is unknown: declare it in the model's value_info")
            self._add(self._file.declared[name])
            self._meant[name] = name
        self._nodes.append(Node(call.label, op.Unknown(call.operator, reason), tuple(
            None if n is None else self._meant[n] for n in call.inputs), tuple(made)))
        self._new = []

    def graph(self, name: str) -> Graph:
        """The graph of all nodes."""
        outputs = self._file.outputs
        for output in outputs:
            if self._meant[output] != output:
                self.tensors[output] = replace(self.tensors[self._meant[output]], name=output)
        return Graph(name, self.tensors, tuple(self._nodes), tuple(t.name for t in self._file.inputs), outputs,
                     Arithmetic.ONNX)

    def _fresh(self, kind: str) -> str:
        count, name = 0, f"{self._label}:{kind}"
        while name in self._names:
            count += 1
            name = f"{self._label}:{kind}{count}"
        self._names.add(name)
        return name

    def _add(self, tensor: Tensor) -> Tensor:
        self.tensors[tensor.name] = tensor
        return tensor
