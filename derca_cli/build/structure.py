"""What a platform is made of, in numbers that area follows: memories, registers, elements, per block of the top.

Each block of `resources.BLOCKS`, and what a board has around them, has its memories and its features. Memories become
block RAM or LUT RAM by the rule of Yosys (`stored`); a feature is a count, such as elements of the array or bits of an
entry, and the estimate weighs it.
"""

from dataclasses import dataclass

from derca_hw.ram import BLOCK_WIDTH, BLOCK_WORTH, DISTRIBUTED
from derca_sim.model.board import Board
from derca_sim.model.platform import Platform
from derca_sim.model.tables import RowLayout, WordOrder, bits_for, entry_layout, index_layout, layer_layout


@dataclass(frozen=True)
class Ram:
    """Equal memories: `count` of `depth` words of `width` bits.

    `style`: `block` never becomes LUT RAM, `distributed` does where the family has any, `auto` is Yosys's choice;
    `spram` is `block`, or single-port RAM of an iCE40 UltraPlus.
    """

    width: int
    depth: int
    count: int = 1
    style: str = "auto"


@dataclass(frozen=True)
class RamKinds:
    """The RAMs of a family.

    Attributes
    ----------
    shapes
        Width and depth that a block can take.
    block
        Blocks of the report that one of them is.
    cost
        What Yosys takes a block for, in units of a LUT RAM's `unit`.
    lut
        Width and depth of a LUT RAM and its LUTs; None where the family has none.
    unit
        Cost of a LUT RAM.
    """

    shapes: tuple[tuple[int, int], ...]
    block: float
    cost: int
    lut: tuple[int, int, int] | None
    unit: int = 0


_RAMS = {
    "ecp5": RamKinds(((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)), 1, 128, (4, 16, 6), 4),
    "ice40": RamKinds(((16, 256), (8, 512), (4, 1024), (2, 2048)), 1, 64, None),
    "ultrascale": RamKinds(
        ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)), 0.5, 129, (14, 32, 8), 16),
}


#: Words of an SB_SPRAM256KA.
_SPRAM_WORDS = 1 << 14

_RAMS["ice40hx"] = _RAMS["ice40"]


def stored(ram: Ram, family: str) -> tuple[float, float]:
    """Blocks and LUTs that memories take in a family."""
    kinds = _RAMS[family]
    blocks = min(-(-ram.width // width) * -(-ram.depth // depth) for width, depth in kinds.shapes)
    if ram.style == "spram" and family == "ice40" and ram.depth <= _SPRAM_WORDS:
        return 0, 0
    if kinds.lut is None:
        if ram.style != "block" and ram.depth <= kinds.shapes[0][1]:
            columns = [min(BLOCK_WIDTH, ram.width - low) for low in range(0, ram.width, BLOCK_WIDTH)]
            blocks = sum(width * ram.depth >= BLOCK_WORTH for width in columns)
        return ram.count * blocks * kinds.block, 0
    width, depth, luts = kinds.lut
    cells = -(-ram.width // width) * -(-ram.depth // depth)
    in_luts = ram.style == "distributed" or ram.style == "auto" and cells * kinds.unit < blocks * kinds.cost
    return (0, ram.count * cells * luts) if in_luts else (ram.count * blocks * kinds.block, 0)


def smallest_block(family: str) -> float:
    """Blocks of the report that the smallest block RAM is."""
    return _RAMS[family].block


@dataclass(frozen=True)
class Block:
    """What a block consists of."""

    features: dict[str, float]
    rams: tuple[Ram, ...] = ()


def shallow(width: int, depth: int, count: int = 1) -> Ram:
    """A memory of `derca_hw.ram`."""
    return Ram(width, depth, count, "distributed" if depth <= DISTRIBUTED else "auto")


def _table(p: Platform, layout: RowLayout, rows: int) -> list[Ram]:
    """The memories of a table of the kernel manager: one per 32-bit word of a row."""
    depth = rows << p.tables.shadow
    widths = [min(32, layout.width - low) + p.tables.parity for low in range(0, layout.width, 32)]
    return [Ram(width, depth, widths.count(width), "block") for width in sorted(set(widths))]


def blocks(p: Platform) -> dict[str, Block]:
    """The blocks of a platform, by their rows of the resource table."""
    return {
        "scheduler": _scheduler(p), "job release": _release(p), "memory interface": _memory(p),
        "kernel management": _kernel(p), "accelerator": _accelerator(p), "host interface": _host(p),
        "top level": _top(p),
    }


def _scheduler(p: Platform) -> Block:
    s, tasks = p.scheduler, p.scheduler.tasks
    bits, pages = bits_for(tasks - 1), 1 + p.tables.shadow
    regions = bits_for(p.tables.regions)
    rams = [Ram(regions, pages << bits), Ram(regions, tasks)]
    features = {"one": 1, "key bits": s.time_width, "task bits": bits, "region bits": regions,
                "other policies": len(s.policies) - 1}
    if "least_slack" in s.policies:
        rams.append(Ram(s.time_width, pages << bits))
    if s.kind == "heap":
        rams.append(Ram(s.time_width + bits + 1, tasks + 1, 2))
        features |= {"heap": 1, "key bits of a heap": s.time_width}
    elif s.kind == "scan":
        rams.append(Ram(s.time_width + 2, tasks))
        features |= {"scan": 1}
    else:
        features |= {"slots": tasks, "key bits of slots": tasks * s.time_width}
    return Block(features, tuple(rams))


def _release(p: Platform) -> Block:
    r, tasks = p.release, p.scheduler.tasks
    bits, pages = bits_for(tasks - 1), 1 + p.tables.shadow
    slack, keeps = "least_slack" in p.scheduler.policies, len(r.overrun) > 1 or r.overrun != ("skip",)
    if r.kind == "parallel":
        time = p.scheduler.time_width
        return Block({"one": 1, "timers": tasks, "bits of timers": tasks * time, "slack": slack},
                     (Ram(time, pages << bits, 3 + slack), Ram(time, tasks, 2)))
    size = 1 << bits
    return Block(
        {"one": 1, "swept": 1, "task bits": bits, "keeps": keeps, "slack": slack, "tasks": tasks, "pages": pages},
        (shallow(32, size * (3 if keeps else 2)), shallow(32, size * 4 * pages),
         shallow(6, size), shallow(4, size * pages), shallow(33, size, 2)))


def _memory(p: Platform) -> Block:
    bits, pages = bits_for(p.scheduler.tasks - 1), 1 + p.tables.shadow
    return Block(
        {"one": 1, "address bits": p.bus.address_width, "data bits": p.bus.data_width, "task bits": bits,
         "outstanding bits": bits_for(p.bus.outstanding)},
        (shallow(p.bus.address_width, pages << bits, 6), Ram(32, p.bus.outstanding + 1), Ram(9, 16)))


def _kernel(p: Platform) -> Block:
    t = p.tables
    index = index_layout(p)
    regions = t.regions << bits_for(p.scheduler.tasks - 1)
    rams = _table(p, index, regions)
    in_words = t.read == "word"
    if in_words:
        order = WordOrder(p)
        deep = (order.entry_words + order.layer_words) * max(t.layers, t.entries) << t.shadow
        rams.append(Ram(32 + t.parity, deep, 1, "spram" if not (t.shadow or t.parity) else "block"))
    else:
        rams += _table(p, entry_layout(p), t.entries) + _table(p, layer_layout(p), t.layers)
    layouts = (index,) if in_words else (index, entry_layout(p), layer_layout(p))
    return Block({"one": 1, "in words": in_words, "row bits": sum(layout.width for layout in layouts),
                  "guarded words": t.parity * sum(layout.words for layout in layouts),
                  "pages": 1 + t.shadow, "deep index": (regions << t.shadow) / 1024}, tuple(rams))


def _panel(p: Platform, lanes: int, panels: int) -> Ram:
    word = max(lanes, p.beat_bytes)
    words = p.tile.k * lanes // word
    return Ram(8 * word, p.buffers.slots << bits_for(panels - 1) + bits_for(words - 1))


def _accelerator(p: Platform) -> Block:
    rows, cols, element = p.array.rows, p.array.cols, p.array.element_bytes
    slots, banks, beat = p.buffers.slots, p.buffers.banks, p.beat_bytes
    word = 8 * beat * p.bank_word_beats
    column = bits_for(p.tile.n // max(1, beat // 4) - 1)
    return Block(
        {
            "one": 1, "elements": rows * cols, "bytes of elements": rows * cols * element, "rows": rows,
            "operand bytes": (rows + cols) * element, "bank bits": rows * 32 * banks,
            "word bits": word, "panel bytes": p.a_lanes + p.b_lanes, "lanes": p.store.requant_lanes,
            "lanes of two bytes": p.store.requant_lanes * (element - 1), "data bits": p.bus.data_width,
            "address bits": p.bus.address_width, "slots": slots, "banks": banks, "spare": p.buffers.spare,
            "inside layers": p.preemption == "slice", "decoupled": p.pipeline == "decoupled",
            "lockstep": p.pipeline == "lockstep",
            "products": -(-cols // 2) * rows if element == 1 else rows * cols,
        },
        (_panel(p, p.a_lanes, p.m_panels), _panel(p, p.b_lanes, p.n_panels),
         Ram(p.bus.data_width, 1 << bits_for(slots - 1) + 1 + column),
         Ram(word, 1 << bits_for(p.m_panels - 1) + bits_for(p.tile.n - 1), banks)))


#: Bits of an event besides its task and region.
_EVENT_BITS = 39


def _host(p: Platform) -> Block:
    bits = bits_for(p.scheduler.tasks - 1)
    t, swept = p.trace, p.release.kind == "swept"
    sources = (2 if swept else 3 + (p.scheduler.kind == "tournament")) + 6 * t.enabled + (
        p.tables.shadow + p.supervision.budgets + p.supervision.watchdog)
    event = _EVENT_BITS + bits + bits_for(p.tables.regions - 1)
    return Block({"one": 1, "traced": t.enabled, "counters": t.counters, "task bits": bits, "sources": sources,
                  "bits of events": sources * event, "address bits": p.bus.address_width, "swept": swept,
                  "depth bits of sources": sources * bits_for(t.depth), "replay": p.release.trace > 0},
                 (Ram(32, 8 << bits), Ram(33, 1 << bits), *([Ram(32, 32, 2)] if t.counters else []),
                  shallow(event, t.depth, sources), shallow(event, 16)))


def _top(p: Platform) -> Block:
    tasks = p.scheduler.tasks
    bits, pages = bits_for(tasks - 1), 1 + p.tables.shadow
    budgets, replay = p.supervision.budgets, p.release.trace
    return Block({"one": 1, "watchdog": p.supervision.watchdog, "budgets": budgets, "task bits": bits,
                  "tasks": tasks, "swept": p.release.kind == "swept", "replay": replay > 0},
                 (*([Ram(32, pages << bits, 2, "block"), Ram(32, 1 << bits, 1, "block")] if budgets else []),
                  *([Ram(32 + bits, replay)] if replay else []), shallow(1, 1 << bits, 6)))


def around(p: Platform, board: Board) -> Block:
    """What a board's top adds to the accelerator: main memory and the link to the host."""
    memory = [] if board.doubled else [Ram(32, p.memory.size // p.beat_bytes, p.bus.data_width // 32, "block")]
    return Block({"one": 1, "data bits": p.bus.data_width, "doubled": board.doubled}, tuple(memory))
