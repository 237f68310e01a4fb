"""Mutants of hardware: changes of its source, one at a time, and all of them beside the original in one simulation."""

import importlib
import itertools
import shutil
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import derca_hw
from derca_hw.bus.join import ports
from kit.run import parameters

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


def with_mutants(mutants: Sequence[Mutant], make: Callable[[Callable[[str], types.ModuleType]], wiring.Component],
                 watched: Sequence[str], byte_wise: str | None = None) -> wiring.Component:
    """The component that `make` makes of an importer of modules, with its mutants beside it; see `Copies`."""
    with ExitStack() as stack:
        made = [make(stack.enter_context(planted(mutant))) for mutant in mutants]
    own = make(lambda module: importlib.import_module(f"derca_hw.{module}"))
    return Copies(own, made, watched, byte_wise)


class Copies(wiring.Component):
    """A component with its ports, and mutants of it that get the same inputs.

    Parameters
    ----------
    watched : outputs that count, by flat name. The payload of a stream counts while the original's is valid.
    byte_wise : an output of which those bytes count that `care` names.

    Attributes
    ----------
    care : In
        Bytes of `byte_wise` that count in this cycle.
    killed : Out
        For each mutant, whether an output that counts has differed.
    """

    def __init__(self, own: wiring.Component, mutants: Sequence[wiring.Component], watched: Sequence[str],
                 byte_wise: str | None):
        self._own, self._mutants, self._watched, self._byte_wise = own, mutants, watched, byte_wise
        outputs = ports(own)
        missing = {*watched, *([byte_wise] if byte_wise else [])} - set(outputs)
        if missing:
            raise ValueError(f"{sorted(missing)}: allowed are outputs of the component: {', '.join(outputs)}")
        care = len(outputs[byte_wise][0]) // 8 if byte_wise else 1
        super().__init__({**own.signature.members, "care": In(care), "killed": Out(len(mutants))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.own = own = self._own
        counts, outputs = Signal(), ports(own)
        m.d.sync += counts.eq(1)  # from the cycle after the reset on
        for i, mutant in enumerate(self._mutants):
            m.submodules[f"mutant_{i}"] = mutant
            differs = Signal(name=f"differs_{i}")
            found = ports(mutant)
            m.d.comb += differs.eq(Cat(self._difference(name, outputs, found) for name in self._watched).any())
            if self._byte_wise:
                its, ours = found[self._byte_wise][0], outputs[self._byte_wise][0]
                bytes_ = Cat((its ^ ours).word_select(b, 8).any() for b in range(len(self.care)))
                with m.If((bytes_ & self.care).any()):
                    m.d.comb += differs.eq(1)
            with m.If(counts & differs):
                m.d.sync += self.killed[i].eq(1)
            self._feed(m, mutant)
        self._feed(m, own, True)
        return m

    @staticmethod
    def _difference(name: str, ours: dict, its: dict) -> Value:
        """Whether an output differs, in a cycle in which it counts."""
        valid = name.replace("__payload", "__valid")
        return (ours[name][0] != its[name][0]) & (ours[valid][0] if valid in ours and valid != name else 1)

    def _feed(self, m, part: wiring.Component, outputs: bool = False) -> None:
        """Connect the inputs of a part, and if asked for its outputs."""
        own = {path: value for path, _, value in self.signature.flatten(self)}
        for path, member, value in part.signature.flatten(part):
            its, ours = Value.cast(value), Value.cast(own[path])
            if isinstance(its, Const):
                continue
            if member.flow == In:
                m.d.comb += its.eq(ours)
            elif outputs:
                m.d.comb += ours.eq(its)


def report(dut) -> None:
    """Write `killed` into the file that the parameter `report` of the run names, if it is given."""
    path = parameters().get("report")
    if path is not None:
        Path(path).write_text(f"{int(dut.killed.value):x}")


def survivors(mutants: Sequence[Mutant], folder: Path, run: Callable[[str], None]) -> list[str]:
    """The names of the mutants that `run` does not kill; it calls `report` with the path that it is given."""
    path = folder / "killed.txt"
    run(str(path))
    killed = int(path.read_text(), 16)
    print(f"{killed.bit_count()} of {len(mutants)} mutants killed")
    return [mutant.name for i, mutant in enumerate(mutants) if not killed >> i & 1]
