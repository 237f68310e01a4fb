"""The accelerator: three stages that meet at slots and banks."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from derca_sim.events import Kind
from derca_sim.model.platform import Platform

from ..blocks.ram import Ram
from ..bus.join import join
from ..layouts import Activity, Layouts, pulse
from .compute.stage import ComputeStage
from .load.stage import LoadStage
from .load.walker import entry_ports
from .signatures.operands import residual_ports
from .store.stage import StoreStage
from .store.store import StoreEngine, table_ports


class Accelerator(wiring.Component):
    """Runs the walk of a job, region by region as regions are granted, and prefetches what comes next.

    Latencies are those of the three stages; the accelerator adds none.

    With `pipeline = "decoupled"` load, compute and store run as far ahead as slots and banks allow. With
    `pipeline = "lockstep"` each stage begins one piece of work when all three have finished theirs.

    Attributes
    ----------
    now : In(32)
        The time, in cycles.
    entries, regions : In(stream)
        From the kernel manager. With `tables.read = "word"`, `words` and `want` replace `entries`.
    grant : In(stream, always ready)
        From the kernel manager.
    feedback : Out(1)
        Strobe: a region is about to end, `ComputeTiming.AHEAD` cycles before its last operands.
    premature : Out(1)
        Strobe: a region was granted before the last one had ended. Its feedback did not come from here.
    queued : Out(1)
        Strobe: a tile, or partial sums, are queued for the store engine.
    done : Out(stream, always ready)
        A tile, or a job's last one, is in memory.
    read_request, read_beat, write_request, write_beat, stored, room
        See `MemoryInterface`.
    memory_busy : In(1)
        The memory interface has incomplete requests or commands.
    idle : Out(1)
        No granted job waits for its first slice, every slot is free, no tile waits to be stored, and compute engine,
        store engine and memory interface are idle.
    activity : Out(`Activity`)
        What the array does, or waits for.
    event, iteration_event, resume_event, saved_event : Out(stream, always ready)
        See `kinds`.
    """

    def __init__(self, p: Platform):
        self._p = p
        lay = Layouts(p)
        super().__init__({
            "now": In(32),
            **entry_ports(p),
            "regions": In(stream.Signature(lay.region)),
            "grant": In(pulse(lay.grant)),
            "feedback": Out(1),
            "premature": Out(1),
            "queued": Out(1),
            "done": Out(pulse(lay.done)),
            "read_request": Out(stream.Signature(lay.read_request)),
            "read_beat": In(pulse(lay.read_beat)),
            "write_request": Out(stream.Signature(lay.write_request)),
            "write_beat": Out(stream.Signature(p.bus.data_width)),
            "stored": In(1),
            "room": In(1),
            "memory_busy": In(1),
            "idle": Out(1),
            "activity": Out(Activity),
            "event": Out(pulse(lay.event)),
            "iteration_event": Out(pulse(lay.event)),
            "resume_event": Out(pulse(lay.event)),
            "saved_event": Out(pulse(lay.event)),
            **table_ports(p),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        return [*LoadStage.memories(p), *ComputeStage.memories(p), *StoreEngine.memories(p)]

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.submodules.load = load = LoadStage(p)
        m.submodules.compute = compute = ComputeStage(p)
        m.submodules.store = store = StoreStage(p)

        # -- the kernel manager's side, and memory's ------------------------------------------------------------------
        join(m, self, load, entry_ports(p))
        join(m, self, compute, ("regions", "grant", "feedback", "premature", "activity", "event", "iteration_event"))
        join(m, self, store, ("stored", "room", "done", "saved_event", *table_ports(p)))
        connect(m, load.resume_event, flipped(self.resume_event))
        connect(m, load.request, flipped(self.read_request))
        connect(m, flipped(self.read_beat), load.beat)
        connect(m, store.request, flipped(self.write_request))
        connect(m, store.beat, flipped(self.write_beat))
        for stage in (load, compute, store):
            m.d.comb += stage.now.eq(self.now)

        # -- from stage to stage --------------------------------------------------------------------------------------
        connect(m, load.tiles, compute.tiles)
        connect(m, load.placed, compute.placed)
        connect(m, compute.operands, load.operands)
        connect(m, compute.biases, load.biases)
        join(m, load, compute, ("waiting", "resident", "bank_free", "bank", "take_bank"))
        connect(m, load.parameters, store.parameters)
        if p.operators.convolution:
            connect(m, load.windows, compute.windows)
        join(m, load, store, ("taken", "outstanding", "fewer"))
        connect(m, compute.store, store.store)
        connect(m, store.sums, compute.sums)
        join(m, compute, store, ("complete", "give_back"))
        join(m, load, store, residual_ports(p))

        flush = Signal()
        barrier = Signal()
        granted = Signal()  # a job has not begun yet
        with m.If(self.event.valid & (self.event.p.kind == Kind.START)):
            m.d.sync += granted.eq(0)
        with m.If(flush):
            m.d.sync += granted.eq(1)
        m.d.comb += [
            flush.eq(self.grant.valid & self.grant.p.switch),
            barrier.eq(~(load.busy | load.filling | self.memory_busy | compute.busy | store.busy)
                       if p.pipeline == "lockstep" else 1),
            load.flush.eq(flush),
            store.flush.eq(flush),
            store.flush_task.eq(self.grant.p.task),
            *(stage.barrier.eq(barrier) for stage in (load, compute, store)),
            self.queued.eq(compute.store.valid),
            self.idle.eq(load.empty & ~granted & ~compute.busy & ~store.busy & ~store.queued & ~self.memory_busy),
        ]
        return m

    @staticmethod
    def kinds(p: Platform) -> dict[str, tuple[Kind, ...]]:
        """The kinds of events that each event stream sends, by the name of the stream."""
        return {
            "event": (Kind.START, Kind.PREEMPT),
            "iteration_event": (Kind.ITERATION, Kind.REGION_END),
            "resume_event": (Kind.RESUME,),
            **({"saved_event": (Kind.SAVED,)} if p.preemption == "slice" else {}),
        }
