"""Windows over images in slots, against the definition: which pixel each row of the array gets in every k step."""

from dataclasses import replace
from itertools import product
from math import prod

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_hw.accelerator.compute.image import ImageMemory
from derca_hw.accelerator.compute.windows import Windows
from derca_hw.bus.join import join
from derca_hw.layouts import Layouts, pulse
from derca_sim.compile.patches import patch_fields, patch_of, window_tiles
from derca_sim.model.network import Layer, Window, random_network
from derca_sim.model.tile import Tile as PlatformTile
from derca_sim.model.tile import fits, platform_tile
from kit.address_mutants import WINDOWS
from kit.cycles import Cycles
from kit.image_networks import maxima, random_window
from kit.mutants import survivors
from kit.payload import pack
from kit.platforms import platform
from kit.run import generator, parameters, simulate
from kit.stepped import seeded

#: A word of a slot is a beat, two beats, two beats; arrays with a large tile, for images of any width. One has maxima.
WORD, NARROW, WIDE = (platform(
    name=f"rows-{rows}", array={"rows": rows, "cols": 4}, bus={"data_width": bits}, store={"requant_lanes": 1},
    tile={"m": 8 * rows, "k": 96, "n": 16, "per_layer": True},
    operators={"convolution": True, "vectors": True, "maximum": rows == 8},
) for rows, bits in ((4, 32), (8, 32), (16, 64)))
#: Outputs that only platforms with maxima have.
LEAVING = ("leaves", "begun")
#: Ports of the memory that the test drives.
WRITES = ("write", "write_slot", "write_word", "write_lane", "write_split", "write_odd", "write_data")


class WindowBench(wiring.Component):
    """Windows, and the memory of A that they read."""

    def __init__(self, p, memory: type[wiring.Component] = ImageMemory, windows: type[wiring.Component] = Windows):
        self._p = p
        self._memory, self._windows = memory(p), windows(p)
        memory, windows = self._memory.signature.members, self._windows.signature.members
        super().__init__({
            **{name: In(memory[name].shape) for name in (*WRITES, "slot")},
            **{name: In(windows[name].shape) for name in ("valid", "tag", "start", "issue", "fire", "last_m")},
            **{name: Out(1) for name in ("seeking", "again", *(LEAVING if p.operators.maximum else ()))},
            "step": Out(windows["step"].shape), "layer": In(pulse(Layouts(p).window_write)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory, m.submodules.windows = memory, windows = self._memory, self._windows
        join(m, self, memory, (*WRITES, "slot"))
        join(m, self, windows, ("valid", "tag", "start", "issue", "fire", "last_m", "seeking", "again", "step",
                                *(LEAVING if self._p.operators.maximum else ())))
        connect(m, flipped(self.layer), windows.write)
        m.d.comb += [
            memory.read.eq(self.issue), memory.places.eq(windows.places), windows.read.eq(memory.step),
        ]
        return m


class Tile:
    """A tile of windows over a random image, or of a product, whose rows are the pixels of one row of an image.

    What is loaded, and what the array gets.

    Attributes
    ----------
    fields : of the layer's row.
    words : beats to write, (word, beat of it, split, second of a pair, bytes).
    slices : by (panel of B, panel of A), the steps: [(bytes by row of the array, None where nobody looks, last of its
        piece, last under its place of the kernel of maxima)].
    """

    def __init__(self, random, p, number: int):
        rng = np.random.default_rng(random.getrandbits(32))
        tiles: list[PlatformTile] = []
        while not tiles:
            draw = _product if random.random() < 0.15 else _windows
            w, layer, tiles = draw(random, rng, p)
        self.tile, self.window = tile, w = random.choice(tiles), w
        n, shape, channels = layer.n, w.shape, w.channels
        self.patch, self.maximum = patch_of(p, layer, tile), layer.maximum
        self.fields = patch_fields(p, layer, tile, 8)
        image = rng.integers(0, 256, (*shape, channels)).astype(np.uint8)
        self.m = random.randrange(-(-layer.m // tile.m))
        self.part = random.randrange(-(-n // tile.n) if self.patch.depth else -(-channels // self.patch.channels))
        own = slice(self.part * self.patch.channels, (self.part + 1) * self.patch.channels)
        self.depth = self.patch.depth or image[:, :, own].shape[2]
        self.y, self.number = self.patch.rows_of_image(self.m), number
        self._load(p, image.reshape(-1, channels)[:, own])
        n_panels = -(-min(tile.n, n - self.part * tile.n if self.patch.depth else n) // p.array.cols)
        self.slices = {
            (j, i): self._slice(p, image, i, own.start + (j * self.patch.depth))
            for j in range(n_panels) for i in range(-(-min(tile.m, layer.m - self.m * tile.m) // p.array.rows))}

    def _load(self, p, pixels: np.ndarray) -> None:
        """The panels in the image from the tile's first pixel on, as the load engine places them."""
        rows, begin = p.array.rows, self.patch.begin(self.m)
        self.words = []
        for panel in range(max(begin, 0), max(begin, 0) + self.patch.requests(self.m)):
            at = panel - begin + self.patch.offset
            content = pixels[panel * rows : (panel + 1) * rows]
            content = np.concatenate([content, np.zeros((rows - len(content), pixels.shape[1]), np.uint8)]).T
            for c, (i, lane) in product(range(len(content)), enumerate(range(0, rows, p.beat_bytes))):
                self.words.append((at * self.patch.channels + c, i, int(self.patch.split), at & 1,
                                   content[c, lane : lane + p.beat_bytes].tobytes()))

    def _slice(self, p, image: np.ndarray, m_panel: int, channel: int) -> list[tuple[list[int | None], bool, bool]]:
        w, rows = self.window, p.array.rows
        first = self.m * self.tile.m + m_panel * rows
        out, (height, width) = [], w.shape
        taps = list(product(range(w.kernel[0]), range(w.kernel[1]), range(self.depth)))
        for piece in range(self.patch.pieces):
            for tap, (ky, kx, c) in enumerate(taps):
                step = []
                for i in range(rows):
                    y, x = divmod(first + i, w.out[1])
                    mine = y - first // w.out[1]
                    y = y * w.strides[0] + ky * w.dilations[0] - w.pads[0]
                    x = x * w.strides[1] + kx * w.dilations[1] - w.pads[1]
                    inside = 0 <= y < height and 0 <= x < width
                    step.append(
                        None if first + i >= prod(w.out) or channel + c >= image.shape[2]
                        else 0x80 * self.maximum if self.patch.pieces > 1 and mine != piece
                        else int(image[y, x, channel + c]) if inside else w.pad % 256)
                out.append((step, tap == len(taps) - 1 and piece < self.patch.pieces - 1,
                            self.maximum and c == self.depth - 1))
        return out


def _windows(random, rng: np.random.Generator, p) -> tuple[Window, Layer, list[PlatformTile]]:
    """A window, a layer with it, and its tiles; none if it is too large."""
    shape = tuple(int(side) for side in rng.integers(1, random.choice([5, 12, 31]), 2))
    channels, groups, n = int(rng.integers(1, 7)), 1, int(rng.integers(1, 3 * p.array.cols + 1))
    if random.random() < 0.4:
        groups, n = channels, channels * random.choice([1, 2, 4])
    w = random_window(rng, shape, channels, groups)
    k = channels // groups * prod(w.kernel)
    layer = replace(random_network("layer", [(prod(w.out), k, n, False)], 1).layers[0], window=w)
    if p.operators.maximum and n == groups == channels:
        layer = maxima(layer, rng)
        w = layer.window
    return w, layer, list(window_tiles(p, layer)) if k <= p.most_k and prod(w.out) < 500 else []


def _product(random, rng: np.random.Generator, p) -> tuple[Window, Layer, list[PlatformTile]]:
    """A product, and the window that its rows would be."""
    m, k, n = (int(rng.integers(1, most)) for most in (10 * p.array.rows, 60, 3 * p.array.cols + 1))
    held = [tile for rows in range(1, p.most_m_panels + 1) for cols in range(1, p.n_panels + 1)
            if fits(p, tile := PlatformTile(rows * p.array.rows, random.randint(1, p.most_k), cols * p.array.cols))]
    return Window((1, m), k, (1, 1), (1, m)), random_network("layer", [(m, k, n, False)], 1).layers[0], held


class Vector:
    """A vector as A: the array's first row gets an element in each step."""

    def __init__(self, random, p, number: int):
        self.m = self.y = 0
        self.number, self.depth = number, random.randint(1, 2 * p.array.rows)
        self.fields = patch_fields(p, random_network("layer", [(1, self.depth, 1, False)], 1).layers[0],
                                   platform_tile(p), 8)
        content = random.randbytes(p.a_lanes * -(-self.depth // p.a_lanes))
        self.words = [(i // p.a_lanes, i % p.a_lanes // p.beat_bytes, 0, 0, content[i : i + p.beat_bytes])
                      for i in range(0, len(content), p.beat_bytes)]
        steps = [([element, *[None] * (p.array.rows - 1)], False, False) for element in content[: self.depth]]
        self.slices = {(0, 0): steps, (1, 0): steps}


def window_of(lay, fields: dict[str, int]) -> dict[str, int]:
    """The fields of a layer that the compute side gets."""
    columns = 1 + fields["split"]  # of the image, between outputs
    right = columns * fields["out_width"] - fields["width"] - fields["pad_x"]
    derived = {"step": fields["panel_x"] // columns, "left": fields["pad_x"] + fields["split"],
               "right": right % (1 << lay.window["right"].width)}
    return derived | {name: fields[name] for name, _ in lay.window if name not in derived}


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def pixels(dut):
    """Tiles of random windows and vectors, begun at any slice, with pauses; the next one starts with the last step."""
    options = parameters()
    counts = await walk(await Cycles(dut).start(), generator(), options["platform"], options["tiles"], options["most"])
    dut._log.info("%s", counts)
    assert min(counts.values()) > 1, counts


async def walk(bench, random, p, tiles: int, most: int) -> dict[str, int]:
    """Walk over so many tiles, each given up after `most` steps; returns what they were."""
    lay = Layouts(p)
    counts = dict.fromkeys(("pieces", "split", "borders", "seeks", "groups", "vectors", "several", "again", "thirds",
                            "products"), 0)
    counts |= {"maxima": 0, "maxima in pieces": 0} if p.operators.maximum else {}
    # steps of the tile in work: slot, bytes, last of its piece, place, slice, panel of B; whether places came before
    work: list[tuple] = []
    waiting = 0  # panels to be passed over
    expected = None  # of the step addressed in the cycle before
    for number in range(tiles):
        new = Vector(random, p, number) if random.random() < 0.1 else Tile(random, p, number)
        slot = number % p.buffers.slots
        order = list(new.slices)
        begin = random.choice([0, random.randrange(len(order))])
        tag = {"output": {"layer": number % p.tables.layers}, "y": new.y, "depth": new.depth,
               "m_panel": order[begin][1], "n_panel": order[begin][0], "vector": int(isinstance(new, Vector))}
        window = window_of(lay, new.fields)
        seeks = sum(order[begin])
        beats = list(new.words)
        counts["vectors"] += isinstance(new, Vector)
        counts["seeks"] += seeks > 1
        counts["several"] += len({m for _, m in order}) > 1
        if isinstance(new, Tile):
            counts["pieces"] += new.patch.pieces > 1
            counts["split"] += new.patch.split
            counts["groups"] += new.patch.depth > 0 and len({n for n, _ in order}) > 1
            counts["thirds"] += new.patch.depth > 0 and max(n for n, _ in order) > 1
            counts["products"] += not new.fields["windowed"] and len(order) > 1
            counts["borders"] += max(new.window.pads) > 0
            if new.maximum:
                counts["maxima"] += 1
                counts["maxima in pieces"] += new.patch.pieces > 1
        since = 0
        while True:
            bench.set(**dict.fromkeys(("write", "layer__valid", "issue", "fire", "start"), 0))
            if beats:
                word, lane, split, odd, content = beats.pop(0)
                bench.set(write=1, write_slot=slot, write_word=word, write_lane=lane, write_split=split, write_odd=odd,
                          write_data=int.from_bytes(content, "little"))
            if since == 0:
                bench.set(valid=0, layer__valid=1, layer__payload=pack(
                    lay.window_write, layer=number % p.tables.layers, window=window))
            else:
                bench.set(valid=1, tag=pack(lay.tag, **tag))
            issues = bool(work) and not waiting and random.random() < 0.9
            if issues:
                at, step, again, leaves, fire, last_m, begun = work.pop(0)
                bench.set(issue=1, slot=at, fire=int(fire), last_m=int(last_m))
            starts = not work and not beats and since >= 3 and (not issues or fire)  # or it was given up before
            bench.set(start=int(starts))
            await bench.tick()
            where = f"cycle {bench.cycle}, tile {number}"
            assert bench.get("seeking") == (waiting > 0), where
            assert bench.get("again") == (issues and again), where
            if p.operators.maximum:
                assert bench.get("leaves") == (issues and leaves), where
                assert not issues or bench.get("begun") == begun, where
            if expected is not None:
                word = bench.get("step")
                found = [word >> 8 * i & 0xFF for i in range(p.array.rows)]
                assert all(e in (None, f) for e, f in zip(expected, found, strict=True)), (
                    f"{where}: {found}, expected {expected}")
            expected = step if issues else None
            counts["again"] += bool(issues and again)
            since, waiting = since + 1, max(0, waiting - 1)
            if starts:
                break
        waiting = seeks
        for at in range(begin, len(order)):
            steps = new.slices[order[at]]
            last_m = at + 1 == len(order) or order[at + 1][0] != order[at][0]
            first = next((i for i, step in enumerate(steps) if step[2]), len(steps))
            work += [(slot, *step, i == len(steps) - 1, last_m, i > first) for i, step in enumerate(steps)]
        del work[most:]  # as if it were given up
    return counts


@pytest.mark.parametrize("p", [NARROW, pytest.param(WIDE, marks=pytest.mark.full)], ids=lambda p: p.name)
def test_windows(p):
    simulate(lambda: WindowBench(p), __name__, "pixels", platform=p, tiles=80, most=600)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 7))
@pytest.mark.parametrize("p", [WORD, NARROW, WIDE], ids=lambda p: p.name)
def test_more_windows(p, seed):
    simulate(lambda: WindowBench(p), __name__, "pixels", platform=p, seed=seed, tiles=150, most=1200)


@pytest.mark.full
def test_mutants_of_windows_are_noticed():
    """By the tiles of the test above."""
    def make(module):
        return WindowBench(NARROW, module("accelerator.compute.image").ImageMemory,
                           module("accelerator.compute.windows").Windows)

    left = survivors(WINDOWS, make, lambda bench: walk(bench, seeded(1), NARROW, 80, 600))
    assert not left, left
