"""Converts a component to RTLIL, from which Verilog and the input of every tool are made."""

import contextlib
import gc
from collections.abc import Iterator

from amaranth.back import rtlil
from amaranth.lib import wiring


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pause Python's search for reference cycles: elaboration makes millions of objects that live to its end.

    The search would take as long as the rest of a conversion.
    """
    resting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if resting:
            gc.enable()


def convert(component: wiring.Component, name: str, **options) -> str:
    """RTLIL of a component as top module `name`.

    Parameters
    ----------
    options
        As `amaranth.back.rtlil.convert` takes them: `platform` (a `Family`), `ports`.
    """
    with without_garbage_collection():
        return rtlil.convert(component, name=name, emit_src=False, **options)
