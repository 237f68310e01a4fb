"""Parking: the banks that hold sums of preempted jobs, and which bank makes room when no more are spare."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import Strategy, bits_for

from ...blocks.ram import Ram
from ...layouts import Layouts, pulse


class Parking(wiring.Component):
    """Keeps up to `buffers.spare` preempted jobs whose sums are in banks, oldest first.

    The table changes in this way:

    - A grant that switches in cycle g removes the entry of the task that runs next. From g + 1 on its bank is the
      resume bank, or free if the job does not resume.
    - If the grant preempts at a point that keeps sums and the table is full, the oldest entry is removed as the victim.
    - The swap-out in cycle s enters the preempted job. The entry is clean if the sums are being saved too.
    - In s + 1 (`evicting`) a victim that is not clean is handed to the store engine. The bank of a clean victim is free
      from s + 2 on.
    - A bank that is being saved is free when the store engine gives it back, unless it is then in the table or to be
      resumed.

    Attributes
    ----------
    grant : In(stream, always ready)
    keeps : In(1)
        The point after the region that has ended keeps sums.
    swap : In(1)
        Strobe: the preempted job is swapped out.
    swap_strategy : In(`Strategy`)
        With `swap`: what becomes of its sums.
    bank : In
        The bank of the tile in work.
    output : In
        With `swap`: the preempted job's output tile.
    preload : In(1)
        Strobe: sums of the job that runs next are to be loaded back.
    preload_bank : In
        With `preload`: into which bank.
    dropped : In(1)
        Strobe: bank `bank` is given up.
    given : In(1)
        Strobe: the store engine gives a bank back.
    given_bank : In
        With `given`: which bank.
    free : Out
        The banks that are free from the next cycle on, a bit per bank.
    resident : Out(1)
        The sums of the job that resumes are in a bank.
    resume_bank : Out
        That bank, or the bank of the preload.
    resume_ready : Out(1)
        The job may go on in it.
    evicting : Out(1)
        Nothing begins in this cycle.
    evicted : Out(stream, always ready)
        The victim's sums, which are complete, to be saved.

    Without `buffers.spare`, `keeps`, `swap`, `swap_strategy` and `output` are absent.
    """

    def __init__(self, p: Platform):
        self._p = p
        self._lay = lay = Layouts(p)
        bank = bits_for(p.buffers.banks - 1)
        super().__init__({
            **({
                "keeps": In(1), "swap": In(1), "swap_strategy": In(Strategy), "output": In(lay.output),
            } if p.buffers.spare else {}),
            "grant": In(pulse(lay.grant)),
            "bank": In(bank),
            "preload": In(1),
            "preload_bank": In(bank),
            "dropped": In(1),
            "given": In(1),
            "given_bank": In(bank),
            "free": Out(p.buffers.banks),
            "resident": Out(1),
            "resume_bank": Out(bank),
            "resume_ready": Out(1),
            "evicting": Out(1),
            "evicted": Out(pulse(lay.store)),
        })

    @staticmethod
    def memories(p: Platform) -> list[Ram]:
        """Its memories, and those of its parts."""
        width = bits_for(p.most_m_panels) + bits_for(p.tile.n) + bits_for(p.tables.layers - 1)
        return [Ram(width, p.buffers.banks, 1, "comb")] * (p.buffers.spare > 0)

    def elaborate(self, platform):
        m = Module()
        p = self._p
        given = _one_hot(self.given, self.given_bank, p.buffers.banks)
        dropped = _one_hot(self.dropped, self.bank, p.buffers.banks)
        with m.If(self.preload):
            m.d.sync += self.resume_bank.eq(self.preload_bank)
        if p.buffers.spare:
            self._table(m, given, dropped)
        else:
            m.d.comb += [self.resume_ready.eq(1), self.free.eq(given | dropped)]
        return m

    def _table(self, m, given, dropped):
        p = self._p
        banks, spare = p.buffers.banks, p.buffers.spare
        grant = self.grant.p
        entry = data.StructLayout({"valid": 1, "task": grant.task.shape(), "bank": len(self.bank), "clean": 1})
        entries = [Signal(entry, name=f"entry_{i}") for i in range(spare)]
        saving = Signal(banks)  # sums in this bank are being saved, and stay
        victim = Signal(entry)

        # -- grant ---------------------------------------------------------------------------------------------------
        switch = Signal()
        hit = Signal()
        evict = Signal()
        hits = Signal(spare)
        found = Signal.like(self.bank)  # the bank of the entry hit
        m.d.comb += [
            switch.eq(self.grant.valid & grant.switch),
            hit.eq(hits.any()),
            evict.eq(switch & grant.preempt & ~grant.abort & self.keeps & entries[-1].valid & ~hit),
        ]
        for i, one in enumerate(entries):
            m.d.comb += hits[i].eq(one.valid & (one.task == grant.task))
            with m.If(hits[i]):
                m.d.comb += found.eq(one.bank)
            following = entries[i + 1] if i + 1 < spare else Const({}, entry)
            with m.If(switch & hits[:i + 1].any() | evict):
                m.d.sync += one.eq(following)
        with m.If(switch):
            m.d.sync += self.resident.eq(hit & grant.resume)
            with m.If(hit):
                m.d.sync += self.resume_bank.eq(found)
        with m.If(evict):
            m.d.sync += [victim.eq(entries[0]), victim.valid.eq(1)]

        # -- swap-out, and the cycle after it ------------------------------------------------------------------------
        m.submodules.tiles = tiles = Memory(
            shape=data.StructLayout({
                "m_panels": self.output.m_panels.shape(), "n": self.output.n.shape(),
                "layer": self.output.layer.shape(),
            }), depth=banks, init=[])
        write, read = tiles.write_port(), tiles.read_port(domain="comb")
        kept = Signal()
        clean = Signal()
        out = self.evicted.p.output
        m.d.comb += [
            kept.eq(self.swap & ((self.swap_strategy == Strategy.PERSIST) | (self.swap_strategy == Strategy.PARK))),
            clean.eq(self.swap_strategy == Strategy.PERSIST),
            write.en.eq(kept),
            write.addr.eq(self.bank),
            write.data.m_panels.eq(self.output.m_panels),
            write.data.n.eq(self.output.n),
            write.data.layer.eq(self.output.layer),
            read.addr.eq(victim.bank),
            self.evicted.valid.eq(self.evicting & ~victim.clean),
            self.evicted.p.bank.eq(victim.bank),
            out.task.eq(victim.task),
            out.persist.eq(1),
            out.m_panels.eq(read.data.m_panels),
            out.n.eq(read.data.n),
            out.layer.eq(read.data.layer),
        ]
        m.d.sync += self.evicting.eq(self.swap & victim.valid)
        with m.If(self.evicting):
            m.d.sync += victim.valid.eq(0)
        for i, one in enumerate(entries):
            last = entries[i - 1].valid if i else 1
            with m.If(kept & last & ~one.valid):
                m.d.sync += [
                    one.valid.eq(1), one.task.eq(self.output.task), one.bank.eq(self.bank),
                    one.clean.eq(clean),
                ]

        # -- banks ---------------------------------------------------------------------------------------------------
        # banks that leave the table without being resumed, and banks whose saving begins
        left = Signal(banks, name="left")
        begun = Signal(banks, name="begun")
        leaves = Signal()
        m.d.comb += [
            leaves.eq(self.evicting & victim.clean | switch & hit & ~grant.resume),
            left.eq(_one_hot(leaves, Mux(self.evicting, victim.bank, found), banks)),
            begun.eq(_one_hot(kept & clean, self.bank, banks)),
            self.free.eq(dropped | given & ~saving | left & (given | ~saving)),
            self.resume_ready.eq(~saving.bit_select(self.resume_bank, 1)),
        ]
        m.d.sync += saving.eq(saving & ~given & ~left | begun)


def _one_hot(valid, number, width: int):
    """Bit `number` of `width` while `valid`."""
    return Cat(valid & (number == i) for i in range(width))
