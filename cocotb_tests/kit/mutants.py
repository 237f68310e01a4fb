"""Mutants of hardware: changes of its source, one at a time, against a bench."""

import importlib
import itertools
import shutil
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib import wiring

import derca_hw
from kit.stepped import SteppedCycles, play

_serial = itertools.count()


@dataclass(frozen=True)
class Mutant:
    """A change of one place in a file of `derca_hw`; `old` stands there once."""

    name: str
    file: str
    old: str
    new: str


@contextmanager
def planted(mutant: Mutant) -> Iterator[Callable[[str], types.ModuleType]]:
    """Import modules of `derca_hw` by their names in it, such as `accelerator.compute.windows`, with the change.

    Raises
    ------
    ValueError
        If the text does not stand exactly once in the source: the mutant must follow the source.
    """
    name, hardware = f"derca_hw.mutant_{next(_serial)}", Path(derca_hw.__file__).parent
    top = mutant.file.partition("/")[0]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(hardware / top, Path(folder, top))
        path = Path(folder, mutant.file)
        text = path.read_text()
        if text.count(mutant.old) != 1:
            raise ValueError(f"{mutant.old!r} stands {text.count(mutant.old)} times in {mutant.file}, must be once: "
                             f"mend the mutant {mutant.name!r}")
        path.write_text(text.replace(mutant.old, mutant.new))
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [folder, str(hardware)]  # every other package is the original's
        try:
            yield lambda module: importlib.import_module(f"{name}.{module}")
        finally:
            for module in [m for m in sys.modules if m.split(".")[:2] == name.split(".")]:
                del sys.modules[module]


def survivors(mutants: Sequence[Mutant], make: Callable[[Callable[[str], types.ModuleType]], wiring.Component],
              bench: Callable) -> list[str]:
    """The names of the mutants that a bench does not kill, run one by one in Amaranth's simulator.

    Parameters
    ----------
    make : makes the component of an importer of modules.
    bench : takes `SteppedCycles` of the component. An assertion of it that fails kills the mutant; so does a run that
        takes more cycles than that of the original.
    """
    longest = _cycles(make(lambda name: importlib.import_module(f"derca_hw.{name}")), bench)
    out = []
    for mutant in mutants:
        with planted(mutant) as module:
            try:
                _cycles(make(module), bench, longest + 100)
            except AssertionError as e:
                print(f"{mutant.name}: killed; {str(e)[:100]}", flush=True)
            else:
                print(f"{mutant.name}: survived", flush=True)
                out.append(mutant.name)
    return out


def _cycles(component: wiring.Component, bench: Callable, most: int | None = None) -> int:
    """The cycles that a bench takes; an assertion fails after the `most` allowed."""
    cycles = 0

    async def judge(ctx):
        nonlocal cycles
        stepped = await SteppedCycles(ctx, component, most).start()
        await bench(stepped)
        cycles = stepped.cycle

    play(component, judge)
    return cycles
