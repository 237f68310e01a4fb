"""How long the long steps take: a model of two measured builds, for people who want to plan."""

from derca_sim.model.board import Board

#: Per family: seconds to start, per 1000 LUTs of the estimate, for Yosys and for nextpnr with one seed.
_SYNTHESIS = {"ecp5": (5.0, 2.5), "ice40": (5.0, 5.0)}
_ROUTING = {"ecp5": (20.0, 30.0), "ice40": (5.0, 20.0)}


def expected(total: dict, board: Board) -> dict[str, float]:
    """Seconds of the steps that need --run, by name."""
    thousands = total["LUT"] / 1000

    def seconds(model: tuple[float, float]) -> float:
        return model[0] + model[1] * thousands

    return {"synthesise": seconds(_SYNTHESIS[board.family]), "route": seconds(_ROUTING[board.family]), "pack": 5.0,
            "report": 1.0}
