"""The top level: connects the blocks, and names the ports so that vendor tools infer AXI interfaces."""

from typing import NamedTuple

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, Mux, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Fault, register_map
from derca_sim.model.tables import bits_for

from .accelerator.accelerator import Accelerator
from .bus.axi import Axi4, manager_options
from .bus.axi_lite import lite_ports
from .bus.join import flat_members, join, join_flat
from .host.interface import HostInterface
from .kernel.manager import KernelManager
from .kernel.writing import store_tables
from .layouts import Layouts, Source
from .memory.ports import MemoryInterface
from .release.parallel import ParallelRelease
from .release.replay import TraceReplay
from .release.swept import SweptRelease
from .release.triggers import TriggerMerge
from .scheduler.scheduler import Scheduler
from .supervision.failures import Failures
from .supervision.supervision import Supervision


class Blocks(NamedTuple):
    """The blocks that the top connects with each other and with the host interface."""

    release: SweptRelease | ParallelRelease
    scheduler: Scheduler
    manager: KernelManager
    accelerator: Accelerator
    memory: MemoryInterface
    supervision: Supervision

    @classmethod
    def of(cls, p: Platform) -> "Blocks":
        """The blocks of a platform, not elaborated."""
        return cls(_release(p), Scheduler(p), KernelManager(p), Accelerator(p), MemoryInterface(p), Supervision(p))

    def sources(self, p: Platform) -> list[Source]:
        """The streams of events, in the order of the host interface's sources."""
        found = self.release.sources()
        for block in _reporting(p):
            streams = getattr(self, block)
            found += [Source(getattr(streams, name), kinds) for name, kinds in streams.kinds(p).items()]
        return found


#: Blocks that report events, beside job release; the last two only with `trace.enabled`.
_REPORTING = {"supervision": Supervision, "scheduler": Scheduler, "accelerator": Accelerator}


def _reporting(p: Platform) -> list[str]:
    return [name for name in _REPORTING if p.trace.enabled or name == "supervision"]


def _release(p: Platform) -> SweptRelease | ParallelRelease:
    return (SweptRelease if p.release.kind == "swept" else ParallelRelease)(p)


def event_kinds(p: Platform) -> list[tuple[Kind, ...]]:
    """The kinds that each source of events sends, except job release, in the order of the host interface's sources."""
    return [kinds for block in _reporting(p) for kinds in _REPORTING[block].kinds(p).values()]


class Derca(wiring.Component):
    """The whole system: connects job release, scheduler, kernel manager, accelerator, memory and host interface.

    It adds no cycle to any path between them.

    Attributes
    ----------
    aclk, aresetn : In(1)
        The clock, and the synchronous active-low reset.
    m_axi_*
        AXI4 master, to main memory.
    s_axi_*
        AXI4-Lite slave, for the host.
    event_* : Out(stream)
        Events.
    trigger : In
        With parallel job release: triggers sporadic jobs, a bit per task.
    trigger_valid, trigger_task : In
        With the swept one: triggers one sporadic job per cycle.
    now : Out(32)
        The time, in cycles.
    running : Out(1)
        Time passes.
    missed : Out(1)
        From a missed deadline until the next start.
    faulty : Out(1)
        A fault stands.
    irq : Out(1)
        A source that the host has enabled is pending. Absent without `supervision.interrupts`.

    Without `release.sporadic` there are no ports for triggers.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lite = lite_ports(register_map(p).address_bits)
        super().__init__({
            "aclk": In(1),
            "aresetn": In(1),
            **flat_members("m_axi_", Axi4.of(p, **manager_options())),
            **self._lite,
            **({} if not p.release.sporadic
               else {"trigger_valid": In(1), "trigger_task": In(bits_for(p.scheduler.tasks - 1))}
               if p.release.kind == "swept" else {"trigger": In(p.scheduler.tasks)}),
            **flat_members("event_", stream.Signature(Layouts(p).event)),
            "now": Out(32),
            "running": Out(1),
            "missed": Out(1),
            "faulty": Out(1),
            **({"irq": Out(1)} if p.supervision.interrupts else {}),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.domains.sync = sync = ClockDomain("sync")
        m.domains.run = run = ClockDomain("run")  # of the blocks that work on a run, which are reset after it
        run.clk = sync.clk
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        of_run = DomainRenamer("run")

        blocks = Blocks.of(p)
        m.submodules.job_release = of_run(blocks.release)
        m.submodules.scheduler = of_run(blocks.scheduler)
        m.submodules.kernel_manager = of_run(blocks.manager)
        m.submodules.accelerator = of_run(blocks.accelerator)
        m.submodules.memory_interface = of_run(blocks.memory)
        m.submodules.supervision = blocks.supervision
        events = blocks.sources(p)
        m.submodules.host_interface = host = HostInterface(p, [source.kinds for source in events])
        m.d.comb += ResetSignal("run").eq(ResetSignal() | host.clear)
        self._connect_host(m, host, events)
        if p.release.sporadic:
            self._connect_triggers(m, host, blocks.release, of_run)
        self._connect_writes(m, host, blocks)
        self._connect_run(m, host, blocks)
        self._connect_control(m, blocks)
        self._connect_faults(m, host, blocks)
        if p.supervision.failures:
            self._connect_failures(m, of_run, blocks)
        else:
            connect(m, blocks.accelerator.done, blocks.release.finish)
        self._connect_memory(m, host, blocks)
        return m

    def _connect_writes(self, m, host, blocks: Blocks):
        """Connect the host's writes, and the page in use."""
        release, scheduler, manager, accelerator, memory, supervision = blocks
        connect(m, host.regions, scheduler.regions)
        for block in (scheduler, supervision, memory):
            connect(m, host.config, block.config)
        connect(m, host.table_write, manager.write)
        m.d.comb += [
            release.config.valid.eq(host.config.write.valid),
            release.config.payload.eq(host.config.write.payload),
            release.page.eq(host.config.page),
            release.write_page.eq(host.config.write_page),
            manager.page.eq(host.config.page),
            release.policy.eq(host.policy),
            scheduler.policy.eq(host.policy),
        ]
        for port in store_tables(self._p):
            write = getattr(accelerator, port)
            m.d.comb += [
                write.en.eq(getattr(host, port)),
                *(getattr(write, name).eq(getattr(host.table_write, name)) for name in ("page", "row", "word", "data")),
                accelerator.page.eq(host.config.page),
            ]

    def _connect_run(self, m, host, blocks: Blocks):
        """Connect time, run state, and the counters of the host."""
        release, scheduler, manager, accelerator, memory, supervision = blocks
        for block in (release, scheduler, accelerator, supervision):
            m.d.comb += block.now.eq(host.now)
        for block in (release, scheduler):
            m.d.comb += block.running.eq(host.running)
        idle = Signal()
        m.d.comb += [
            idle.eq(accelerator.idle & scheduler.idle),
            host.idle.eq(idle),
            host.activity.eq(accelerator.activity),
            host.read_request.valid.eq(accelerator.read_request.valid & accelerator.read_request.ready),
            host.read_request.payload.eq(accelerator.read_request.payload),
            host.write_request.valid.eq(accelerator.write_request.valid & accelerator.write_request.ready),
            host.write_request.payload.eq(accelerator.write_request.payload),
            host.free.eq(idle & release.idle),
            host.quiet.eq(memory.quiet),
            host.settled.eq(release.settled & scheduler.settled),
            release.arm.eq(host.arm),
            release.hold.eq(host.hold),
            supervision.start.eq(host.start),
            supervision.clear.eq(host.clear),
            supervision.committed.eq(host.committed),
            supervision.broken.eq(manager.stopped | scheduler.fault | accelerator.premature),
            scheduler.halt.eq(supervision.safe),
            host.safe.eq(supervision.safe),
        ]
        if self._p.supervision.watchdog:
            m.d.comb += [supervision.warn.eq(host.watchdog_warn), supervision.limit.eq(host.watchdog_limit)]

    def _connect_control(self, m, blocks: Blocks):
        """Connect job release, scheduler, kernel manager, accelerator, and back."""
        release, scheduler, manager, accelerator, _, supervision = blocks
        if self._p.scheduler.kind == "tournament" and self._p.release.kind == "parallel":
            m.d.comb += [scheduler.released.eq(release.released), scheduler.keys.eq(release.keys)]
        else:
            connect(m, release.release, scheduler.release)
            m.d.comb += release.aborted.eq(scheduler.aborted)
        connect(m, scheduler.instruction, manager.instruction)
        connect(m, manager.grant, accelerator.grant)
        if self._p.tables.read == "word":
            connect(m, manager.words, accelerator.words)
            m.d.comb += manager.want.eq(accelerator.want)
        else:
            connect(m, manager.entries, accelerator.entries)
        connect(m, manager.regions, accelerator.regions)
        m.d.comb += [
            scheduler.feedback.eq(accelerator.feedback),
            supervision.feedback.eq(accelerator.feedback),
            supervision.instruction.valid.eq(scheduler.instruction.valid),
            supervision.instruction.payload.eq(scheduler.instruction.payload),
        ]

    def _connect_faults(self, m, host, blocks: Blocks):
        """Report faults to the host."""
        _, scheduler, manager, accelerator, memory, supervision = blocks
        m.d.comb += [
            host.faults[Fault.INDEX_PARITY].eq(manager.index_fault),
            host.faults[Fault.ENTRY_PARITY].eq(manager.entry_fault),
            host.faults[Fault.LAYER_PARITY].eq(manager.layer_fault),
            host.faults[Fault.RECORD_PARITY].eq(scheduler.fault),
            host.faults[Fault.SPURIOUS_FEEDBACK].eq(scheduler.spurious | accelerator.premature),
            host.faults[Fault.STRAY_RESPONSE].eq(memory.stray),
            host.fault_where.eq(Mux(scheduler.fault, scheduler.fault_task, manager.fault_row)),
        ]
        if self._p.supervision.watchdog:
            m.d.comb += [
                host.faults[Fault.WATCHDOG_WARNING].eq(supervision.warning),
                host.faults[Fault.WATCHDOG].eq(supervision.expired),
            ]
            with m.If(supervision.expired):
                m.d.comb += host.fault_where.eq(scheduler.instruction.p.task)
        reads, writes = memory.read_fault, memory.write_fault
        for fault, is_it in ((Fault.WINDOW, 1), (Fault.BUS_ERROR, 0)):
            read_it = Signal(name=f"read_{fault.name}")
            write_it = Signal(name=f"write_{fault.name}")
            m.d.comb += [
                read_it.eq(reads.valid & (reads.p.window == is_it)),
                write_it.eq(writes.valid & (writes.p.window == is_it)),
                host.faults[fault].eq(read_it | write_it),
                getattr(host, f"{fault.name.lower()}_task").eq(Mux(read_it, reads.p.task, writes.p.task)),
            ]

    def _connect_memory(self, m, host, blocks: Blocks):
        """Connect requests and their answers."""
        accelerator, memory = blocks.accelerator, blocks.memory
        for name in ("read_request", "write_request"):  # after a stop no request passes
            asks, takes = getattr(accelerator, name), getattr(memory, name)
            m.d.comb += [
                takes.payload.eq(asks.payload), takes.valid.eq(asks.valid & ~host.draining),
                asks.ready.eq(takes.ready & ~host.draining),
            ]
        connect(m, memory.read_beat, accelerator.read_beat)
        connect(m, accelerator.write_beat, memory.write_beat)
        join_flat(m, self, "m_axi_", memory.axi)
        m.d.comb += [
            accelerator.stored.eq(memory.stored),
            accelerator.room.eq(memory.room),
            accelerator.memory_busy.eq(memory.busy),
        ]

    def _connect_failures(self, m, of_run, blocks: Blocks):
        """Connect faults of requests to the jobs that they make fail."""
        release, scheduler, accelerator, memory = blocks.release, blocks.scheduler, blocks.accelerator, blocks.memory
        failures = Failures(self._p)
        m.submodules.failures = of_run(failures)
        connect(m, accelerator.done, failures.done)
        connect(m, failures.finish, release.finish)
        m.d.comb += [
            failures.instruction.valid.eq(scheduler.instruction.valid),
            failures.instruction.payload.eq(scheduler.instruction.payload),
            scheduler.fail.eq(failures.fail),
            failures.given_up.eq(scheduler.given_up),
            failures.writer.eq(memory.writer),
            memory.suppress.eq(failures.suppress),
            failures.requested.eq(memory.read_request.valid & memory.read_request.ready),
            failures.answered.eq(memory.read_beat.valid & memory.read_beat.p.last),
            failures.queued.eq(accelerator.queued),
        ]
        for side in ("read_fault", "write_fault"):
            ours, its = getattr(memory, side), getattr(failures, side)
            m.d.comb += [its.valid.eq(ours.valid), its.payload.eq(ours.payload)]

    def _connect_host(self, m, host, events):
        """Connect the register port, the event stream, and time."""
        join(m, self, host, self._lite)
        join_flat(m, self, "event_", host.event)
        for i, source in enumerate(events):
            connect(m, source.stream, getattr(host, f"source_{i}"))
        m.d.comb += [
            self.now.eq(host.now),
            self.running.eq(host.running),
            self.faulty.eq(host.faulty),
        ]
        if self._p.supervision.interrupts:
            m.d.comb += self.irq.eq(host.irq)
        late = []
        for source, kinds in events:
            for kind, sign in ((Kind.MISS, 1), (Kind.FINISH, source.p.arg[0])):
                if kind in kinds:
                    late.append(source.valid & sign & ((source.p.kind == kind) | (len(kinds) == 1)))
        m.d.sync += self.missed.eq((self.missed | host.running & Cat(late).any()) & ~host.start)

    def _connect_triggers(self, m, host, release, of_run):
        """Connect the triggers of sporadic tasks: ports, the host's register and the recorded trace."""
        p = self._p
        sources = [(host.trigger_valid, host.trigger_task)]
        if p.release.trace:
            replay = TraceReplay(p)
            m.submodules.trace_replay = of_run(replay)
            m.d.comb += [
                replay.now.eq(host.now),
                replay.running.eq(host.running),
                replay.arm.eq(release.arm),
                replay.write.eq(host.trace_write),
                replay.write_row.eq(host.table_write.row),
                replay.write_word.eq(host.table_write.word),
                replay.write_data.eq(host.table_write.data),
                replay.length.eq(host.trace_length),
            ]
            sources.insert(0, (replay.trigger_valid, replay.trigger_task))
        if p.release.kind == "swept":
            merge = TriggerMerge(p, 1 + len(sources))
            m.submodules.trigger_merge = of_run(merge)
            for i, (valid, task) in enumerate([(self.trigger_valid, self.trigger_task), *sources]):
                m.d.comb += [
                    getattr(merge, f"valid_{i}").eq(valid & host.running & ~host.hold),
                    getattr(merge, f"task_{i}").eq(task),
                ]
            m.d.comb += [
                release.trigger_valid.eq(merge.valid),
                release.trigger_task.eq(merge.task),
                host.faults[Fault.TRIGGER_LOST].eq(merge.lost),
            ]
        else:
            triggers = self.trigger
            for valid, task in sources:
                triggers = triggers | (valid << task)
            m.d.comb += release.trigger.eq(triggers)
