"""Platforms of the campaign of networks: small, and with every option that layers over images meet on some of them."""

from derca_sim.model.platform import Platform

#: What all have: scales of channels and rounding as TensorFlow Lite's models need, room for a few networks.
_BASE = {
    "memory": {"size": 1 << 19}, "trace": {"depth": 64}, "requant": {"tflite": True, "clamp": True, "channels": 4096},
    "operators": {"convolution": True}, "tables": {"layers": 128, "entries": 4096, "regions": 1024},
    "tile": {"per_layer": True},
}

_OWN = {
    # The lowest array, spare banks for one job, packed rows, no transposed outputs.
    "corner": {
        "array": {"rows": 4, "cols": 2}, "tile": {"m": 16, "k": 40, "n": 8}, "store": {"requant_lanes": 2},
        "bus": {"data_width": 32, "outstanding": 4, "burst_beats": 16}, "memory": {"read_latency": 9},
        "buffers": {"slots": 3, "banks": 3, "spare": 1, "ahead": 2}, "operators": {"depthwise": True},
        "scheduler": {"kind": "scan"},
    },
    # Every operator, tables of outputs, sums of two jobs in spare banks.
    "square": {
        "array": {"rows": 4, "cols": 4}, "tile": {"m": 16, "k": 48, "n": 16}, "store": {"requant_lanes": 2},
        "bus": {"data_width": 32, "outstanding": 8, "burst_beats": 8}, "memory": {"read_latency": 20},
        "buffers": {"slots": 2, "banks": 4, "spare": 2, "ahead": 1}, "requant": {"tables": 4},
        "operators": {"depthwise": True, "matmul": True, "transpose": True, "vectors": True, "add": True,
                      "maximum": True},
        "scheduler": {"kind": "tournament"}, "release": {"kind": "swept"},
    },
    # Lock-step, higher than wide.
    "lockstep": {
        "array": {"rows": 8, "cols": 4}, "tile": {"m": 32, "k": 48, "n": 8}, "store": {"requant_lanes": 4},
        "bus": {"data_width": 64, "burst_beats": 8}, "memory": {"read_latency": 12, "write_latency": 30},
        "pipeline": "lockstep", "operators": {"depthwise": True, "transpose": True},
    },
    # Wider than high, four slots, requests far ahead, no packed rows.
    "wide": {
        "array": {"rows": 4, "cols": 8}, "tile": {"m": 24, "k": 32, "n": 16}, "store": {"requant_lanes": 1},
        "bus": {"data_width": 32, "outstanding": 2, "burst_beats": 32}, "memory": {"read_latency": 30},
        "buffers": {"slots": 4, "ahead": 3}, "operators": {"vectors": True, "add": True}, "requant": {"tables": 2},
        "scheduler": {"kind": "scan"}, "release": {"kind": "swept"},
    },
    # That of trained networks, with every operator.
    "full": {
        "array": {"rows": 8, "cols": 8}, "tile": {"m": 32, "k": 48, "n": 16}, "store": {"requant_lanes": 4},
        "bus": {"data_width": 64, "burst_beats": 8}, "memory": {"read_latency": 30, "write_latency": 12},
        "buffers": {"banks": 3, "spare": 1, "ahead": 1}, "requant": {"tables": 4},
        "operators": {"depthwise": True, "matmul": True, "transpose": True, "vectors": True, "add": True,
                      "maximum": True},
    },
    # Two beats for a step of A, preemption between layers only.
    "layers": {
        "array": {"rows": 8, "cols": 8}, "tile": {"m": 24, "k": 40, "n": 16}, "store": {"requant_lanes": 2},
        "bus": {"data_width": 32, "burst_beats": 64}, "memory": {"read_latency": 16}, "preemption": "layer",
        "buffers": {"slots": 3}, "operators": {"depthwise": True, "transpose": True, "add": True},
        "scheduler": {"kind": "scan"},
    },
    # Panels of 16 pixels in one wide beat, few columns.
    "high": {
        "array": {"rows": 16, "cols": 4}, "tile": {"m": 48, "k": 32, "n": 16}, "store": {"requant_lanes": 4},
        "bus": {"data_width": 128, "burst_beats": 4}, "memory": {"read_latency": 40, "write_latency": 5},
        "buffers": {"slots": 2, "banks": 3, "spare": 1}, "operators": {"depthwise": True, "add": True, "maximum": True},
        "scheduler": {"kind": "tournament"},
    },
    # Panels of 16 pixels in two beats, two columns, many banks and slots.
    "tall": {
        "array": {"rows": 16, "cols": 2}, "tile": {"m": 64, "k": 24, "n": 8}, "store": {"requant_lanes": 8},
        "bus": {"data_width": 64, "outstanding": 2, "burst_beats": 16}, "memory": {"read_latency": 5},
        "buffers": {"slots": 5, "banks": 6, "spare": 3, "ahead": 2},
        "operators": {"depthwise": True, "vectors": True}, "release": {"kind": "swept"},
    },
}
NETWORK_PLATFORMS = tuple(_OWN)


def network_platform(name: str) -> Platform:
    """One of `NETWORK_PLATFORMS`."""
    sections = {"name": f"networks-{name}", **_BASE}
    for key, own in _OWN[name].items():
        sections[key] = {**sections.get(key, {}), **own} if isinstance(own, dict) else own
    return Platform.model_validate(sections)
