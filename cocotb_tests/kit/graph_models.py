"""TensorFlow Lite models whose operators form a graph: products, slices, joins, transposes, attention."""

import numpy as np

from kit.tflite_model import Op, T, tflite_model

#: Scale of tensors unless a product of two of them makes another.
SCALE = 0.05


class Net:
    """A model that grows operator by operator; tensors are numbered, and methods return numbers.

    Outputs of products spread over the range of int8; zero points are 0 unless given.
    """

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.tensors: list[T] = []
        self._operators: list[Op] = []

    def model(self, inputs, outputs) -> bytes:
        """The bytes of the model."""
        return tflite_model(self.tensors, self._operators, inputs, outputs)

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self.tensors[tensor].shape)

    def tensor(self, *shape, scale: float = SCALE, point: int = 0, dtype: str = "int8") -> int:
        scales, points = ([scale], [point]) if scale else ([], [])
        self.tensors.append(T(f"t{len(self.tensors)}", shape, dtype, scales, points))
        return len(self.tensors) - 1

    def _constant(self, values, dtype: str = "int32", scales=()) -> int:
        data = np.array(values, dtype)
        self.tensors.append(T(f"t{len(self.tensors)}", data.shape, dtype, scales, [0] * len(scales), 0, data))
        return len(self.tensors) - 1

    def _like(self, x: int, shape) -> int:
        return self.tensor(*shape, scale=self.tensors[x].scales[0], point=self.tensors[x].zero_points[0])

    def _add(self, name: str, inputs, outputs, options: str | None = None, **fields):
        self._operators.append(Op(name, inputs, outputs, options, fields))
        return outputs[0] if len(outputs) == 1 else outputs

    def fc(self, x: int, n: int, point: int = 0, activation: int = 0, out: float = SCALE) -> int:
        """Fully connected, over the last dimension, with a result of scale `out`."""
        *lead, k = self.shape(x)
        scale = out / SCALE * 50 / (74 * 74 * np.sqrt(k)) * SCALE / self.tensors[x].scales[0]
        w = self._constant(self.rng.integers(-127, 128, (n, k)), "int8", [scale])
        b = self._constant(self.rng.integers(-3000, 3000, n), "int32", [scale * self.tensors[x].scales[0]])
        y = self.tensor(*lead, n, scale=out, point=point)
        return self._add("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions",
                         FusedActivationFunction=activation, KeepNumDims=True)

    def matmul(self, a: int, b: int, adj_x: bool = False, adj_y: bool = False) -> int:
        """The product of two computed tensors."""
        left, right = self.shape(a), self.shape(b)
        m, k = left[-2:][:: -1 if adj_x else 1]
        scale = self.tensors[a].scales[0] * self.tensors[b].scales[0] * 50 * np.sqrt(k)
        y = self.tensor(*left[:-2], m, right[-2 if adj_y else -1], scale=scale)
        return self._add("BATCH_MATMUL", [a, b], [y], "BatchMatMulOptions", AdjX=adj_x, AdjY=adj_y)

    def add(self, a: int, b: int, scale: float = SCALE, point: int = 0, activation: int = 0) -> int:
        """The sum of two computed tensors."""
        y = self.tensor(*self.shape(a), scale=scale, point=point)
        return self._add("ADD", [a, b], [y], "AddOptions", FusedActivationFunction=activation)

    def average(self, x: int, activation: int = 0) -> int:
        """The average over the whole of images [n, h, w, c]."""
        n, h, w, c = self.shape(x)
        return self._add("AVERAGE_POOL_2D", [x], [self._like(x, (n, 1, 1, c))], "Pool2DOptions", FilterHeight=h,
                         FilterWidth=w, StrideH=h, StrideW=w, Padding=1, FusedActivationFunction=activation)

    def mean(self, x: int, *axes, keep: bool = False, scale: float = SCALE, point: int = 0) -> int:
        """The mean along axes, in a scale of its own."""
        sizes = [1 if i in axes else size for i, size in enumerate(self.shape(x)) if keep or i not in axes]
        return self._add("MEAN", [x, self._constant(axes)], [self.tensor(*sizes, scale=scale, point=point)],
                         "ReducerOptions", KeepDims=keep)

    def reshape(self, x: int, *shape) -> int:
        return self._add("RESHAPE", [x, self._constant(shape)], [self._like(x, shape)], "ReshapeOptions")

    def transpose(self, x: int, *order) -> int:
        shape = [self.shape(x)[i] for i in order]
        return self._add("TRANSPOSE", [x, self._constant(order)], [self._like(x, shape)], "TransposeOptions")

    def slice(self, x: int, begin, size) -> int:
        return self._add("SLICE", [x, self._constant(begin), self._constant(size)], [self._like(x, size)],
                         "SliceOptions")

    def split(self, x: int, axis: int, parts: int) -> list[int]:
        shape = [s // parts if i == axis else s for i, s in enumerate(self.shape(x))]
        outputs = [self._like(x, shape) for _ in range(parts)]
        made = self._add("SPLIT", [self._constant(axis), x], outputs, "SplitOptions", NumSplits=parts)
        return outputs if parts > 1 else [made]

    def concat(self, xs, axis: int) -> int:
        shape = list(self.shape(xs[0]))
        shape[axis] = sum(self.shape(x)[axis] for x in xs)
        return self._add("CONCATENATION", xs, [self._like(xs[0], shape)], "ConcatenationOptions", Axis=axis)

    def pack(self, xs, axis: int) -> int:
        shape = list(self.shape(xs[0]))
        shape.insert(axis, len(xs))
        return self._add("PACK", xs, [self._like(xs[0], shape)], "PackOptions", ValuesCount=len(xs), Axis=axis)

    def quantise(self, x: int) -> int:
        """In the usual scale."""
        return self._add("QUANTIZE", [x], [self.tensor(*self.shape(x))], "QuantizeOptions")

    def tanh(self, x: int) -> int:
        return self._add("TANH", [x], [self.tensor(*self.shape(x), scale=1 / 128)])

    def softmax(self, x: int) -> int:
        y = self.tensor(*self.shape(x), scale=1 / 256, point=-128)
        return self._add("SOFTMAX", [x], [y], "SoftmaxOptions", Beta=1.0)


def attention(tokens: int, width: int, heads: int, seed: int = 1, softmax: bool = False, hidden: int = 0) -> bytes:
    """Self-attention over x [1, tokens, width], without softmax unless asked for: the outputs' projection.

    With `hidden` columns, the two layers of the block's perceptron follow.

    Heads are split by a reshape and a transpose. The values of a head are read as columns of the second operand, so
    they must be stored transposed.
    """
    net = Net(seed)
    x = net.tensor(1, tokens, width, point=3)

    def split(y: int) -> int:
        return net.transpose(net.reshape(y, 1, tokens, heads, width // heads), 0, 2, 1, 3)

    q, k, v = (split(net.fc(x, width)) for _ in range(3))
    scores = net.matmul(q, k, adj_y=True)
    shares = net.softmax(scores) if softmax else scores
    mixed = net.transpose(net.matmul(shares, v), 0, 2, 1, 3)
    y = net.fc(net.reshape(mixed, 1, tokens, width), width)
    if hidden:
        y = net.fc(net.fc(y, hidden, activation=1), width)
    return net.model([x], [y])


def random_graph(seed: int) -> bytes:
    """A random graph of products, with all operators that move elements; not all of them can be mapped."""
    net = Net(seed)
    rng, rows = net.rng, int(net.rng.integers(1, 9))
    inputs = [net.tensor(rows, int(rng.integers(1, 12)), point=int(rng.integers(-9, 9)))
              for _ in range(int(rng.integers(1, 3)))]
    have = [net.fc(x, int(rng.integers(2, 12))) for x in inputs]
    for _ in range(int(rng.integers(2, 7))):
        x = int(rng.choice(have))
        m, n = net.shape(x)
        match int(rng.integers(9)):
            case 0 | 1:
                have.append(net.fc(x, int(rng.integers(2, 12))))
            case 2:
                axis = int(rng.integers(2))
                begin, size = [0, 0], [m, n]
                begin[axis] = int(rng.integers(size[axis]))
                size[axis] = int(rng.integers(1, size[axis] - begin[axis] + 1))
                have.append(net.fc(net.slice(x, begin, size), 5))
            case 3:
                joined = [net.fc(int(y), int(rng.integers(1, 6))) for y in rng.choice(have, int(rng.integers(2, 4)))]
                if len({net.shape(y)[0] for y in joined}) == 1:
                    have.append(net.fc(net.concat(joined, 1), 6))
            case 4:  # rows by rows: the second operand as it is stored
                same = [y for y in have if net.shape(y)[1] == n]
                have.append(net.matmul(x, int(rng.choice(same)), adj_y=True))
            case 5:  # columns by columns: both operands transposed
                same = [y for y in have if net.shape(y)[0] == m]
                have.append(net.matmul(x, int(rng.choice(same)), adj_x=True))
            case 6:
                have.append(net.fc(net.transpose(x, 1, 0), 4))
            case 7:  # two products of a batch
                first, second = (net.pack([net.fc(x, 4), net.fc(x, 4)], 0) for _ in range(2))
                have.append(net.fc(net.reshape(net.matmul(first, second, adj_y=True),
                                               2 * m, m), 3))
            case 8:
                parts = net.split(net.fc(x, 6), 1, int(rng.choice([2, 3])))
                have += [net.fc(part, 4) for part in parts]
    outputs = [have[-1], *(y for y in have[:-1] if rng.random() < 0.3)]
    return net.model(inputs, list(dict.fromkeys(outputs)))


def two_by_two() -> bytes:
    """A model with two inputs, [1, 3, 4] and [2, 4], and two outputs."""
    net = Net(1)
    x, y = net.tensor(1, 3, 4), net.tensor(2, 4)
    scores = net.matmul(net.reshape(x, 3, 4), y, adj_y=True)
    return net.model([x, y], [scores, net.fc(y, 6)])
