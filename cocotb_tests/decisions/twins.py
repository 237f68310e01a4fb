"""An original design and a mutated one side by side, under the same legal inputs; that they do not differ is asserted.

The rules of legal inputs are those of `formal/scheduler.py` and `environment.h`. They are stated over the original's
ports alone, so they hold for all kinds of schedulers, with and without aborts. A reset may come in any cycle.
"""

from amaranth.hdl import Const, Instance, Mux, Signal, Value

from decisions.bench import Case
from formal.properties import Properties, every, implies

#: Fields of each output that counts only while it is valid.
PAYLOADS = {
    "instruction": ("task", "region", "switch", "preempt", "abort", "resume"),
    "ready": ("cycle", "kind", "task", "region", "arg"), "issue": ("cycle", "kind", "task", "region", "arg"),
}


class Twins(Properties):
    """Modules `gold` and `gate` with the ports of a `DecisionBench`, and with their registers as further outputs.

    Parameters
    ----------
    inputs, outputs : dict
        Width of each port, by name, without clock and reset.
    states : dict
        Width of each register that is an output of both modules.
    split : set
        Registers whose equality is asserted bit by bit, not as a whole. A solver needs these equalities as lemmas.
        A split register `X` is also equal while `X_valid` is set, if there is one.
    lost : set
        Lemmas, by name, that do not hold.
    """

    def __init__(self, case: Case, inputs: dict, outputs: dict, states: dict, split=frozenset(), lost=frozenset()):
        super().__init__()
        self.case, self._lost = case, lost
        self.rst = self.free("rst")
        given = {name: self.free(name, width) for name, width in inputs.items()}
        self.gold = gold = self._instance("gold", given, {**outputs, **states})
        gate = self._instance("gate", given, {**outputs, **states})
        started = self._started = self.before(Const(1))  # the first cycle is a reset
        self.given(started | self.rst)
        self._environment(given, gold)
        looks = started & ~self.rst
        for name in outputs:
            prefix, _, field = name.partition("_")
            counts = gold[f"{prefix}_valid"] if field in PAYLOADS.get(prefix, ()) else 1
            self.always(f"output {name}", implies(looks & counts, gold[name] == gate[name]))
        for name, width in states.items():
            if name not in split:
                self._lemma(f"state {name}", gold[name] == gate[name])
                continue
            for bit in range(width):
                self._lemma(f"state {name}:{bit}", gold[name][bit] == gate[name][bit])
            if (valid := gold.get(f"{name}_valid")) is not None:
                self._lemma(f"valid {name}", implies(valid, gold[name] == gate[name]))
        self._lemmas(gold, states)
        self.sometimes("a preemption", gold["instruction_valid"] & gold["instruction_preempt"])
        self.sometimes("a job given up", gold["given_up"])

    def _lemma(self, name: str, condition) -> None:
        if name not in self._lost:
            self.always(name, implies(self._started, condition))

    def _lemmas(self, gold: dict, states: dict) -> None:
        """What is known of the original: asserted, so proved with the rest, and given up when it fails."""
        self._lemma("lemma no fault", ~gold["fault"])
        for name in states:
            if name.startswith(tuple(f"scheduler.waiting.{memory}[" for memory in ("low", "high", "records"))):
                self._lemma(f"lemma parity {name}", ~gold[name].xor())

    def _instance(self, kind: str, inputs: dict, outputs: dict) -> dict:
        found = {name: Signal(width, name=f"{kind}_{name}") for name, width in outputs.items()}
        self.m.submodules[kind] = Instance(
            kind, i_clk=self.ports["clk"], i_rst=self.rst, **{f"i_{name}": value for name, value in inputs.items()},
            **{f"o_{name}": value for name, value in found.items()})
        return found

    def _environment(self, i: dict, o: dict) -> None:
        """Assume legal inputs."""
        m, p = self.m, self.case.platform
        n, width = p.scheduler.tasks, p.scheduler.time_width
        most = p.tables.regions
        lives = Signal(n)
        live = Signal(n)
        counts = [Signal(range(most + 1), name=f"count_{t}") for t in range(n)]
        keys = [Signal(width, name=f"key_{t}") for t in range(n)]
        current = Signal(len(i["release_task"]))
        base = self.free("base", width)

        def at(values, task) -> Value:
            result = Value.cast(values[0])
            for t in range(1, n):
                result = Mux(task == t, values[t], result)
            return result

        def in_window(key) -> Value:
            return ~(key - base)[:width][-1]

        stop = Signal()
        m.d.comb += stop.eq(self.before(i["running"] & ~self.rst) & ~i["running"])
        # A job lives until its last region is decided, which is seen in the next cycle.
        joins = i["release_valid"] & o["release_ready"] & (~i["release_abort"] | o["aborted"])
        ends = o["issue_valid"] & (o["issue_region"] + 1 == at(counts, o["issue_task"]))
        for t in range(n):
            m.d.comb += lives[t].eq(live[t] & ~(ends & (o["issue_task"] == t)))
            m.d.sync += live[t].eq(lives[t] & ~(o["given_up"] & (current == t)))
            with m.If(joins & (i["release_task"] == t)):
                m.d.sync += [live[t].eq(1), keys[t].eq(i["release_key"])]
            with m.If(i["regions_valid"] & (i["regions_task"] == t)):
                m.d.sync += counts[t].eq(i["regions_value"])
            self.given(implies(lives[t], in_window(keys[t])))
        with m.If(o["issue_valid"]):
            m.d.sync += current.eq(o["issue_task"])
        with m.If(stop | self.rst):
            m.d.sync += live.eq(0)

        task, aborts = i["release_task"], int("abort" in self.case.overrun)
        self.given(implies(i["release_valid"], every([
            task < n, in_window(i["release_key"]), at(counts, task) != 0,
            (i["release_abort"] & aborts) | (~i["release_abort"] & ~at(lives, task)),
            ~(i["regions_valid"] & (i["regions_task"] == task)),
        ])))
        held = self.before(i["release_valid"] & ~o["release_ready"] & ~self.rst)
        offer = [i[f"release_{field}"] for field in ("valid", "task", "key", "abort")]
        self.given(implies(held & ~stop, every(value == self.before(value) for value in offer)))
        self.given(implies(i["regions_valid"], every([
            i["regions_task"] < n, ~at(lives, i["regions_task"]), i["regions_value"] != 0, i["regions_value"] <= most,
        ])))
