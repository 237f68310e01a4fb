"""Which writes of the host are done: those to a register that exists, that no guard forbids, of an allowed value."""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.description import Guard, RegisterMap
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map


class Place(NamedTuple):
    """The register to which a word address leads."""

    #: It is a global register.
    in_globals: Value
    #: It is in the block of a task that exists.
    in_tasks: Value
    task: Value
    #: Word within the global registers or the block.
    word: Value


def locate(registers: RegisterMap, address: Value) -> Place:
    """Decode a word address.

    Raises
    ------
    ValueError
        The map has more global registers than fit below a task's block.
    """
    array = registers.tasks
    stride = (array.stride - 1).bit_length() - 2
    number = (array.count - 1).bit_length()
    if max(r.offset for r in registers.registers) >= array.stride:
        raise ValueError("the global registers take more room than one element of the array")
    task = address[stride:stride + number]
    above = array.base // 4 >> (stride + number)
    return Place(address[stride:] == 0, (address[stride + number:] == above) & (task < array.count), task,
                 address[:stride])


class WriteChecks(wiring.Component):
    """Decodes a write by the register map, and refuses it if a guard or the register forbids it. No latency.

    Attributes
    ----------
    write : In(1)
        A whole word is written.
    address, value : In
        The address, in words, and the value.
    active : In(1)
        A run is wanted, or something of it is left.
    locked : In(1)
        Nothing may be changed until reset.
    pending : In(1)
        A commit waits.
    pointer_valid : In(1)
        The table pointer points at a word that exists.
    written : Out
        A strobe per writable register, by its name: the write is done.
    task_written : Out(1)
        Strobe: the write of a parameter of a task is done.
    task, field : Out
        With `task_written`: the task, and the word of its block.
    okay : Out(1)
        The write is done.
    refused : Out(1)
        A guard refused the write.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._map = map_ = register_map(p)
        self._writable = [r for r in (*map_.registers, *map_.tasks.registers) if r.writable]
        array = locate(map_, Const(0, map_.address_bits - 2))
        super().__init__({
            "write": In(1),
            "address": In(map_.address_bits - 2),
            "value": In(32),
            "active": In(1),
            "locked": In(1),
            "pending": In(1),
            "pointer_valid": In(1),
            "written": Out(wiring.Signature({r.name: Out(1) for r in self._writable})),
            "task_written": Out(1),
            "task": Out(len(array.task)),
            "field": Out(len(array.word)),
            "okay": Out(1),
            "refused": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        place = locate(self._map, self.address)
        running_page = self.active & ~Const(self._p.tables.shadow, 1)
        guards = {
            Guard.NONE: Const(0, 1),
            Guard.STOPPED: self.locked | self.active,
            Guard.SHADOW: self.locked | self.pending | running_page,
        }
        allowed = self._values_allowed()
        blocked = []
        commit_locked = Const(0, 1)
        for r in self._writable:
            of_task = r in self._map.tasks.registers
            hit = Signal(name=f"write_{r.name.lower()}")
            m.d.comb += [
                hit.eq((place.in_tasks if of_task else place.in_globals) & (place.word == r.offset >> 2)),
                getattr(self.written, r.name).eq(self.write & hit & ~guards[r.guard] & allowed.get(r.name, 1)),
            ]
            blocked.append(hit & guards[r.guard])
            if r.name == "CONTROL" and "CONTROL" in allowed:
                commit_locked = hit & ~allowed["CONTROL"]
        m.d.comb += [
            self.okay.eq(Cat(getattr(self.written, r.name) for r in self._writable).any()),
            self.refused.eq(self.write & (Cat(blocked).any() | commit_locked)),
            self.task_written.eq(
                Cat(getattr(self.written, r.name) for r in self._map.tasks.registers if r.writable).any()),
            self.task.eq(place.task),
            self.field.eq(place.word),
        ]
        return m

    def _values_allowed(self) -> dict[str, Value]:
        """For each register that restricts its values, whether the value written is allowed; by the register's name."""
        p, value = self._p, self.value
        out = {
            "TRIGGER": value < p.scheduler.tasks,
            "POLICY": value < len(p.scheduler.policies),
            "TABLE_DATA": self.pointer_valid,
        }
        if p.tables.shadow:
            out["CONTROL"] = ~(value[self._map["CONTROL"]["commit"].low] & self.locked)
        if p.release.trace:
            out["TRACE_LENGTH"] = value <= p.release.trace
        return out
