"""A naive interpreter of compiled tables over a memory image: what correct hardware does, one step after the other.

It reads packed table rows and bytes and knows no plan, so that it finds what a plan and its tables disagree about.
"""

import numpy as np

from derca_sim.model.tables import Strategy, entry_layout, layer_layout

#: What padding lanes of stored outputs hold.
GARBAGE = 0x77


class Interpreter:
    """Runs regions by reading packed table rows and bytes of memory, one step after the other; knows no plan."""

    def __init__(self, compiled):
        self.p = compiled.platform
        self.layers = [layer_layout(self.p).unpack(row) for row in compiled.layer_rows]
        self.entries = [entry_layout(self.p).unpack(row) for row in compiled.entry_rows]
        self.index = compiled.index_rows
        self.memory = np.zeros(self.p.memory.size, np.uint8)
        self.memory[: len(compiled.image)] = compiled.image
        self.bank = None
        self.size = {"int8": 1, "int16": 2}[self.p.array.dtype]

    def run_region(self, task: int, region: int, resumed: bool) -> dict:
        """Run one region to its end and return its last entry."""
        row = self.index[task, region]
        while True:
            entry = self.entries[row]
            layer = self.layers[entry["layer"]]
            state, count = dict(entry), entry["count"]
            if resumed and entry["in_strategy"] == Strategy.RECOMPUTE:
                state.update(k=0, a=entry["a_row"], b=entry["b_col"])
                count += entry["k"]
            if resumed and entry["in_strategy"] == Strategy.PERSIST:
                self.load_bank(layer, entry["m"], entry["n"])
            for _ in range(count):
                self.iterate(layer, state)
            resumed = False
            if entry["preemptive"]:
                return entry
            row += 1

    def preempt(self, entry: dict):
        """Take the job off after its region: only what the strategy keeps survives."""
        if entry["out_strategy"] == Strategy.PERSIST:
            self.memory[self.save_range(entry)] = self.bank.astype("<i4").view(np.uint8).reshape(-1)
        self.bank = None

    def save_range(self, entry: dict) -> slice:
        save = self.layers[entry["layer"]]["save"]
        size = self.p.m_panels * self.p.tile.n * self.p.array.rows * 4
        assert size <= self.p.bank_bytes
        return slice(save, save + size)

    def load_bank(self, layer: dict, m: int, n: int):
        shape = (self.p.m_panels, self.p.tile.n, self.p.array.rows)
        data = self.memory[layer["save"] : layer["save"] + 4 * np.prod(shape)]
        self.bank = data.view("<i4").reshape(shape).copy()

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

    def iterate(self, layer: dict, s: dict):
        """One tile of A times one tile of B, then step the state as counters would."""
        p, rows, cols = self.p, self.p.array.rows, self.p.array.cols
        m_panels, columns, steps = self.extent(layer, s)
        if s["k"] == 0:
            self.bank = np.full((p.m_panels, p.tile.n, rows), 123456, np.int32)
            bias = self.memory[s["bias"] : s["bias"] + 4 * columns].view("<i4")
            self.bank[:m_panels, :columns] = bias[None, :, None]
        for i in range(m_panels):
            a = self.panel(s["a"] + i * layer["a_panel_stride"], steps, p.a_lanes, rows)
            for j in range(-(-columns // cols)):
                b = self.panel(s["b"] + j * layer["b_panel_stride"], steps, p.b_lanes, cols)
                width = min(cols, columns - j * cols)
                self.bank[i, j * cols : j * cols + width] += (b.T @ a)[:width]
        if s["k"] == layer["k_tiles"] - 1:
            self.store(layer, s, m_panels, columns)
        s["k"], s["a"], s["b"] = s["k"] + 1, s["a"] + p.tile.k * p.a_lanes, s["b"] + p.tile.k * p.b_lanes
        if s["k"] < layer["k_tiles"]:
            return
        s["k"], s["n"] = 0, s["n"] + 1
        s["b_col"], s["bias"] = s["b_col"] + layer["b_tile_stride"], s["bias"] + 4 * p.tile.n
        s["c"] += p.tile.n * p.a_lanes
        if s["n"] == layer["n_tiles"]:
            s["n"], s["m"] = 0, s["m"] + 1
            s["b_col"], s["bias"] = layer["b_base"], layer["bias_base"]
            s["a_row"], s["c_row"] = s["a_row"] + layer["a_tile_stride"], s["c_row"] + layer["c_tile_stride"]
            s["c"] = s["c_row"]
        s["a"], s["b"] = s["a_row"], s["b_col"]

    def store(self, layer: dict, s: dict, m_panels: int, columns: int):
        """Requantise with Python integers and write whole beats; padding becomes garbage."""
        p, size = self.p, self.size
        most = 1 << (8 * size - 1)
        zero = (layer["zero_point"] ^ most) - most
        for i in range(m_panels):
            out = np.full(p.panel_beats(columns, p.a_lanes) * p.beat_bytes, GARBAGE, np.uint8)
            for c in range(columns):
                for r in range(p.array.rows):
                    product = int(self.bank[i, c, r]) * layer["multiplier"]
                    value = (abs(product) + (1 << (layer["shift"] - 1))) >> layer["shift"]
                    value = max(-most, min(most - 1, (value if product >= 0 else -value) + zero))
                    value = max(value, zero) if layer["relu"] else value
                    place = c * p.a_lanes + r * size
                    out[place : place + size] = list(value.to_bytes(size, "little", signed=True))
            address = s["c"] + i * layer["c_panel_stride"]
            assert address % p.beat_bytes == 0
            self.memory[address : address + len(out)] = out


def run_job(machine: Interpreter, task: int, regions: int, preempted_after=()) -> list[dict]:
    """Run a whole job, taken off and resumed after each region of `preempted_after`; its regions' last entries."""
    ends, resumed = [], False
    for region in range(regions):
        ends.append(machine.run_region(task, region, resumed))
        resumed = region in preempted_after
        if resumed:
            machine.preempt(ends[-1])
    return ends
