"""Integer arithmetic of quantised operators, from the definition of TensorFlow Lite's reference kernels.

A real factor becomes a 32-bit multiplier and an exponent: factor = multiplier 2^(exponent - 31), with a multiplier of
2^30 .. 2^31 - 1. Products are rounded twice: to the upper half, then by the right shift.
Source: gemmlowp's fixed-point primitives and TensorFlow Lite's quantization specification.
"""

import numpy as np

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


def fixed_point(real: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers and exponents (int64) of factors, rounded half away from zero; factors below 2^-32 become 0."""
    fraction, exponent = np.frexp(np.asarray(real, np.float64))
    multiplier = half_away(fraction * (1 << 31)).astype(np.int64)
    exponent = exponent.astype(np.int64)
    full = np.abs(multiplier) == 1 << 31
    multiplier, exponent = np.where(full, multiplier // 2, multiplier), exponent + full
    gone = exponent < -31
    return np.where(gone, 0, multiplier), np.where(gone, 0, exponent)


def wrap(values: np.ndarray) -> np.ndarray:
    """int64 values modulo 2^32, as signed 32-bit values in int64."""
    return (values + (1 << 31) & 0xFFFFFFFF) - (1 << 31)


def doubling_high_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The upper half of 2 a b for 32-bit values in int64, rounded to the nearest and half towards +infinity."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    rounded = np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))  # the quotient is cut towards zero
    return np.where((a == INT32_MIN) & (b == INT32_MIN), INT32_MAX, rounded)


def divided(values: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """int64 values divided by 2^exponent, half rounded away from zero."""
    exponent = np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    return (values >> exponent) + ((values & mask) > (mask >> 1) + (values < 0))


def scaled(values: np.ndarray, multiplier: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """32-bit values times multiplier 2^(exponent - 31), rounded twice; a left shift wraps."""
    left, right = np.maximum(exponent, 0), np.maximum(-exponent, 0)
    return divided(doubling_high_product(wrap(values << left), multiplier), right)


def scaled_once(values: np.ndarray, multiplier: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """32-bit values times multiplier 2^(exponent - 31), rounded once, half up."""
    shift = 31 - np.asarray(exponent, np.int64)
    return (values * multiplier + (np.int64(1) << (shift - 1))) >> shift


def half_away(values: np.ndarray) -> np.ndarray:
    """Real values rounded to whole numbers in their own precision, half away from zero."""
    whole = np.trunc(values)
    return whole + np.where(np.abs(values - whole) >= 0.5, np.sign(values), values.dtype.type(0))


def quotient(sums: np.ndarray, count: np.ndarray | int) -> np.ndarray:
    """int64 sums divided by counts, half rounded away from zero."""
    magnitude = (np.abs(sums) + np.asarray(count) // 2) // count
    return np.where(sums < 0, -magnitude, magnitude)
