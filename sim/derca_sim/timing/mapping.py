"""The mapping of each layer of a network, chosen by the exact timing of the hardware.

The compiler's estimate ranks the tiles of a layer. The best of them, with every distance of `buffers.ahead`, run on the
engines of the golden machine between the layers before and after, and the one that ends first is taken. Layers of many
iterations, for which their neighbours matter less, run alone. Layers of so many that this would take long keep the
estimate's choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ..compile.image import place
from ..compile.mapping import estimate, mapping_of, ranked, tile_counts
from ..compile.plan import TaskPlan, entries_and_regions
from ..golden.agenda import Agenda
from ..golden.dataflow import DataflowModel
from ..model.network import Layer, Network
from ..model.platform import Platform
from ..model.tile import Mapping, Tile
from ..model.timing import KernelTiming
from ..workload.taskset import Task, TaskSet
from .pitch import pitched
from .roofline import of_layers

#: Tiles of a layer that are tried, and iterations up to which a layer runs between its neighbours, and at all.
_TILES, _TOGETHER, _ITERATIONS = 6, 300, 3000


@dataclass(frozen=True)
class Choice:
    """How a layer runs, and why.

    `cycles` are those of the layer alone on an idle machine, from its first request to its last byte in memory;
    `limit` is the least that array and bus allow. `second` are the cycles of the next best tile, None if there is none.
    """

    layer: Layer
    mapping: Mapping
    cycles: int
    limit: float
    second: int | None

    @property
    def why(self) -> str:
        """What stays on chip, in words; of a depthwise layer, what the array's columns are."""
        tile, layer = self.mapping.tile, self.layer
        if tile.rows:
            return f"columns are rows of outputs of one channel, {tile.rows} of {layer.window.out[0]}"
        if layer.maximum:
            return "columns are channels, compared place by place of the kernel"
        if layer.window is not None and layer.window.groups > 1:
            return "columns are channels, each with a part of the rows of B"
        whole_k = tile.k >= layer.k
        if whole_k and tile.n >= layer.n:
            stays = "B stays on chip for all rows"
        elif whole_k:
            stays = "A stays on chip for all columns"
        else:
            stays = "sums stay on chip, A and B pass by"
        if tile.m >= layer.m and not (whole_k and tile.n >= layer.n):
            stays += ", B is read once"
        return stays


def mapped(taskset: TaskSet) -> TaskSet:
    """The task set with a mapping for every layer that has none."""
    done: dict[int, Network] = {}
    tasks = []
    for task in taskset.tasks:
        if id(task.network) not in done:
            done[id(task.network)] = choose(taskset.platform, task.network)
        tasks.append(replace(task, network=done[id(task.network)]))
    return replace(taskset, tasks=tuple(tasks))


def choose(p: Platform, network: Network) -> Network:
    """The network with a mapping for every layer that has none.

    Rows of images are further apart where windows need it, or gain by it.
    """
    network = pitched(p, network)
    if not p.tile.per_layer and not p.buffers.ahead:
        return network
    first = tuple(replace(layer, mapping=mapping_of(p, layer)) for layer in network.layers)
    known: dict[tuple, Mapping] = {}
    layers = list(first)
    for i, layer in enumerate(network.layers):
        low, high = max(0, i - 1), min(len(layers), i + 2)
        if layer.mapping is not None or _iterations(p, layers[i:i + 1]) > _ITERATIONS:
            continue
        if many := _iterations(p, layers[low:high]) > _TOGETHER:
            low, high = i, i + 1
        key = _key(network, layers[low:high], i - low)
        if key not in known:
            tiles = _tried(ranked(p, layer), _TILES // (1 + many))
            if p.tile.fewer_reads:
                tiles.append(ranked(p, layer, fewer_reads=0)[0])
            options = [Mapping(tile, ahead) for tile in tiles for ahead in _distances(p)]
            known[key] = _best(p, replace(network, layers=tuple(layers[low:high])), i - low, options)
        layers[i] = replace(layer, mapping=known[key])
    chosen = replace(network, layers=tuple(layers))
    if p.tile.fewer_reads or _iterations(p, layers) > _ITERATIONS:
        return chosen
    return min((chosen, replace(network, layers=first)), key=lambda one: alone(p, one))


def choices(p: Platform, network: Network) -> list[Choice]:
    """The mapping of each layer of a network, with its cycles and those of the next best tile."""
    out = []
    for layer, limit in zip(network.layers, of_layers(p, network.layers), strict=True):
        own = mapping_of(p, layer)
        part = replace(network, layers=(replace(layer, mapping=own),))
        others = [tile for tile in _tried(ranked(p, layer), _TILES) if tile != own.tile]
        others = [*others[:2], *[tile for tile in others[2:] if (tile.rows > 0) != (own.tile.rows > 0)][:1]]
        cycles = [alone(p, _with(part, 0, Mapping(tile, own.ahead))) for tile in (own.tile, *others)]
        out.append(Choice(layer, own, cycles[0], limit.cycles, min(cycles[1:], default=None)))
    return out


def alone(p: Platform, network: Network) -> int:
    """Cycles of a job on an idle machine, from the decision to start it until its last byte is in memory.

    Matrices that none of its layers writes are taken as given.
    """
    written = {layer.c.matrix for layer in network.layers}
    given = tuple(None if i in written else np.empty(0) for i in range(len(network.matrices)))
    task = Task("alone", 0, replace(network, inputs=given), 1, 1, 0, False, ())
    (layers,), _ = place(p, [task])
    entries, regions = entries_and_regions(layers, (), 0)
    plan = TaskPlan("alone", 0, task.network, 1, 1, 0, False, (), layers, entries, regions)
    agenda, ends = Agenda(), []

    def stored(_task: int, final: bool, _persist: bool, cycle: int) -> None:
        if final:
            ends.append(cycle)

    flow = DataflowModel(p, agenda, lambda event: None, lambda cycle: None, stored)
    agenda.at(KernelTiming.GRANT)
    while (cycle := agenda.next()) is not None:
        if cycle == KernelTiming.GRANT:
            flow.grant(cycle, plan, regions[0], True, False, False)
        flow.visit(cycle)
    return ends[-1]


def _best(p: Platform, network: Network, at: int, options: Sequence[Mapping]) -> Mapping:
    """The mapping of layer `at` with which the network ends first; with `tile.fewer_reads`, almost first."""
    costs = {option: estimate(p, network.layers[at], option.tile) for option in options}
    cycles = {option: alone(p, _with(network, at, option)) for option in options}
    equal = min(cycles.values()) + p.tile.fewer_reads * min(cost.cycles for cost in costs.values())
    return min(options, key=lambda option: (max(cycles[option], equal), costs[option].reads, cycles[option]))


def _with(network: Network, at: int, mapping: Mapping) -> Network:
    layers = list(network.layers)
    layers[at] = replace(layers[at], mapping=mapping)
    return replace(network, layers=tuple(layers))


def _tried(tiles: Sequence[Tile], most: int) -> list[Tile]:
    """The first `most` tiles; if they are of one kind, packed or not, the first two of the other instead of the last.

    Estimates of the two kinds err in different ways.
    """
    first = list(tiles[:most])
    others = [tile for tile in tiles if (tile.rows > 0) != (first[0].rows > 0)][:2]
    return [*first[:most - len(others)], *others] if not set(others) & set(first) else first


def _distances(p: Platform) -> Sequence[int]:
    """Distances of `buffers.ahead` that are tried."""
    return sorted({0, 1, 2, p.buffers.ahead} & set(range(p.buffers.ahead + 1)))


def _iterations(p: Platform, layers: Sequence[Layer]) -> int:
    """Iterations of layers with mappings."""
    return sum(prod(tile_counts(p, layer, layer.mapping.tile)) for layer in layers)


def _key(network: Network, layers: Sequence[Layer], at: int) -> tuple:
    """What the choice for a layer depends on: shapes, the mappings of its neighbours, who takes what of whom."""
    names: dict[int, int] = {}

    def place_of(place) -> tuple | None:
        if place is None:
            return None
        columns = network.matrices[place.matrix][1]
        return names.setdefault(place.matrix, len(names)), place.row, place.column, columns

    return at, *((layer.m, layer.k, layer.n, layer.window, layer.maximum, layer.transposed, place_of(layer.a),
                  place_of(layer.b), place_of(layer.c), place_of(layer.add and layer.add.d),
                  None if i == at else layer.mapping)
                 for i, layer in enumerate(layers))
