"""The top level: wires the blocks, names the ports so that vendor tools infer AXI interfaces."""

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from derca_sim.model.platform import Platform

from .accelerator.accelerator import Accelerator
from .host.interface import LITE_PORTS, HostInterface
from .kernel.manager import KernelManager
from .layouts import EVENT_KIND_BITS, EVENT_TASK_BITS, REGION_BITS
from .memory.interface import MemoryInterface
from .release.parallel import ParallelRelease
from .release.swept import SweptRelease
from .scheduler.scheduler import Scheduler


class Derca(wiring.Component):
    """Job release, scheduler, kernel manager, accelerator, memory interface and host interface.

    One clock `aclk`, synchronous active-low reset `aresetn`; AXI4 master `m_axi_*`, AXI4-Lite slave `s_axi_*`, one
    `trigger` bit per task for sporadic jobs, the event stream `event_*`.
    """

    def __init__(self, p: Platform):
        self._p = p
        address, width = p.bus.address_width, p.bus.data_width
        super().__init__({
            "aclk": In(1),
            "aresetn": In(1),
            "m_axi_awid": Out(1),
            "m_axi_awaddr": Out(address),
            "m_axi_awlen": Out(8),
            "m_axi_awsize": Out(3),
            "m_axi_awburst": Out(2),
            "m_axi_awvalid": Out(1),
            "m_axi_awready": In(1),
            "m_axi_wdata": Out(width),
            "m_axi_wstrb": Out(width // 8),
            "m_axi_wlast": Out(1),
            "m_axi_wvalid": Out(1),
            "m_axi_wready": In(1),
            "m_axi_bid": In(1),
            "m_axi_bresp": In(2),
            "m_axi_bvalid": In(1),
            "m_axi_bready": Out(1),
            "m_axi_arid": Out(1),
            "m_axi_araddr": Out(address),
            "m_axi_arlen": Out(8),
            "m_axi_arsize": Out(3),
            "m_axi_arburst": Out(2),
            "m_axi_arvalid": Out(1),
            "m_axi_arready": In(1),
            "m_axi_rid": In(1),
            "m_axi_rdata": In(width),
            "m_axi_rresp": In(2),
            "m_axi_rlast": In(1),
            "m_axi_rvalid": In(1),
            "m_axi_rready": Out(1),
            **LITE_PORTS,
            "trigger": In(p.scheduler.tasks),
            "event_valid": Out(1),
            "event_ready": In(1),
            "event_cycle": Out(32),
            "event_kind": Out(EVENT_KIND_BITS),
            "event_task": Out(EVENT_TASK_BITS),
            "event_region": Out(REGION_BITS),
            "event_arg": Out(2),
            "now": Out(32),
            "running": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p = self._p
        m.domains.sync = ClockDomain()
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]

        m.submodules.job_release = release = (SweptRelease if p.release.kind == "swept" else ParallelRelease)(p)
        m.submodules.scheduler = scheduler = Scheduler(p)
        m.submodules.kernel_manager = manager = KernelManager(p)
        m.submodules.accelerator = accelerator = Accelerator(p)
        m.submodules.memory_interface = memory = MemoryInterface(p)
        events = release.sources()
        if p.trace.enabled:
            events += [
                scheduler.ready_event, scheduler.issue_event, accelerator.event, accelerator.iteration_event,
                accelerator.resume_event, accelerator.saved_event,
            ]
        m.submodules.host_interface = host = HostInterface(p, len(events))

        # -- host ------------------------------------------------------------------------------------------------
        for name, member in LITE_PORTS.items():
            ours, its = getattr(self, name), getattr(host, name)
            if member.flow == In:
                m.d.comb += its.eq(ours)
            else:
                m.d.comb += ours.eq(its)
        for i, source in enumerate(events):
            connect(m, source, getattr(host, f"source_{i}"))
        connect(m, host.task_write, release.config)
        connect(m, host.regions, scheduler.regions)
        event = host.event.p
        m.d.comb += [
            self.event_valid.eq(host.event.valid),
            host.event.ready.eq(self.event_ready),
            self.event_cycle.eq(event.cycle),
            self.event_kind.eq(event.kind),
            self.event_task.eq(event.task),
            self.event_region.eq(event.region),
            self.event_arg.eq(event.arg),
            self.now.eq(host.now),
            self.running.eq(host.running),
            host.trigger_in.eq(self.trigger),
            host.idle.eq(accelerator.idle & scheduler.idle),
            host.error.eq(memory.error),
            release.now.eq(host.now),
            release.running.eq(host.running),
            scheduler.now.eq(host.now),
            scheduler.running.eq(host.running),
            accelerator.now.eq(host.now),
            manager.write.eq(host.table_write),
            manager.write_table.eq(host.table),
            manager.write_row.eq(host.table_row),
            manager.write_word.eq(host.table_word),
            manager.write_data.eq(host.table_data),
        ]

        ran = Signal()  # the timers start in the first cycle of a run
        m.d.sync += ran.eq(host.running)
        m.d.comb += release.arm.eq(host.running & ~ran)
        if p.release.kind == "swept":
            for i in reversed(range(p.scheduler.tasks)):
                with m.If(host.trigger[i]):
                    m.d.comb += [release.trigger_valid.eq(1), release.trigger_task.eq(i)]
        else:
            m.d.comb += release.trigger.eq(host.trigger)

        # -- control: release -> scheduler -> kernel manager -> accelerator, and back ---------------------------
        if p.scheduler.kind == "tournament" and p.release.kind == "parallel":
            m.d.comb += [scheduler.released.eq(release.released), scheduler.keys.eq(release.keys)]
        else:
            connect(m, release.release, scheduler.release)
            m.d.comb += release.aborted.eq(scheduler.aborted)
        connect(m, scheduler.instruction, manager.instruction)
        connect(m, manager.grant, accelerator.grant)
        connect(m, manager.entries, accelerator.entries)
        connect(m, accelerator.done, release.finish)
        m.d.comb += scheduler.feedback.eq(accelerator.feedback)

        # -- memory ----------------------------------------------------------------------------------------------
        connect(m, accelerator.read_request, memory.read_request)
        connect(m, memory.read_beat, accelerator.read_beat)
        connect(m, accelerator.write_request, memory.write_request)
        connect(m, accelerator.write_beat, memory.write_beat)
        size = p.beat_bytes.bit_length() - 1
        incrementing = 0b01
        m.d.comb += [
            accelerator.stored.eq(memory.stored),
            accelerator.room.eq(memory.room),
            accelerator.memory_busy.eq(memory.busy),
            self.m_axi_awaddr.eq(memory.aw.p.addr),
            self.m_axi_awlen.eq(memory.aw.p.len),
            self.m_axi_awsize.eq(size),
            self.m_axi_awburst.eq(incrementing),
            self.m_axi_awvalid.eq(memory.aw.valid),
            memory.aw.ready.eq(self.m_axi_awready),
            self.m_axi_wdata.eq(memory.w.p.data),
            self.m_axi_wstrb.eq(~0),
            self.m_axi_wlast.eq(memory.w.p.last),
            self.m_axi_wvalid.eq(memory.w.valid),
            memory.w.ready.eq(self.m_axi_wready),
            memory.b.p.resp.eq(self.m_axi_bresp),
            memory.b.valid.eq(self.m_axi_bvalid),
            self.m_axi_bready.eq(memory.b.ready),
            self.m_axi_araddr.eq(memory.ar.p.addr),
            self.m_axi_arlen.eq(memory.ar.p.len),
            self.m_axi_arsize.eq(size),
            self.m_axi_arburst.eq(incrementing),
            self.m_axi_arvalid.eq(memory.ar.valid),
            memory.ar.ready.eq(self.m_axi_arready),
            memory.r.p.data.eq(self.m_axi_rdata),
            memory.r.p.resp.eq(self.m_axi_rresp),
            memory.r.p.last.eq(self.m_axi_rlast),
            memory.r.valid.eq(self.m_axi_rvalid),
            self.m_axi_rready.eq(memory.r.ready),
        ]
        return m


