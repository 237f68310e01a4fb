"""A naive interpreter of the fields of windows in packed rows: which byte reaches which row of the array at which step.

It reads layer and entry fields and bytes of memory, and knows no plan and no window. It works as the hardware is meant
to: requests panel by panel, a slot of byte-wide banks, a walk by additions, a border by comparisons.
"""

import numpy as np

#: Content of words of a slot that nothing was loaded into.
GARBAGE = 0x5A


class Tile:
    """A tile of A in its slot, loaded as the fields say, and the walk over it.

    `at` has an entry's fields: `m`, `a_row`, `channel`, `panels_left`, `y`. `last` names the dimensions along
    which it is the last, such as "mk".
    """

    def __init__(self, p, layer: dict, at: dict, last: str):
        self.p, self.layer, self.at = p, layer, at
        self.rows = p.array.rows
        self.channels = layer["last_channels" if ("n" if layer["grouped"] else "k") in last else "channels"]
        self.k_steps = layer["last_k" if "k" in last else "tile_k"]
        self.steps = layer["last_steps" if "k" in last else "steps"]
        self.m_panels = layer["last_m_panels" if "m" in last else "m_panels"]
        self.span = 1 << (p.a_steps - 1).bit_length()  # words that an address of a slot counts

    def requests(self) -> list[tuple[int, int]]:
        """(address, beats) in order."""
        p, layer, at, first = self.p, self.layer, self.at, self.at["m"] == 0
        count = min(layer["patch"], at["panels_left"]) - (layer["top"] if first else 0)
        address = at["a_row"] + at["channel"] * p.a_lanes + (layer["top_bytes"] if first else 0)
        beats = -(-self.channels * p.a_lanes // p.beat_bytes)
        return [((address + i * layer["a_panel_stride"]) % (1 << p.bus.address_width), beats) for i in range(count)]

    def load(self, memory: np.ndarray) -> np.ndarray:
        """uint8 [words, rows]: the slot."""
        layer, rows, split = self.layer, self.rows, self.layer["split"]
        slot = np.full((self.p.a_steps, rows), GARBAGE, np.uint8)
        word = layer["top_word" if self.at["m"] == 0 else "patch_word"]
        for address, beats in self.requests():
            data = memory[address : address + beats * self.p.beat_bytes].reshape(-1, rows)
            for c in range(self.channels):
                if not split:
                    slot[word + c] = data[c]
                    continue
                odd_panel = word // layer["channels"] % 2  # the pair's second panel goes to the places behind
                pair = word - odd_panel * layer["channels"]
                for i in range(rows):
                    u = odd_panel * rows + i
                    slot[pair + (u % 2) * layer["channels"] + c, u // 2] = data[c, i]
            word += layer["channels"]
        return slot

    def operands(self, memory: np.ndarray, n_panel: int = 0) -> np.ndarray:
        """uint8 [panels, steps, rows]: what each step of each slice of a panel of B feeds to the rows of the array."""
        layer, rows, slot = self.layer, self.rows, self.load(memory)
        sx = 2 if layer["split"] else 1
        wide = max(1, layer["out_width"])
        x = [sx * (i % wide) for i in range(rows)]
        line = [i // wide for i in range(rows)]
        y, base = self.at["y"], (layer["first_turn"], n_panel * layer["n_words"] % self.span)
        out = []
        for _ in range(self.m_panels):
            out.append(self._slice(slot, base, x, line, y))
            wraps = x[0] // sx + rows % wide >= wide
            base = self._move(base, "wrap" if wraps else "panel")
            carries = []
            for i in range(rows):
                x[i] += layer["panel_x"]
                carries.append(int(x[i] >= sx * wide))
                x[i] -= sx * wide * carries[-1]
            line = [at + carry - carries[0] for at, carry in zip(line, carries, strict=True)]
            y += layer["panel_y"] + layer["wrap_y"] * carries[0]
        return np.array(out)

    def _move(self, at: tuple[int, int], move: str) -> tuple[int, int]:
        """(turn, word) after a move."""
        turn = at[0] + self.layer[f"{move}_turn"]
        carry = turn >= 2 * self.rows
        word = at[1] + self.layer[f"{move}_words"] + 2 * self.layer["channels"] * carry
        return turn % (2 * self.rows), word % self.span

    def _slice(self, slot, base, x, line, y) -> list[np.ndarray]:
        layer, out = self.layer, []
        nothing = layer["pad"] if layer.get("maximum") else 0
        taps = (layer["last_x"] + 1) * (layer["last_y"] + 1)
        each = layer["depth"] if layer["grouped"] else self.channels
        assert each * taps == self.k_steps
        for piece in range(layer["last_piece"] + 1):
            at = base
            for ky in range(layer["last_y"] + 1):
                for kx in range(layer["last_x"] + 1):
                    kept = [self._kept(piece, kx, ky, *lane, y) for lane in zip(x, line, strict=True)]
                    for c in range(each):
                        read = self._read(slot, at, c)
                        out.append(np.array([
                            nothing if mine is None else layer["pad"] if not mine else byte
                            for mine, byte in zip(kept, read, strict=True)], np.uint8))
                    if kx < layer["last_x"]:
                        at = self._move(at, "x")
                at = self._move(at, "y")
            base = self._move(base, "piece")
        assert len(out) == self.steps
        return out

    def _kept(self, piece: int, kx: int, ky: int, x: int, line: int, y: int) -> bool | None:
        """Whether a row of the array takes the byte read; None where it takes nothing, False where the pad."""
        layer = self.layer
        if layer["last_piece"] and line != piece:
            return None
        if not layer["windowed"]:
            return True
        column = x + kx * layer["dilation_x"] - layer["pad_x"]
        row = y + (1 + layer["stride_y"]) * line + ky * layer["dilation_y"] - layer["pad_y"]
        return 0 <= column < layer["width"] and 0 <= row < layer["height"]

    def _read(self, slot: np.ndarray, at: tuple[int, int], c: int) -> np.ndarray:
        """The byte of each row of the array, from `rows` banks with an address each and a rotator."""
        layer, rows, (turn, word) = self.layer, self.rows, at
        if layer["split"]:
            rotation, own, far = turn >> 1, (turn & 1) * layer["channels"], 2 * layer["channels"]
        else:
            rotation, own, far = turn % rows, (turn >= rows) * layer["channels"], layer["channels"]
        address = [(word + own + c + (far if bank < rotation else 0)) % self.span for bank in range(rows)]
        banks = [slot[a, bank] if a < len(slot) else GARBAGE for bank, a in enumerate(address)]
        return np.array([banks[(rotation + i) % rows] for i in range(rows)], np.uint8)


def gathered(p, layer: dict, bank: np.ndarray, pixels: int) -> tuple[np.ndarray, list[list[int]]]:
    """The outputs of a packed tile from its bank [panels, columns, rows], by counters, and its reads.

    Outputs are [pixels, channels]. Reads are, for each panel of outputs, how many each read of a channel brings.
    """
    rows, cols, lanes, beat = p.array.rows, p.array.cols, p.store.requant_lanes, p.beat_bytes
    panels = -(-layer["row_pixels"] // rows)  # of a row
    out, reads, start = [], [], (0, 0, 0)  # group of rows, row, column
    for _ in range(-(-pixels // rows)):
        for channel in range(bank.shape[1] // cols):
            (group, row, column), left, mine = start, rows, []
            while left:
                take = min(lanes - column % lanes, layer["row_pixels"] - column, (left - 1) % beat + 1)
                word = group * panels + column // rows
                for lane in range(column % rows, column % rows + take):
                    out.append(bank[word, channel * cols + row, lane] if word < len(bank) else GARBAGE)
                mine.append(take)
                left, column = left - take, column + take
                if column == layer["row_pixels"]:
                    row, column = row + 1, 0
                if row == layer["rows"]:
                    group, row = group + 1, 0
        reads.append(mine)
        start = group, row, column
    outputs = np.array(out).reshape(len(reads), -1, rows).transpose(0, 2, 1)
    return outputs.reshape(-1, bank.shape[1] // cols)[:pixels], reads


def next_rows(layer: dict, at: dict) -> dict:
    """The state for the next tile along M."""
    return at | {"m": at["m"] + 1, "a_row": at["a_row"] + layer["a_m_stride"], "y": at["y"] + layer["tile_y"],
                 "panels_left": at["panels_left"] - layer["patch_step"]}


def next_channels(layer: dict, at: dict) -> dict:
    """The state for the next tile along K, or along N where layers are grouped."""
    return at | {"channel": at["channel"] + layer["channels"]}
