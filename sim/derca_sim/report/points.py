"""The candidate points of a plan: how each is used, or why it is dropped."""

from dataclasses import dataclass

from ..planning import Plan
from ..priced_plan import PricedPlan


@dataclass(frozen=True)
class Candidate:
    """The boundary after a block of a task.

    `where` says in words where it lies. `use` is `used`, `dropped`, or `none` where no preemption is possible. `why`
    says how it is used or why it is not. `strategy` and `swap_in` are those of a used point, else None.
    """

    where: str
    use: str
    why: str
    strategy: str | None = None
    swap_in: int | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


def candidates(plan: Plan | PricedPlan, index: int) -> list[Candidate]:
    """The boundaries between the blocks of task `index`, in order."""
    task, placement = plan.system.tasks[index], plan.verdict.placements[index]
    used = {c.block: c.option for c in placement.chosen}
    regions = iter(placement.regions(task))
    around, out = next(regions), []
    for block, options in enumerate(task.points):
        while block > around.last:
            around = next(regions)
        where = plan.where(index, block)["where"]
        if block in used:
            name, price = used[block].strategy.name.lower(), used[block].swap_in
            out.append(Candidate(where, "used", f"used, {name}, swap-in {price} {plan.unit}", name, price))
        elif options:
            cheapest = min(o.swap_in + o.swap_out for o in options)
            whole = around.length + (around.before.swap_in if around.before else 0)
            out.append(Candidate(where, "dropped", f"dropped, would cost at least {cheapest} {plan.unit}, and the "
                                 f"region around it of {whole} {plan.unit} blocks nobody too long"))
        else:
            out.append(Candidate(where, "none", "no candidate"))
    return out
