"""For benches of job release: its registers, its reports, and their comparison with the golden model."""

from derca_sim.compile.plan import TaskPlan
from derca_sim.events import Kind
from derca_sim.model.registers import TaskReg
from kit.payload import pack
from oracles.release import Rule

CODES = {"skip": 0, "queue": 1, "abort": 2}


def plan(index: int, task: Rule) -> TaskPlan:
    """A task without work."""
    return TaskPlan(index, f"t{index}", None, task.period, task.deadline, task.offset, task.sporadic, (), (), (), (),
                    overrun=task.overrun, work=task.deadline - task.slack)


class Reports(list):
    """Collects what a golden model logs, as pairs of an event and the cycle in which it is reported."""

    def __call__(self, event, reported=None):
        self.append((event, event.cycle if reported is None else reported))


def drawn_end(random, lay, task, final, failed, now) -> int:
    """Return the payload of a store command that completes for `task` in this cycle, 0 if `task` is None.

    With `final` the job may fail. Then (now, task) is added to `failed`.
    """
    if task is None:
        return 0
    fails = random.random() < 0.3
    if final and fails:
        failed.add((now, task))
    return pack(lay.done, task=task, final=int(final), persist=int(not final), failed=int(fails))


def compare(who, found, wanted, start):
    """Compare two sorted logs; `who` wrote the second. The error shows what either has of the first differing task."""
    for a, b in zip([*found, None], [*wanted, None], strict=False):
        if a != b:
            def show(e):
                return e and (e[0] - start, Kind(e[1]).name, *e[2:])
            task = (a or b)[2] if b is None or a is None or a < b else b[2]
            both = [[show(e) for e in log if e[2] == task and abs(e[0] - (a or b)[0]) < 700] for log in (found, wanted)]
            raise AssertionError(
                f"first difference: found {show(a)}, {who}: {show(b)}\nfound {both[0]}\n{who} {both[1]}")


async def configure(bench, lay, tasks: list[Rule], page: int = 0):
    """Write the registers of every task."""
    bench.set(write_page=page)
    for i, task in enumerate(tasks):
        mode = int(task.sporadic) | task.enabled << 1 | CODES[task.overrun] << 2
        for field, value in ((TaskReg.PERIOD, task.period), (TaskReg.DEADLINE, task.deadline),
                             (TaskReg.OFFSET, task.offset), (TaskReg.MODE, mode), (TaskReg.SLACK, task.slack)):
            word = pack(lay.task_write, task=i, field=field >> 2, value=value & 0xFFFFFFFF)
            bench.set(config__valid=1, config__payload=word)
            await bench.tick()
    bench.set(config__valid=0)
