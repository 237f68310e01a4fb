"""A look inside a component: the signals of its `elaborate` by name, and its memories word by word, through ports that
only the proof adds."""

import sys

from amaranth.hdl import Module, Signal
from amaranth.hdl._ast import Switch
from amaranth.lib.memory import Memory


class Opened:
    """A component elaborated once; what its `elaborate` called `x` is the attribute `x`.

    Parameters
    ----------
    component
        Not yet elaborated; from now on it elaborates to the module that was opened.
    """

    def __init__(self, component):
        self._names = names = {}
        code = type(component).elaborate.__code__

        def profile(frame, event, _):
            if event == "return" and frame.f_code is code:
                names.update(frame.f_locals)

        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            self.module = module = component.elaborate(None)
        finally:
            sys.setprofile(before)
        if not isinstance(module, Module):
            raise TypeError(f"{component!r} must elaborate to a Module to be opened, not to {module!r}")
        component.elaborate = lambda platform: module
        module._flush()

    def __getattr__(self, name: str):
        if name not in self._names:
            raise AttributeError(f"nothing is called {name!r} here; there are {sorted(self._names)}")
        return self._names[name]

    def words(self, memory: str) -> list:
        """All words of a memory. To be called before the memory is elaborated."""
        memory = getattr(self, memory)
        assert isinstance(memory, Memory)
        ports = [memory.read_port(domain="comb") for _ in range(memory.depth)]
        for i, port in enumerate(ports):
            self.module.d.comb += port.addr.eq(i)
        return [port.data for port in ports]

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
