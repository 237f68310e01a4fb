"""What LiteRT's reference kernels make of a model: the oracle for graphs from TensorFlow Lite."""

from collections.abc import Mapping, Sequence

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


class LiteRt:
    """A model, ready to run.

    Parameters
    ----------
    model : the bytes of a `.tflite` file.
    reference : on the reference kernels, which do without ELU; else on the optimised ones, without delegates.
    """

    def __init__(self, model: bytes, reference: bool = True):
        kernels = OpResolverType.BUILTIN_REF if reference else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._interpreter = Interpreter(
            model_content=model, experimental_op_resolver_type=kernels,
            experimental_preserve_all_tensors=True, num_threads=1)
        self._interpreter.allocate_tensors()

    def run(self, inputs: Sequence[np.ndarray]) -> Mapping[int, np.ndarray]:
        """The values of all tensors by index, for the inputs in the model's order."""
        for detail, value in zip(self._interpreter.get_input_details(), inputs, strict=True):
            self._interpreter.set_tensor(detail["index"], value)
        self._interpreter.invoke()
        return _Values(self._interpreter)

    def outputs(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The model's outputs."""
        values = self.run(inputs)
        return [values[detail["index"]] for detail in self._interpreter.get_output_details()]


class _Values(Mapping):
    def __init__(self, interpreter: Interpreter):
        self._interpreter = interpreter
        self._indices = [detail["index"] for detail in interpreter.get_tensor_details()]

    def __getitem__(self, index: int) -> np.ndarray:
        return self._interpreter.get_tensor(index)

    def __iter__(self):
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)
