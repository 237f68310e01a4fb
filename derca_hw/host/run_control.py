"""Run control: from a start to a stop and to the next start, so that no run leaves anything to the one after it."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.timing import RunTiming


class RunControl(wiring.Component):
    """Begins and ends runs, exchanges task sets, and resets everything behind it in between.

    Stop: it ends time at once. From the next cycle on (`draining`) no request reaches the bus. When the bus is quiet
    and the reports of the run have left their buffers, `clear` resets job release, scheduler, kernel manager,
    accelerator and memory interface. It lasts `RunTiming.RESET` cycles, until the registers of multipliers, which have
    no reset, are empty. Every reset is followed by the same `clear`. So every run begins in the same state, whatever
    the run before did.

    Start: it is pending until the blocks have settled after `clear`. Then the statistics are cleared (`forget`,
    `forgotten`), and `start` comes in the cycle of `forgotten`. A start that is withdrawn before that never runs.

    Commit: during a run it is taken in the first cycle in which nothing lives and every engine is idle (`free`).
    Between runs it is taken when the blocks have settled. During a run `clear` follows. No job is released (`hold`)
    until `arm`, which comes with `committed` and the new `page`. The timers begin again, and that cycle is time 0 of
    the offsets. If a commit comes while a start is pending, the run takes it. Without `tables.shadow` there is one
    page, and no commit.

    Attributes
    ----------
    run : In(1)
        The host wants a run, from the cycle of its write on.
    commit : In(1)
        Strobe: the host wants the page that it has written to take over.
    free : In(1)
        No job lives or waits to be offered, and nothing is loaded, computed or stored.
    quiet : In(1)
        No transaction is outstanding on the bus.
    settled : In(1)
        After `clear` or a reset, every block has cleared its memories.
    reported : In(1)
        No event waits in a buffer of its source.
    forgotten : In(1)
        Strobe: this is the last cycle of clearing the statistics.
    running : Out(1)
        Time passes.
    start : Out(1)
        Strobe: time passes from the next cycle on.
    draining : Out(1)
        No more requests to memory.
    clear : Out(1)
        Reset every block of the run.
    wait : Out(1)
        `clear` will be high in the next cycle: accept no write of the host then.
    forget : Out(1)
        Strobe: clear the statistics.
    arm : Out(1)
        Strobe: timers begin, time 0 is now.
    hold : Out(1)
        No job may be released.
    still : Out(1)
        Nothing of a run is left: the bus is quiet and stays so until the next start.
    starting : Out(1)
        A start is pending.
    pending : Out(1)
        A commit waits.
    committed : Out(1)
        Strobe: a commit was taken.
    page : Out(1)
        The page of all tables and parameters that is in use.
    write_page : Out(1)
        The page that the host writes.
    """

    def __init__(self, p: Platform):
        self._shadow = p.tables.shadow
        super().__init__({
            "run": In(1),
            "commit": In(1),
            "free": In(1),
            "quiet": In(1),
            "settled": In(1),
            "reported": In(1),
            "forgotten": In(1),
            "running": Out(1),
            "start": Out(1),
            "draining": Out(1),
            "wait": Out(1),
            "clear": Out(1),
            "forget": Out(1),
            "arm": Out(1),
            "hold": Out(1),
            "still": Out(1),
            "starting": Out(1),
            "pending": Out(1),
            "committed": Out(1),
            "page": Out(1),
            "write_page": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        wanted = Signal()  # a commit is asked for, or waits
        swap = Signal()
        stops = Signal()
        held = Signal(init=1)  # between `clear` and `arm`
        left = Signal(range(RunTiming.RESET), init=RunTiming.RESET - 1)  # cycles of `clear` after this one
        m.d.comb += [
            wanted.eq(self.commit | self.pending),
            stops.eq(self.running & ~self.run),
            self.hold.eq(wanted | held),
            self.starting.eq(self.run & ~self.running),
        ]
        m.d.sync += [self.arm.eq(self.start), self.committed.eq(swap), self.pending.eq(wanted & ~swap)]
        with m.If(stops):
            m.d.sync += self.running.eq(0)

        with m.FSM(init="CLEAR"):
            with m.State("CLEAR"):
                m.d.comb += [
                    self.draining.eq(1), self.clear.eq(1), self.wait.eq(left != 0), self.still.eq(~self.running),
                ]
                m.d.sync += [held.eq(1), left.eq(left - 1)]
                with m.If(left == 0):
                    m.d.sync += left.eq(RunTiming.RESET - 1)
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.comb += self.still.eq(~self.running)
                with m.If(~self.running):
                    with m.If(self.settled):
                        m.next = "STOPPED"
                with m.Elif(self.settled & ~stops):
                    m.d.comb += swap.eq(1)
                    m.d.sync += [self.arm.eq(1), held.eq(0)]
                    m.next = "RUN"
            with m.State("STOPPED"):
                m.d.comb += [self.still.eq(1), swap.eq(wanted)]
                with m.If(self.run):
                    m.next = "REPORT"
            with m.State("REPORT"):
                m.d.comb += [self.still.eq(1), self.forget.eq(self.run & self.reported & ~self.committed)]
                with m.If(~self.run):
                    m.next = "STOPPED"
                with m.Elif(self.forget):
                    m.next = "FORGET"
            with m.State("FORGET"):
                m.d.comb += [self.still.eq(1), self.start.eq(self.run & self.forgotten)]
                with m.If(~self.run):
                    m.next = "STOPPED"
                with m.Elif(self.forgotten):
                    m.d.sync += [self.running.eq(1), held.eq(0)]
                    m.next = "RUN"
            with m.State("RUN"):
                with m.If(stops):
                    m.next = "DRAIN"
                with m.Elif(wanted & self.free):
                    m.next = "WAIT"
            with m.State("DRAIN"):
                m.d.comb += self.draining.eq(1)
                with m.If(self.quiet & self.reported):
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.comb += [self.draining.eq(1), self.wait.eq(1)]
                m.next = "CLEAR"

        if self._shadow:
            m.d.comb += self.write_page.eq(~self.page)
            with m.If(swap):
                m.d.sync += self.page.eq(~self.page)
        return m
