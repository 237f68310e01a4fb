"""Sources of events for the host interface."""

from kit.host_bench import KINDS
from kit.payload import pack

FINISH = 0

RELEASE = 1

OTHER = 2  # sources


class Sources:
    """Sends one event per source and cycle."""

    def __init__(self, bench, lay):
        self._bench, self._lay = bench, lay

    async def send(self, *events: tuple[int, dict]) -> None:
        """(source, fields) of the events of one cycle."""
        values = {f"source_{i}__valid": 0 for i in range(len(KINDS))}
        for source, fields in events:
            values |= {f"source_{source}__valid": 1, f"source_{source}__payload": pack(self._lay.event, **fields)}
        self._bench.set(**values)
        await self._bench.tick()
        self._bench.set(**{f"source_{i}__valid": 0 for i in range(len(KINDS))})
