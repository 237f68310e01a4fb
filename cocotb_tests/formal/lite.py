"""The rules of an AXI4-Lite slave, stated over its port names alone."""

from amaranth.hdl import Cat, Const, Signal, Value
from amaranth.lib.wiring import In

from formal.properties import Properties, every, implies
from formal.streams import keeps_its_word

#: Accesses that may be accepted and not answered.
_PENDING = 3


class LiteSlaveProof(Properties):
    """A component with `s_axi_*` ports behind a master that keeps the rules; every other input is free.

    Rules:

    - BVALID and RVALID hold, with their payload, until they are taken.
    - There is exactly one response to each accepted pair of address and data, and one to each read address; none comes
      earlier.
    - Ready, and responses, come within `answers` cycles. With `reads_wait` a read may be accepted later (statistics
      wait for events that are being counted).
    - No response waits for BREADY or RREADY, and none is there in the first cycle.
    """

    def __init__(self, component, *, answers: int = 4, reads_wait: bool = False):
        super().__init__()
        m = self.m
        m.submodules.dut = component
        for path, member, value in component.signature.flatten(component):
            value = Value.cast(value)
            if member.flow == In and isinstance(value, Signal):
                m.d.comb += value.eq(self.free("__".join(map(str, path)), len(value)))

        def port(name):
            return getattr(component, f"s_axi_{name}")

        def optional(*names):
            return Cat(port(n) for n in names if hasattr(component, f"s_axi_{n}"))

        for channel, payload in (("aw", ("awaddr", "awprot")), ("w", ("wdata", "wstrb")), ("ar", ("araddr", "arprot"))):
            keeps_its_word(
                self, channel, port(f"{channel}valid"), port(f"{channel}ready"), optional(*payload), given=True
            )
        for channel, payload in (("b", ("bresp",)), ("r", ("rdata", "rresp"))):
            keeps_its_word(
                self,
                f"{channel}: valid holds, payload is stable",
                port(f"{channel}valid"),
                port(f"{channel}ready"),
                optional(*payload),
            )
            self.sometimes(f"{channel}: a response is taken", port(f"{channel}valid") & port(f"{channel}ready"))
            self.sometimes(
                f"{channel}: a response waits", self.before(port(f"{channel}valid") & ~port(f"{channel}ready"))
            )

        def happens(channel):
            return port(f"{channel}valid") & port(f"{channel}ready")

        owed = {}
        for channel, response in (("aw", "b"), ("w", "b"), ("ar", "r")):
            owed[channel] = count = Signal(range(-1, _PENDING + 1), name=f"owed_{channel}")
            m.d.sync += count.eq(count + happens(channel) - happens(response))
            self.always(f"{response}: no response before its {channel}", implies(port(f"{response}valid"), count > 0))
            self.always(f"{channel}: no more accepted than can be answered", every([count >= 0, count < _PENDING]))
        self.owed = owed
        for name, waits in (
            ("aw and w: accepted in time", port("awvalid") & port("wvalid") & ~(port("awready") & port("wready"))),
            ("ar: accepted in time", port("arvalid") & ~port("arready")),
        ):
            blocked = port("bvalid") if name.startswith("aw") else port("rvalid")
            count = Signal(range(answers + 2), name="waited")
            with m.If(waits & ~blocked):
                m.d.sync += count.eq(count + 1)
            with m.Else():
                m.d.sync += count.eq(0)
            if not (reads_wait and name.startswith("ar")):
                self.always(name, count <= answers)
        for response, channels in (("b", ("aw", "w")), ("r", ("ar",))):
            count = Signal(range(answers + 2), name="unanswered")
            with m.If(every(owed[c] > 0 for c in channels) & ~port(f"{response}valid")):
                m.d.sync += count.eq(count + 1)
            with m.Else():
                m.d.sync += count.eq(0)
            self.always(f"{response}: answered in time", count <= answers)
        later = self.before(Const(1))
        self.always("no response in the first cycle", later | ~(port("bvalid") | port("rvalid")))
        self.always(
            "responses are OKAY, SLVERR or DECERR, never EXOKAY",
            every([implies(port("bvalid"), port("bresp") != 1), implies(port("rvalid"), port("rresp") != 1)]),
        )
