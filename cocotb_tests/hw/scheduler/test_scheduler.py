"""All schedulers against an EDF oracle and the declared timings, in every cycle of random runs; generated mutants.

The oracle, the rules of timing and the random environment are C++ (`decisions/`). One run covers ties, wraps, keys at
the edge of the modular window, bursts, releases in the cycles of decision and issue, aborts, stops, spurious feedback.
"""

import re

import pytest

from decisions.bench import Case
from decisions.mutants import campaign, generate
from decisions.run import decide
from decisions.survivors import Equality, Pair, cause

ABORT, SLACK = ("skip", "abort"), ("edf", "least_slack", "fifo")
QUICK = [
    Case("heap", 3), Case("heap", 16),
    Case("scan", 16), Case("scan", 5, overrun=ABORT),
    Case("tournament", 16), Case("tournament", 5, overrun=ABORT), Case("tournament", 8, release="parallel"),
]
REKEYED = [Case("heap", 5, policies=SLACK), Case("scan", 5, overrun=ABORT, policies=SLACK),
           Case("tournament", 5, overrun=ABORT, policies=SLACK)]
FULL = [
    *(Case("heap", n) for n in (2, 4, 7, 8, 64, 100)),
    *(Case("scan", n) for n in (2, 3, 8, 64, 100)), *(Case("scan", n, overrun=ABORT) for n in (2, 16)),
    *(Case("tournament", n) for n in (2, 3, 8, 64)), *(Case("tournament", n, overrun=ABORT) for n in (2, 16)),
    *(Case("tournament", n, release="parallel") for n in (2, 5, 64)),
    *(Case(kind, 5, time_width=32) for kind in ("heap", "scan", "tournament")),
]
SHORT = [*QUICK, *REKEYED]


def check(case: Case, decisions: int) -> None:
    """Random decisions; everything the run is meant to cover must have occurred."""
    found = decide(case, case.tasks, decisions)
    wanted = {"decisions", "switches", "preemptions", "resumes", "ties", "wraps", "edges", "releases with a decision",
              "stops", "spurious", "given up"}
    assert found["resets"] >= decisions // 40_000, found
    if case.tasks > 2:
        wanted |= {"waiting ties"}
    if case.kind != "scan" and not (case.kind == "tournament" and "least_slack" in case.policies):
        wanted |= {"releases with an issue", "releases with the end of the task's job"}
    if "abort" in case.overrun:
        wanted |= {"aborts", "aborted running", "aborts too late"}
    least = dict.fromkeys(wanted, decisions // 10000)
    if case.time_width > 20:
        least["wraps"] = 1  # a run begins shortly before the only one
    rare = {name: found[name] for name in wanted if found[name] < least[name]}
    assert not rare, f"{case}: hardly covered: {rare} of {found}"


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_decisions_are_those_of_the_oracle(case):
    check(case, 120_000)


@pytest.mark.full
@pytest.mark.parametrize("case", [*FULL, *SHORT], ids=str)
def test_many_decisions_are_those_of_the_oracle(case):
    check(case, 1_000_000)


@pytest.mark.parametrize("case", [Case("tournament", 16), Case("scan", 16), Case("heap", 16)], ids=str)
def test_declared_latencies_are_reached(case):
    """The driver fails when one is exceeded. `tournament` is exact; the others allow for what cannot coincide."""
    found = decide(case, 1, 300_000)
    for name, slack in (("visibility", {"tournament": 0, "scan": 6, "heap": found["declared visibility"] // 4}),
                        ("refill", {"tournament": 0, "scan": 8, "heap": 4})):
        assert found[f"longest {name}"] >= found[f"declared {name}"] - slack[case.kind], found


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_flipped_bits_are_faults_and_nothing_wrong_is_issued(case):
    found = decide(case, case.tasks, 40_000, "faults")
    assert found["faults"] >= 200, found


@pytest.mark.parametrize("kind", ["heap", "scan", "tournament"])
def test_mutants_are_killed(kind):
    report = campaign(kind, 20, seed=1, prove=False)
    assert report["killed"] >= 14, report


@pytest.mark.full
@pytest.mark.parametrize("kind", ["heap", "scan", "tournament"])
def test_many_mutants_are_killed(kind):
    report = campaign(kind, 120, seed=2)
    unexplained = [m for m in report["survivors"] if not m["explained"]]
    assert report["killed"] >= 100 and not unexplained, unexplained


@pytest.mark.parametrize("overrun", [("skip",), ABORT], ids=["no-aborts", "aborts"])
def test_a_survivor_is_explained_when_no_legal_inputs_tell_it_from_the_original(overrun):
    """Whether a job waits matters to aborts alone: without them the same mutation is no difference."""
    case = Case("tournament", 2, overrun=overrun)
    folder = generate(case, 1, seed=1)
    cells = re.findall(r"^  cell \S+ (\S+)\n((?:    .*\n)*)", (folder / "prepared.il").read_text(), re.M)
    [waits] = [name for name, body in cells if "connect \\Y \\scheduler.jobs__waits\n" in body]
    explained, found = cause(folder, case, f"mutate -mode inv -module top -cell {waits} -port Y -portbit 0")
    assert explained == ("abort" not in overrun), found
    assert ("by induction" if explained else "aborted") in found


@pytest.mark.full
@pytest.mark.parametrize("kind", ["heap", "scan", "tournament"])
def test_legal_inputs_of_a_mutant_and_its_original_leave_room(kind):
    """Rules that forbid too much would explain every survivor."""
    folder = generate(case := Case(kind, 2), 1, seed=1)
    pair = Pair((folder / "prepared.il").read_text(), "select")
    with Equality(case, pair, f"room-{case}") as equality:
        answer = equality.design().reached(24)
    assert answer.holds and not answer.failed, answer.text
