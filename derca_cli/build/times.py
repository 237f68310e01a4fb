"""How long the long steps take: rough figures, for people who want to plan."""

from derca_sim.model.board import Board

#: Per family: seconds to start, per 1000 LUTs of the estimate, for Yosys and for nextpnr with one seed.
_SYNTHESIS = {"ecp5": (5.0, 2.5), "ice40": (5.0, 5.0)}
_ROUTING = {"ecp5": (20.0, 40.0), "ice40": (5.0, 20.0)}


def expected(total: dict, board: Board) -> dict[str, float]:
    """Seconds of the steps that need --run, by name."""
    family, luts = board.family, total["LUT"]
    return {"synthesise": _seconds(_SYNTHESIS[family], luts), "route": routing(family, luts), "pack": 5.0,
            "report": 1.0}


def routing(family: str, luts: float) -> float:
    """Seconds of nextpnr with one seed."""
    return _seconds(_ROUTING[family], luts)


def _seconds(model: tuple[float, float], luts: float) -> float:
    return model[0] + model[1] * luts / 1000
