"""The platforms that the estimate is fitted to, and those by which its error is judged."""

import itertools
import random

from pydantic import ValidationError

from derca_sim.model.platform import Platform

#: Seed of the choice; another choice needs new weights.
SEED = 7
#: So many of either, per family.
FITTED, HELD_OUT = 14, 6
#: Families whose devices hold small platforms only.
SMALL = ("ice40", "ice40hx")

_SUPERVISION = [{"watchdog": w, "budgets": b, "windows": n, "failures": f}
                for w, b, n, f in ((True, False, True, True), (True, True, True, True), (False, False, False, False),
                                   (False, False, False, True), (True, False, False, False))]
_TRACE = [{"enabled": e, "statistics": s, "counters": c, "depth": d}
          for e, s, c, d in ((True, True, True, 16), (True, True, False, 4), (False, True, True, 8),
                             (False, False, False, 4), (True, False, True, 4))]
_RELEASE = [{"kind": k, "sporadic": s, "overrun": o, "trace": t}
            for k, s, o, t in (("parallel", True, ["skip"], 0), ("swept", True, ["skip"], 0),
                               ("swept", True, ["skip", "queue"], 256), ("parallel", True, ["skip"], 0),
                               ("swept", False, ["skip"], 0), ("parallel", False, ["skip"], 0))]


def _tables(sizes, shadow, parity, read) -> list[dict]:
    limits = ({}, {"tiles": 31, "slices": 255})
    return [{"layers": y, "entries": e, "regions": r, "shadow": s, "parity": q, "read": w, **limit}
            for (y, e, r), s, q, w, limit in itertools.product(sizes, shadow, parity, read, limits)]


#: The varied keys by section; arrays stay small, because an element costs the same in a large one.
_LARGE: dict[str, list] = {
    "array": [{"rows": r, "cols": c} for r, c in ((2, 2), (2, 4), (4, 4), (4, 4), (4, 8), (6, 6), (8, 8))],
    "dtype": [{"dtype": "int8"}] * 4 + [{"dtype": "int16"}],
    "buffers": [{"slots": s, "banks": b, "spare": e}
                for s, b, e in ((2, 2, 0), (2, 2, 0), (2, 3, 1), (2, 4, 2), (3, 3, 1), (4, 4, 0))],
    "bus": [{"data_width": w, "address_width": a, "outstanding": o, "burst_beats": 16}
            for w, a, o in itertools.product((32, 64, 64, 128), (17, 24, 32), (2, 4, 16))],
    "scheduler": [{"kind": k, "tasks": n, "time_width": t}
                  for k, n, t in itertools.product(("heap", "scan", "tournament"), (4, 8, 16), (24, 32))],
    "policies": [["edf"], ["edf"], ["edf", "fifo"], ["edf", "least_slack"]],
    "release": _RELEASE,
    "tables": _tables(((16, 128, 64), (32, 256, 128), (64, 1024, 256)), (False, True), (False, True),
                      ("row", "row", "word")),
    "trace": _TRACE,
    "supervision": _SUPERVISION,
    "panels": [(1, 32), (2, 32), (4, 64)],
    "lanes": [1, 2, 2, 4],
    "preemption": ["slice"] * 3 + ["layer"],
    "pipeline": ["decoupled"] * 4 + ["lockstep"],
}
#: The varied keys for `SMALL`; others are as above.
_FEW = _LARGE | {
    "array": [{"rows": r, "cols": c} for r, c in ((2, 2), (2, 2), (2, 2), (2, 4), (4, 4))],
    "dtype": [{"dtype": "int8"}] * 6 + [{"dtype": "int16"}],
    "buffers": [{"slots": 2, "banks": b, "spare": e} for b, e in ((2, 0), (2, 0), (3, 1))],
    "bus": [{"data_width": w, "address_width": a, "outstanding": o, "burst_beats": 16}
            for w, a, o in itertools.product((32, 32, 64), (16, 20, 24), (2, 4))],
    "scheduler": [{"kind": k, "tasks": n, "time_width": t}
                  for k, n, t in itertools.product(("heap", "scan", "scan", "tournament"), (2, 4, 8), (20, 24, 32))],
    "tables": _tables(((8, 64, 32), (16, 128, 64)), (False, False, True), (False, False, True),
                      ("word", "word", "row")),
    "panels": [(1, 16), (4, 16), (4, 32)],
    "lanes": [1, 1, 1, 2],
}


def platforms(family: str) -> tuple[list[Platform], list[Platform]]:
    """The fitted and the held-out platforms of a family."""
    choices = _FEW if family in SMALL else _LARGE
    return _drawn("fitted", FITTED, SEED, choices), _drawn("held_out", HELD_OUT, SEED + 1, choices)


def _drawn(name: str, number: int, seed: int, choices: dict[str, list]) -> list[Platform]:
    """Platforms drawn at random, every choice as often as others."""
    rng, decks, out = random.Random(seed), {key: [] for key in choices}, []
    while len(out) < number:
        drawn = {}
        for key, among in choices.items():
            if not decks[key]:
                decks[key] = rng.sample(among, len(among))
            drawn[key] = decks[key].pop()
        if made := _platform(f"{name}{len(out)}", drawn):
            out.append(made)
    return out


def _platform(name: str, drawn: dict) -> Platform | None:
    """The platform of a draw; None where the platform's own rules refuse it."""
    panels, k = drawn["panels"]
    array = drawn["array"]
    preemption = "slice" if drawn["buffers"]["spare"] else drawn["preemption"]
    try:
        return Platform.model_validate({
            "name": name, "pipeline": drawn["pipeline"], "preemption": preemption,
            "array": {**array, **drawn["dtype"]},
            "tile": {"m": panels * array["rows"], "k": k, "n": panels * array["cols"]},
            "buffers": drawn["buffers"], "bus": drawn["bus"], "memory": {"size": 1 << 16},
            "scheduler": {**drawn["scheduler"], "policies": drawn["policies"]}, "release": drawn["release"],
            "tables": drawn["tables"], "supervision": drawn["supervision"], "trace": drawn["trace"],
            "store": {"requant_lanes": drawn["lanes"]},
        })
    except ValidationError:
        return None
