"""Payloads of all streams between blocks, built from the platform. One field per line, with its meaning."""

from typing import NamedTuple

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, enum, stream
from amaranth.lib.wiring import PureInterface

from derca_sim.events import Kind
from derca_sim.model.platform import MAX_SIDE, Platform
from derca_sim.model.registers import TASK_STRIDE
from derca_sim.model.residual import residual_slots
from derca_sim.model.tables import (
    RowLayout,
    WordOrder,
    bits_for,
    entry_layout,
    layer_layout,
    residual_fields,
    scale_layout,
    window_fields,
)
from derca_sim.model.timing import store_commands

REGION_BITS = 16
#: Bits of a task index in events, whatever the platform.
EVENT_TASK_BITS = 10
#: Bits of a distance to a border of an image, in pixels: it is less than four times the longest side.
DISTANCE_BITS = bits_for(4 * MAX_SIDE) + 1
#: Bits of an event's kind.
EVENT_KIND_BITS = 5


class Source(NamedTuple):
    """A block's stream of events."""

    stream: PureInterface
    #: The kinds of events that it sends.
    kinds: tuple[Kind, ...]


class Destination(enum.Enum, shape=2):
    """The target of read data."""

    A = 0  #: slot of A, panel; or of D
    B = 1  #: slot of B, panel
    BIAS = 2  #: slot of B, biases
    BANK = 3  #: output bank, persisted partial sums


class Activity(enum.Enum, shape=3):
    """The activity of the compute engine in a cycle, or the reason why it waits."""

    IDLE = 0  #: nothing is granted
    BUSY = 1  #: operands enter the array
    LOAD = 2  #: operands are not there
    BANK = 3  #: no bank is free, or the columns of the slice before are still being added
    STORE = 4  #: sums of a preempted job are on their way, or the input of a layer is not in memory


class Part(enum.Enum, shape=2):
    """The words in which a layer's parameters reach the store engine with `tables.read = "word"`."""

    MULTIPLIER = 0  #: the layer's first word
    OUTPUT = 1  #: its second: shift, zero point, bounds or `relu`, `rounding`
    PLACE = 2  #: `c_panel_stride` and `save`, in beats


def offset_bits(p: Platform) -> int:
    """Bits of a byte's offset in its beat: the low bits of addresses and strides, which are 0 for whole beats."""
    return (p.beat_bytes - 1).bit_length()


def outstanding_tiles(p: Platform) -> int:
    """The most tiles of a task that may be on their way to memory: in slots, in banks, waiting for responses."""
    return 2 * p.buffers.slots + p.buffers.banks + store_commands(p) + 2


def first_words(p: Platform) -> tuple[str, ...]:
    """The fields of an entry that say where the panels of its first slice begin on chip, if tiles have any shape."""
    if not p.tile.per_layer:
        return ()
    return ("b_word", "bank_word") if p.operators.convolution else ("a_word", "b_word", "bank_word")


def moves() -> data.StructLayout:
    """How a window moves after a k step, or before the first one; at most one of them."""
    return data.StructLayout({
        "x": 1,  # to the next column of the kernel
        "y": 1,  # to its next row
        "piece": 1,  # to the next piece of the panel
        "panel": 1,  # to the next panel of A
        "first": 1,  # to the tile's first panel of A, for the next panel of B
    })


def struct(layout: RowLayout) -> data.StructLayout:
    """A table row as an Amaranth layout."""
    return data.StructLayout({f.name: unsigned(f.width) for f in layout.fields})


class Layouts:
    """All payload layouts of one platform."""

    def __init__(self, p: Platform):
        address = p.bus.address_width
        task = bits_for(p.scheduler.tasks - 1)
        time = p.scheduler.time_width
        slot = bits_for(p.buffers.slots - 1)
        bank = bits_for(p.buffers.banks - 1)
        residual = {"residual": bits_for(residual_slots(p) - 1)} if p.operators.add else {}
        m_panels = bits_for(p.most_m_panels)
        n = bits_for(p.tile.n)
        k = bits_for(p.most_k)
        beats = bits_for(p.largest_request)
        layer = bits_for(p.tables.layers - 1)

        self.layer = struct(layer_layout(p))
        self.entry = struct(entry_layout(p))

        self.event = data.StructLayout({
            "cycle": 32,  # cycles since start
            "kind": EVENT_KIND_BITS,  # derca_sim.events.Kind
            "task": EVENT_TASK_BITS,
            "region": REGION_BITS,
            "arg": 2,  # strategy, or 1 for a late finish
        })
        self.release = data.StructLayout({
            "task": task,
            "key": time,  # orders jobs, modulo 2^time_width: under EDF the absolute deadline
            "abort": 1,  # the task's previous job still lives and is to be replaced
        })
        self.job = data.StructLayout({
            "task": task,
            "key": time,
        })
        self.task_write = data.StructLayout({
            "task": task,
            "field": bits_for((TASK_STRIDE >> 2) - 1),  # word index within the task's block of registers
            "value": 32,
        })
        self.instruction = data.StructLayout({
            "task": task,
            "region": REGION_BITS,
            "switch": 1,  # not the next region of the running job: flush and fetch
            "preempt": 1,  # the running job has regions left
            "abort": 1,  # the running job is given up: its partial sums are dropped
            "resume": 1,  # the new job has run before: region is not 0
        })
        self.grant = data.StructLayout({
            "switch": 1,  # drop prefetched slots, the next region is another job's
            "preempt": 1,  # swap out the running job
            "abort": 1,  # instead, give up the running job: its sums are dropped
            "task": task,  # of the region
            "resume": 1,  # with switch: the job has run before
        })
        self.metadata = data.StructLayout({
            "layer": self.layer,
            "entry": self.entry,
            "task": task,
            "region": REGION_BITS,  # first region after the switch
            "resume": 1,  # first entry after a switch to a job that has run before
            "in_strategy": 2,  # of the preemption point at which the job was left
        })
        self.word = data.StructLayout({
            "data": 32,
            "next": WordOrder(p).bits + 1,  # number of the word after it, in the order of `WordOrder`
            "last": 1,  # this word completes the entry and its layer
            **{name: self.metadata[name].shape for name in ("task", "region", "resume", "in_strategy")},
        })
        self.region = data.StructLayout({
            "slices": bits_for(p.tables.slices),  # to be computed, redone ones included
            "region": bits_for(p.tables.regions - 1),
            "strategy": 2,  # of the preemption point after it
        })
        self.output = data.StructLayout({
            "task": task,
            "final": 1,  # this tile completes the job's results
            "persist": 1,  # raw partial sums instead of requantised outputs
            "m_panels": m_panels,  # panels in the tile
            "n": n,  # columns in the tile
            **({"vector": 1} if p.operators.vectors else {}),  # outputs are stored without padding
            "c": address,  # of outputs; partial sums go to the save area
            "layer": layer,  # row of the layer table
            **({
                "channels": bits_for(p.n_panels),  # with `packed` outputs: channels in the tile
                "panels": bits_for(p.bank_columns),  # and panels of C
            } if p.operators.depthwise else {}),
            **({"scale": bits_for(p.requant.channels - 1)} if p.requant.channels else {}),  # row of its first column
            **({
                "transpose": 1,  # outputs are stored transposed
                "rows": bits_for(p.most_m),  # rows in the tile
            } if p.operators.transpose else {}),
        })
        if p.operators.convolution:
            #: What the compute side knows of a layer.
            self.window = data.StructLayout({
                "channels": self.layer["channels"].shape,
                **{f.name: self.layer[f.name].shape for f in window_fields(p)
                   if f.name not in ("width", "panel_x", "pad_x")},
                "step": self.layer["out_width"].shape,  # columns of outputs that a panel advances, modulo their rows
                # columns by which the kernel's first one is left of the image, up for strides; by which it is right of
                # the image for the last column of outputs, and one more
                "left": signed(DISTANCE_BITS),
                "right": signed(DISTANCE_BITS),
            })
            self.window_write = data.StructLayout({
                "layer": layer,  # row of the layer table
                "window": self.window,
            })
        #: A row of the table of scales.
        self.scale = struct(scale_layout(p))
        #: The fields of a layer that say how outputs are bounded.
        self.limits = tuple(name for name, _ in self.layer if name in ("low", "high", "relu"))
        #: The fields in the second word of its parameters, lowest first.
        self.second = tuple(name for name, _ in self.layer if name in ("shift", "rounding", "zero_point", *self.limits))
        functions = tuple(name for name, _ in self.layer if name in ("activation", "table"))
        functions += tuple(field.name for field in residual_fields(p))
        functions += ("packed", "row_pixels", "rows") if p.operators.depthwise else ()
        self.parameters = data.StructLayout({
            "layer": layer,  # row of the layer table; the other fields are from there
            **{name: self.layer[name].shape
               for name in (*(() if p.requant.channels else ("multiplier",)), *self.second, *functions,
                            "c_panel_stride", "save")},
        })
        unused = offset_bits(p)
        #: How parameters reach the store engine.
        self.parameter_write = self.parameters if p.tables.read == "row" else data.StructLayout({
            "layer": layer,
            "part": Part,
            "data": max(32, 2 * (address - unused)),
        })
        self.tag = data.StructLayout({
            "output": self.output,
            "k": k,  # k steps of the iteration
            **({"vector": 1} if p.operators.vectors else {}),  # A is stored without padding
            "first": 1,  # first K step: overwrite the bank
            "last": 1,  # last K step: the output tile is complete
            "resumed": 1,  # goes on in the bank of a preempted job
            "new_b": 1,  # the first to use its tile of B
            "last_a": 1,  # the last to use its tile of A
            "last_b": 1,  # the last to use its tile of B
            **({"add": 1} if p.operators.add else {}),  # it has a tile of D
            "m_panel": bits_for(p.most_m_panels - 1),  # of the slice at which it begins
            "n_panel": bits_for(p.n_panels - 1),
            # where that slice's panels begin in their slots, and its columns in the bank
            **{name: self.entry[name].shape for name in first_words(p)},
            **({
                "steps": self.layer["steps"].shape,  # k steps of a slice, for all pieces
                "depth": self.layer["channels"].shape,  # channels under each place of the kernel
                "y": self.entry["y"].shape,  # first row of the image, without the kernel's pad
            } if p.operators.convolution else {}),
        })
        #: The requests for a tile of A that is a part of an image.
        patch = {
            "panels": bits_for(p.most_a_panels),  # to be requested
            "channels": self.layer["channels"].shape,  # of each
            "words": self.layer["channels"].shape,  # of the slot, from panel to panel
            "word": self.layer["patch_word"].shape,  # of the first panel
            "split": 1,  # even and odd pixels are kept apart
            "odd": 1,  # it is the second of two panels
        } if p.operators.convolution else {}
        self.iteration = data.StructLayout({
            "preload": 1,  # load partial sums into a bank instead of tiles into slots
            "new_a": 1,  # its tile of A is a new one; for B see tag.new_b
            "depends": 1,  # its tile of A comes from layers of the job
            **({"depends_b": 1} if p.operators.matmul else {}),  # its tile of B comes from layers of the job
            **({
                "depends_d": 1,  # its tile of D comes from layers of the job
                "d": address,
                "d_panel_stride": address,
            } if p.operators.add else {}),
            "allow": bits_for(outstanding_tiles(p)),  # if it depends: older tiles of the job that may be on their way
            "a": address,
            "a_panel_stride": address,  # of tiles, not of partial sums
            "b": address,
            "b_panel_stride": address,
            "bias": address,
            **({"ahead": self.layer["ahead"].shape} if p.buffers.ahead else {}),
            **patch,
            "tag": self.tag,
        })
        #: The requests for a tile of A, made after those of a later iteration.
        self.later = data.StructLayout({
            **{name: self.iteration[name].shape for name in ("a", "a_panel_stride", "depends")},
            "stored": bits_for(outstanding_tiles(p)) + 2,  # tiles of the job that have to be in memory, modulo
            "due": bits_for(2 * p.buffers.slots),  # number of the iteration that it follows, modulo
            **({} if patch else {"k": k}),
            **({"vector": 1} if p.operators.vectors else {}),
            **(patch or {"m_panels": m_panels}),
            "slot": slot,
        })
        self.target = data.StructLayout({
            "destination": Destination,
            **({"residual": 1} if p.operators.add else {}),  # with A: a slot of D instead
            "unit": max(slot, bank, *residual.values()),  # slot or bank
            # panel of the tile; with `tile.per_layer` the word of slot or bank at which it begins
            "panel": bits_for(max(p.a_steps, p.b_steps, p.bank_columns) - 1 if p.tile.per_layer
                              else max(p.m_panels, p.n_panels)),
            **{name: patch[name] for name in ("split", "odd") if patch},  # of a panel of A
        })
        self.read_request = data.StructLayout({
            "address": address,
            "beats": beats,
            "task": task,
            "target": self.target,
        })
        self.read_beat = data.StructLayout({
            "data": p.bus.data_width,
            "target": self.target,
            "first": 1,  # first beat of the request
            "last": 1,  # last beat of the request
        })
        self.write_request = data.StructLayout({
            "address": address,
            "beats": beats,
            "task": task,
            "end": 1,  # last request of a store command
        })
        self.store = data.StructLayout({
            "bank": bank,
            **residual,  # slot of D
            "output": self.output,
        })
        self.done = data.StructLayout({
            "task": task,
            "final": 1,
            "persist": 1,
            "failed": 1,  # with `final`: the job has failed
        })
        self.job_fault = data.StructLayout({
            "task": task,
            "window": 1,  # a request outside the task's windows, not an error of the memory
        })


def pulse(payload) -> stream.Signature:
    """A stream whose consumer never stalls."""
    return stream.Signature(payload, always_ready=True)
