"""Jobs that fail: marks them, ends them, and keeps them from writing."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for
from derca_sim.model.timing import KernelTiming, store_commands

from ..blocks.arithmetic import count
from ..blocks.ram import KNOWN, Ram, ram_style
from ..layouts import Layouts, pulse


class Failures(wiring.Component):
    """Keeps per task whether its job has failed, until its next job's first instruction. No latency.

    From the cycle after a fault on the job writes nothing: its store commands still run, and put nothing on the bus. If
    it is the running job, it is given up as soon as the scheduler can, else in the next region that it is given. A job
    that is given up ends when its requests are answered and its queued stores are through. A job that is not given up
    runs to its end. Either end is reported with `failed`.

    One job ends at a time: `fail` waits for the end of the one before. Requests of a job that an abort replaced may
    still be under way; their errors are attributed to its successor.

    Attributes
    ----------
    instruction : In(stream, always ready)
    read_fault, write_fault : In(stream, always ready)
        Faults of the tasks' requests.
    fail : Out(1)
        The running job has failed.
    given_up : In(1)
        It gets no further region; another job gets the next instruction.
    writer : In
        A task.
    suppress : Out(1)
        Task `writer` may not write.
    requested : In(1)
        A read request is accepted.
    answered : In(1)
        The last beat of a read request has come.
    queued : In(1)
        A store command is queued.
    done : In(stream, always ready)
        A store command is in memory.
    finish : Out(stream, always ready)
        The same, and the ends of jobs that were given up.
    """

    #: Cycles from the instruction after a job was given up until all its requests and stores are counted.
    SETTLED = KernelTiming.GRANT + 3

    def __init__(self, p: Platform):
        self._p = p
        lay = self._lay = Layouts(p)
        task = lay.job["task"].shape
        super().__init__({
            "instruction": In(pulse(lay.instruction)),
            "read_fault": In(pulse(lay.job_fault)),
            "write_fault": In(pulse(lay.job_fault)),
            "fail": Out(1),
            "given_up": In(1),
            "writer": In(task),
            "suppress": Out(1),
            "requested": In(1),
            "answered": In(1),
            "queued": In(1),
            "done": In(pulse(lay.done)),
            "finish": Out(pulse(lay.done)),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [Ram(1, 1 << bits_for(p.scheduler.tasks - 1), 4, "comb")]

    def elaborate(self, platform):
        m = Module()
        p, instruction = self._p, self.instruction
        task = self._lay.job["task"].shape
        depth = 1 << len(self.writer)

        def memory(name, width):
            m.submodules[name] = out = Memory(shape=width, depth=depth, init=[],
                                              attrs=ram_style(depth, platform) | KNOWN)
            return out

        # Each side, read and write, has a mark per task. A job has failed while a mark differs from the value last
        # `seen`. So every memory has a single writer.
        marks, seen = ([memory(f"{side}_{name}", 1) for side in ("read", "write")] for name in ("marks", "seen"))

        def look(of, at):
            port = of.read_port(domain="comb")
            m.d.comb += port.addr.eq(at)
            return port.data

        def failed(at):
            return (look(marks[0], at) ^ look(seen[0], at)) | (look(marks[1], at) ^ look(seen[1], at))

        def hits(at):
            return ((self.read_fault.valid & (self.read_fault.p.task == at))
                    | (self.write_fault.valid & (self.write_fault.p.task == at)))

        for i, fault in enumerate((self.read_fault, self.write_fault)):
            write = marks[i].write_port()
            m.d.comb += [
                write.addr.eq(fault.p.task), write.data.eq(~look(seen[i], fault.p.task)), write.en.eq(fault.valid),
            ]
        begins = Signal()  # a job's first instruction
        m.d.comb += [
            begins.eq(instruction.valid & instruction.p.switch & ~instruction.p.resume),
            self.suppress.eq(failed(self.writer)),
        ]

        for mark, known in zip(marks, seen, strict=True):
            forget = known.write_port()
            m.d.comb += [
                forget.addr.eq(instruction.p.task), forget.data.eq(look(mark, instruction.p.task)),
                forget.en.eq(begins),
            ]

        # -- the running job -----------------------------------------------------------------------------------------
        running = Signal(task)
        bad = Signal()
        switch = Signal()
        resumed_bad = Signal()
        m.d.comb += [
            switch.eq(instruction.valid & instruction.p.switch),
            resumed_bad.eq(instruction.p.resume & failed(instruction.p.task)),
        ]
        m.d.sync += bad.eq(Mux(switch, resumed_bad | hits(instruction.p.task), bad | hits(running)))
        with m.If(switch):
            m.d.sync += running.eq(instruction.p.task)

        # -- requests and stores under way, and those that an end waits for ------------------------------------------
        most_reads = p.bus.outstanding + 2
        most_stores = p.buffers.banks + store_commands(p) + 1
        settled = Signal()
        wait = Signal(range(self.SETTLED))
        left = []
        for name, most, up, down in (
            ("reads", most_reads, self.requested, self.answered),
            ("stores", most_stores, self.queued, self.done.valid),
        ):
            under_way = Signal(range(most + 1), name=name)
            waited = Signal(range(most + 1), name=f"{name}_left")
            left_over = Mux(settled, under_way, waited)
            m.d.sync += waited.eq(left_over - (down & (left_over != 0)))
            count(m, under_way, up, down)
            left.append(waited)

        ending = Signal(task, name="ending")
        ends = Signal()
        with m.FSM():
            with m.State("NONE"):
                m.d.comb += self.fail.eq(bad)
                with m.If(self.given_up):
                    m.d.sync += ending.eq(running)
                    m.next = "GIVEN UP"
            with m.State("GIVEN UP"):
                m.d.sync += wait.eq(self.SETTLED - 1)
                with m.If(instruction.valid):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.comb += settled.eq(1)
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += ends.eq((left[0] == 0) & (left[1] == 0) & ~self.done.valid)
                with m.If(ends):
                    m.next = "NONE"

        m.d.comb += [
            self.finish.valid.eq(self.done.valid | ends),
            self.finish.payload.eq(self.done.payload),
            self.finish.p.failed.eq(failed(self.done.p.task) | hits(self.done.p.task)),
        ]
        with m.If(ends):
            m.d.comb += [
                self.finish.p.task.eq(ending), self.finish.p.final.eq(1), self.finish.p.persist.eq(0),
                self.finish.p.failed.eq(1),
            ]
        return m
