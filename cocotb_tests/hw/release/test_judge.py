"""The decisions of the swept job release against the rules, written out case by case."""

import pytest

from derca_hw.release.judge import Judge
from kit.platforms import platform
from kit.stepped import play, seeded

SKIP, QUEUE, ABORT = range(3)
STATE = ("live", "missed", "owed", "open", "queued")
VERDICTS = ("judges", "willing", "wants", "releases", "keeps", "offers", "again")
FOUND = ("held", "late", "due", "ended", "gone", "lived", "promotes")


def rules(overruns, sporadic_tasks, mode, state, found):
    """What a visit has to do: the names that `VerdictSignature` has, and the state that follows."""
    out = dict.fromkeys(VERDICTS, False)
    after = dict(state)
    if state["live"]:
        out["judges"] = found["ended"] or found["late"] and not state["missed"]
    if mode["enabled"] and not found["held"]:
        out["willing"] = state["owed"] if sporadic_tasks and mode["sporadic"] else True
    out["wants"] = out["willing"] and found["due"]
    if found["promotes"]:  # the kept release becomes a job; one that is due waits
        out["releases"] = out["offers"] = True
        after |= {"live": True, "queued": False}
        return out, after
    after |= {"owed": False, "open": False}
    if out["wants"] and not found["lived"]:
        out["releases"] = out["offers"] = True
        after |= {"live": True, "missed": False}
    elif out["wants"] and not state["queued"]:
        aborts = "abort" in overruns and mode["overrun"] == ABORT
        out["keeps"] = aborts or "queue" in overruns and mode["overrun"] == QUEUE
        if out["keeps"]:
            out["offers"] = aborts and not found["gone"]
            after |= {"queued": True, "missed": False}
    out["again"] = found["gone"] and after["queued"]
    return out, after


@pytest.mark.parametrize(("overruns", "sporadic"), [
    (("skip", "queue", "abort"), True), (("skip", "queue"), False), (("abort",), True), (("skip",), True),
])
def test_decisions(overruns, sporadic):
    """Random rows and findings, in all of which every verdict occurs both ways."""
    p = platform(scheduler={"tasks": 2, "kind": "scan"}, release={
        "kind": "swept", "overrun": overruns, "sporadic": sporadic})
    dut, rng = Judge(p), seeded(1)
    keeps = overruns != ("skip",)
    names = STATE if keeps else STATE[:-1]
    seen = set()

    async def bench(ctx):
        for _ in range(700):
            mode = {"sporadic": rng.randrange(2), "enabled": int(rng.random() < 0.8), "overrun": rng.randrange(3)}
            state = {name: rng.randrange(2) for name in names}
            found = {name: int(rng.random() < 0.4) for name in FOUND}
            if not keeps:  # nothing is kept that could be promoted
                found["promotes"] = 0
            ctx.set(dut.mode, mode)
            ctx.set(dut.state, state)
            for name, value in found.items():
                ctx.set(getattr(dut.found, name), value)
            verdict, after = rules(overruns, sporadic, mode, {"queued": 0, **state}, found)
            where = f"{mode}, {state}, {found}"
            for name, value in verdict.items():
                assert ctx.get(getattr(dut.verdict, name)) == value, f"{name}: {where}"
                seen.add((name, bool(value)))
            for name in names:
                assert ctx.get(getattr(dut.verdict.after, name)) == after[name], f"after.{name}: {where}"

    play(dut, bench, clocked=False)
    once = {"keeps", "again"} if not keeps else set()
    assert {(name, both) for name in set(VERDICTS) - once for both in (False, True)} <= seen
    assert Judge.LATENCY == 0

