"""The walk over tiles: from metadata entries to iterations and their addresses, by counters and additions alone."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy, own_b_stride

from ...blocks.arithmetic import times
from ...layouts import Layouts, first_words, offset_bits, pulse
from .terms import Ends, Places, Shape
from .words import keep, write_parameters


def entry_ports(p: Platform) -> dict[str, wiring.Member]:
    """The ports for entries from the kernel manager: whole entries, or the words that the walker wants."""
    lay = Layouts(p)
    if p.tables.read == "word":
        return {"words": In(pulse(lay.word)), "want": Out(1)}
    return {"entries": In(stream.Signature(lay.metadata))}


def _first_slice(entry, p: Platform):
    """What an entry says of the slice at which it begins."""
    return Cat(entry.m_panel, entry.n_panel, *(entry[name] for name in first_words(p)))


class Walker(wiring.Component):
    """Turns an entry into iterations up to the end of its layer, one per cycle: K innermost, then N, then M.

    The first iteration of an entry taken in cycle t is offered in t + 1. The next entry is taken in the cycle of the
    last iteration. With `tables.read = "word"` the first iteration is offered 2 cycles after the last word, and words
    of the next entry are wanted from the cycle after the last iteration on (`KernelTiming.WALK`).

    An entry resumed with `recompute` starts at the first slice of its output tile. An entry resumed with `persist` or
    `park` goes on in the job's bank, after a preload unless the sums are still there.

    Attributes
    ----------
    entries : In(stream)
        Absent with `tables.read = "word"`, which has the next two ports instead.
    words : In(stream, always ready)
        Words of an entry and of its layer.
    want : Out(1)
        Words are wanted.
    flush : In(1)
        Drop the entry in work.
    resident : In(1)
        The sums of the job whose entry is taken are in a bank.
    iteration : Out(stream)
        Withdrawn when flushed.
    parameters : Out(stream, always ready)
        Parameters of the layer of the entry taken. With `tables.read = "word"` each is passed on as it comes, and
        `Part.PLACE` when all have come.
    windows : Out(stream, always ready)
        With `operators.convolution`: what the compute side knows of that layer.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        super().__init__({
            **entry_ports(p),
            "flush": In(1),
            "resident": In(1),
            "iteration": Out(stream.Signature(lay.iteration)),
            "parameters": Out(pulse(lay.parameter_write)),
            **({"windows": Out(pulse(lay.window_write))} if p.operators.convolution else {}),
        })

    def elaborate(self, platform):
        m = Module()
        p, lay = self._p, self._lay
        layer = Signal(lay.layer, reset_less=True)
        entry = Signal(lay.entry, reset_less=True)  # the walk's state from its start on
        unused = offset_bits(p)
        a_row, b_col, c_row = entry.a_row[unused:], entry.b_col[unused:], entry.c_row[unused:]  # in beats
        b_panel_stride = layer.b_panel_stride if own_b_stride(p) else layer.a_panel_stride
        out, tag, output = self.iteration, self.iteration.p.tag, self.iteration.p.tag.output
        task = Signal.like(output.task)
        active = Signal()
        preload = Signal()
        resumed = Signal()
        new_a = Signal()
        new_b = Signal()
        # the layer has a single tile along K, along N
        one_k = Signal()
        one_n = Signal()

        per_layer = p.tile.per_layer
        shape = Shape(layer.m_panels, layer.tile_k, layer.tile_n) if per_layer else Shape(
            p.m_panels, p.tile.k, p.tile.n)

        last_m = Signal()
        last_n = Signal()
        last_k = Signal()
        last = Signal()
        most = (1 << len(out.p.allow)) - 1
        m.d.comb += [
            last_m.eq(entry.m + 1 == layer.m_tiles),
            last_n.eq(entry.n == layer.n_end if per_layer else entry.n + 1 == layer.n_tiles),
            last_k.eq(entry.k == layer.k_end if per_layer else entry.k + 1 == layer.k_tiles),
            last.eq(~preload & last_m & last_n & last_k),
            out.valid.eq(active & ~self.flush),
            out.p.preload.eq(preload),
            out.p.new_a.eq(new_a),
            out.p.depends.eq(entry.depends & new_a),
            out.p.allow.eq(Mux(entry.allow[len(out.p.allow):].any(), most, entry.allow)),
            tag.k.eq(Mux(last_k, layer.last_k, shape.k)),
            tag.first.eq(entry.k == 0),
            tag.last.eq(last_k),
            tag.resumed.eq(resumed),
            tag.new_b.eq(new_b),
            tag.last_a.eq(self._ends_a(layer, ~one_k | last_n)),
            tag.last_b.eq(~(one_k & one_n) | last),
            tag.m_panel.eq(entry.m_panel),
            tag.n_panel.eq(entry.n_panel),
            output.task.eq(task),
            output.final.eq(last & entry.final),
            output.persist.eq(0),
            output.m_panels.eq(Mux(last_m, layer.last_m_panels, shape.m_panels)),
            output.n.eq(Mux(last_n, layer.last_n, shape.n)),
            output.layer.eq(entry.layer),
            *([out.p.ahead.eq(layer.ahead)] if p.buffers.ahead else []),
            *([out.p.depends_b.eq(entry.depends_b & new_b)] if p.operators.matmul else []),
            *(tag[name].eq(entry[name]) for name in first_words(p)),
        ]
        places = Places(a_row, b_col, c_row, b_panel_stride)
        self._addresses(m, layer, entry, places, preload)
        self._options(m, layer, entry, Ends(last_m, last_n, last_k))
        step = Signal()
        m.d.comb += step.eq(out.valid & out.ready)
        with m.If(step & preload):
            m.d.sync += preload.eq(0)
        with m.If(step & ~preload):
            m.d.sync += [
                active.eq(~last),
                resumed.eq(0),
                new_a.eq(tag.last_a),
                new_b.eq(tag.last_b),
                _first_slice(entry, p).eq(0),
                entry.allow.eq(entry.allow + last_k - self._awaited(layer, entry, last_k & last_n)),
            ]
            self._advance(m, layer, entry, places, last_k, last_n)

        taken = Signal()
        begins = Signal()
        redo = Signal()
        persist = Signal()
        recompute = Signal()
        if p.tables.read == "word":
            at, new_layer = self.words.p, layer
            m.d.comb += [self.want.eq(~(active | begins)), taken.eq(self.words.valid & at.last)]
            m.d.sync += begins.eq(taken & ~self.flush)
            with m.If(taken):
                m.d.sync += redo.eq(recompute)
            keep(m, p, self.words, layer, entry)
            write_parameters(m, p, self, layer, begins)
            m.d.comb += self.parameters.p.layer.eq(entry.layer)
        else:
            at, new_layer = self.entries.p, self.entries.p.layer
            m.d.comb += [
                self.entries.ready.eq(~self.flush & (~active | (step & last))),
                taken.eq(self.entries.valid & self.entries.ready), begins.eq(taken), redo.eq(recompute),
            ]
            self._take(m, layer, entry, taken)
        m.d.comb += [
            recompute.eq(at.resume & (at.in_strategy == Strategy.RECOMPUTE)),
            persist.eq(at.resume & ((at.in_strategy == Strategy.PERSIST) | (at.in_strategy == Strategy.PARK))),
        ]
        with m.If(taken):
            m.d.sync += [task.eq(at.task), resumed.eq(persist), preload.eq(persist & ~self.resident)]
        with m.If(begins):
            m.d.sync += [
                active.eq(1),
                new_a.eq(1),
                new_b.eq(1),
                one_k.eq(new_layer.k_end == 0 if per_layer else new_layer.k_tiles == 1),
                one_n.eq(new_layer.n_end == 0 if per_layer else new_layer.n_tiles == 1),
            ]
            if p.preemption == "layer":  # no walk begins inside a tile
                m.d.sync += _first_slice(entry, p).eq(0)
        with m.If(begins & redo):
            m.d.sync += Cat(entry.k, _first_slice(entry, p)).eq(0)
            if p.operators.convolution:  # channels of a grouped layer go with N
                m.d.sync += entry.channel.eq(Mux(new_layer.grouped, at.entry.channel, 0))
        with m.If(self.flush):
            m.d.sync += active.eq(0)
        return m

    def _along(self, count, size: int, tile: int):
        """Beats of `count` tiles, or so many single elements where tiles have any shape, of `size` bytes each."""
        unused = offset_bits(self._p)
        return times(count, size) >> unused if self._p.tile.per_layer else times(count, size * tile >> unused)

    def _address(self, beats):
        """The address of a place in beats."""
        unused = offset_bits(self._p)
        return Cat(Const(0, unused), beats[:self._p.bus.address_width - unused])

    def _addresses(self, m, layer, entry, places: Places, preload):
        """Where the iteration's tiles and biases lie in memory."""
        p, out = self._p, self.iteration
        unused = offset_bits(p)
        tag, output = out.p.tag, out.p.tag.output
        column = entry.channel if p.operators.convolution else entry.k
        a, c = self._along(column, p.a_lanes, p.tile.k), self._along(self._of_c(layer, entry), p.a_lanes, p.tile.n)
        if p.operators.convolution:
            a = a + Mux(entry.m == 0, layer.top_bytes[unused:], 0)
        if p.operators.vectors:
            element = p.array.element_bytes
            a = Mux(layer.a_vector, self._along(column, element, p.tile.k), a)
            c = Mux(layer.c_vector, self._along(entry.n, element, p.tile.n), c)
            m.d.comb += [tag.vector.eq(layer.a_vector), output.vector.eq(layer.c_vector)]
        m.d.comb += [
            out.p.a.eq(Mux(preload, layer.save, self._address(places.a_row + a))),
            out.p.a_panel_stride.eq(layer.a_panel_stride),
            out.p.b.eq(self._address(places.b_col + self._along(entry.k, p.b_lanes, p.tile.k))),
            out.p.b_panel_stride.eq(places.b_panel_stride),
            out.p.bias.eq(self._address(layer.bias_base[unused:] + self._along(entry.n, 4, p.tile.n))),
            output.c.eq(entry.c if p.operators.transpose else self._address(places.c_row + c)),
        ]

    def _options(self, m, layer, entry, ends: Ends):
        """What an iteration is told only on platforms with an option."""
        p, output = self._p, self.iteration.p.tag.output
        if p.requant.channels:
            column = self._of_c(layer, entry)
            m.d.comb += output.scale.eq(layer.scale + times(column, 1 if p.tile.per_layer else p.tile.n))
        if p.operators.transpose:
            full = times(layer.m_panels, p.array.rows) if p.tile.per_layer else p.tile.m
            m.d.comb += [
                output.transpose.eq(layer.transpose),
                output.rows.eq(Mux(ends.m, layer.last_m, full)),
            ]
        if p.operators.add:
            self._residual(m, layer, entry, ends.k)
        if p.operators.convolution:
            self._patch(m, layer, entry, ends)
        if p.operators.depthwise:
            self._pack(m, layer, ends.m)

    def _residual(self, m, layer, entry, last_k):
        """Where the iteration's tile of D lies in memory, if it needs one: with the last K step."""
        p, out = self._p, self.iteration
        m.d.comb += [
            out.p.tag.add.eq(layer.add & last_k),
            out.p.depends_d.eq(entry.depends_d & out.p.tag.add),
            out.p.d.eq(self._address(entry.d_row[offset_bits(p):] + self._along(entry.n, p.a_lanes, p.tile.n))),
            out.p.d_panel_stride.eq(layer.d_panel_stride),
        ]

    def _awaited(self, layer, entry, last):
        """For how many more tiles of the layer before the next tile of A waits, after the `last` of a row of tiles."""
        more = last & (entry.m < layer.wait_rows) if self._p.operators.convolution else last
        return Mux(more, layer.prev_n_tiles, 0)

    def _ends_a(self, layer, last):
        """Whether no other iteration uses a tile of A: it is the `last` one, or tiles along N have their own."""
        return last | layer.grouped if self._p.operators.convolution else last

    def _of_c(self, layer, entry):
        """The first column of C of the iteration, or the number of its tile along N: if packed, it has channels."""
        return Mux(layer.packed, entry.channel, entry.n) if self._p.operators.depthwise else entry.n

    def _pack(self, m, layer, last_m):
        """What a packed tile has in memory: channels, and panels of C."""
        out, output, most = self.iteration.p, self.iteration.p.tag.output, self._p.array.rows - 1
        panels = Mux(last_m, layer.last_pixels, layer.pixels) + most >> most.bit_length()
        m.d.comb += [output.channels.eq(out.channels), output.panels.eq(panels)]

    def _patch(self, m, layer, entry, ends: Ends):
        """Which panels of the image an iteration needs, and how it walks over them."""
        out, tag = self.iteration.p, self.iteration.p.tag
        needed = Mux(entry.panels_left < layer.patch, entry.panels_left, layer.patch)
        top = Signal.like(layer.top)  # panels before the image
        m.d.comb += [
            top.eq(Mux(entry.m == 0, layer.top, 0)),
            out.panels.eq(needed - top),
            out.channels.eq(Mux(Mux(layer.grouped, ends.n, ends.k), layer.last_channels, layer.channels)),
            out.words.eq(layer.channels),
            out.word.eq(Mux(entry.m == 0, layer.top_word, layer.patch_word)),
            out.split.eq(layer.split),
            out.odd.eq(layer.first_turn[-1] ^ top[0]),
            tag.steps.eq(Mux(ends.k, layer.last_steps, layer.steps)),
            tag.depth.eq(Mux(layer.grouped, layer.depth, out.channels)),
            tag.y.eq(entry.y),
        ]

    def _advance(self, m, layer, entry, places: Places, last_k, last_n):
        """Go on to the next tile: along K, then along N, then along M."""
        p = self._p
        unused = offset_bits(p)
        across = p.operators.transpose
        if p.tile.per_layer:
            k, n = layer.tile_k, layer.tile_n
            a_along, b_along = layer.a_m_stride[unused:], layer.b_n_stride[unused:]
        else:
            k = n = 1
            a_along = times(layer.a_panel_stride[unused:], p.m_panels)
            b_along = times(places.b_panel_stride[unused:], p.n_panels)
        c_along = (layer.c_m_stride[unused:] if p.tile.per_layer or across
                   else times(layer.c_panel_stride[unused:], p.m_panels))
        tiles = [entry.c[unused:]] if across else []
        if p.operators.convolution:
            channels = Mux(last_k & (last_n | ~layer.grouped), 0, entry.channel + layer.channels)
            m.d.sync += entry.channel.eq(channels)
            with m.If(last_k & last_n):
                m.d.sync += [
                    entry.panels_left.eq(entry.panels_left - layer.patch_step), entry.y.eq(entry.y + layer.tile_y),
                ]
        with m.If(~last_k):
            m.d.sync += entry.k.eq(entry.k + k)
        with m.Elif(~last_n):
            m.d.sync += [
                entry.k.eq(0),
                entry.n.eq(entry.n + n),
                places.b_col.eq(places.b_col + b_along),
                *(c.eq(c + layer.c_n_stride[unused:]) for c in tiles),
            ]
        with m.Else():
            m.d.sync += [
                entry.k.eq(0),
                entry.n.eq(0),
                entry.m.eq(entry.m + 1),
                places.a_row.eq(places.a_row + a_along),
                places.b_col.eq(layer.b_base[unused:]),
                *(c.eq(places.c_row + c_along) for c in (places.c_row, *tiles)),
            ]
            if p.operators.add:
                m.d.sync += entry.d_row[unused:].eq(entry.d_row[unused:] + layer.d_m_stride[unused:])

    def _take(self, m, layer, entry, taken):
        """Store an entry and its layer, and pass the layer's parameters on, all in one cycle."""
        new, write = self.entries.p, self.parameters
        with m.If(taken):
            m.d.sync += [layer.eq(new.layer), entry.eq(new.entry)]
        m.d.comb += [
            write.valid.eq(taken),
            write.p.layer.eq(new.entry.layer),
            *(write.p[name].eq(new.layer[name]) for name, _ in self._lay.parameters if name != "layer"),
        ]
        if self._p.operators.convolution:
            self._write_window(m, taken)

    def _write_window(self, m, taken):
        """Pass on what the compute side needs, with distances that are the same over the layer."""
        new, write = self.entries.p, self.windows
        at, out = new.layer, write.p.window
        m.d.comb += [
            write.valid.eq(taken),
            write.p.layer.eq(new.entry.layer),
            *(out[name].eq(at[name]) for name, _ in self._lay.window if name not in ("step", "left", "right")),
            out.step.eq(at.panel_x >> at.split),
            out.left.eq(at.pad_x + at.split),
            out.right.eq((at.out_width << at.split) - at.width - at.pad_x),
        ]
