"""Rough durations of the long steps, for people who plan a build."""

from derca_sim.model.board import Board

#: By target of `targets.TARGETS`: seconds to start, per 1000 LUTs of the estimate, for Yosys and for nextpnr with one
#: seed.
_SYNTHESIS = {"ecp5": (5.0, 5.0), "ice40": (5.0, 15.0), "ice40hx": (5.0, 15.0)}
_ROUTING = {"ecp5": (20.0, 30.0), "ice40": (5.0, 20.0), "ice40hx": (5.0, 20.0)}
#: From this part of the LUTs on the router of an iCE40 goes round and round, and takes so many times longer.
_CROWDED, _LONGER = 0.7, 10


def expected(total: dict, board: Board) -> dict[str, float]:
    """Seconds of each step that needs --run, by name."""
    luts = total["LUT"]
    crowded = board.family == "ice40" and luts > _CROWDED * board.available["LUT"]
    return {"synthesise": _seconds(_SYNTHESIS[board.target], luts),
            "route": routing(board.target, luts) * (_LONGER if crowded else 1), "pack": 5.0, "report": 1.0}


def routing(target: str, luts: float) -> float:
    """Seconds of nextpnr with one seed."""
    return _seconds(_ROUTING[target], luts)


def _seconds(model: tuple[float, float], luts: float) -> float:
    return model[0] + model[1] * luts / 1000
