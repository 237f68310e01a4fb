"""How the layers of a job are cut into tiles, and what it costs, as `derca import` shows it."""

from dataclasses import dataclass
from pathlib import Path

from derca_sim.compile.compiler import compile_taskset
from derca_sim.compile.patches import describe
from derca_sim.errors import InputError
from derca_sim.model.network import Layer, Network
from derca_sim.model.platform import Platform
from derca_sim.timing.mapping import Choice, alone, choices, choose
from derca_sim.timing.roofline import floor, of_layers
from derca_sim.workload.taskset import Task, TaskSet


@dataclass(frozen=True)
class Job:
    """The layers of a network on a platform, each with its mapping; the cycles of the whole job on an idle machine."""

    choices: list[Choice]
    cycles: int
    limit: float

    @staticmethod
    def of(p: Platform, network: Network) -> "Job":
        """Choose the mappings of a network on a platform.

        Raises
        ------
        InputError
            If its tables are too small for the network, one line for each.
        """
        network = choose(p, network)
        _check_tables(p, network)
        return Job(choices(p, network), alone(p, network), floor(of_layers(p, network.layers)))

    def rows(self) -> tuple[list[str], list[list]]:
        """Columns and rows of the table of layers."""
        return ["layer", "A x B", "tile", "B ahead by", "cycles alone", "least", "next best tile", "why this tile"], [[
            i, _shape(c.layer), str(c.mapping.tile), c.mapping.ahead, c.cycles,
            round(c.limit), c.second, c.why,
        ] for i, c in enumerate(self.choices)]

    def summary(self) -> str:
        """The whole job in words."""
        return (f"{self.cycles:,} cycles of a job on an idle machine, exactly; {self.cycles / self.limit:.3f} times "
                f"the {round(self.limit):,} that array and bus allow")

    def described(self) -> dict:
        """The same as plain data."""
        return {"cycles_alone": self.cycles, "least_cycles": self.limit, "layers": [{
            "m": c.layer.m, "k": c.layer.k, "n": c.layer.n,
            "window": None if c.layer.window is None else describe(c.layer),
            "tile": list(c.mapping.tile[:3]), "rows": c.mapping.tile.rows, "ahead": c.mapping.ahead,
            "cycles_alone": c.cycles,
            "least_cycles": c.limit, "next_best_tile_cycles": c.second, "why": c.why,
        } for c in self.choices]}


def _check_tables(p: Platform, network: Network) -> None:
    """Refuse a network for which the platform lacks tables; whether it fits in memory is told beside its size."""
    never = (1 << p.scheduler.time_width - 2) - 1
    task = Task(network.name, 0, network, never, never, 0, False, ())
    try:
        compile_taskset(TaskSet(network.name, Path(p.name), p, never, (task,)), "np")
    except InputError as e:
        if lacking := [line.removeprefix(f"{p.name}: ") for line in e.problems if "memory.size" not in line]:
            raise InputError(*lacking) from e


def _shape(layer: Layer) -> str:
    """The product that a layer computes, with the window that makes A."""
    product = f"{layer.m} x {layer.k} x {layer.n}"
    return product if layer.window is None else f"{product}: {describe(layer)}"
