"""The ring of input slots of one operand: which are free, filling or full."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform
from derca_sim.model.tables import bits_for

from ...blocks.arithmetic import count


class SlotRing(wiring.Component):
    """Keeps the state of each slot: free, filling, full, and free again.

    A slot is full in the cycle after its last beat, and free in the cycle after its release. Slots are claimed in ring
    order. At most `requests` requests fill a slot.

    A flush drops every slot that is not released or kept, in its cycle at the latest. A full slot is then free 2 cycles
    later, a filling one 2 cycles after its last beat.

    Parameters
    ----------
    requests
    kept
        Number of slots if these may be kept; without, there are `buffers.slots`, and none is.

    Attributes
    ----------
    filling : Out
        The slot that is claimed next.
    claimed : Out
        With `kept`: the slot claimed last.
    free : Out(1)
        It is free.
    take : In(1)
        Claims slot `filling`; may be high while `free`.
    requested : In(1)
        A request for slot `slot` was accepted.
    slot : In
    issued : In(1)
        With `requested`: it was the slot's last request.
    received : In(1)
        The last beat of a request for slot `received_slot`.
    received_slot : In
    user : Out
        The slot of the iteration that the compute engine begins next.
    full : Out(1)
        The tile of slot `user` is there. Meaningful once the slot was claimed.
    advance : In(1)
        That iteration begins, and is the last to use the slot.
    release : In(1)
        Slot `release_slot` is not used any more.
    release_slot : In
    keep : In(1)
        With `kept`: slot `keep_slot` is not dropped any more.
    keep_slot : In
    flush : In(1)
    empty : Out(1)
        Every slot is free.
    filling_any : Out(1)
        A slot is being filled.
    """

    def __init__(self, p: Platform, requests: int, kept: int = 0):
        self._slots = kept or p.buffers.slots
        self._kept = kept > 0
        self._requests = requests
        slot = bits_for(self._slots - 1)
        super().__init__({
            "free": Out(1),
            "filling": Out(slot),
            "take": In(1),
            "requested": In(1),
            "slot": In(slot),
            "issued": In(1),
            "received": In(1),
            "received_slot": In(slot),
            "user": Out(slot),
            "full": Out(1),
            "advance": In(1),
            "release": In(1),
            "release_slot": In(slot),
            **({"keep": In(1), "keep_slot": In(slot), "claimed": Out(slot)} if kept else {}),
            "flush": In(1),
            "empty": Out(1),
            "filling_any": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        n = self._slots
        owned = Signal(n)
        all_issued = Signal(n)
        doomed = Signal(n)
        dropped = owned & ~self._keep(m) if self._kept else owned
        drained = Signal(n)
        pending = [Signal(range(self._requests + 1), name=f"pending_{i}") for i in range(n)]
        m.d.comb += [
            self.free.eq(~owned.bit_select(self.filling, 1)),
            self.full.eq((all_issued & drained).bit_select(self.user, 1)),
            self.empty.eq(~owned.any()),
            self.filling_any.eq((owned & ~(all_issued & drained)).any()),
        ]
        for i in range(n):
            up, down, released = (Signal(name=f"{name}_{i}") for name in ("up", "down", "released"))
            m.d.comb += [
                drained[i].eq(pending[i] == 0),
                up.eq(self.requested & (self.slot == i)),
                down.eq(self.received & (self.received_slot == i)),
                released.eq(self.release & (self.release_slot == i)),
            ]
            count(m, pending[i], up, down)
            with m.If(self.issued & (self.slot == i)):
                m.d.sync += all_issued[i].eq(1)
            with m.If(doomed[i] & drained[i]):
                m.d.sync += [owned[i].eq(0), doomed[i].eq(0)]
            with m.If(self.flush & dropped[i]):
                m.d.sync += doomed[i].eq(1)
            with m.If(released):
                m.d.sync += owned[i].eq(0)
            with m.If(self.take & (self.filling == i)):
                m.d.sync += [owned[i].eq(1), all_issued[i].eq(0)]
        for step, pointer in ((self.take, self.filling), (self.advance, self.user)):
            with m.If(step):
                m.d.sync += pointer.eq(pointer + 1)
                with m.If(pointer == n - 1):
                    m.d.sync += pointer.eq(0)
        with m.If(self.flush):
            m.d.sync += self.user.eq(self.filling)
        return m

    def _keep(self, m):
        """The slots that are not dropped, a bit per slot; and which slot is claimed."""
        with m.If(self.take):
            m.d.sync += self.claimed.eq(self.filling)
        kept = Signal(self._slots)
        keeps = Signal.like(kept)
        m.d.comb += keeps.eq(kept | self.keep << self.keep_slot)
        for i in range(self._slots):
            m.d.sync += kept[i].eq(keeps[i] & ~(self.release & (self.release_slot == i)))
        return keeps
