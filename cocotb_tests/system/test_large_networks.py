"""Networks over images of 224 x 224 pixels: LiteRT's bytes, proofs, and preemption inside their layers."""

import pytest

from campaigns.judged_run import judged_run
from campaigns.large_networks import analysed, golden, imagenet, mapped, rtl
from derca_sim.events import Kind
from derca_sim.planning import analyse_taskset

#: Networks, and the least share of the array's cycles that their multiply-accumulates must be.
SHARES = {"resnet18": 0.77, "mobilenet_v2": 0.55, "squeezenet": 0.76}


@pytest.mark.parametrize("name", [
    "squeezenet", *(pytest.param(name, marks=pytest.mark.full) for name in ("resnet18", "mobilenet_v2"))])
def test_small_images_are_those_of_litert(name):
    """The same layers over a seventh of the pixels in a row."""
    assert golden(mapped(name, imagenet(), 32)) == []


@pytest.mark.full
@pytest.mark.parametrize("name", SHARES)
def test_large_images_are_those_of_litert(name):
    """One job on the golden model, and the share of the array's cycles that multiply-accumulates take."""
    one = mapped(name, imagenet())
    print(f"{name}: {one.macs:,} multiply-accumulates in {one.cycles:,} cycles: {one.utilisation:.1%}")
    assert golden(one) == [] and one.utilisation > SHARES[name]


@pytest.mark.full
def test_keywords_preempt_a_large_network_on_the_rtl():
    """Their deadline is shorter than most layers: proved with preemption inside layers, not without or between them."""
    one = mapped("mobilenet_v2", imagenet())
    plan = analysed(one)
    assert plan.verdict.schedulable
    assert not any(analyse_taskset(plan.candidates.taskset, kind).verdict.schedulable for kind in ("np", "lw"))
    compiled = plan.compiled()
    horizon = one.cycles * 5 // 4
    judged = judged_run(compiled, horizon)
    assert not judged.problems and judged.error == 0
    assert judged.count(Kind.PREEMPT) > 1 and judged.count(Kind.MISS) == 0
    assert one.is_litert(compiled.read_outputs(judged.result.memory, 1))


@pytest.mark.full
@pytest.mark.parametrize("name", SHARES)
def test_large_networks_on_the_rtl(name):
    """One job each, in the cycles of the golden model."""
    assert rtl(mapped(name, imagenet())) == []
