"""Running the C++ driver: random decisions, with or without flipped bits."""

import json
import os
import subprocess

from decisions.bench import Case
from decisions.build import driver
from kit.run import SEED


class WrongDecision(AssertionError):
    """The scheduler contradicts the oracle or the declared timings; the message has the last events."""


def decide(case: Case, seed: int, decisions: int, mode: str = "random") -> dict[str, int]:
    """Check random decisions in every cycle; return what was covered.

    Parameters
    ----------
    seed
        `$DERCA_TEST_SEED` overrides it.
    mode
        `random`, or `faults`: with flips of stored bits.

    Raises
    ------
    WrongDecision
        With the seed, the last events, and the command that repeats the run.
    """
    seed = int(os.environ.get(SEED, seed))
    print(f"{case}: {mode}, seed {seed} ({SEED} sets another)")
    binary = driver(case)
    done = subprocess.run([binary, mode, str(seed), str(decisions)], capture_output=True, text=True)
    if done.returncode:
        raise WrongDecision(f"{done.stderr or f'the driver ended with {done.returncode}'}(driver = {binary})")
    return json.loads(done.stdout)
