"""A naive interpreter of compiled tables over a memory image: the work of correct hardware, slice by slice.

It reads packed table rows and bytes, and knows no plan. So it finds where a plan and its tables disagree.
"""

from functools import partial

import numpy as np

from derca_sim.model.tables import Strategy, entry_layout, index_layout, layer_layout

#: Content of the padding lanes of stored outputs.
GARBAGE = 0x77


class Interpreter:
    """Runs regions by reading packed table rows and bytes of memory, one step after the other; knows no plan.

    Up to `spare` parked banks are kept; the oldest goes to its save area when there are more.
    """

    def __init__(self, compiled, spare: int = 0):
        self.p = compiled.platform
        self.layers = [layer_layout(self.p).unpack(row) for row in compiled.layer_rows]
        self.entries = [entry_layout(self.p).unpack(row) for row in compiled.entry_rows]
        self.index = {at: index_layout(self.p).unpack(row) for at, row in compiled.index_rows.items()}
        self.memory = np.zeros(self.p.memory.size, np.uint8)
        self.memory[: len(compiled.image)] = compiled.image
        self.spare = spare
        self.parked: dict[int, tuple[slice, np.ndarray]] = {}  # task -> save area, bank
        self.bank = None
        self.walk: dict | None = None
        self.task = 0
        self.tiles: dict[int, list[int]] = {}  # task -> output tiles completed in each layer of its job
        self.writer: dict[int, np.ndarray] = {}  # task -> the tile of its job that wrote each byte, or -1
        self.size = {"int8": 1, "int16": 2}[self.p.array.dtype]

    def run_region(self, task: int, region: int, resumed: bool) -> dict:
        """Run one region to its end and return its row of the index table."""
        row = self.index[task, region]
        self.task, slices = task, row["slices"]
        begin = self.entries[row["entry"]]
        assert begin["layer"] == row["layer"]
        if resumed or region == 0:
            self.walk = dict(begin)
            if region == 0:
                self.tiles[task] = [0]
                self.writer[task] = np.full(self.p.memory.size, -1, np.int32)
            if resumed and row["in_strategy"] == Strategy.RECOMPUTE:
                self.walk.update(k=0, m_panel=0, n_panel=0)
                slices = row["redone"]
            if resumed and row["in_strategy"] in (Strategy.PERSIST, Strategy.PARK):
                self.load_bank(task, self.layers[begin["layer"]])
        else:
            waits = any(begin.get(name) for name in ("depends", "depends_b", "depends_d"))  # else "allow" is not read
            differ = {f for f in begin if self.walk[f] != begin[f] and not (f == "next" and begin["final"])
                      and not (f == "allow" and not waits)}
            assert not differ, (task, region, {f: (self.walk[f], begin[f]) for f in differ})
        for at in range(slices):
            assert self.walk is not None, f"the job ends {slices - at} slices before its region {region}"
            self.slice()
        assert row["last"] == (self.walk is None)
        return row

    def preempt(self, task: int, row: dict):
        """Take the job off after its region; only the sums that the strategy keeps survive."""
        if row["out_strategy"] in (Strategy.PERSIST, Strategy.PARK):
            save = self.save_range(self.layers[self.walk["layer"]])
            if row["out_strategy"] == Strategy.PARK:
                self.parked[task] = save, self.bank
            else:
                self.write_bank(save, self.bank)
        while len(self.parked) > self.spare:
            self.write_bank(*self.parked.pop(next(iter(self.parked))))
        self.bank = self.walk = None

    def save_range(self, layer: dict) -> slice:
        size = self.p.m_panels * self.p.tile.n * self.p.array.rows * 4
        assert size <= self.p.bank_bytes
        return slice(layer["save"], layer["save"] + size)

    def write_bank(self, save: slice, bank: np.ndarray):
        self.memory[save] = bank.astype("<i4").view(np.uint8).reshape(-1)

    def load_bank(self, task: int, layer: dict):
        if task in self.parked:
            self.bank = self.parked.pop(task)[1]
            return
        shape = (self.p.m_panels, self.p.tile.n, self.p.array.rows)
        self.bank = self.memory[self.save_range(layer)].view("<i4").reshape(shape).copy()

    def extent(self, layer: dict, state: dict) -> tuple[int, int, int]:
        p = self.p
        return (
            layer["last_m_panels"] if state["m"] == layer["m_tiles"] - 1 else p.m_panels,
            layer["last_n"] if state["n"] == layer["n_tiles"] - 1 else p.tile.n,
            layer["last_k"] if state["k"] == layer["k_tiles"] - 1 else p.tile.k,
        )

    def panel(self, address: int, steps: int, lanes: int, group: int) -> np.ndarray:
        """int32 [steps, group] from memory."""
        data = self.memory[address : address + steps * lanes]
        assert len(data) == steps * lanes
        return data.reshape(steps, lanes).view(f"<i{self.size}")[:, :group].astype(np.int32)

    def b_panel_stride(self, layer: dict) -> int:
        return layer.get("b_panel_stride", layer["a_panel_stride"])

    def check_read(self, address: int, size: int, depends: bool):
        """Everything read is an input, or a tile old enough for the bound on outstanding ones, and said to be one."""
        latest = self.writer[self.task][address : address + size].max()
        assert latest < (sum(self.tiles[self.task]) - self.walk["allow"] if depends else 0), (self.walk, latest)

    def slice(self):
        """One pair of panels, then step the state as counters would."""
        p, rows, cols, s = self.p, self.p.array.rows, self.p.array.cols, self.walk
        layer = self.layers[s["layer"]]
        m_panels, columns, steps = self.extent(layer, s)
        i, base = s["m_panel"], s["n_panel"] * cols
        width = min(cols, columns - base)
        assert base < columns and i < m_panels
        if s["depends"] and layer["prev_n_tiles"]:  # the bound says just that the rows up to m have been stored
            done = self.tiles[self.task]
            assert sum(done) - s["allow"] == sum(done[:-2]) + (s["m"] + 1) * layer["prev_n_tiles"]
        if s["k"] == i == base == 0:
            self.bank = np.full((p.m_panels, p.tile.n, rows), 123456, np.int32)
        if s["k"] == 0:
            biases = layer["bias_base"] + 4 * (s["n"] * p.tile.n + base)
            bias = self.memory[biases : biases + 4 * width].view("<i4")
            self.bank[i, base : base + width] = bias[:, None]
        before = s["k"] * p.tile.k  # k steps of earlier tiles
        a_from = s["a_row"] + before * p.a_lanes + i * layer["a_panel_stride"]
        b_from = s["b_col"] + before * p.b_lanes + s["n_panel"] * self.b_panel_stride(layer)
        self.check_read(a_from, steps * p.a_lanes, s["depends"])
        self.check_read(b_from, steps * p.b_lanes, s.get("depends_b", 0))
        a = self.panel(a_from, steps, p.a_lanes, rows)
        b = self.panel(b_from, steps, p.b_lanes, cols)
        self.bank[i, base : base + width] += (b.T @ a)[:width]
        s["m_panel"] += 1
        if s["m_panel"] == m_panels:
            s["m_panel"], s["n_panel"] = 0, s["n_panel"] + 1
            if base + cols >= columns:
                s["n_panel"] = 0
                self.step_tile(layer, s, m_panels, columns)

    def step_tile(self, layer: dict, s: dict, m_panels: int, columns: int):
        """The next iteration of the layer, or the job's next layer."""
        p = self.p
        s["k"] += 1
        if s["k"] == layer["k_tiles"]:
            self.store(layer, s, m_panels, columns)
            self.tiles[self.task][-1] += 1
            s["k"], s["n"], s["allow"] = 0, s["n"] + 1, s["allow"] + 1
            s["c"] = s.get("c", 0) + layer.get("c_n_stride", 0)
            s["b_col"] += p.n_panels * self.b_panel_stride(layer)
            if s["n"] == layer["n_tiles"]:
                s["n"], s["m"], s["allow"] = 0, s["m"] + 1, s["allow"] - layer["prev_n_tiles"]
                s["b_col"] = layer["b_base"]
                s["a_row"] += p.m_panels * layer["a_panel_stride"]
                s["c_row"] += layer.get("c_m_stride", p.m_panels * layer["c_panel_stride"])
                s["c"] = s["c_row"]
                if "d_row" in s:
                    s["d_row"] += layer["d_m_stride"]
        if s["m"] == layer["m_tiles"]:
            following = self.entries[s["next"]]
            assert following["layer"] == s["next_layer"]
            self.walk = None if s["final"] else dict(following)
            self.tiles[self.task].append(0)

    def store(self, layer: dict, s: dict, m_panels: int, columns: int):
        """Write whole beats of outputs; padding becomes garbage."""
        p, rows = self.p, self.p.array.rows
        c = s["c"] if p.operators.transpose else s["c_row"] + s["n"] * p.tile.n * p.a_lanes
        outputs = np.array([[[self.requantised(layer, int(x)) for x in word] for word in panel[:columns]]
                            for panel in self.bank[:m_panels]])  # [panel, column, row]
        if layer.get("add"):
            for i, panel in enumerate(outputs):
                d = s["d_row"] + s["n"] * p.tile.n * p.a_lanes + i * layer["d_panel_stride"]
                self.check_read(d, columns * p.a_lanes, s["depends_d"])
                outputs[i] = np.vectorize(partial(self.added, layer))(panel, self.panel(d, columns, p.a_lanes, rows))
        if layer.get("transpose"):  # [panel, row, column]: of the matrix's own rows, of whole panels of columns
            last = s["m"] == layer["m_tiles"] - 1
            outputs = outputs.transpose(0, 2, 1).reshape(-1, columns)[: layer["last_m"] if last else p.tile.m]
            outputs = np.pad(outputs, ((0, 0), (0, -columns % rows)))
            outputs = outputs.reshape(len(outputs), -1, rows).transpose(1, 0, 2)
        for i, panel in enumerate(outputs):
            out = np.full(p.panel_beats(len(panel), p.a_lanes) * p.beat_bytes, GARBAGE, np.uint8)
            for j, step in enumerate(panel):
                out[j * p.a_lanes :][: rows * self.size] = step.astype(f"<i{self.size}").view(np.uint8)
            address = c + i * layer["c_panel_stride"]
            assert address % p.beat_bytes == 0
            self.memory[address : address + len(out)] = out
            self.writer[self.task][address : address + len(out)] = sum(self.tiles[self.task])
        self.bank = None

    def requantised(self, layer: dict, total: int) -> int:
        """The output of a sum, with Python integers."""
        most = 1 << (8 * self.size - 1)
        zero, product = (layer["zero_point"] ^ most) - most, total * layer["multiplier"]
        value = (abs(product) + (1 << (layer["shift"] - 1))) >> layer["shift"]
        value = max(-most, min(most - 1, (value if product >= 0 else -value) + zero))
        return max(value, zero) if layer["relu"] else value


    def added(self, layer: dict, own: int, d: int) -> int:
        """The sum of an output and an element of D, with Python integers."""
        def of(name: str) -> int:
            return (layer[name] ^ 128) - 128

        def scaled(value: int, multiplier: int, shift: int) -> int:
            high = (2 * value * multiplier + (1 << 31)) // (1 << 32)
            magnitude = (2 * abs(high) + (1 << shift)) // (2 << shift)
            return magnitude if high >= 0 else -magnitude

        x, y = (int(own) - of("own_zero_point")) << 20, (int(d) - of("d_zero_point")) << 20
        x, y = (y, x) if layer["scales_d"] else (x, y)
        total = scaled(x, layer["factor"], layer["factor_shift"]) + y // 2
        total = scaled(total, layer["sum_multiplier"], layer["sum_shift"] - 31) + of("sum_zero_point")
        return max(of("sum_low"), min(of("sum_high"), total))


def run_job(machine: Interpreter, task: int, regions: int, preempted_after=()) -> list[dict]:
    """Run a whole job, taken off and resumed after each region of `preempted_after`; its regions' index rows."""
    rows, resumed = [], False
    for region in range(regions):
        rows.append(machine.run_region(task, region, resumed))
        resumed = region in preempted_after
        if resumed:
            machine.preempt(task, rows[-1])
    return rows
