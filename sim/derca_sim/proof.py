"""The proof of a task set's tables, in the words of every command and of every file that it writes."""

from dataclasses import dataclass, replace

from .model.platform import Platform

#: Digits of a tables' hash in titles; files carry all of them.
SHORT = 12


@dataclass(frozen=True)
class Proof:
    """The verdict on one set of tables.

    Attributes
    ----------
    verdict
        `proved` (every deadline is met under the assumptions), `disproved` (a legal arrival pattern misses one), `not
        proved` (all placements and charges were tried), or `unknown` (not all were tried).
    reason
        Why.
    strategy
        Strategy of the preemption points.
    assumptions
        What the verdict rests on.
    tables
        Hash of the tables, see `Compiled.tables_hash`; empty for sets that have none.
    least_relative_slack
        The smallest of slack over deadline among the tasks; None without a proof.
    beyond
        What breaks an assumption in this run or on this board.
    """

    verdict: str
    reason: str
    strategy: str
    assumptions: tuple[str, ...]
    tables: str
    least_relative_slack: float | None = None
    beyond: tuple[str, ...] = ()

    @property
    def proved(self) -> bool:
        """Whether every deadline is met under the assumptions."""
        return self.verdict == "proved"

    @property
    def schedulable(self) -> bool | None:
        """True if proved, False if disproved; None if neither."""
        return {"proved": True, "disproved": False}.get(self.verdict)

    def and_beyond(self, *facts: str) -> "Proof":
        """The same proof, with `facts` that break an assumption."""
        return replace(self, beyond=(*self.beyond, *facts))

    @property
    def title(self) -> str:
        """The verdict for a title."""
        if not self.proved:
            return "NOT PROVED" if self.verdict == "not proved" else f"NOT PROVED ({self.verdict})"
        return "proved (steady memory only)" if self.beyond else "proved"

    @property
    def short_hash(self) -> str:
        """The first digits of the tables' hash."""
        return self.tables[:SHORT]

    def lines(self) -> list[tuple[str, str]]:
        """(name, text) of the lines that a command prints: verdict, what it assumes, what breaks that, tables."""
        slack = "" if self.least_relative_slack is None else (
            f"; least relative slack {100 * self.least_relative_slack:.1f} %")
        out = [("proof", f"{self.verdict}: {self.reason}{slack}")]
        if self.proved:
            out.append(("assuming", "; ".join(self.assumptions)))
        out += [("beyond", fact) for fact in self.beyond]
        return [*out, ("tables", f"{self.short_hash}, strategy {self.strategy}")] if self.tables else out

    def as_dict(self) -> dict:
        """As plain data, for JSON files."""
        return {
            "verdict": self.verdict, "reason": self.reason, "strategy": self.strategy,
            "assumptions": list(self.assumptions), "beyond": list(self.beyond),
            "least_relative_slack": self.least_relative_slack, "tables_sha256": self.tables,
        }

    @staticmethod
    def from_dict(data: dict) -> "Proof":
        """The proof that `as_dict` gave.

        Raises
        ------
        KeyError, TypeError
            If the data are of something else.
        """
        return Proof(data["verdict"], data["reason"], data["strategy"], tuple(data["assumptions"]),
                     data["tables_sha256"], data["least_relative_slack"], tuple(data["beyond"]))

    def markdown(self) -> str:
        """As a section of a Markdown file."""
        facts = [f"- assumed: {a}" for a in self.assumptions] + [f"- **not so here**: {b}" for b in self.beyond]
        return "\n".join([
            "## Deadlines", "",
            f"**{self.title}**. Strategy {self.strategy}: {self.reason}.", "", *facts, "",
            f"SHA-256 of the tables (`host_writes.txt`): `{self.tables}`", "",
        ])


def assumptions(p: Platform) -> tuple[str, ...]:
    """The assumptions of the analysis about arrivals and memory, and in lock-step about the order of operations."""
    order = "in lock-step the order of operations does not depend on their times: not derived, and not seen otherwise"
    return (
        "jobs of a task are released at least its period apart",
        (f"the memory answers a read within {p.memory.read_latency} cycles and a write within "
         f"{p.memory.write_latency}, moves a beat in every cycle, and reports no error"),
        *([order] if p.pipeline == "lockstep" else []),
    )


def varying_memory(p: Platform, memory: str) -> str:
    """The sentence about a memory, named in words, whose latency may exceed the platform's."""
    return (f"{memory}: its latency varies, and may exceed the {p.memory.read_latency} and {p.memory.write_latency} "
            "cycles assumed")
