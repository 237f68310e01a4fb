"""Latencies of the hardware in cycles: declared once, used by the RTL, asserted by tests, read by the golden model."""

from .platform import Platform
from .tables import WordOrder, bits_for


class SchedulerTiming:
    """Latencies of the scheduler, by kind. They do not depend on keys.

    A release taken in cycle t can be chosen by a decision from t + VISIBLE on. A decision is made in the cycle of the
    feedback, whatever is released meanwhile. Only after a switch the next winner has to be found first: after a switch
    in cycle c, decisions are possible from c + REFILL on. `scan` adds one cycle for each release that it takes
    meanwhile, `heap` the rest of the operation in progress.
    """

    #: Cycles from the feedback to the instruction.
    DECISION = 1

    def __init__(self, p: Platform):
        n = p.scheduler.tasks
        kind = p.scheduler.kind
        levels = n.bit_length()  # ceil(log2(N + 1)) levels of the heap
        tree = (n - 1).bit_length()  # levels of the tournament
        rekeys = "least_slack" in p.scheduler.policies
        #: Whether no release is taken in the cycle of an instruction, in which a waiting job's key may change.
        self.CLOSED = kind == "scan" or (kind == "tournament" and rekeys)
        #: heap: cycles of an insertion, and of refilling the winner's register.
        self.INSERT, self.REMOVE = levels + 1, 2 * levels + 1
        busy = max(self.INSERT, self.REMOVE)
        #: Cycles between two releases taken, in a burst.
        self.INTERVAL = {"heap": self.INSERT + 1, "scan": 1, "tournament": 1}[kind]
        #: Cycles from a release taken to the first decision that may choose it.
        self.VISIBLE = {"heap": 1, "scan": 3, "tournament": tree + 1}[kind]
        #: Cycles from a decision that switches jobs to the next, when nothing else is in progress.
        self.REFILL = {"heap": 2, "scan": n + 3, "tournament": max(2, tree + 1)}[kind]
        #: The same under a burst of releases.
        self.LONGEST_REFILL = self.REFILL + {"heap": busy, "scan": n, "tournament": 0}[kind]
        #: The longest time from a release offered to the first decision that may choose it, as the last of N. A switch
        #: just before one is seen keeps `scan` searching (which takes longer than the other releases and the closed
        #: cycles), a decision every other cycle closes `tournament` with least_slack, and every switch occupies
        #: `heap`: each release may preempt, and end at once, which makes two.
        self.VISIBILITY = {
            "heap": n * (self.INTERVAL + 2 * (self.REMOVE + 1)) + self.VISIBLE,
            "scan": n - 2 + self.VISIBLE + self.REFILL,
            "tournament": (2 * n if rekeys else n) - 1 + self.VISIBLE,
        }[kind]


#: Cycles from a release to its announcement when no other task is announced first.
ANNOUNCE = 1
#: Cycles from the announcement to the offer to the scheduler.
OFFER = 1


class SweptTiming:
    """Latencies of the job release unit that visits one task after the other.

    A visit without anything to do takes `VISIT` cycles. Otherwise steps are added: `JUDGE` when a job has ended or
    become late, `TRIGGER` for a sporadic trigger, `RELEASE` for a release.
    """

    #: Cycles of a visit in which nothing is to be done.
    VISIT = 2
    #: Cycles to turn to what is to be done, and back when nothing is released.
    TURN, CLOSE = 1, 1
    #: Cycles to report the end of a job, which comes last, and its lateness, which comes in cycle `MISS` of them.
    JUDGE, MISS = 3, 2
    #: Cycles to judge a trigger; whether it is early is reported in cycle `EARLY` of them.
    TRIGGER, EARLY = 3, 2
    #: Cycles to find out whether the previous job lives, and whether the last offer has been taken. The release is
    #: reported `EVENT` cycles after them.
    DECIDE, EVENT = 2, 1
    #: Cycles until the scheduler has answered a release that may abort the previous job, if it takes it at once.
    ANSWER = 1
    #: Cycles to report the abort: the end of the previous job, the release of the next.
    ABORT = 2
    #: Cycles from a release time, a deadline, a trigger or the end of a job to the last check of a visit that sees it.
    #: One number for all, so that an end in the cycle of a release or a deadline is always seen with it.
    NOTICE = 3
    #: Cycles per task until its timer runs, after the timers are started.
    ARM = 8
    #: Cycles per task to forget an earlier run, while stopped.
    CLEAR = 2

    def __init__(self, p: Platform):
        policies = p.scheduler.policies
        kept = p.release.overrun != ("skip",)
        #: Steps of a release: event, deadline, one for each key that needs one, next release.
        self.STEPS = 3 + ("least_slack" in policies) + ("deadline_monotonic" in policies)
        self.STEPS += "fifo" in policies and kept
        self.RELEASE = self.DECIDE + self.STEPS
        most = self.VISIT + self.TURN + self.JUDGE + self.TRIGGER + self.RELEASE
        if kept:  # one release is kept and becomes a job at once, or the scheduler is asked for an abort
            aborts = "abort" in p.release.overrun
            most += max(1 + self.STEPS, (self.ANSWER + self.ABORT + self.CLOSE) * aborts)
        #: Cycles of a lap in which everything happens to every task and the scheduler takes every release at once.
        self.LAP = p.scheduler.tasks * most
        #: Cycles of a lap in which nothing happens.
        self.QUIET_LAP = p.scheduler.tasks * self.VISIT


def longest_lap(p: Platform) -> int:
    """Cycles of a lap of the swept job release in which the scheduler lets every offer wait.

    A lap waits for one offer per visit, and for the offer of the visit before the lap. `heap` takes an offer after an
    insertion and two switches, the others after a decision and its instruction.
    """
    timing, heap = SweptTiming(p), SchedulerTiming(p)
    wait = heap.INSERT + 2 * (heap.REMOVE + 1) if p.scheduler.kind == "heap" else 4
    return timing.LAP + (p.scheduler.tasks + 1) * wait


def release_latency(p: Platform) -> int:
    """The longest time from a release to its offer to the scheduler, apart from delays by other releases.

    The first release of a run takes longest, because the timers have to be started.
    """
    if p.release.kind == "swept":
        return SweptTiming.ARM * p.scheduler.tasks + SweptTiming.NOTICE + longest_lap(p)
    return p.scheduler.tasks + 1 + ANNOUNCE + OFFER


class ParallelTiming:
    """How long the parallel job release keeps the time of an event until it is announced. Periods are at least 2 N + 3.

    One announcement comes per cycle, the first when all N timers have been started. Within a period every task has one
    release or overrun. Early triggers wait for these, and for two rounds of the early triggers of all tasks.
    """

    def __init__(self, p: Platform):
        n = p.scheduler.tasks
        #: Latest announcement of a release or an overrun, in cycles after its time.
        self.RELEASE = 2 * n + 2
        #: The same for a MISS: its deadline may lie before the announcement of the release, then misses take turns.
        self.MISS = self.RELEASE + n
        #: The same for an early trigger: W cycles with W <= N + 1 + 2 N + N (W / (2 N + 3) + 1).
        self.EARLY = 8 * n + 2 if p.release.sporadic else 0
        #: The same for all.
        self.AGE = max(self.RELEASE, self.MISS, self.EARLY)
        #: Bits of a time that is kept until it is announced.
        self.STAMP_BITS = bits_for(self.AGE)


def event_age(p: Platform) -> int:
    """The longest time from an event of job release to the cycle in which job release reports it."""
    if p.release.kind == "parallel":
        return ParallelTiming(p).AGE
    kept = p.release.overrun != ("skip",)
    # A visit that turns a kept release into a job leaves a release that is due to the next visit.
    return release_latency(p) + kept * longest_lap(p)


class EventTiming:
    """How late events leave the buffers of their sources, which decides how many bits of their time are stored there.

    Job release reports an event late, by at most `event_age`. Then the event waits in a buffer. The first two sources
    have precedence, but among `SHARE` events in a row one comes from another source, as long as one waits. The other
    sources are served in rounds that take one event of each. An event takes 2 cycles at most.
    """

    #: Sources with precedence.
    FIRST = 2
    #: Of so many events in a row one is of a source without precedence, if such a source waits.
    SHARE = 8

    def __init__(self, p: Platform, sources: int):
        others = max(0, sources - self.FIRST) + 1  # faults are one of them
        #: The latest that an event leaves its buffer, in cycles after its time.
        self.AGE = event_age(p) + 2 * self.SHARE * others * p.trace.depth
        #: Bits of the time that distinguish events of different age.
        self.BITS = bits_for(self.AGE)


class KernelTiming:
    """Latencies of the kernel manager, by the way it reads its tables.

    By rows: an entry is offered SWITCH cycles after the grant of a switch, and NEXT cycles after the previous entry was
    taken. By words: the words of an entry are handed over as they are read, and the entry is taken with the last of
    them. That is SWITCH cycles after the grant, or NEXT cycles after the last iteration of the previous entry.
    """

    #: Cycles from a decision to the grant.
    GRANT = 1
    #: Cycles from a grant that switches jobs to the report that its row of the index table is damaged.
    INDEX_FAULT = 2

    def __init__(self, p: Platform):
        if p.tables.read == "row":
            #: Index table, its row in registers, entry and layer tables at once, their parity.
            self.SWITCH = 4
            #: Entry and layer tables at once, their parity.
            self.NEXT = 2
            #: Cycles from an entry taken to its first iteration.
            self.WALK = 1
        else:
            order = WordOrder(p)
            words = order.end - order.first
            #: Index table, pointer, the words, and a cycle to learn which layer it is.
            self.SWITCH = words + 3
            #: The walker asks; the words, and a cycle to learn which layer it is.
            self.NEXT = words + 2
            #: The entry is set back where its output tile is redone.
            self.WALK = 2


class MonitorTiming:
    """Latencies of supervision, which sees instruction and feedback late: after the budgets have been read."""

    #: Cycles from the cycle in which a budget or a limit is exceeded to its event; two of one kind come one by one.
    EVENT = 3
    #: Cycles from the cycle in which the watchdog's limit is exceeded to the safe state.
    SAFE = 3
    #: Shortest region whose time is accounted: from the instruction to the feedback, both included.
    SHORTEST = 2


class ComputeTiming:
    """Latencies of the compute engine's pipeline."""

    #: Cycles between reading a bank word and being able to read its updated value.
    UPDATE = 3
    #: Cycles from the operands to the sums of the array: its operand register, those of the element, product, sum.
    ARRAY = 4
    #: Cycles from the last operands' addresses to the cycle that writes their first column into the bank: the operands
    #: are read, the array drains, the bank's word is read and added to.
    DRAIN = 1 + ARRAY + UPDATE - 1
    #: Cycles by which feedback precedes a region's last operands: as many as decision and grant take.
    AHEAD = 1
    #: Cycles from the start of an iteration to the last operands of its first pass at least: the feedback is a
    #: register, decided the cycle before, and what an iteration is stands in a register the cycle after its start.
    SHORTEST = AHEAD + 2


class RunTiming:
    """Latencies of run control, from the idle point at which a commit is taken to the timers of the next task set."""

    #: Cycles from the idle point to the first of the reset, the last in which the blocks hold state of before.
    CLEAR = 2
    #: Cycles of the reset: until every product that was under way has left the array's multipliers.
    RESET = ComputeTiming.ARRAY
    #: Cycles from the last of the reset to the first after it; from the one in which all have settled to the timers.
    SETTLE, ARM = 1, 1

    def __init__(self, p: Platform):
        per_task = max(1, SweptTiming.CLEAR if p.release.kind == "swept" else 0)
        #: Cycles in which the blocks forget what their memories held.
        self.FORGET = per_task * p.scheduler.tasks
        #: Cycles from the idle point to the COMMIT: nothing is released in between.
        self.COMMIT = self.CLEAR + self.RESET - 1 + self.SETTLE + self.FORGET + self.ARM


class StoreTiming:
    """Latencies of the store engine's pipeline."""

    #: Cycles from a sum to its requantised output, and those that a table of outputs adds.
    REQUANT, TABLE = 8, 2
    #: Cycles that a sum with D adds: until both operands are scaled, and a requantisation less its register.
    ADD = 6 + REQUANT - 1
    #: Cycles from a read to its W beat: raw partial sums.
    RAW = 3

    def __init__(self, p: Platform):
        #: Cycles from a sum to its output.
        own = self.REQUANT + self.TABLE * (p.requant.tables > 0)
        self.OUTPUT = own + self.ADD * p.operators.add
        #: Cycles from a read of a bank to the read of D that meets its output.
        self.RESIDUAL = own - 1
        #: Cycles from a read to its W beat: outputs.
        self.REQUANTISED = self.OUTPUT + 2
        #: Cycles from the last read of a tile to the first read of the next: until the last output has been made with
        #: the parameters of its tile. So no raw sums overtake outputs either.
        self.GAP = self.OUTPUT + 1


def store_commands(p: Platform) -> int:
    """Store commands that may wait for their responses: in proportion to the reads in flight."""
    return min(16, 2 * p.bus.outstanding)
