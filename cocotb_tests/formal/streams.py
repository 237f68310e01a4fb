"""The rules of streams and of AXI, stated once over whatever ports have them."""

from collections.abc import Container, Iterator

from amaranth.hdl import Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Member

from formal.properties import Properties, every, implies


def keeps_its_word(proof: Properties, name: str, valid, ready, payload, *, given: bool = False) -> None:
    """Assert that an offer not taken is still offered, unchanged; with `given`, assume it."""
    payload = Value.cast(payload)
    held = proof.before(Value.cast(valid) & ~Value.cast(ready))
    rule = implies(held, Value.cast(valid) & (payload == proof.before(payload)))
    if given:
        proof.given(rule)
    else:
        proof.always(name, rule)


def stays_in_page(proof: Properties, name: str, valid, address, length, beat_bytes: int) -> None:
    """A burst of `length` + 1 beats begins on a beat and crosses no 4 KiB."""
    shift = beat_bytes.bit_length() - 1
    end = address[shift:12] + length + 1
    proof.always(name, implies(valid, (end <= 4096 >> shift) & (address[:shift] == 0 if shift else 1)))


class StreamProof(Properties):
    """Every stream of a component keeps its word, if the streams that feed it do. All other inputs are free.

    Parameters
    ----------
    component
    feeds, keeps
        The streams that are assumed to keep their word, and those of which it is asserted; by default all.

    Attributes
    ----------
    dut : the component
    """

    def __init__(self, component, feeds: Container[str] | None = None, keeps: Container[str] | None = None):
        super().__init__()
        self.dut = component
        self.m.submodules.dut = component
        for path, member, port in _parts(component):
            if member.is_port:
                if member.flow == In:
                    self.drive(path, port)
                continue
            ready = Value.cast(port.ready)
            if member.flow == In:
                self.drive(f"{path}_valid", port.valid)
                self.drive(f"{path}_payload", port.payload)
                if feeds is None or path in feeds:
                    keeps_its_word(self, path, port.valid, ready, port.payload, given=True)
            else:
                if not member.signature.always_ready:
                    self.drive(f"{path}_ready", port.ready)
                if keeps is not None and path not in keeps:
                    continue
                keeps_its_word(self, f"{path}: valid holds, payload is stable", port.valid, ready, port.payload)
                self.sometimes(f"{path}: is taken", port.valid & ready)
                if not member.signature.always_ready:
                    self.sometimes(f"{path}: waits", self.before(port.valid & ~ready))

    def drive(self, name: str, target) -> None:
        """Any value in each cycle."""
        target = Value.cast(target)
        self.m.d.comb += target.eq(self.free(name, len(target)))


def _parts(component) -> Iterator[tuple[str, Member, object]]:
    """Name, member and value of each port and stream; those of other interfaces have the names they have there."""
    for name, member in component.signature.members.items():
        if member.is_port or isinstance(member.signature, stream.Signature):
            yield name, member, getattr(component, name)
        else:
            yield from _parts(getattr(component, name))


def release_proof(component, n: int) -> StreamProof:
    """The proof of the release unit within a run: jobs finish only after the scheduler took them.

    The end of a run (`running` falls) withdraws every offer; the scheduler forgets them in the same cycle.
    """
    proof = StreamProof(component)
    release, finish = component.release, component.finish
    for i in range(n):
        runs = Signal(name=f"runs_{i}")  # taken by the scheduler, not finished
        with proof.m.If(finish.valid & finish.p.final & (finish.p.task == i)):
            proof.m.d.sync += runs.eq(0)
        with proof.m.If(release.valid & release.ready & (release.p.task == i)):
            proof.m.d.sync += runs.eq(1)
        proof.given(implies(finish.valid & (finish.p.task == i), runs))
    proof.given(implies(finish.valid, finish.p.task < n))
    proof.given(implies(proof.before(component.running), component.running))
    return proof


def splitter_proof(component, p) -> Properties:
    """The proof of the burst splitter alone, by induction: any request at any time."""
    proof = Properties()
    proof.m.submodules.dut = component
    start, take = proof.free("start"), proof.free("take")
    shift = p.beat_bytes.bit_length() - 1
    beats, address = proof.free("beats", len(component.beats)), proof.free("address", len(component.address))
    proof.m.d.comb += [
        component.start.eq(start & component.ready),
        component.take.eq(take & component.valid),
        component.beats.eq(beats),
        component.address.eq(address),
    ]
    proof.given(every([beats != 0, address[:shift] == 0, beats <= p.largest_request]))
    keeps_its_word(proof, "a burst not taken stays", component.valid, take, component.addr)
    stays_in_page(proof, "no burst crosses 4 KiB", component.valid, component.addr, component.len, p.beat_bytes)
    proof.always("no burst exceeds burst_beats", implies(component.valid, component.len < p.bus.burst_beats))
    proof.sometimes("a request of several bursts ends", component.valid & component.last & ~component.first)
    return proof
