"""A look inside a component: its registers by name, and its memories word by word, through ports that only the proof adds."""

from amaranth.hdl import Module, Signal
from amaranth.hdl._ast import Switch
from amaranth.lib import data
from amaranth.lib.memory import Memory


class Opened:
    """A component elaborated once, with its inner signals.

    Parameters
    ----------
    component
        Not yet elaborated; from now on it elaborates to the module that was opened.
    """

    def __init__(self, component):
        self.module = module = component.elaborate(None)
        if not isinstance(module, Module):
            raise TypeError(f"{component!r} must elaborate to a Module to be opened, not to {module!r}")
        component.elaborate = lambda platform: module
        module._flush()
        self._signals = {signal.name: signal for signal in module._driving}
        self._ports = []

    def __getattr__(self, name: str) -> Signal:
        if name not in self._signals:
            raise AttributeError(f"no register or signal {name!r} is driven here; there are {sorted(self._signals)}")
        return self._signals[name]

    def record(self, name: str, layout) -> data.View:
        """A signal as a structure."""
        return data.View(layout, getattr(self, name))

    def part(self, name: str):
        """A submodule by name."""
        return getattr(self.module.submodules, name)

    def words(self, name: str) -> list:
        """All words of a memory. To be called before the memory is elaborated."""
        memory = self.part(name)
        assert isinstance(memory, Memory)
        ports = [memory.read_port(domain="comb") for _ in range(memory.depth)]
        for i, port in enumerate(ports):
            self.module.d.comb += port.addr.eq(i)
        return [port.data for port in ports]

    def read_register(self, name: str, index: int = 0):
        """What the `index`-th read port of a memory shows."""
        return self.part(name)._read_ports[index].data

    def state(self) -> tuple[Signal, dict[str, int]]:
        """The state of the only FSM, and the code of each of its states."""
        for statement in self.module._statements["sync"]:
            if isinstance(statement, Switch) and statement.test.name == "fsm_state":
                signal, codes = statement.test, {}
                for code in range(1 << len(signal)):
                    try:
                        codes[signal.decoder(code).split("/")[0]] = code
                    except KeyError:
                        continue
                return signal, codes
        raise AttributeError("no FSM here")
