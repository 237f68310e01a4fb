"""The rules of AXI4 for the manager, stated over the ports of the memory interface alone.

Besides stable payloads and legal bursts, no channel waits for a channel that IHI 0022 forbids it to wait for. Such a
rule gives the number of cycles in a row for which a transfer may be due without being offered, while every ready may
stay low.
"""

from amaranth.hdl import Const, Mux, ResetInserter, Signal, Value
from amaranth.lib.wiring import In

from derca_sim.model.timing import store_commands
from formal.properties import Properties, implies
from formal.streams import StreamProof, stays_in_page

#: Bits of the numbers of bursts that the rules count; no bounded proof reaches their end.
_NUMBER = 5
#: Cycles in a row in which a channel may owe something: its longest way through the manager, and one more.
PROMPT = 4


#: What can be proved of the memory interface by itself, and which streams it is about.
PARTS = {
    "streams": None,
    "writes": ("write_request", "write_beat", "aw", "w", "b"),
    "WLAST": ("write_request", "write_beat", "aw", "w", "b"),
    "reads": ("read_request", "ar", "r"),
}


def memory_proof(component, p, *parts: str) -> StreamProof:
    """The proof of the memory interface: streams, AXI4 bursts, and what channels may wait for; or some `PARTS`.

    Bursts stay within 4 KiB and `burst_beats`. WLAST stands where AWLEN says. Nothing is valid in the first cycle.
    """
    parts = parts or tuple(PARTS)
    whole = "streams" in parts
    feeds = None if whole else {stream for part in parts for stream in PARTS[part]}
    proof = StreamProof(component, feeds, None if whole else ())
    shift = p.beat_bytes.bit_length() - 1
    for request in ("read_request", "write_request"):
        port = getattr(component, request)
        proof.given(implies(port.valid, (port.p.beats != 0) & (port.p.address[:shift] == 0)))
    if whole:
        for channel in ("ar", "aw"):
            port = getattr(component.axi, channel)
            stays_in_page(proof, f"{channel}: no burst crosses 4 KiB", port.valid, port.p.addr, port.p.len,
                          p.beat_bytes)
            proof.always(f"{channel}: no burst exceeds burst_beats",
                         implies(port.valid, port.p.len < p.bus.burst_beats))
        later = proof.before(Const(1))
        proof.always("nothing is valid in the first cycle", later | ~_valids(component))
    if "writes" in parts:
        _writes(proof, component, p)
    if "WLAST" in parts:
        _last(proof, component)
    if "reads" in parts:
        _reads(proof, component, p)
    return proof


def _valids(component) -> Value:
    """Whether the manager offers anything."""
    return component.axi.ar.valid | component.axi.aw.valid | component.axi.w.valid


def _happens(port) -> Value:
    return Value.cast(port.valid) & Value.cast(port.ready)


def _prompt(proof: Properties, name: str, owed, longest: int = PROMPT) -> None:
    """Assert that `owed` holds for no more than `longest` cycles in a row."""
    count = Signal(range(longest + 2), name="owed")
    proof.m.d.sync += count.eq(Mux(Value.cast(owed).any(), Mux(count > longest, count, count + 1), 0))
    proof.always(name, count <= longest)


def _writes(proof: Properties, dut, p) -> None:
    """The rules of AW, W and B."""
    m, aw, w, b = proof.m, dut.axi.aw, dut.axi.w, dut.axi.b
    beat, request = dut.write_beat, dut.write_request
    addresses, bursts = _counted(proof, dut)
    even, ahead = Signal(name="even"), Signal(name="ahead")
    m.d.comb += [even.eq(bursts == addresses), ahead.eq(bursts == (addresses + 1)[:_NUMBER])]
    # No command begins without `room`.
    begun, amid = Signal(range(store_commands(p) + 1), name="begun"), Signal(name="amid")
    m.d.sync += begun.eq(begun + (_happens(request) & ~amid) - dut.stored)
    with m.If(_happens(request)):
        m.d.sync += amid.eq(~request.p.end)
    proof.given(implies(request.valid & ~amid, begun != store_commands(p)))
    idle = Value.cast(beat.valid) & ~Value.cast(beat.ready) & ~w.valid  # data wait, and are not offered

    _prompt(proof, "w: offered while AWREADY stays low", aw.valid & ~aw.ready & idle & ~ahead)
    proof.always("w: no beat without an address offered", implies(w.valid & even, aw.valid))
    proof.always("w: at most a burst ahead of its address", ~(w.valid & ahead))
    _prompt(proof, "aw: offered while WREADY stays low",
            request.valid & ~request.ready & ~aw.valid & idle)
    answered = Signal(_NUMBER, name="answered")  # bursts whose response was taken
    owed = answered != addresses
    m.d.sync += answered.eq(answered + (_happens(b) & (b.p.id == aw.p.id) & owed))
    _prompt(proof, "b: taken whatever AWREADY and WREADY are", b.valid & ~b.ready & owed, store_commands(p))
    proof.always("b: with another ID, completes nothing",
                 implies(_happens(b) & (b.p.id != aw.p.id), dut.stray))
    proof.sometimes("w: all of a burst is taken before its address", aw.valid & ahead)
    proof.sometimes("w: a beat is taken together with its address", _happens(aw) & _happens(w) & even)


def _counted(proof: Properties, dut) -> tuple[Signal, Signal]:
    """Bursts whose AW was taken, and those whose last beat was."""
    addresses, bursts = Signal(_NUMBER, name="addresses"), Signal(_NUMBER, name="bursts")
    proof.m.d.sync += [
        addresses.eq(addresses + _happens(dut.axi.aw)),
        bursts.eq(bursts + (_happens(dut.axi.w) & dut.axi.w.p.last)),
    ]
    return addresses, bursts


def _last(proof: Properties, dut) -> None:
    """WLAST, of one burst that may be any."""
    m, aw, w = proof.m, dut.axi.aw, dut.axi.w
    addresses, bursts = _counted(proof, dut)
    chosen = proof.free("chosen_burst", _NUMBER)
    proof.given((chosen == proof.before(chosen)) | ~proof.before(Const(1)))
    kept, length = Signal(8, name="kept_length"), Signal(8, name="length")
    sent = Signal(9, name="sent")
    with m.If(_happens(aw) & (addresses == chosen)):
        m.d.sync += kept.eq(aw.p.len)
    with m.If(_happens(w) & (bursts == chosen)):
        m.d.sync += sent.eq(sent + 1)
    m.d.comb += length.eq(Mux(addresses == chosen, aw.p.len, kept))
    proof.always("w: WLAST stands where AWLEN says",
                 implies(w.valid & (bursts == chosen), w.p.last == (sent == length)))


def _reads(proof: Properties, dut, p) -> None:
    """The rules of AR and R."""
    m, ar, r, request = proof.m, dut.axi.ar, dut.axi.r, dut.read_request
    flying = Signal(_NUMBER, name="flying")  # bursts that the memory has not answered
    answers = _happens(r) & r.p.last & (r.p.id == ar.p.id) & (flying != 0)
    m.d.sync += flying.eq(flying + _happens(ar) - answers)
    _prompt(proof, "ar: offered whatever the write channels do",
            request.valid & ~request.ready & ~ar.valid & (flying == 0))
    _prompt(proof, "r: taken while ARREADY stays low", r.valid & ~r.ready & (flying != 0), p.bus.outstanding + 1)
    proof.always("r: with another ID, is no beat",
                 implies(_happens(r) & (r.p.id != ar.p.id), dut.stray & ~dut.read_beat.valid))


def reset_proof(component) -> Properties:
    """In the cycle after one in reset the manager offers nothing, whatever was before."""
    proof = Properties()
    reset = proof.free("reset")
    proof.m.submodules.dut = ResetInserter(reset)(component)
    for path, member, value in component.signature.flatten(component):
        value = Value.cast(value)
        if member.flow == In and isinstance(value, Signal):
            proof.m.d.comb += value.eq(proof.free("__".join(map(str, path)), len(value)))
    proof.always("nothing is valid after a reset", implies(proof.before(reset), ~_valids(component)))
    proof.sometimes("something is valid when the reset comes", reset & _valids(component))
    return proof
