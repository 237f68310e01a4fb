"""The candidates of which none is better in everything, and the best one."""

from collections.abc import Sequence


def cost(result: dict) -> tuple[float, float, float]:
    """What is better when it is less: LUTs, least clock, and the slack from above."""
    return result["area"]["LUT"], result["least_mhz"] or float("inf"), -(result["slack"] or 0.0)


def front(results: Sequence[dict]) -> list[int]:
    """Indices of the proved candidates that no other proved one equals or beats in all of area, clock and slack."""
    proved = [i for i, result in enumerate(results) if result["proved"]]
    return [i for i in proved if not any(_beats(results[j], results[i], j < i) for j in proved if j != i)]


def best(results: Sequence[dict]) -> int | None:
    """Index of the proved candidate with the fewest LUTs, then blocks of memory, then the lowest clock."""
    proved = [i for i, result in enumerate(results) if result["proved"]]
    return min(proved, default=None, key=lambda i: (results[i]["area"]["LUT"], results[i]["area"]["BRAM"],
                                                    results[i]["least_mhz"] or float("inf"), i))


def _beats(one: dict, other: dict, first: bool) -> bool:
    a, b = cost(one), cost(other)
    return all(x <= y for x, y in zip(a, b, strict=True)) and (a != b or first)
