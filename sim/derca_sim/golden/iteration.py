"""The requests and the work of one iteration, from the layer's plan alone."""

from functools import cached_property

from ..compile.layers import LayerPlan


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
        #: Whether A and B tile have to be loaded, and whether the next iteration of the layer uses others.
        self.new_a = fresh or not single or n == 0
        self.new_b = fresh or not single or layer.n_tiles > 1
        self.last_a = not single or n == layer.n_tiles - 1
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
    def steps(self) -> int:
        """K steps."""
        return self.layer.tile_k(self.k)

    def a_reads(self) -> list[tuple[int, int]]:
        """(address, beats) of the requests for its A tile."""
        layer, p = self.layer, self.layer.platform
        tile = layer.tile
        a = layer.a_base + self.k * tile.k * layer.a.area.lanes + self.m * tile.m // p.array.rows * layer.a_panel_stride
        beats = p.panel_beats(self.steps, layer.a.area.lanes)
        return [(a + i * layer.a_panel_stride, beats) for i in range(self.panels)]

    def b_reads(self) -> list[tuple[int, int]]:
        """(address, beats) of the requests for its B tile, and for the biases if it is the first K step."""
        layer, p = self.layer, self.layer.platform
        tile = layer.tile
        b = layer.b_base + self.k * tile.k * p.b_lanes + self.n * tile.n // p.array.cols * layer.b_panel_stride
        beats = p.panel_beats(self.steps, p.b_lanes)
        out = [(b + i * layer.b_panel_stride, beats) for i in range(layer.tile_n_panels(self.n))]
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
        c = layer.c_tile(self.m, self.n)
        beats = p.panel_beats(self.columns, layer.c.area.lanes)
        return [(c + i * layer.c_panel_stride, self.columns, beats) for i in range(self.panels)]

    def write_columns(self) -> list[tuple[int, int]]:
        """(address, columns) of each panel of columns that stores the tile transposed."""
        layer, rows = self.layer, self.layer.platform.array.rows
        c = layer.c_tile(self.m, self.n)
        return [(c + i * layer.c_panel_stride, min(rows, self.columns - i * rows))
                for i in range(-(-self.columns // rows))]
