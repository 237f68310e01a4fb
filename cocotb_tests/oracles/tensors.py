"""Elements of tensors in memory, found one by one as `tensors.json` says."""

import numpy as np


def read(memory: np.ndarray, at: dict) -> np.ndarray:
    """All elements of a tensor, one by one as the rule says."""
    rows, columns = np.arange(at["rows"])[:, None], np.arange(at["columns"])[None]
    address = (at["address"] + rows // at["panel_rows"] * at["panel_stride"] + columns * at["column_stride"]
               + rows % at["panel_rows"] * at["element_bytes"])
    parts = [memory[address + i].astype(np.uint64) << 8 * i for i in range(at["element_bytes"])]
    return sum(parts).astype(f"uint{8 * at['element_bytes']}").view(at["type"])


def write(memory: np.ndarray, at: dict, values: np.ndarray) -> None:
    """Put all elements of a tensor in memory, one by one as the rule says."""
    for row, column in np.ndindex(*values.shape):
        address = (at["address"] + row // at["panel_rows"] * at["panel_stride"] + column * at["column_stride"]
                   + row % at["panel_rows"] * at["element_bytes"])
        memory[address:address + at["element_bytes"]] = np.frombuffer(values[row, column].tobytes(), np.uint8)
