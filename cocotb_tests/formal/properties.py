"""Named assertions, assumptions and covers in a module without reset, of which every proof consists."""

from amaranth.hdl import Assert, Assume, ClockDomain, Const, Cover, Elaboratable, Module, Signal, Value


class Properties(Elaboratable):
    """A module `m` whose inputs are free and whose properties have names.

    Attributes
    ----------
    ports : dict
        The free inputs, by name: each takes any value in each cycle.
    names : list
        The assertions' names, in order.
    """

    def __init__(self):
        self.m = Module()
        self.m.domains.sync = domain = ClockDomain(reset_less=True)
        self.ports = {"clk": domain.clk}
        self.names = []
        self.covers = []

    def elaborate(self, platform):
        return self.m

    def free(self, name: str, shape=1):
        """An input that takes any value in each cycle."""
        signal = Signal(shape, name=name)
        self.ports[name] = signal
        return signal

    def always(self, name: str, condition) -> None:
        """Assert that `condition` holds in every cycle."""
        self.names.append(name)
        self.m.d.comb += Assert(self._bit(condition, f"holds_{len(self.names)}"), name)

    def given(self, condition) -> None:
        """Assume that `condition` holds in every cycle."""
        self.m.d.comb += Assume(self._bit(condition, "given"))

    def sometimes(self, name: str, condition) -> None:
        """Cover: `condition` can come true, so the assumptions do not forbid everything."""
        self.covers.append(name)
        self.m.d.comb += Cover(self._bit(condition, f"reached_{len(self.covers)}"), name)

    def before(self, value, init: int = 0) -> Signal:
        """`value` in the cycle before; `init` in the first."""
        value = Value.cast(value)
        past = Signal(value.shape(), init=init, name="past")
        self.m.d.sync += past.eq(value)
        return past

    def _bit(self, condition, name: str) -> Signal:
        signal = Signal(name=name)
        self.m.d.comb += signal.eq(Value.cast(condition).any())
        return signal


def implies(a, b) -> Value:
    """Whether `b` holds if `a` does."""
    return ~Value.cast(a).any() | Value.cast(b).any()


def iff(a, b) -> Value:
    """Whether `a` and `b` are equal."""
    return Value.cast(a).any() == Value.cast(b).any()


def every(conditions) -> Value:
    """Whether all of them hold."""
    result = Const(1, 1)
    for condition in conditions:
        result = result & Value.cast(condition).any()
    return result


def some(conditions) -> Value:
    """Whether at least one of them holds."""
    result = Const(0, 1)
    for condition in conditions:
        result = result | Value.cast(condition).any()
    return result
