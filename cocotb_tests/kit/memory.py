"""The memory that jobs may write, and a check that nothing else has changed."""

import numpy as np

from derca_sim.compile import Compiled


def changed_outside(compiled: Compiled, content: np.ndarray) -> np.ndarray:
    """Addresses of the first `compiled.used` bytes that differ from the image outside outputs and save areas."""
    writable = np.zeros(compiled.used, bool)
    for plan in compiled.tasks:
        for address, length in compiled.output_ranges(plan.index):
            writable[address : address + length] = True
        save = plan.layers[0].save
        writable[save : save + compiled.platform.bank_bytes] = True
    return np.flatnonzero((content != compiled.image) & ~writable)
