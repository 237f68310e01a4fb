"""Colours and letters that all timelines share."""

from ..model.tables import Strategy

#: Colours of tasks, in order of their index; they repeat after the last.
LANE_COLOURS = ("#4477aa", "#228833", "#aa7733", "#66aabb", "#887799", "#667744", "#996688", "#557788")
MISS_COLOUR = "#d1242f"
STRATEGY_COLOURS = {Strategy.LAYER: "#555555", Strategy.RECOMPUTE: "#b35900", Strategy.PERSIST: "#7b2fbe",
                    Strategy.PARK: "#1b7f5c"}
STRATEGY_LETTERS = {Strategy.LAYER: "L", Strategy.RECOMPUTE: "R", Strategy.PERSIST: "P", Strategy.PARK: "B"}
