"""Input slots, and the rings in which they are claimed."""

from dataclasses import dataclass, field

from .banks import NEVER
from .memory import ReadRequest


@dataclass(eq=False)
class Slot:
    """An input slot: a tile of A, a tile of B with its biases, or a tile of D.

    `kept`: its tile of D belongs to a complete tile of C, which no flush drops.
    """

    owned: bool = False
    kept: bool = False
    free_from: int = 0  # while not owned
    filled_from: float = 0  # nothing more arrives in it
    requests: list[ReadRequest] = field(default_factory=list)

    def fill(self, requests: list[ReadRequest]) -> None:
        """The requests that fill the slot have been made."""
        self.requests, self.filled_from = requests, requests[-1].last_beat + 1

    def release(self, since: int) -> None:
        """The slot is free again from cycle `since` on."""
        self.owned, self.kept, self.free_from = False, False, since


class Ring:
    """The slots of one operand, claimed in turn."""

    def __init__(self, count: int):
        self.slots = [Slot() for _ in range(count)]
        self._next = 0

    def room(self, cycle: int) -> bool:
        """Whether the next slot is free."""
        slot = self.slots[self._next]
        return not slot.owned and slot.free_from <= cycle

    @property
    def latest(self) -> Slot:
        """The slot claimed last."""
        return self.slots[self._next - 1]

    def claim(self) -> None:
        """Claim the next slot."""
        slot = self.slots[self._next]
        slot.owned, slot.filled_from = True, NEVER
        self._next = (self._next + 1) % len(self.slots)

    def signature(self, cycle: int) -> tuple:
        """The ownership of the slots relative to `cycle`, in the order in which they are claimed next."""
        in_turn = self.slots[self._next:] + self.slots[:self._next]
        return tuple((s.owned, s.kept, max((s.filled_from if s.owned else s.free_from) - cycle, 0)) for s in in_turn)
