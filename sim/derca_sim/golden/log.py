"""The log of the golden machine: events, and the cycle in which the hardware reports each."""

from ..events import Event


class Log:
    """Events in any order, each with the cycle in which it leaves its source.

    A stop that ends the run before that cycle keeps the event from being reported.
    """

    def __init__(self):
        self._entries: list[tuple[Event, int]] = []

    def __call__(self, event: Event, reported: int | None = None) -> None:
        """Add an event. It is reported in its own cycle unless another cycle is given."""
        self._entries.append((event, event.cycle if reported is None else reported))

    def before(self, horizon: int) -> list[Event]:
        """Events of the cycles before `horizon`."""
        return [event for event, _ in self._entries if event.cycle < horizon]

    def reported(self, last: int) -> list[Event]:
        """Events that are reported in cycle `last` or before."""
        return [event for event, reported in self._entries if reported <= last]

    def cut(self, start: int, last: int) -> None:
        """Of the entries from number `start` on, forget those that would be reported after cycle `last`."""
        self._entries[start:] = [entry for entry in self._entries[start:] if entry[1] <= last]

    def __len__(self) -> int:
        return len(self._entries)
