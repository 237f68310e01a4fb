"""What a platform is made of, in numbers that area follows: memories, multipliers, registers, per block of the top.

Each block of `resources.BLOCKS`, and what a board has around them, has its memories, which `rams` knows the RAM of, its
multipliers and its features. A feature is a count, such as elements of the array or bits of an entry, and the estimate
weighs it.
"""

from dataclasses import dataclass

from derca_hw.accelerator.accelerator import Accelerator
from derca_hw.blocks.ram import DISTRIBUTED
from derca_hw.families.multiplier import SB_MAC16_BLOCKS, products_of_lane
from derca_hw.host.events import EventCollector
from derca_hw.host.interface import HostInterface
from derca_hw.kernel.manager import KernelManager
from derca_hw.layouts import Layouts
from derca_hw.memory.ports import MemoryInterface
from derca_hw.memory.write import command_bursts, waiting_bursts
from derca_hw.release.datapath import TIME_BITS
from derca_hw.release.rows import State
from derca_hw.release.stamps import SMALL
from derca_hw.scheduler.scheduler import Scheduler
from derca_hw.supervision.budgets import Budgets
from derca_hw.supervision.failures import Failures
from derca_hw.top import event_kinds
from derca_sim.events import Kind
from derca_sim.model.board import Board
from derca_sim.model.link import CAPACITY
from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for, entry_layout, index_layout, layer_layout
from derca_sim.model.timing import ParallelTiming, store_commands

from .rams import Ram

#: Features of the accelerator that count what options add.
OF_OPTIONS = ("rounding lanes", "adding lanes", "rows of images")


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
    s = p.scheduler
    features = {"one": 1, "key bits": s.time_width, "task bits": _task_bits(p),
                "region bits": bits_for(p.tables.regions), "slack": "least_slack" in s.policies}
    if s.kind == "heap":
        features |= {"heap": 1, "key bits of a heap": s.time_width}
    elif s.kind == "scan":
        features |= {"scan": 1}
    else:
        features |= {"records": s.tasks, "key bits of records": s.tasks * s.time_width}
    return Block(features, tuple(Scheduler.memories(p)))


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
    return Block(
        {"one": 1, "address bits": p.bus.address_width, "data bits": p.bus.data_width, "failures": failures,
         "sequence bits": 1 + bits_for(commands * command_bursts(p) + 2), "source bits": lay.target.size + bits,
         "windows": windows, "address bits of windows": windows * p.bus.address_width},
        tuple(MemoryInterface.memories(p)))


def _kernel(p: Platform) -> Block:
    t, index = p.tables, index_layout(p)
    in_words = t.read == "word"
    rows = 0 if in_words else entry_layout(p).width + layer_layout(p).width
    return Block({"one": 1, "in words": in_words, "bits of rows": rows, "index bits": index.width,
                  "guarded bits": t.parity * (index.width + rows), "guarded": t.parity, "pages": t.shadow},
                 tuple(KernelManager.memories(p)))


def _accelerator(p: Platform, family: str) -> Block:
    rows, cols, element = p.array.rows, p.array.cols, p.array.element_bytes
    slots, banks, lanes = p.buffers.slots, p.buffers.banks, p.store.requant_lanes
    address, in_words = p.bus.address_width, p.tables.read == "word"
    products, long = rows * cols, products_of_lane(p.operators.add) * lanes
    alone = family == "ice40" and products + long <= SB_MAC16_BLOCKS  # an element in a block of its own
    pairs = family == "ice40" and element == 1 and not alone  # two products in a block
    word = 8 * p.beat_bytes * p.bank_word_beats
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
            # OF_OPTIONS
            "rounding lanes": p.requant.tflite * lanes, "adding lanes": p.operators.add * lanes,
            "rows of images": p.operators.convolution * rows,
        },
        tuple(Accelerator.memories(p)),
        0 if family == "ice40hx" else long + (-(-cols // 2) * rows if pairs else products))


def sources(p: Platform) -> list[tuple[Kind, ...]]:
    """What each source of events sends, in the order of the top."""
    r = p.release
    if r.kind == "swept":
        found = [(Kind.FINISH, Kind.FAIL, Kind.MISS, Kind.RELEASE, Kind.OVERRUN,
                  *[Kind.ABORT] * ("abort" in r.overrun), *[Kind.EARLY] * r.sporadic), *[(Kind.EARLY,)] * r.sporadic]
    else:
        found = [(Kind.FINISH, Kind.FAIL), (Kind.RELEASE, Kind.OVERRUN, Kind.EARLY), (Kind.MISS,),
                 *[(Kind.READY,)] * (p.scheduler.kind == "tournament" and p.trace.enabled)]
    return [*found, *event_kinds(p)]


def _host(p: Platform) -> Block:
    bits, t = _task_bits(p), p.trace
    sent = sources(p)
    buffers, _ = EventCollector.memories(p, sent)
    return Block({"one": 1, "traced": t.enabled, "statistics": t.statistics, "counters": t.counters, "task bits": bits,
                  "sources": len(sent), "bits of events": sum(ram.width for ram in buffers),
                  "address bits": p.bus.address_width,
                  "watchdog": p.supervision.watchdog, "swept": p.release.kind == "swept", "pages": p.tables.shadow,
                  "depth bits of sources": len(sent) * bits_for(t.depth), "replay": p.release.trace > 0},
                 tuple(HostInterface.memories(p, sent)))


def _top(p: Platform) -> Block:
    n, bits = p.scheduler.tasks, _task_bits(p)
    s, replay = p.supervision, p.release.trace
    return Block({"one": 1, "watchdog": s.watchdog, "budgets": s.budgets, "failures": s.failures,
                  "pages": p.tables.shadow, "triggers": p.release.sporadic * n,
                  "merged": p.release.sporadic and p.release.kind == "swept", "replay": replay > 0},
                 (*(Budgets.memories(p) if s.budgets else []),
                  *(Ram(width, replay, part="triggers (release.trace)") for width in (TIME_BITS, bits) if replay),
                  *(Failures.memories(p) if s.failures else [])))


def around(p: Platform, board: Board) -> Block:
    """What a board's top adds to the accelerator: main memory and the link to the host."""
    beats, bursts = p.memory.size // p.beat_bytes, waiting_bursts(p)
    place = bits_for(beats - 1) + 1
    rams = [Ram(place + bits_for(p.bus.burst_beats - 1), p.bus.outstanding, 1, "shallow"),
            Ram(place, bursts, 1, "shallow"), Ram(8, 2 * 4 * CAPACITY)]
    if p.memory.size != 1 << p.bus.address_width:
        rams.append(Ram(1, store_commands(p) * bursts + p.memory.write_latency, 1, "shallow"))
    if board.steps == 1:
        rams.append(Ram(p.bus.data_width, beats, 1, "block", 32, "main memory (memory.size)"))
    return Block({"one": 1, "data bits": p.bus.data_width}, tuple(rams))
