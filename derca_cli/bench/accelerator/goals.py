"""Goals of the data plane, and the published figures that are shown beside ours."""

import importlib.resources
import json

#: Shares of the elements that multiply: whole tiles, and any shape of some tiles.
DIVISIBLE, RAGGED = 0.99, 0.95
#: Cycles of small and ragged layers, in times of the roofline of their true shape.
TIMES_ROOFLINE = 1.15
#: Cycles in which the array idles for a preemption, and between two points, with a compute-bound job.
IDLE_CYCLES, LONGEST_STEP = 64, 256
#: What all points together may add to the worst case of a compute-bound job.
WCET_GROWTH = 0.005
#: Times the speed of a run under cocotb.
SPEED_RATIO = 10


def anchors() -> dict:
    """The reference's figures and those of other designs, with their sources."""
    return json.loads(importlib.resources.files(__package__).joinpath("data/anchors.json").read_text())


def goals(result: dict) -> list[dict]:
    """Every goal of the measured sections, with our figure and those of others."""
    reference = anchors()["reference"]
    out = []

    def goal(what: str, limit: str, measured, met: bool, others: str) -> None:
        out.append({"goal": what, "limit": limit, "measured": measured, "met": bool(met), "others": others})

    busy = " .. ".join(map(str, reference["utilisation_percent"])) + " % (reference)"
    for group, least in (("divisible", DIVISIBLE), ("ragged", RAGGED)):
        rows = [r for r in result.get("utilisation", ()) if r["group"] == group]
        for array in dict.fromkeys(r["array"] for r in rows):
            worst = min(r["cold_utilisation"] for r in rows if r["array"] == array)
            goal(f"{array}, {group} layers, elements that multiply", f">= {least:.0%}", f"{worst:.2%}", worst >= least,
                 f"{busy}; AutoSA 99.3 %, OpenGeMM 81.89 .. 99.34 %")
    small = [r for r in result.get("utilisation", ()) if r["together_times_roofline"] is not None]
    for array in dict.fromkeys(r["array"] for r in small):
        worst = max(r["together_times_roofline"] for r in small if r["array"] == array)
        goal(f"{array}, small and ragged layers, times their roofline", f"<= {TIMES_ROOFLINE}", worst,
             worst <= TIMES_ROOFLINE, f"{reference['small_useful_percent']} % useful on DeiT-T (reference)")
    for row in result.get("preemption", ()):
        name, idle = row["strategy"], row["idle_beyond_loads"]
        if name != "recompute" and idle:
            goal(f"{name}, idle cycles of the array per preemption, beyond the first loads of both jobs",
                 f"<= {IDLE_CYCLES}", idle["max"], idle["max"] <= IDLE_CYCLES,
                 f"{reference['persisted_preemption_cycles']:,} (reference, persist)")
        if name == "park" and idle:
            goal("park, bytes of sums moved", "0", row["bytes_written"]["max"], row["bytes_written"]["max"] == 0,
                 f"{reference['persisted_preemption_bytes']:,} (reference, persist)")
        goal(f"{name}, longest step without a point", f"<= {LONGEST_STEP}", row["longest_step"],
             row["longest_step"] <= LONGEST_STEP, f"{reference['longest_step_cycles']:,} (reference)")
    for row in result.get("wcet", ()):
        if row["job"] == "compute-bound, large" and row["strategy"] == "park":
            goal("park, growth of a large compute-bound job's WCET, all points, preempted once",
                 f"<= {WCET_GROWTH:.1%}", f"{row['growth_preempted']:.2%}", row["growth_preempted"] <= WCET_GROWTH,
                 f"{reference['wcet_growth_percent']} % after placement, 1.29 .. 4.03 times before (reference)")
    if "model" in result:
        model = result["model"]
        goal(f"RTL beside golden model, {model['runs']} random runs, cycles", "0", model["model_cycle_error"],
             model["model_cycle_error"] == 0 and model["bit_exact"] and model["jitter"]["bit_exact"],
             "0.01 .. 0.76 % above measured (reference)")
    if "simulation" in result:
        found = result["simulation"]
        goal("compiled simulation, times the speed under cocotb", f">= {SPEED_RATIO}", found["ratio"],
             found["ratio"] >= SPEED_RATIO and found["events_equal"], "no RTL published (reference)")
    return out
