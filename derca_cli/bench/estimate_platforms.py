"""The platforms that the estimate is fitted to, and those it is judged by."""

import itertools
import random

from pydantic import ValidationError

from derca_sim.model.platform import Platform

#: Seed of the choice; another choice needs new weights.
SEED = 6
FITTED, HELD_OUT = 22, 8

#: What is varied, by section and key; arrays stay small, because an element costs the same in a large one.
_CHOICES: dict[str, list[dict]] = {
    "array": [{"rows": r, "cols": c} for r, c in ((2, 2), (2, 2), (2, 4), (4, 4), (4, 4), (4, 8), (6, 6), (8, 8))],
    "dtype": [{"dtype": "int8"}] * 4 + [{"dtype": "int16"}],
    "buffers": [{"slots": s, "banks": b, "spare": e}
                for s, b, e in ((2, 2, 0), (2, 2, 0), (2, 3, 1), (2, 4, 2), (3, 3, 1), (4, 4, 0))],
    "bus": [{"data_width": w, "address_width": a, "outstanding": o, "burst_beats": 16}
            for w, a, o in itertools.product((32, 64, 64, 128), (17, 24, 32), (2, 4, 16))],
    "scheduler": [{"kind": k, "tasks": n, "time_width": t}
                  for k, n, t in itertools.product(("heap", "scan", "tournament"), (4, 8, 16), (24, 32))],
    "policies": [{"policies": p} for p in (["edf"], ["edf"], ["edf", "fifo"], ["edf", "least_slack"])],
    "release": [{"kind": k} for k in ("parallel", "swept")],
    "tables": [{"layers": y, "entries": e, "regions": r, "shadow": s, "parity": q}
               for (y, e, r), s, q in itertools.product(((16, 128, 64), (32, 256, 128), (64, 1024, 256)),
                                                        (False, True), (False, True))],
    "trace": [{"enabled": e, "counters": c, "depth": d}
              for e, c, d in ((True, True, 16), (True, False, 4), (True, True, 8), (False, False, 4))],
    "supervision": [{"watchdog": w, "budgets": b} for w, b in ((True, False), (True, True), (False, False))],
    "panels": [(1, 32), (2, 32), (4, 64)],
    "lanes": [1, 2, 2, 4],
    "preemption": ["slice"] * 3 + ["layer"],
    "pipeline": ["decoupled"] * 4 + ["lockstep"],
}


def platforms() -> tuple[list[Platform], list[Platform]]:
    """The fitted and the held-out platforms: drawn at random, among the fitted ones every choice as often as others."""
    rng = random.Random(SEED)
    decks = {name: [] for name in _CHOICES}
    fitted, held_out = [], []
    while len(fitted) < FITTED:
        drawn = {}
        for name, choices in _CHOICES.items():
            if not decks[name]:
                decks[name] = rng.sample(choices, len(choices))
            drawn[name] = decks[name].pop()
        if made := _platform(f"fitted{len(fitted)}", drawn):
            fitted.append(made)
    while len(held_out) < HELD_OUT:
        drawn = {name: rng.choice(choices) for name, choices in _CHOICES.items()}
        if made := _platform(f"held_out{len(held_out)}", drawn):
            held_out.append(made)
    return fitted, held_out


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
            "scheduler": {**drawn["scheduler"], **drawn["policies"]}, "release": drawn["release"],
            "tables": drawn["tables"], "supervision": drawn["supervision"], "trace": drawn["trace"],
            "store": {"requant_lanes": drawn["lanes"]},
        })
    except ValidationError:
        return None
