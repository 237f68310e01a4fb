"""Handshake habits of the simulated memory that AXI4 allows a subordinate, by name or at random."""

import random
from dataclasses import dataclass, replace

#: Habits by the names that the command line takes.
HABITS = {
    "aw-with-w": "AWREADY waits for WVALID",
    "aw-after-w": "AWREADY waits until all data of the burst was taken",
    "w-with-aw": "WREADY waits for AWVALID",
    "w-after-aw": "WREADY waits until the address was taken",
    "late": "every READY waits for its VALID, some cycles longer",
    "phases": "the channels are ready in turns, never two of AR, AW and W in one cycle",
    "exclusive": "no read is in work together with a write",
}
#: Stands for habits drawn from the seed.
RANDOM = "random"


@dataclass(frozen=True)
class Handshake:
    """Habits of the memory, all of them legal in AXI4; the defaults are none.

    Attributes
    ----------
    address, data
        What AWREADY and WREADY wait for: one of `ADDRESS`, `DATA`.
    late
        A ready waits for its valid and up to so many cycles more; 0: it does not.
    phase
        Cycles of a turn, of which each channel has one; 0: no turns.
    exclusive
        Reads and writes exclude each other.

    Raises
    ------
    ValueError
        The address would wait for the data and the data for the address.
    """

    address: str = "free"
    data: str = "free"
    late: int = 0
    phase: int = 0
    exclusive: bool = False

    ADDRESS = ("free", "aw-with-w", "aw-after-w")
    DATA = ("free", "w-with-aw", "w-after-aw")

    def __post_init__(self):
        if self.address == "aw-after-w" and self.data == "w-after-aw":
            raise ValueError("aw-after-w and w-after-aw exclude each other: address and data would wait for each other")

    def script(self) -> list[str]:
        """Lines of the simulation's script."""
        return [f"address {self.ADDRESS.index(self.address)}", f"data {self.DATA.index(self.data)}",
                f"late {self.late}", f"phase {self.phase}", f"exclusive {int(self.exclusive)}"]


def random_handshake(seed: int) -> Handshake:
    """Habits drawn from a seed: each alone, and every legal combination."""
    rng = random.Random(f"handshake {seed}")
    address, data = rng.choice([(a, d) for a in Handshake.ADDRESS for d in Handshake.DATA
                                if (a, d) != ("aw-after-w", "w-after-aw")])
    return Handshake(address, data, rng.choice([0, 0, 1, 4, 15]), rng.choice([0, 0, 0, 1, 3, 20]), rng.random() < 0.4)


def parse_handshake(text: str, seed: int) -> Handshake:
    """Habits from names separated by commas; numbers that the names leave open are drawn from the seed.

    Raises
    ------
    ValueError
        With what is wrong and what is allowed.
    """
    names = [name.strip() for name in text.split(",")]
    if names == [RANDOM]:
        return random_handshake(seed)
    rng, out = random.Random(f"handshake {seed}"), Handshake()
    unknown = [name for name in names if name not in HABITS]
    if unknown:
        raise ValueError(f"unknown: {', '.join(map(repr, unknown))}; allowed are {RANDOM}, or one or more of "
                         f"{', '.join(HABITS)}, separated by commas")
    for side, others in (("address", Handshake.ADDRESS), ("data", Handshake.DATA)):
        chosen = sorted(set(names) & set(others))
        if len(chosen) > 1:
            raise ValueError(f"{' and '.join(chosen)}: only one of them at a time")
        out = replace(out, **{side: chosen[0]} if chosen else {})
    return replace(out, late=rng.randint(1, 8) if "late" in names else 0,
                   phase=rng.randint(1, 8) if "phases" in names else 0, exclusive="exclusive" in names)
