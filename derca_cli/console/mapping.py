"""How the layers of a job are cut into tiles, and what it costs, as `derca import` shows it."""

from dataclasses import dataclass
from pathlib import Path

from derca_sim.compile.compiler import compile_taskset
from derca_sim.compile.patches import describe
from derca_sim.errors import InputError
from derca_sim.model.needs import Need, Unsuited, amended, values
from derca_sim.model.network import Layer, Network
from derca_sim.model.platform import Platform
from derca_sim.networks.lowering.deploy import check_platform
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
        """The mappings that the layers of a network have on a platform, as `Suit` chose them."""
        return Job(choices(p, network), alone(p, network), floor(of_layers(p, network.layers)))

    def rows(self) -> tuple[list[str], list[list]]:
        """Columns and rows of the table of layers."""
        columns = ["layer", "A x B", "tile", "B ahead by", "layer alone", "least cycles", "next best tile",
                   "why this tile"]
        return columns, [[i, _shape(c.layer), str(c.mapping.tile), c.mapping.ahead, c.cycles, round(c.limit), c.second,
                          c.why] for i, c in enumerate(self.choices)]

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


#: Too little memory is told beside the size of the network, and is no reason against it.
_MEMORY = "memory.size"
#: What depthwise layers gain by.
_DEPTHWISE = "operators.depthwise"


@dataclass(frozen=True)
class Suit:
    """What a platform lacks for a network: all of it, also what shows only once something else is there.

    Attributes
    ----------
    problems
        Messages, empty if the network can run.
    changes
        Key of the platform -> the value that it needs; empty if the network can run.
    complete
        Whether the network can run on the platform with these changes.
    notes
        Key -> what is to be said of it, where it is among the changes.
    network
        The network with the chosen mappings; as it was if it cannot run.
    """

    problems: list[str]
    changes: dict[str, object]
    complete: bool
    notes: dict[str, str]
    network: Network

    @staticmethod
    def of(p: Platform, network: Network) -> "Suit":
        """Try the network on the platform, and on the platform with what was missing, until nothing is."""
        problems: list[str] = []
        needs: list[Need] = []
        mapped, complete = network, False
        while True:
            try:
                mapped, memory = _checked(amended(p, needs) if needs else p, network)
                complete = True
                needs += memory if needs else []
                break
            except InputError as e:
                problems += e.problems
                new = [need for need in getattr(e, "needs", ()) if need not in needs]
            if not new:
                break
            needs += new
            if any(need.key == "operators.convolution" for need in new) and _deep(network):
                needs.append(Need(_DEPTHWISE, True, ""))
        notes = {_DEPTHWISE: "optional: depthwise layers take fewer cycles"}
        return Suit(list(dict.fromkeys(problems)), values(p, needs), complete, notes, network if problems else mapped)


def _deep(network: Network) -> bool:
    """Whether a network has depthwise layers."""
    return any(layer.window is not None and layer.window.groups == layer.window.channels > 1 and not layer.maximum
               for layer in network.layers)


def _checked(p: Platform, network: Network) -> tuple[Network, list[Need]]:
    """The network with mappings for its layers, if the platform has the operators and tables for it; more memory.

    Raises
    ------
    InputError
        Where a layer is too large for its slots and banks.
    Unsuited
        With the operators, or with the tables if it has all operators.
    """
    check_platform(network, p)
    mapped, never = choose(p, network), (1 << p.scheduler.time_width - 2) - 1
    task = Task(network.name, 0, mapped, never, never, 0, False, ())
    try:
        compile_taskset(TaskSet(network.name, Path(network.name), p, never, (task,)), "np")
    except Unsuited as e:
        memory = [need for need in e.needs if need.key == _MEMORY]
        if lines := [line for line in e.problems if line not in [need.text for need in memory]]:
            raise Unsuited(*lines, needs=[need for need in e.needs if need not in memory]) from e
        return mapped, memory
    return mapped, []


def _shape(layer: Layer) -> str:
    """The product that a layer computes, with the window that makes A."""
    product = f"{layer.m} x {layer.k} x {layer.n}"
    return product if layer.window is None else f"{product}: {describe(layer)}"
