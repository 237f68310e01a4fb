"""The integer model against exact Python integers and fractions."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from derca_sim.model.network import Layer, random_network
from derca_sim.model.numerics import gemm, partial_sums, requantise, run_network
from derca_sim.model.rounding import Rounding


def oracle(acc: int, multiplier: int, shift: int, zero_point: int, relu: bool, width: int = 8) -> int:
    """The definition, in exact rationals."""
    scaled = Fraction(acc * multiplier, 1 << shift)
    magnitude = int(abs(scaled) + Fraction(1, 2))  # truncation after adding a half: half away from zero
    value = (magnitude if scaled >= 0 else -magnitude) + zero_point
    value = max(-1 << (width - 1), min((1 << (width - 1)) - 1, value))
    return max(value, zero_point) if relu else value


def wrap(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def one(acc: int, multiplier: int, shift: int, zero_point: int = 0, relu: bool = False, **more) -> int:
    nothing = np.zeros((1, 1), np.int8)
    layer = Layer(1, 1, 1, nothing, np.zeros(1, np.int32), multiplier, shift, zero_point, relu, **more)
    return int(requantise(np.array([acc], np.int32), layer)[0])


EDGES = {
    "half rounds away from zero": (1, 1, 1, 0, False, 1),
    "minus half rounds away from zero": (-1, 1, 1, 0, False, -1),
    "one and a half": (3, 1, 1, 0, False, 2),
    "minus one and a half": (-3, 1, 1, 0, False, -2),
    "just below half": ((1 << 30) - 1, 1, 31, 0, False, 0),
    "exactly half at a large shift": (1 << 30, 1, 31, 0, False, 1),
    "minus half at a large shift": (-(1 << 30), 1, 31, 0, False, -1),
    "saturates above": (1000, 1, 1, 0, False, 127),
    "saturates below": (-1000, 1, 1, 0, False, -128),
    "zero point before saturation": (-400, 1, 1, 100, False, -100),
    "zero point pushes past the top": (100, 1, 1, 100, False, 127),
    "relu clamps at the zero point": (-20, 1, 1, 5, True, 5),
    "relu clamps at a negative zero point": (-20, 1, 1, -7, True, -7),
    "relu leaves what is above": (20, 1, 1, -7, True, 3),
    "multiplier zero": (-(1 << 31), 0, 1, 9, False, 9),
    "largest magnitudes": (-(1 << 31), (1 << 31) - 1, 62, 0, False, -1),
    "largest positive": ((1 << 31) - 1, (1 << 31) - 1, 62, 0, False, 1),
}


@pytest.mark.parametrize("name", EDGES)
def test_requantise_edge(name):
    *arguments, expected = EDGES[name]
    assert oracle(*arguments) == expected
    assert one(*arguments) == expected


def test_requantise_random():
    rng = np.random.default_rng(11)
    for _ in range(3000):
        acc = int(rng.integers(-(1 << 31), 1 << 31)) >> int(rng.integers(0, 31))
        multiplier = int(rng.integers(0, 1 << 31)) >> int(rng.integers(0, 31))
        shift, zero_point, relu = int(rng.integers(1, 63)), int(rng.integers(-128, 128)), bool(rng.integers(2))
        expected = oracle(acc, multiplier, shift, zero_point, relu)
        assert one(acc, multiplier, shift, zero_point, relu) == expected, (acc, multiplier, shift, zero_point, relu)


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def half_away(value: Fraction) -> int:
    return half_up(value) if value >= 0 else -half_up(-value)


def test_other_roundings_and_bounds_random():
    """TensorFlow Lite's roundings, in exact rationals: once half up; first to 2^(31 - shift), then half away."""
    rng = np.random.default_rng(12)
    halves = 0
    for _ in range(3000):
        rounding = (Rounding.UP, Rounding.TWICE)[int(rng.integers(2))]
        shift = int(rng.integers(32 if rounding is Rounding.TWICE else 1, 63))
        multiplier = int(rng.choice([1 << 30, (1 << 31) - 1, rng.integers(1 << 30, 1 << 31)]))
        near = int(rng.integers(-300, 300)) * (1 << shift) // (2 * multiplier)  # about half an output step off
        acc = int(np.clip(near + int(rng.integers(-1, 2)), -(1 << 31), (1 << 31) - 1))
        zero_point, bounds = int(rng.integers(-128, 128)), tuple(int(b) for b in np.sort(rng.integers(-128, 128, 2)))
        exact = Fraction(acc * multiplier, 1 << shift)
        halves += exact.denominator == 2
        value = half_up(exact) if rounding is Rounding.UP else half_away(
            Fraction(half_up(Fraction(acc * multiplier, 1 << 31)), 1 << (shift - 31)))
        expected = max(bounds[0], min(bounds[1], value + zero_point))
        found = one(acc, multiplier, shift, zero_point, rounding=rounding, bounds=bounds)
        assert found == expected, (acc, multiplier, shift, zero_point, rounding, bounds)
    assert halves > 100


@pytest.mark.parametrize("width", [8, 16])
def test_gemm_matches_python_integers(width):
    rng = np.random.default_rng(5)
    for case in range(30):
        m, k, n = (int(d) for d in rng.integers(1, 12, 3))
        network = random_network("x", [(m, k, n, bool(case % 2))], case, f"int{width}")
        layer, a = network.layers[0], network.inputs[0]
        table = rng.integers(-128, 128, 256).astype(np.int8) if width == 8 and case % 3 == 0 else None
        found = gemm(a, replace(layer, table=table))
        assert found.dtype == a.dtype == layer.weights.dtype == f"int{width}"
        for i in range(m):
            for j in range(n):
                acc = wrap(sum(int(a[i, x]) * int(layer.weights[x, j]) for x in range(k)) + int(layer.bias[j]))
                value = oracle(acc, layer.multiplier, layer.shift, layer.zero_point, layer.relu, width)
                assert found[i, j] == (value if table is None else table[value + 128])


@pytest.mark.parametrize("bias", [(1 << 31) - 1, -(1 << 31)])
def test_accumulation_wraps(bias):
    sign = 1 if bias > 0 else -1
    a, b = np.full((1, 3), 127, np.int8), np.full((3, 1), 127 * sign, np.int8)
    found = partial_sums(a, b, np.array([bias], np.int32))
    assert found.dtype == np.int32
    assert found[0, 0] == wrap(bias + sign * 3 * 127 * 127)
    layer = Layer(1, 3, 1, b, np.array([bias], np.int32), 1, 24, 0, False)
    assert gemm(a, layer)[0, 0] == oracle(wrap(bias + sign * 3 * 127 * 127), 1, 24, 0, False)
    assert np.sign(gemm(a, layer)[0, 0]) == -sign


def test_accumulation_of_int16_wraps():
    least = -(1 << 15)
    a, b = np.full((1, 5), least, np.int16), np.full((5, 1), least, np.int16)
    assert partial_sums(a, b)[0, 0] == wrap(5 * least * least)


def test_partial_sums_may_be_split_anywhere():
    rng = np.random.default_rng(3)
    a, b = rng.integers(-128, 128, (4, 9)).astype(np.int8), rng.integers(-128, 128, (9, 5)).astype(np.int8)
    bias = np.full(5, (1 << 31) - 1, np.int32)
    whole = partial_sums(a, b, bias)
    for cut in range(10):
        assert np.array_equal(partial_sums(a[:, cut:], b[cut:], partial_sums(a[:, :cut], b[:cut], bias)), whole)


def test_network_chains_and_uses_own_inputs():
    network = random_network("x", [(3, 4, 5, True), (3, 5, 2, False), (6, 2, 3, False)], 1)
    assert [layer.a.matrix for layer in network.layers] == [0, 1, 3]
    first, second, third = run_network(network)
    assert np.array_equal(second, gemm(first, network.layers[1]))
    assert np.array_equal(third, gemm(network.inputs[3], network.layers[2]))


def test_a_layer_behind_one_that_is_stored_transposed_reads_the_transpose():
    shapes = [(3, 4, 5, True), (5, 3, 2, False), (5, 2, 3, False)]
    network = random_network("x", shapes, 1, transposed=[True, False, True])
    assert [layer.a.matrix for layer in network.layers] == [0, 1, 2]
    first, second, third = run_network(network)
    assert first.shape == (3, 5) and third.shape == (5, 3)
    assert np.array_equal(second, gemm(first.T, network.layers[1]))
