"""The report of a build: resources per module, use of the device, clock rates, the estimate's error, times."""

from derca_flow.flow.routing import Routed
from derca_flow.flow.steps import Record, duration
from derca_flow.tools.cells import KINDS
from derca_sim.model.board import Board
from derca_sim.proof import Proof

from .output import format_cell


def use(total: dict, board: Board) -> list[list]:
    """Rows of the netlist's use of the device: kind, used, available, per cent."""
    return [[kind, total[kind], board.available[kind],
             f"{total[kind] / board.available[kind]:.0%}" if board.available[kind] else None] for kind in KINDS]


def estimated(estimate: dict, total: dict) -> list[list]:
    """Rows of the estimate beside the result: kind, estimated, synthesised, error."""
    return [[kind, estimate[kind], total[kind], f"{estimate[kind] / total[kind] - 1:+.1%}" if total[kind] else None]
            for kind in KINDS]


def clock_rows(runs: list[Routed]) -> list[list]:
    """Rows of clock rates: seed, clock, reached, requested."""
    return [[run.seed, c.name, c.mhz, c.requested] for run in runs for c in run.clocks]


def step_rows(records: list[Record]) -> list[list]:
    """Rows of the steps: step, state, time, result."""
    return [[f"{r.number} {r.name}", r.state, duration(r.seconds), r.detail] for r in records]


def markdown(title: str, rows: list[dict], total: dict, estimate: dict | None, board: Board, runs: list[Routed],
             records: list[Record], program: str | None, command: str, proof: Proof) -> str:
    """The report as Markdown."""
    run = runs[-1]
    paths = [[name, path["logic_ns"], path["wires_ns"], path["cells"], " -> ".join(path["signals"])]
             for name, path in run.paths.items() if path]
    parts = [
        f"# {title}", "", proof.markdown(),
        *_table("Modules, kept apart", ["module", *KINDS], [[r["module"], *(r[k] for k in KINDS)] for r in rows]),
        *_table("Netlist, dissolved", ["kind", "used", "available", "use"], use(total, board)),
        *(_table("Estimate before synthesis", ["kind", "estimated", "synthesised", "error"],
                 estimated(estimate, total)) if estimate else []),
        *_table("Device after packing", ["resource", "used", "available", "use"],
                [[name, u, a, f"{u / a:.0%}"] for name, (u, a) in run.utilisation.items()]),
        *_table("Clock rates in MHz", ["seed", "clock", "reached", "requested"], clock_rows(runs)),
        *_table("Critical paths", ["clock", "logic ns", "wires ns", "cells", "signals"], paths),
        *_table("Steps", ["step", "state", "time", "result"], step_rows(records)),
        *([f"Program the board: `{program}`", ""] if program else []),
        f"Made by `{command}`; versions and hashes: `manifest.json`.", "",
    ]
    return "\n".join(parts)


def _table(title: str, columns: list[str], rows: list[list]) -> list[str]:
    lines = [f"## {title}", "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return [*lines, *("| " + " | ".join(map(format_cell, row)) + " |" for row in rows), ""]
