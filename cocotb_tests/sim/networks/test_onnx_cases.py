"""The node cases of the package onnx: each is computed as ONNX defines it, or refused with a reason."""

import re
from collections import Counter

import numpy as np
import pytest

from derca_sim.networks.interpreter import run
from derca_sim.networks.onnx import graph_of, simplified
from derca_sim.networks.onnx.reading.file import MalformedError
from derca_sim.networks.operators import Unknown
from kit.onnx_cases import Case, node_cases

#: What is refused: the reason, and the cases.
REFUSED = {
    r"has [13] spatial dimensions": """
        averagepool_1d_default averagepool_3d_default averagepool_3d_dilations_small
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False
        maxpool_1d_default maxpool_3d_default maxpool_3d_dilations maxpool_3d_dilations_use_ref_impl
        maxpool_3d_dilations_use_ref_impl_large""",
    "training_mode 1": """
        batchnorm_example_training_mode batchnorm_epsilon_training_mode training_dropout_default
        training_dropout_default_mask training_dropout training_dropout_mask training_dropout_zero_ratio
        training_dropout_zero_ratio_mask""",
    "it clips to": """
        clip_inbounds clip_outbounds clip_splitbounds clip_min_greater_than_max clip_default_max
        clip_default_int8_max""",
    "has type int8: allowed is float32": "clip_default_int8_min",
    "it (reads|makes) (float|u?int[24])": """
        dequantizelinear_e4m3fn dequantizelinear_e4m3fn_float16 dequantizelinear_e4m3fn_zero_point
        dequantizelinear_e5m2 dequantizelinear_uint4 dequantizelinear_int4 dequantizelinear_uint2 dequantizelinear_int2
        dequantizelinear_float4e2m1 quantizelinear_e4m3fn quantizelinear_e5m2 quantizelinear_uint4 quantizelinear_int4
        quantizelinear_uint2 quantizelinear_int2 quantizelinear_float4e2m1""",
    "scales hold for blocks": """
        dequantizelinear_blocked quantizelinear_blocked_asymmetric quantizelinear_blocked_symmetric""",
    "scales have type float16": """
        qlinearmatmul_2D_uint8_float16 qlinearmatmul_3D_uint8_float16 qlinearmatmul_2D_int8_float16
        qlinearmatmul_3D_int8_float16""",
    "indices .* equally spaced": "gather_0 gather_1 gather_negative_indices",
    "is a (sequence|optional)_type": "identity_sequence identity_opt",
    "its output 1 is used": "maxpool_with_argmax_2d_precomputed_pads",
    "storage_order 1": "maxpool_with_argmax_2d_precomputed_strides",
    "it pads with 1.2": "constant_pad constant_pad_axes constant_pad_negative_axes",
    "mode (edge|reflect|wrap)": "edge_pad reflect_pad wrap_pad",
    "dimension 0 is 0": "reshape_allowzero_reordered split_zero_size_splits_opset13 split_zero_size_splits_opset18",
    r"result has shape \[20, 0, 5\]": "slice_start_out_of_bounds",
}
REASONS = {f"test_{name}": reason for reason, names in REFUSED.items() for name in names.split()}
#: Relative and absolute error of float32 results; the values of one case are written with four digits.
RELATIVE, ABSOLUTE, FOUR_DIGITS = 1e-5, 1e-6, {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-4}


def refusal(case: Case) -> tuple[str | None, dict]:
    """Why a case is refused, or None and the values of its outputs."""
    try:
        graph = graph_of(case.name, case.model.SerializeToString())
    except MalformedError as e:
        return str(e), {}
    for node in graph.nodes:
        if isinstance(node.operator, Unknown):
            return node.operator.reason, {}
    inputs = dict(zip(graph.inputs, case.inputs, strict=True))
    values, simple = run(graph, inputs), run(simplified(graph), inputs)
    assert all(agrees(simple[name], values[name], ABSOLUTE) for name in graph.outputs), f"{case.name}: passes"
    return None, {i: values[name] for i, name in enumerate(graph.outputs)}


def agrees(mine: np.ndarray, wanted: np.ndarray, absolute: float) -> bool:
    wanted = np.asarray(wanted)
    if mine.shape != wanted.shape or mine.dtype != wanted.dtype:
        return False
    close = wanted.dtype.kind == "f"
    return np.allclose(mine, wanted, RELATIVE, absolute) if close else np.array_equal(mine, wanted)


def test_node_cases(capsys):
    """Every case as it stands, and if that is refused, with all inputs but the first as constants."""
    counts, wrong = Counter(), []
    for name, case in node_cases().items():
        manner = "with all inputs given"
        reason, values = refusal(case)
        if reason is not None and len(case.inputs) > 1:
            manner = "with constants"
            reason, values = refusal(case.with_constants())
        if reason is not None:
            counts["refused"] += 1
            if not re.search(REASONS.get(name, "nothing is expected"), reason):
                wrong.append(f"{name} is refused: {reason}")
            continue
        counts[manner] += 1
        absolute = FOUR_DIGITS.get(name, ABSOLUTE)
        if name in REASONS:
            wrong.append(f"{name} is not refused")
        wrong += [f"{name}: output {i} is {values[i]}, not {wanted}" for i, wanted in enumerate(case.outputs)
                  if not agrees(values[i], wanted, absolute)]
    with capsys.disabled():
        print(f"\nnode cases of onnx: {dict(counts)}")
    assert not wrong, "\n".join(wrong)
    assert counts["refused"] == len(REASONS) and sum(counts.values()) > 280


@pytest.mark.parametrize("name", ["test_add", "test_dequantizelinear", "test_shape"])
def test_a_wrong_result_is_seen(name):
    case = node_cases()[name].with_constants()
    _, values = refusal(case)
    assert agrees(values[0], case.outputs[0], ABSOLUTE)
    assert not agrees(values[0] + values[0].dtype.type(1), case.outputs[0], ABSOLUTE)
