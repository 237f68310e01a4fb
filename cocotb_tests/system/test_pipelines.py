"""The decoupled pipeline is never slower than the lock-step one: jobs alone, FINISH against FINISH, on the RTL.

    .venv/bin/python cocotb_tests/system/test_pipelines.py     prints the ratio for three large layers
"""


import numpy as np
import pytest

from campaigns.random_sets import CONTROL, PLATFORM_NAMES, random_platform, random_shape
from kit.pipelines import LARGE_LAYERS, LARGE_TILE, both, scaled_layers


@pytest.mark.parametrize("name", [
    name if name == "narrow" else pytest.param(name, marks=pytest.mark.full) for name in PLATFORM_NAMES])
@pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=pytest.mark.full) for s in range(2, 12))])
def test_decoupled_is_never_slower_than_lockstep(name, seed):
    rng = np.random.default_rng(seed)
    p = random_platform(name, "decoupled", *CONTROL)
    for _ in range(2 if seed == 1 else 5):
        shapes = [[random_shape(rng, p) for _ in range(rng.integers(1, 4))] for _ in range(8)]
        lockstep, decoupled = both(name, shapes)
        assert all(d <= s for d, s in zip(decoupled, lockstep, strict=True)), (seed, shapes, lockstep, decoupled)
        assert any(d < s for d, s in zip(decoupled, lockstep, strict=True))


@pytest.mark.full
def test_a_layer_of_many_tiles_gains():
    t = random_platform("demo", "decoupled").tile
    lockstep, decoupled = both("demo", [[scaled_layers((t.m, t.k, t.n))[0]]])
    assert lockstep[0] > 1.1 * decoupled[0]


def main():
    """Print the ratios."""
    t = random_platform("demo", "decoupled").tile
    layers = scaled_layers((t.m, t.k, t.n))
    lockstep, decoupled = both("demo", [[layer] for layer in layers])
    print(f"tile {t.m} x {t.k} x {t.n}, for {' x '.join(map(str, LARGE_TILE))}")
    for large, layer, s, d in zip(LARGE_LAYERS, layers, lockstep, decoupled, strict=True):
        print(f"{large!s:>20} -> {layer!s:>16}: lockstep {s:>7}, decoupled {d:>7} cycles, ratio {s / d:.3f}")


if __name__ == "__main__":
    main()
