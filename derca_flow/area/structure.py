"""What a platform is made of, in numbers that area follows: memories, multipliers, registers, per block of the top.

Each block of `resources.BLOCKS`, and what a board has around them, has its memories, which `rams` knows the RAM of, its
multipliers and its features. A feature is a count, such as elements of the array or bits of an entry, and the estimate
weighs it.
"""

from dataclasses import dataclass

from derca_hw.accelerator.compute.regions import RegionTracker
from derca_hw.accelerator.store.store import StoreEngine
from derca_hw.blocks.ram import DISTRIBUTED
from derca_hw.families.multiplier import SB_MAC16_BLOCKS, LongProduct
from derca_hw.host.activity import LAP
from derca_hw.host.events import EventCollector
from derca_hw.host.statistics import WORDS
from derca_hw.layouts import EVENT_KIND_BITS, Layouts, Part, offset_bits
from derca_hw.memory.write import waiting_bursts
from derca_hw.release.datapath import TIME_BITS, State
from derca_hw.release.stamps import SMALL
from derca_sim.events import ARG_BITS, WITH_REGION, Kind
from derca_sim.model.board import Board
from derca_sim.model.link import CAPACITY
from derca_sim.model.platform import Platform
from derca_sim.model.registers import COUNTER_BITS, READ_WINDOWS, Fault
from derca_sim.model.tables import RowLayout, WordOrder, bits_for, entry_layout, index_layout, layer_layout
from derca_sim.model.timing import EventTiming, ParallelTiming, store_commands

from .rams import Ram


@dataclass(frozen=True)
class Block:
    """What a block consists of. `multipliers` are DSP blocks, where the family has them."""

    features: dict[str, float]
    rams: tuple[Ram, ...] = ()
    multipliers: int = 0


def blocks(p: Platform, family: str) -> dict[str, Block]:
    """The blocks of a platform, by their rows of the resource table."""
    return {
        "scheduler": _scheduler(p), "job release": _release(p), "memory interface": _memory(p),
        "kernel management": _kernel(p), "accelerator": _accelerator(p, family), "host interface": _host(p),
        "top level": _top(p),
    }


def _task_bits(p: Platform) -> int:
    return bits_for(p.scheduler.tasks - 1)


def _pages(p: Platform) -> int:
    return 1 + p.tables.shadow


def _scheduler(p: Platform) -> Block:
    s, tasks, bits = p.scheduler, p.scheduler.tasks, _task_bits(p)
    regions, slack = bits_for(p.tables.regions), "least_slack" in s.policies
    rams = [Ram(regions, _pages(p) << bits), Ram(regions, tasks)]
    features = {"one": 1, "key bits": s.time_width, "task bits": bits, "region bits": regions, "slack": slack}
    if slack:
        rams.append(Ram(s.time_width, _pages(p) << bits))
    if s.kind == "heap":
        rams.append(Ram(s.time_width + bits + 1, tasks + 1, 2, "comb"))
        features |= {"heap": 1, "key bits of a heap": s.time_width}
    elif s.kind == "scan":
        rams.append(Ram(s.time_width + 2, tasks))
        features |= {"scan": 1}
        if "abort" in p.release.overrun:
            rams.append(Ram(1, tasks, 1, "comb"))
    else:
        features |= {"slots": tasks, "key bits of slots": tasks * s.time_width}
    return Block(features, tuple(rams))


def _release(p: Platform) -> Block:
    r, n, bits, pages = p.release, p.scheduler.tasks, _task_bits(p), _pages(p)
    slack = "least_slack" in p.scheduler.policies
    if r.kind == "parallel":
        time, at_once = p.scheduler.time_width, p.scheduler.kind == "tournament"
        return Block({"one": 1, "timers": n, "bits of timers": n * time, "stamps": n * ParallelTiming(p).STAMP_BITS,
                      "keys at once": at_once * n * time, "sporadic timers": r.sporadic * n,
                      "pages of modes": pages * n, "slack": slack},
                     (Ram(time, pages << bits, 3 + slack, "comb"), Ram(time, n, 1 - at_once, "comb")))
    keeps, size = r.overrun != ("skip",), pages << bits
    ends_apart = not (4 * size <= DISTRIBUTED and pages == 1 and not slack)
    together = n <= SMALL
    rams = [
        Ram(4 if keeps else 2, size, 1, "shallow"), Ram(State(keeps).size + 2, n, 1, "shallow"),
        Ram(2, n, 1 + r.sporadic, "shallow"), Ram(1, n, 1, "shallow"),
        Ram(TIME_BITS, (3 if keeps else 2) << bits, 1, "shallow"),
        Ram(TIME_BITS + together, n, ends_apart + r.sporadic, "shallow"),
        Ram(1, n, r.sporadic + (not ends_apart) + (not together) * (ends_apart + r.sporadic), "shallow"),
    ]
    if 4 * size <= DISTRIBUTED:
        rams.append(Ram(TIME_BITS, 4 * size, 1, "early"))
    else:
        rams += [Ram(TIME_BITS, 2 * size, 1, "early"), Ram(TIME_BITS, (1 + slack) * size, 1, "early")]
    return Block({"one": 1, "swept": 1, "task bits of visits": bits, "sporadic visits": r.sporadic, "keeps": keeps,
                  "slack": slack}, tuple(rams))


def _memory(p: Platform) -> Block:
    bits, lay = _task_bits(p), Layouts(p)
    windows, failures, commands = p.supervision.windows, p.supervision.failures, store_commands(p)
    panel = max(p.save_panel_stride, p.panel_stride(p.tile.n, p.a_lanes))
    bursts = p.m_panels * (-(-panel // (p.bus.burst_beats * p.beat_bytes)) + 1)  # of a store command, at most
    sequence = 1 + bits_for(commands * bursts + 2)
    source = lay.target.size + bits
    ends = sequence + (3 + bits_for(commands) if failures else 0) + bits
    return Block(
        {"one": 1, "address bits": p.bus.address_width, "data bits": p.bus.data_width, "failures": failures,
         "sequence bits": sequence, "source bits": source, "windows": windows,
         "address bits of windows": windows * p.bus.address_width},
        (Ram(min(32, p.bus.address_width), _pages(p) << bits, 2 * (1 + len(READ_WINDOWS)) * windows, "small"),
         Ram(source + 3, p.bus.outstanding + 1, 1, "buffer"),
         Ram(bits_for(p.bus.burst_beats - 1) + 3 * failures, waiting_bursts(p), 1, "buffer"),
         Ram(ends, commands, 1, "buffer")))


def _table(p: Platform, layout: RowLayout, rows: int) -> list[Ram]:
    """The memories of a table of the kernel manager: one per 32-bit word of a row."""
    depth = rows + (p.tables.shadow << bits_for(rows - 1))
    widths = [min(32, layout.width - low) + p.tables.parity for low in range(0, layout.width, 32)]
    return [Ram(width, depth, widths.count(width), "table") for width in sorted(set(widths))]


def _kernel(p: Platform) -> Block:
    t, index = p.tables, index_layout(p)
    regions = p.scheduler.tasks << bits_for(t.regions - 1)
    rams = _table(p, index, regions)
    in_words = t.read == "word"
    if in_words:
        order, row = WordOrder(p), bits_for(max(t.entries, t.layers) - 1)
        beside = row - bits_for(t.layers - 1)
        depth = order.entry_words + -(-order.layer_words >> beside) << row
        rams.append(Ram(32 + t.parity, depth + (t.shadow << bits_for(depth - 1)), 1,
                        "table" if t.shadow or t.parity else "words"))
        rows = 0
    else:
        layouts = entry_layout(p), layer_layout(p)
        for layout, count in zip(layouts, (t.entries, t.layers), strict=True):
            rams += _table(p, layout, count)
        rows = sum(layout.width for layout in layouts)
    return Block({"one": 1, "in words": in_words, "bits of rows": rows, "index bits": index.width,
                  "guarded bits": t.parity * (index.width + rows), "guarded": t.parity, "pages": t.shadow},
                 tuple(rams))


def _panel(p: Platform, lanes: int, panels: int) -> Ram:
    word = max(lanes, p.beat_bytes)
    words = p.tile.k * lanes // word
    return Ram(8 * word, p.buffers.slots << bits_for(panels - 1) + bits_for(words - 1), 1, "buffer",
               8 * p.beat_bytes)


def _queue(width: int, depth: int) -> Ram:
    """The memory of a `DroppableQueue`; on the iCE40 two payloads stand in registers, as their RAM would."""
    return Ram(width, 1 << (depth - 1).bit_length(), 1, "shallow" if depth > 2 else "comb")


def _accelerator(p: Platform, family: str) -> Block:
    rows, cols, element = p.array.rows, p.array.cols, p.array.element_bytes
    slots, banks, lanes, lay = p.buffers.slots, p.buffers.banks, p.store.requant_lanes, Layouts(p)
    address, in_words = p.bus.address_width, p.tables.read == "word"
    products, long = rows * cols, LongProduct.BLOCKS * lanes
    alone = family == "ice40" and products + long <= SB_MAC16_BLOCKS  # an element in a block of its own
    pairs = family == "ice40" and element == 1 and not alone  # two products in a block
    word = 8 * p.beat_bytes * p.bank_word_beats
    column = bits_for(p.tile.n // max(1, p.beat_bytes // 4) - 1)
    unused = offset_bits(p)
    kept = lay.parameters.size - bits_for(p.tables.layers - 1) - 2 * unused
    parameters = (Ram(lay.told["data"].width, p.tables.layers << Part.as_shape().width, 1, "buffer") if in_words
                  else Ram(kept, p.tables.layers, 1, "buffer"))
    spare = Ram(bits_for(p.m_panels) + bits_for(p.tile.n) + bits_for(p.tables.layers - 1), banks,
                int(p.buffers.spare > 0), "comb")
    steps = {side: max(1, p.beat_bytes // its) for side, its in (("a", p.a_lanes), ("b", p.b_lanes))}
    return Block(
        {
            "one": 1, "elements": 0 if alone else products, "elements alone": products if alone else 0,
            "bytes of elements": 0 if alone else products * element, "rows": rows,
            "operand bits": 8 * (rows + cols) * element, "bits between banks": word * (banks - 1),
            "steps of a word": 8 * (p.a_lanes * (steps["a"] - 1) + p.b_lanes * (steps["b"] - 1)),
            "lanes": lanes, "bytes of lanes": lanes * element, "data bits": p.bus.data_width,
            "address bits": address, "row bits": entry_layout(p).width + layer_layout(p).width,
            "slots": slots, "banks": banks, "spare": p.buffers.spare, "tasks": p.scheduler.tasks,
            "in words": in_words, "inside layers": p.preemption == "slice",
        },
        (_panel(p, p.a_lanes, p.m_panels), _panel(p, p.b_lanes, p.n_panels),
         Ram(p.bus.data_width, 1 << bits_for(slots - 1) + 1 + column, 1, "buffer"),
         Ram(word, 1 << bits_for(p.m_panels - 1) + bits_for(p.tile.n - 1), banks, "buffer", p.bus.data_width),
         _queue(lay.tag.size, 2 * slots - 2), _queue(lay.region.size, RegionTracker.DEPTH),
         _queue(lay.store.size, banks), parameters, spare,
         Ram(lay.done.size, store_commands(p) + 1, 1, "shallow"),
         Ram(p.bus.data_width, StoreEngine.BUFFER, 1, "shallow")),
        0 if family == "ice40hx" else long + (-(-cols // 2) * rows if pairs else products))


def sources(p: Platform) -> list[tuple[Kind, ...]]:
    """What each source of events sends, in the order of the top."""
    r, s, ready = p.release, p.supervision, (Kind.READY,)
    if r.kind == "swept":
        found = [(Kind.FINISH, Kind.FAIL, Kind.MISS, Kind.RELEASE, Kind.OVERRUN,
                  *[Kind.ABORT] * ("abort" in r.overrun), *[Kind.EARLY] * r.sporadic), *[(Kind.EARLY,)] * r.sporadic]
    else:
        found = [(Kind.FINISH, Kind.FAIL), (Kind.RELEASE, Kind.OVERRUN, Kind.EARLY), (Kind.MISS,),
                 *[ready] * (p.scheduler.kind == "tournament" and p.trace.enabled)]
    found += [*[(Kind.COMMIT,)] * p.tables.shadow, *[(Kind.BUDGET,)] * s.budgets, *[(Kind.WATCHDOG,)] * s.watchdog]
    if p.trace.enabled:
        found += [ready, (Kind.ISSUE,), (Kind.START, Kind.PREEMPT), (Kind.ITERATION, Kind.REGION_END), (Kind.RESUME,),
                  *[(Kind.SAVED,)] * (p.preemption == "slice")]
    return found


def _host(p: Platform) -> Block:
    bits, t = _task_bits(p), p.trace
    sent = sources(p)
    time, region = EventTiming(p, len(sent)).BITS, bits_for(p.tables.regions - 1)
    widths = [time + (bits_for(len(kinds) - 1) if len(kinds) > 1 else 0) + bits
              + (region if WITH_REGION.intersection(kinds) else 0) + max(ARG_BITS.get(kind, 0) for kind in kinds)
              for kinds in sent]
    told = region if any(WITH_REGION.intersection(kinds) for kinds in sent) else 0
    written = 32 + EVENT_KIND_BITS + bits + max(told, bits_for(max(Fault))) + 2
    count = COUNTER_BITS - offset_bits(p)
    return Block({"one": 1, "traced": t.enabled, "statistics": t.statistics, "counters": t.counters, "task bits": bits,
                  "sources": len(sent), "bits of events": sum(widths), "address bits": p.bus.address_width,
                  "watchdog": p.supervision.watchdog, "swept": p.release.kind == "swept", "pages": p.tables.shadow,
                  "depth bits of sources": len(sent) * bits_for(t.depth), "replay": p.release.trace > 0},
                 (*(Ram(width, t.depth, 1, "shallow") for width in widths),
                  Ram(written, EventCollector.OUTPUT_DEPTH, 1, "shallow"),
                  Ram(32, WORDS << bits, int(t.statistics), "buffer"),
                  Ram(33, 1 << bits, int(t.statistics), "shallow"),
                  Ram(32, 1 << bits, int(t.statistics and p.release.overrun != ("skip",)), "shallow"),
                  Ram(COUNTER_BITS, LAP, 2 * t.counters), Ram(count, 1 << bits, 2 * t.counters)))


def _top(p: Platform) -> Block:
    n, bits = p.scheduler.tasks, _task_bits(p)
    s, replay = p.supervision, p.release.trace
    return Block({"one": 1, "watchdog": s.watchdog, "budgets": s.budgets, "failures": s.failures,
                  "pages": p.tables.shadow, "triggers": p.release.sporadic * n,
                  "merged": p.release.sporadic and p.release.kind == "swept", "replay": replay > 0},
                 (*([Ram(32, (p.tables.shadow << bits) + n, 2, "block"), Ram(32, n, 1, "block")] if s.budgets else []),
                  *([Ram(TIME_BITS, replay), Ram(bits, replay)] if replay else []),
                  Ram(1, 1 << bits, 4 * s.failures, "comb")))


def around(p: Platform, board: Board) -> Block:
    """What a board's top adds to the accelerator: main memory and the link to the host."""
    beats, bursts = p.memory.size // p.beat_bytes, waiting_bursts(p)
    place = bits_for(beats - 1) + 1
    rams = [Ram(place + bits_for(p.bus.burst_beats - 1), p.bus.outstanding, 1, "shallow"),
            Ram(place, bursts, 1, "shallow"), Ram(8, 2 * 4 * CAPACITY)]
    if p.memory.size != 1 << p.bus.address_width:
        rams.append(Ram(1, store_commands(p) * bursts + p.memory.write_latency, 1, "shallow"))
    if board.steps == 1:
        rams.append(Ram(p.bus.data_width, beats, 1, "block", 32))
    return Block({"one": 1, "data bits": p.bus.data_width}, tuple(rams))
