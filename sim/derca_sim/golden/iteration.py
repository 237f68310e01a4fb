"""The requests and the work of one iteration, from the layer's plan alone."""

from functools import cached_property, lru_cache

import numpy as np

from ..compile.layers import LayerPlan
from ..model.network import Window
from .gather import reads_of


@lru_cache(maxsize=1024)
def _pieces(w: Window, rows: int) -> int:
    """Most rows of an output image in a panel; 1 if the pixels under it are evenly spaced all the same."""
    if w.out[1] % rows == 0 or w.row * w.strides[0] == w.out[1] * w.strides[1]:
        return 1
    lines = np.arange(w.out[0] * w.out[1]) // w.out[1]
    return max(len(np.unique(lines[at:at + rows])) for at in range(0, len(lines), rows))


class Iteration:
    """Iteration `number` of a layer; the first slice to be computed is `skip`.

    `fresh`: it is the first after its entry was taken, so nothing that it needs is on chip. `resumed`: partial sums of
    its tile are in a bank. `final`: it is the job's last iteration.
    """

    def __init__(self, layer: LayerPlan, number: int, fresh: bool = True, skip: int = 0, resumed: bool = False):
        self.layer = layer
        self.number = number
        self.task = layer.task
        self.skip = skip
        self.resumed = resumed
        self.m, self.n, self.k = m, n, k = layer.coordinates(number)
        #: First and last K step of its output tile.
        self.first, self.last = k == 0, k == layer.k_tiles - 1
        single = layer.k_tiles == 1
        grouped = self._grouped
        #: Whether A and B tile have to be loaded, and whether the next iteration of the layer uses others.
        self.new_a = fresh or not single or n == 0 or grouped
        self.new_b = fresh or not single or layer.n_tiles > 1
        self.last_a = not single or n == layer.n_tiles - 1 or grouped
        self.last_b = not single or layer.n_tiles > 1 or m == layer.m_tiles - 1

    @property
    def key(self) -> tuple[int, int, int]:
        """A value that identifies the work: layer, number, first slice."""
        return self.layer.row, self.number, self.skip

    @property
    def final(self) -> bool:
        """Whether this is the job's last iteration."""
        return self.layer.last and self.number == self.layer.iterations - 1

    @property
    def allow(self) -> int:
        """Output tiles of the job, apart from its own, that may be outstanding when the A tile is loaded."""
        return self.layer.allow(self.m, self.n)

    @cached_property
    def panels(self) -> int:
        """A panels."""
        return self.layer.tile_m_panels(self.m)

    @cached_property
    def rows(self) -> int:
        """Rows of A and C."""
        return self.layer.tile_m(self.m)

    @cached_property
    def columns(self) -> int:
        """Output columns."""
        return self.layer.tile_n(self.n)

    @property
    def packed(self) -> int:
        """Rows of outputs in a panel of B that has one channel; 0 where it has others."""
        return self.layer.tile.rows

    @property
    def _grouped(self) -> bool:
        """Whether columns of a tile see channels of their own."""
        layer = self.layer.layer
        return layer.window is not None and (layer.window.groups > 1 or layer.maximum)

    @property
    def _lines(self) -> int:
        """Rows of outputs of a full tile of windows."""
        layer, w = self.layer, self.layer.layer.window
        if layer.m_tiles == 1:
            return w.out[0]
        if self.packed:
            return layer.tile.m // layer.platform.array.rows // -(-w.out[1] // layer.platform.array.rows) * self.packed
        return layer.tile.m // w.out[1]

    @property
    def k_steps(self) -> int:
        """K steps."""
        return self.layer.tile_k(self.k)

    @cached_property
    def steps(self) -> int:
        """Cycles in which a slice takes operands: K steps, once for each row of outputs that its panels go over."""
        w = self.layer.layer.window
        return self.k_steps * (1 if w is None or self.packed else _pieces(w, self.layer.platform.array.rows))

    def a_reads(self) -> list[tuple[int, int]]:
        """(address, beats) of the requests for its A tile."""
        layer, p = self.layer, self.layer.platform
        tile = layer.tile
        if layer.layer.window is not None:
            return self._image_reads()
        stride = layer.a_panel_stride
        a = layer.a_base + self.k * tile.k * layer.a.area.lanes + self.m * tile.m // p.array.rows * stride
        beats = p.panel_beats(self.k_steps, layer.a.area.lanes)
        return [(a + i * stride, beats) for i in range(self.panels)]

    def _image_reads(self) -> list[tuple[int, int]]:
        """Likewise for windows: the panels from the first to the last pixel under a full tile, as far as they exist."""
        layer, p, w = self.layer, self.layer.platform, self.layer.layer.window
        taps, rows = w.kernel[0] * w.kernel[1], p.array.rows
        above, below = self.m * self._lines, (self.m + 1) * self._lines

        def pixel(y: int, x: int, kernel_y: int, kernel_x: int) -> int:
            y, x = (at * stride + tap * dilation - pad for at, tap, stride, dilation, pad in
                    zip((y, x), (kernel_y, kernel_x), w.strides, w.dilations, w.pads, strict=True))
            if self.packed == w.out[0]:  # all rows of outputs: those outside the image are in the biases
                y = min(max(y, 0), w.shape[0] - 1)
            return y * w.row + x

        first = max(pixel(above, 0, 0, 0), 0)
        last = min(pixel(below - 1, w.out[1] - 1, w.kernel[0] - 1, w.kernel[1] - 1), w.pixels - 1)
        channel, channels = layer.tile.k // taps * self.k, self.k_steps // taps
        if self.packed:
            channel, channels = (columns // p.array.cols for columns in (self.n * layer.tile.n, self.columns))
        elif self._grouped:
            each = layer.layer.n // w.groups
            groups = range(self.n * layer.tile.n // each, -(-(self.n * layer.tile.n + self.columns) // each))
            channel, channels = (w.channels // w.groups * count for count in (groups[0], len(groups)))
        beats = p.panel_beats(channels, p.a_lanes)
        base, stride = layer.a_base + channel * p.a_lanes, layer.a_panel_stride
        return [(base + panel * stride, beats) for panel in range(first // rows, last // rows + 1)]

    def b_reads(self) -> list[tuple[int, int]]:
        """(address, beats) of the requests for its B tile, and for the biases if it is the first K step."""
        layer, p = self.layer, self.layer.platform
        tile = layer.tile
        b = layer.b_base + self.k * tile.k * p.b_lanes + self.n * tile.n // p.array.cols * layer.b_panel_stride
        beats = p.panel_beats(self.k_steps, p.b_lanes)
        stride = layer.b_panel_stride
        out = [(b + i * stride, beats) for i in range(layer.tile_n_panels(self.n))]
        if self.first:
            out.append((layer.bias_base + 4 * self.n * tile.n, -(-4 * self.columns // p.beat_bytes)))
        return out

    @property
    def adds(self) -> bool:
        """Whether a tile of D is loaded with it."""
        return self.last and self.layer.d is not None

    def d_reads(self) -> list[tuple[int, int]]:
        """(address, beats) of the requests for its D tile; none if it needs none."""
        if not self.adds:
            return []
        layer, p = self.layer, self.layer.platform
        d, stride = layer.d_tile(self.m, self.n), layer.d.area.panel_stride
        return [(d + i * stride, p.panel_beats(self.columns, p.a_lanes)) for i in range(self.panels)]

    def saved_reads(self) -> list[tuple[int, int]]:
        """(address, beats) of the requests that load persisted partial sums of its tile."""
        return [(address, beats) for address, _, beats in self.write_panels(True)]

    def write_panels(self, persist: bool) -> list[tuple[int, int, int]]:
        """(address, columns, beats) of each panel that stores the tile, or its partial sums."""
        layer, p = self.layer, self.layer.platform
        if persist:
            beats = self.columns * p.bank_word_beats
            return [(layer.save + i * beats * p.beat_bytes, self.columns, beats) for i in range(self.panels)]
        c, panels, columns = layer.c_tile(self.m, self.n), self.panels, self.columns
        if self.packed:
            panels, columns = -(-self.outputs // p.array.rows), columns // p.array.cols
        beats = p.panel_beats(columns, layer.c.area.lanes)
        return [(c + i * layer.c_panel_stride, columns, beats) for i in range(panels)]

    @property
    def outputs(self) -> int:
        """Outputs of a channel in a packed tile."""
        height, width = self.layer.layer.window.out
        return min(self._lines, height - self.m * self._lines) * width

    def gathered(self, panel: int) -> tuple[int, ...]:
        """For each output of a channel in a panel of C of a packed tile: the number of the read that brings it."""
        p, rows = self.layer.platform, self.layer.platform.array.rows
        return reads_of(rows, p.store.requant_lanes, p.beat_bytes, self.layer.layer.window.out[1], panel * rows)

    def write_columns(self) -> list[tuple[int, int]]:
        """(address, columns) of each panel of columns that stores the tile transposed."""
        layer, rows = self.layer, self.layer.platform.array.rows
        c = layer.c_tile(self.m, self.n)
        return [(c + i * layer.c_panel_stride, min(rows, self.columns - i * rows))
                for i in range(-(-self.columns // rows))]
