"""The split of a request into AXI4 bursts, beat by beat."""


PAGE = 4096


def bursts(address: int, beats: int, beat_bytes: int, longest: int) -> list[tuple[int, int]]:
    """(address, beats) of each burst: beat by beat, a new one at a page and when the burst is full."""
    out: list[list[int]] = []
    for i in range(beats):
        at = address + i * beat_bytes
        if not out or at % PAGE == 0 or out[-1][1] == longest:
            out.append([at, 0])
        out[-1][1] += 1
    return [tuple(b) for b in out]
