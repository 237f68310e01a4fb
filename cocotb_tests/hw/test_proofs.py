"""Formal proofs: the quick part here, all with `./scripts/prove` or `--full`."""

import pytest

from formal.catalogue import PROOFS
from formal.planted import BUGS, planted


@pytest.mark.parametrize(
    "name", [pytest.param(p.name, marks=() if p.quick else pytest.mark.full) for p in PROOFS.values()])
def test_proof(name):
    answer = PROOFS[name].run(limit=1800)
    assert answer.holds, f"{name}: {answer.failed or 'no answer'}; trace in {answer.folder}\n{answer.text[-1000:]}"


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_can_still_be_planted(name):
    with planted(BUGS[name]) as scheduler:
        assert scheduler.__module__.startswith("derca_hw.planted_")
