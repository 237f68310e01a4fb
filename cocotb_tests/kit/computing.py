"""An accelerator of registers and memory that computes a whole job with the integer model as soon as it is started."""

from dataclasses import replace

import numpy as np

from derca_sim.describe.tensors import tensors
from derca_sim.events import Kind
from derca_sim.model.link import event_fields
from derca_sim.model.numerics import run_network
from derca_sim.model.registers import Fault, Interrupt, Reg, TaskReg
from derca_sim.model.registers import register_map as map_of
from kit.words import Words
from oracles import tensors as oracle

RUNNING, QUIET = 0b1, 0b1000_0010


class Computing(Words):
    """A transport to registers and memory; places of tensors are those of `tensors.json`.

    `compiled` is what has been loaded. `troubles` are taken one by one, at each look at IRQ_PENDING or FINISHES: a
    fault that shows instead of the end of the job, or None if nothing shows. `fails` makes jobs fail.
    """

    def __init__(self, p, traced: bool = False):
        super().__init__(p)
        self.p, self.registers, self.traced = p, map_of(p), traced
        self.memory, self.compiled, self.fails, self.troubles = np.zeros(p.memory.size, np.uint8), None, False, []
        self.bytes = self.repeats = self.jobs = 0
        self._events: list[int] = []
        self._finishes = {self._at(TaskReg.FINISHES, task) for task in range(p.scheduler.tasks)}

    def read(self, address):
        if address == Reg.IRQ_PENDING or address in self._finishes:
            trouble = self.troubles.pop(0) if self.troubles else self
            if trouble is not self:
                if trouble is None:
                    return 0
                self.words[Reg.FAULTS] |= 1 << trouble
                self.words[Reg.STATUS] |= (trouble == Fault.WATCHDOG) << 3
                return 1 << Interrupt.FAULT if address == Reg.IRQ_PENDING else 0
        return super().read(address)

    def write(self, address, value):
        if address in (Reg.IRQ_PENDING, Reg.FAULTS):
            self.words[address] &= ~value
            return
        super().write(address, value)
        if address == Reg.CONTROL:
            self.words[Reg.STATUS] = RUNNING if value & 1 else QUIET
            if value & 1:
                self._compute()

    def read_memory(self, address, size):
        return self.memory[address:address + size].tobytes()

    def write_memory(self, address, data, progress=None):
        assert address % 4 == len(data) % 4 == 0
        self.memory[address:address + len(data)] = np.frombuffer(data, np.uint8)

    def events(self):
        words, self._events = self._events, []
        return words

    def _at(self, register, task):
        return self.registers.tasks.base + task * self.registers.tasks.stride + register

    def _compute(self):
        enabled = self.registers["MODE"].pack(enabled=1)
        task, = [t for t in self.compiled.tasks if self.words[self._at(TaskReg.MODE, t.index)] == enabled]
        places = tensors(self.compiled)["tasks"][task.index]
        inputs = list(task.network.inputs)
        for at in places["inputs"]:
            inputs[at["matrix"]] = oracle.read(self.memory, at)
        outputs = run_network(replace(task.network, inputs=tuple(inputs)))
        for at in places["outputs"] if not self.fails else ():
            oracle.write(self.memory, at, outputs[at["layer"]].T if at["transposed"] else outputs[at["layer"]])
        self.jobs += 1
        self.words[Reg.IRQ_PENDING] = 1 << Interrupt.FINISH
        for register in (TaskReg.FINISHES, TaskReg.FAILURES):
            self.words[self._at(register, task.index)] = self.fails == (register == TaskReg.FAILURES)
        self._events = [0, self._packed(Kind.RELEASE, task.index), 900, self._packed(Kind.FINISH, task.index)]

    def _packed(self, kind, task):
        word, low = 0, 0
        for name, width in event_fields(self.p).items():
            word |= {"kind": int(kind), "task": task}.get(name, 0) << low
            low += width
        return word
