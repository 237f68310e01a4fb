"""Small platforms for block tests; each has a feature that the others lack."""

import pytest

from derca_sim.model.platform import Platform


def platform(**sections) -> Platform:
    """A 4 x 4 platform with short bursts; `sections` replace keys section by section."""
    base = {
        "name": "blocks",
        "array": {"rows": 4, "cols": 4},
        "tile": {"m": 8, "k": 16, "n": 8},
        "buffers": {"slots": 2, "banks": 2},
        "bus": {"data_width": 64, "address_width": 32, "outstanding": 4, "burst_beats": 8},
        "memory": {"read_latency": 8, "write_latency": 4, "size": 1 << 18},
        "scheduler": {"tasks": 4, "time_width": 32},
        "tables": {"layers": 16, "entries": 128, "regions": 64},
    }
    for name, section in sections.items():
        base[name] = {**base[name], **section} if isinstance(section, dict) and name in base else section
    return Platform.model_validate(base)


#: Lanes half a beat wide, two slots: the usual case, small.
SMALL = platform()
#: Rows and columns that are no powers of two (padding lanes), wide beats, three slots and banks.
PADDED = platform(
    name="padded", array={"rows": 6, "cols": 3}, tile={"m": 12, "k": 16, "n": 12},
    bus={"data_width": 128}, buffers={"slots": 3, "banks": 3},
)
#: int16, an odd number of rows and columns, padding lanes.
WORDS = platform(
    name="words", array={"rows": 3, "cols": 5, "dtype": "int16"}, tile={"m": 9, "k": 8, "n": 10},
    store={"requant_lanes": 1},
)
#: Beats narrower than a step of A.
NARROW = platform(
    name="narrow", array={"rows": 8, "cols": 2}, tile={"m": 16, "k": 8, "n": 4}, bus={"data_width": 32},
    store={"requant_lanes": 1},
)
#: Outputs can be stored transposed: two steps of A in a beat, a beat, two beats and padding, int16 with padding. The
#: first two have tables of outputs, of two pages and of one. In the first, every layer has a tile of its own.
ACROSS = platform(name="across", operators={"transpose": True, "matmul": True}, requant={"tables": 3},
                  tile={"m": 8, "k": 16, "n": 8, "per_layer": True})
ACROSS_BEATS = platform(name="across-beats", operators={"transpose": True}, bus={"data_width": 32},
                        store={"requant_lanes": 4}, requant={"tables": 1}, tables={"shadow": False})
ACROSS_NARROW = platform(
    name="across-narrow", operators={"transpose": True}, array={"rows": 6, "cols": 2}, tile={"m": 12, "k": 8, "n": 6},
    bus={"data_width": 32}, store={"requant_lanes": 2},
)
ACROSS_WORDS = platform(
    name="across-words", operators={"transpose": True}, array={"rows": 3, "cols": 4, "dtype": "int16"},
    tile={"m": 6, "k": 8, "n": 12}, bus={"data_width": 64}, store={"requant_lanes": 1}, tables={"read": "word"},
)
#: The smallest array, in the iCE40: what an UltraPlus holds.
TINY = platform(
    name="tiny", array={"rows": 2, "cols": 2}, tile={"m": 8, "k": 16, "n": 8},
    bus={"data_width": 32, "outstanding": 2}, store={"requant_lanes": 1},
    tables={"tiles": 255, "slices": 65535, "shadow": False, "parity": False},
)
#: Two banks in which sums of preempted jobs may stay.
SPARE = platform(name="spare", buffers={"slots": 2, "banks": 4, "spare": 2})
#: Depthwise windows may be packed: steps as wide as beats, which are half a panel; steps of a quarter, whole panels.
PACKING = platform(name="packing", operators={"convolution": True, "depthwise": True}, array={"rows": 8, "cols": 4},
                   tile={"m": 24, "k": 32, "n": 8, "per_layer": True}, bus={"data_width": 32},
                   store={"requant_lanes": 4})
PACKING_WIDE = platform(name="packing-wide", operators={"convolution": True, "depthwise": True},
                        array={"rows": 8, "cols": 3}, tile={"m": 16, "k": 32, "n": 6, "per_layer": True},
                        store={"requant_lanes": 2})
#: Parameters come word by word: to what the iCEBreaker holds, and where a panel can end in its first cycle.
BY_WORDS = [
    Platform.model_validate(p.model_dump() | {"name": f"{p.name}-by-words", "tables": {
        **p.tables.model_dump(), "read": "word"}, "store": {"requant_lanes": lanes}})
    for p, lanes in ((TINY, 1), (NARROW, 4), (SMALL, 4), (WORDS, 1))
]


def quickly(quick: tuple[Platform, ...], p: Platform, *more, **kind):
    """A platform as the parameter of a test: of the long tests only, unless it is one of `quick`."""
    return pytest.param(p, *more, marks=[] if p in quick else [pytest.mark.full], **kind)
