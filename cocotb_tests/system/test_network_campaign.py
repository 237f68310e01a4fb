"""Random networks as models on small platforms: the outputs of LiteRT, the cycles of the golden model, the bounds."""

from collections import Counter

import numpy as np
import pytest

from campaigns.network_platforms import NETWORK_PLATFORMS, network_platform
from campaigns.network_sets import network_case, random_model
from campaigns.network_trials import MEMORIES, network_trial
from campaigns.networks import summary
from derca_sim.model.numerics import run_network


def test_random_networks_are_those_of_litert():
    """On no hardware; the networks of each platform have the kinds of layers that its options allow."""
    for name in NETWORK_PLATFORMS:
        p, kinds, layers = network_platform(name), Counter(), Counter()
        for seed in range(4):
            drawn = random_model(np.random.default_rng([53, seed]), p, "net")
            assert not drawn.differs(run_network(drawn.network)), f"{name}, seed {seed}"
            kinds += drawn.kinds
            layers += Counter("packed" if x.mapping.tile.rows else "window" if x.window is not None else "product"
                              for x in drawn.network.layers)
        print(name, dict(kinds), dict(layers))
        assert kinds.total() > 4 and layers["window"] + layers["packed"] > 2


def test_an_output_that_is_not_litert_s_is_told():
    drawn = random_model(np.random.default_rng([53, 1]), network_platform("corner"), "net")
    outputs = run_network(drawn.network)
    outputs[-1] = outputs[-1] + np.int8(1)
    assert drawn.differs(outputs)


def test_a_seed_repeats_and_another_differs():
    assert str(network_case(5, "high")) == str(network_case(5, "high")) != str(network_case(6, "high"))


@pytest.mark.full
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("name", NETWORK_PLATFORMS)
def test_networks_on_the_rtl(name, memory):
    trials = [network_trial(seed, name, memory) for seed in range(1, 9)]
    assert not any(t.problems for t in trials), "\n".join(str(t) for t in trials if t.problems)
    found = summary(trials, 0.0, memory)
    assert found["model_cycle_error"] == (0 if memory == "fixed" else None)
    assert found["networks"] > 2 * len(trials) and (found["preemptions"] or name == "layers")
