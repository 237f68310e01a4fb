"""Latencies of the hardware in cycles: declared once, used by the RTL, asserted by tests, read by the golden model."""

from .platform import Platform


class SchedulerTiming:
    """Busy times of the heap scheduler, the same for every content of the heap."""

    def __init__(self, p: Platform):
        levels = p.scheduler.tasks.bit_length()  # ceil(log2(N + 1)) levels of the heap
        #: A release is taken and moved up.
        self.INSERT = levels + 1
        #: The root is taken and its place filled.
        self.REMOVE = 2 * levels


#: Cycles from a release to its announcement when no other task is announced first.
ANNOUNCE = 1
#: Cycles from the announcement to the offer to the scheduler.
OFFER = 1


class KernelTiming:
    """The kernel manager's, and how far the store engine may run ahead of memory."""

    #: Cycles from a decision to the grant.
    GRANT = 1
    #: Cycles from a grant that switches jobs to the offer of the first entry: index table, its row in registers, entry
    #: and layer tables at once, their parity.
    SWITCH = 4
    #: Cycles from an entry taken to the offer of the next: entry and layer tables at once, their parity.
    NEXT = 2
    #: Cycles from a grant that switches jobs to the report that its row of the index table is damaged.
    INDEX_FAULT = 2
    #: Store commands that may wait for their responses.
    COMMANDS = 16


class MonitorTiming:
    """Supervision looks at instruction and feedback as they were some cycles ago, when the budgets have been read."""

    #: Cycles from the cycle in which a budget or a limit is exceeded to its event; two of one kind come one by one.
    EVENT = 3
    #: Cycles from the cycle in which the watchdog's limit is exceeded to the safe state.
    SAFE = 3
    #: Shortest region whose time is accounted: from the instruction to the feedback, both included.
    SHORTEST = 2


class ComputeTiming:
    """The compute engine's pipeline."""

    #: Cycles between reading a bank word and being able to read its updated value.
    UPDATE = 3
    #: Cycles from the last operands' addresses to the cycle that writes their first column into the bank.
    DRAIN = 6


class StoreTiming:
    """The store engine's pipeline."""

    #: Cycles from the last read of a tile to the first read of the next.
    GAP = 5
    #: Cycles from a read to its W beat: requantised outputs, raw partial sums.
    REQUANTISED, RAW = 6, 3
