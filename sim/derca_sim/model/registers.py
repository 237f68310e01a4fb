"""The AXI4-Lite registers: one description, from which RTL, documentation, C header, SVD and driver are made.

`register_map` describes the registers of a platform. Offsets are the same on every platform; the map of a platform
leaves out the registers that it does not have. An access outside the map is answered with SLVERR.
"""

from enum import IntEnum

from .description import WORD_BITS, Access, Array, Choice, Field, Guard, Register, RegisterMap
from .platform import Overrun, Platform
from .tables import (
    ACTIVATION_ENTRIES,
    RowLayout,
    activation_layout,
    bits_for,
    entry_layout,
    index_layout,
    layer_layout,
    scale_layout,
    task_layout,
)
from .tables import Field as Column

#: `ID` reads as "DRCA".
ID_VALUE = 0x44524341
#: Interface version: major in the upper half, minor in the lower.
VERSION_VALUE = 0x0004_0000

#: First byte of the per-task array, and its stride.
TASK_BASE, TASK_STRIDE = 0x20000, 0x80

#: Bits of a row number in `Reg.TABLE_POINTER`, and of a word number.
ROW_BITS, WORD_NUMBER_BITS = 20, 8


class Reg(IntEnum):
    """Offsets of the global registers; `register_map` says what they are."""

    ID = 0x000
    VERSION = 0x004
    CONFIG_HASH = 0x008
    CONTROL = 0x00C
    STATUS = 0x010
    NOW = 0x014
    POLICY = 0x018
    FAULTS = 0x01C
    FAULT_WHERE = 0x020
    WATCHDOG_WARN = 0x024
    WATCHDOG_LIMIT = 0x028
    EVENTS_DROPPED = 0x02C
    TABLE_POINTER = 0x030
    TABLE_DATA = 0x034
    TRIGGER = 0x038
    TRACE_LENGTH = 0x03C
    SNAPSHOT = 0x040
    IDLE_LOW = 0x048
    IDLE_HIGH = 0x04C
    BUSY_LOW = 0x050
    BUSY_HIGH = 0x054
    LOAD_LOW = 0x058
    LOAD_HIGH = 0x05C
    BANK_LOW = 0x060
    BANK_HIGH = 0x064
    STORE_LOW = 0x068
    STORE_HIGH = 0x06C
    IRQ_ENABLE = 0x070
    IRQ_PENDING = 0x074


class TaskReg(IntEnum):
    """Offsets within a task's block, at `TASK_BASE + task * TASK_STRIDE`."""

    PERIOD = 0x00
    DEADLINE = 0x04
    OFFSET = 0x08
    MODE = 0x0C
    SLACK = 0x10
    JOB_BUDGET = 0x14
    REGION_BUDGET = 0x18
    RELEASES = 0x20
    FINISHES = 0x24
    MISSES = 0x28
    OVERRUNS = 0x2C
    PREEMPTIONS = 0x30
    WORST_RESPONSE = 0x34
    FAILURES = 0x38
    READ0_BASE = 0x40
    READ0_LAST = 0x44
    READ1_BASE = 0x48
    READ1_LAST = 0x4C
    WRITE_BASE = 0x50
    WRITE_LAST = 0x54
    READ_LOW = 0x60
    READ_HIGH = 0x64
    WRITTEN_LOW = 0x68
    WRITTEN_HIGH = 0x6C


#: What a task may read and write: registers of the first and of the last byte of each window.
READ_WINDOWS = ((TaskReg.READ0_BASE, TaskReg.READ0_LAST), (TaskReg.READ1_BASE, TaskReg.READ1_LAST))
WRITE_WINDOW = (TaskReg.WRITE_BASE, TaskReg.WRITE_LAST)


#: The registers of the bytes that a task reads and writes, lower and upper word.
TRAFFIC = ((TaskReg.READ_LOW, TaskReg.READ_HIGH), (TaskReg.WRITTEN_LOW, TaskReg.WRITTEN_HIGH))
#: Bits of the counters of cycles and bytes, in two registers each.
COUNTER_BITS = 48
#: What a cycle is counted as, in the order of the registers, and what that means.
ACTIVITIES = {
    "IDLE": "nothing was granted",
    "BUSY": "operands entered the array",
    "LOAD": "operands were not there",
    "BANK": "no bank was free, or the columns of the pass before were still being added",
    "STORE": "sums of a preempted job were on their way, or the input of a layer was not in memory",
}


class Table(IntEnum):
    """Tables behind `Reg.TABLE_POINTER`; row layouts are in `tables`."""

    LAYER = 0
    ENTRY = 1
    INDEX = 2  #: row = task * tables.regions rounded up to a power of two + region
    TASK = 3
    TRACE = 4  #: triggers to replay
    SCALE = 5  #: scales of output channels
    ACTIVATION = 6  #: tables of outputs, one after the other


class Fault(IntEnum):
    """Bits of `Reg.FAULTS`; `FAULT_DOCS` says what they mean."""

    INDEX_PARITY = 0
    ENTRY_PARITY = 1
    LAYER_PARITY = 2
    RECORD_PARITY = 3
    SPURIOUS_FEEDBACK = 4
    WATCHDOG_WARNING = 5
    WATCHDOG = 6
    BUS_ERROR = 7
    LOCKED_WRITE = 8
    EVENTS_LOST = 9
    TRIGGER_LOST = 10
    WINDOW = 11
    STRAY_RESPONSE = 12


#: Faults after which no further region starts: the first one is kept in `Reg.FAULT_WHERE`.
STOPPING = (Fault.INDEX_PARITY, Fault.ENTRY_PARITY, Fault.LAYER_PARITY, Fault.RECORD_PARITY, Fault.WATCHDOG)

#: Of these, the ones in a row of a table. Only `Reg.FAULT_WHERE` holds the row: an event has no room for it.
OF_A_ROW = (Fault.INDEX_PARITY, Fault.ENTRY_PARITY, Fault.LAYER_PARITY)

#: Faults of a task's own: its job fails, the others go on. The event names the task.
OF_A_JOB = (Fault.BUS_ERROR, Fault.WINDOW)

FAULT_DOCS = {
    Fault.INDEX_PARITY: "a row of the index table is damaged; stops",
    Fault.ENTRY_PARITY: "a row of the entry table is damaged; stops",
    Fault.LAYER_PARITY: "a row of the layer table is damaged; stops",
    Fault.RECORD_PARITY: "a task's record in the scheduler is damaged; stops",
    Fault.SPURIOUS_FEEDBACK: "feedback came while no region was running",
    Fault.WATCHDOG_WARNING: "feedback is missing for longer than WATCHDOG_WARN",
    Fault.WATCHDOG: "feedback is missing for longer than WATCHDOG_LIMIT; stops",
    Fault.BUS_ERROR: "the memory answered with an error; the job fails",
    Fault.LOCKED_WRITE: "the host wrote what is locked or in use",
    Fault.EVENTS_LOST: "a buffer of events was full",
    Fault.TRIGGER_LOST: "a trigger came while the task's previous one still waited",
    Fault.WINDOW: "a request outside the task's windows was not made; the job fails",
    Fault.STRAY_RESPONSE: "the memory answered what was not asked for since the last reset; the answer was dropped",
}


class Interrupt(IntEnum):
    """Bits of `Reg.IRQ_ENABLE` and `Reg.IRQ_PENDING`; `INTERRUPT_DOCS` says what they mean."""

    MISS = 0
    FAULT = 1
    FINISH = 2
    COMMIT = 3


INTERRUPT_DOCS = {
    Interrupt.MISS: "a job, or a kept release, has missed its deadline",
    Interrupt.FAULT: "a fault that did not stand has shown in FAULTS",
    Interrupt.FINISH: "a job has finished or failed",
    Interrupt.COMMIT: "the task set written to the shadow tables has taken over",
}

#: Value of the overrun field of `TaskReg.MODE`.
OVERRUN: dict[Overrun, int] = {"skip": 0, "queue": 1, "abort": 2}
_OVERRUN_DOCS = {
    "skip": "the new release is dropped", "queue": "the new release waits for the job to end",
    "abort": "the job that lives is given up",
}
_POLICY_DOCS = {
    "edf": "absolute deadline", "deadline_monotonic": "relative deadline", "fifo": "release time",
    "least_slack": "absolute deadline minus the work of the job",
}


def interrupt_sources(p: Platform) -> tuple[Interrupt, ...]:
    """The interrupt sources of the platform, from bit 0 on."""
    return tuple(i for i in Interrupt if p.tables.shadow or i != Interrupt.COMMIT) * p.supervision.interrupts


def trace_layout() -> RowLayout:
    """Row of the trace: one trigger to replay, in ascending order of cycles."""
    return RowLayout((Column("cycle", 32, "cycles since start"), Column("task", 32, "task to trigger")))


def table_layouts(p: Platform) -> dict[Table, tuple[RowLayout, int]]:
    """Row layout and number of rows of every table of the platform."""
    tables = {
        Table.LAYER: (layer_layout(p), p.tables.layers),
        Table.ENTRY: (entry_layout(p), p.tables.entries),
        Table.INDEX: (index_layout(p), p.scheduler.tasks << (p.tables.regions - 1).bit_length()),
        Table.TASK: (task_layout(p), p.scheduler.tasks),
    }
    if p.release.trace:
        tables[Table.TRACE] = (trace_layout(), p.release.trace)
    if p.requant.channels:
        tables[Table.SCALE] = (scale_layout(p), p.requant.channels)
    if p.requant.tables:
        tables[Table.ACTIVATION] = (activation_layout(p), ACTIVATION_ENTRIES * p.requant.tables)
    return tables


def register_map(p: Platform) -> RegisterMap:
    """Every register of the platform."""
    return RegisterMap(_global_registers(p), Array(
        "TASK", TASK_BASE, TASK_STRIDE, p.scheduler.tasks,
        "Parameters and statistics of one task. Statistics count the events of the present run, or of the last one.",
        _task_registers(p),
    ))


def identity(p: Platform) -> tuple[Register, ...]:
    """The registers that identify hardware, with the values in hardware that was built for the platform."""
    registers = register_map(p)
    return tuple(registers[name.name] for name in (Reg.ID, Reg.VERSION, Reg.CONFIG_HASH))


def start_value(p: Platform) -> int:
    """The value of CONTROL that makes everything written before take over and starts a run."""
    return register_map(p)["CONTROL"].pack(run=1, **({"commit": 1} if p.tables.shadow else {}))


def _global_registers(p: Platform) -> tuple[Register, ...]:
    read, write, both = Access.READ, Access.WRITE, Access.READ_WRITE
    shadow, watchdog, trace = p.tables.shadow, p.supervision.watchdog, p.release.trace
    control = [
        Field("run", 0, 1, "1 starts, as soon as nothing is left of the run before: statistics are cleared, then time "
                           "starts at 0 and every enabled task is armed; 0 stops: time stands still at once, requests "
                           "on the bus are finished, and jobs are given up"),
        Field("lock", 1, 1, "1 refuses every further change of the configuration until reset; 0 changes nothing"),
    ]
    status = [
        Field("running", 0, 1, "time passes"),
        Field("idle", 1, 1, "no job waits or runs and nothing is on its way to memory; releases that the scheduler has "
                            "not seen do not count: for the end of a job, wait until FINISHES of its task counts it"),
        Field("locked", 2, 1, "the configuration cannot be changed until reset"),
        Field("safe", 3, 1, "stopped by a fault: nothing is issued any more until a run starts"),
        Field("start_pending", 6, 1, "a start waits until nothing is left of the run before and the statistics are "
                                     "cleared"),
        Field("quiet", 7, 1, "stopped, with nothing left of the run: no transaction is outstanding on the bus, none "
                             "begins before the next start, and a reset is safe"),
    ]
    if shadow:
        control.append(Field("commit", 2, 1, "1 lets the page of tables and task parameters that was written take "
                                             "over: at once when idle, else at the next idle point; refused when "
                                             "locked; reads 0"))
        status += [Field("commit_pending", 4, 1, "a commit waits for an idle point"),
                   Field("page", 5, 1, "page of tables and task parameters in use")]
    tables = table_layouts(p)
    registers = [
        Register(Reg.ID.name, Reg.ID, read, 'identity: "DRCA"', reset=ID_VALUE),
        Register(Reg.VERSION.name, Reg.VERSION, read, "version of this interface", (
            Field("minor", 0, 16, "grows with additions"), Field("major", 16, 16, "grows when hosts must change"),
        ), reset=VERSION_VALUE),
        Register(Reg.CONFIG_HASH.name, Reg.CONFIG_HASH, read, "identity of the platform the hardware was built from",
                 reset=p.config_hash),
        Register(Reg.CONTROL.name, Reg.CONTROL, both, "run, lock and commit", tuple(control)),
        Register(Reg.STATUS.name, Reg.STATUS, read, "state of the accelerator", tuple(status),
                 reset=0b1000_0010),
        Register(Reg.NOW.name, Reg.NOW, read, "cycles since the start of the run, modulo 2^32; after it, those it had"),
        Register(Reg.POLICY.name, Reg.POLICY, both, "what orders jobs", (Field(
            "policy", 0, bits_for(len(p.scheduler.policies) - 1), "scheduling key", tuple(
                Choice(name, i, _POLICY_DOCS[name]) for i, name in enumerate(p.scheduler.policies)),
        ),), guard=Guard.STOPPED),
        Register(Reg.FAULTS.name, Reg.FAULTS, Access.CLEAR, "faults since they were last cleared", tuple(
            Field(fault.name.lower(), fault, 1, FAULT_DOCS[fault]) for fault in Fault)),
        Register(Reg.FAULT_WHERE.name, Reg.FAULT_WHERE, read,
                 "the first stopping fault, as long as its bit stands in FAULTS", (
                     Field("where", 0, ROW_BITS, "row of the table, or task"),
                     Field("kind", 24, 4, "bit number in FAULTS"))),
        Register(Reg.EVENTS_DROPPED.name, Reg.EVENTS_DROPPED, read, "events of this run that a full buffer lost"),
        Register(Reg.TABLE_POINTER.name, Reg.TABLE_POINTER, write, "word that TABLE_DATA writes", (
            Field("word", 0, WORD_NUMBER_BITS, "32-bit word of the row, least significant first"),
            Field("row", WORD_NUMBER_BITS, ROW_BITS, "row of the table"),
            Field("table", 28, 4, "table", tuple(
                Choice(t.name.lower(), t, f"{layout.words} words a row, {rows} rows")
                for t, (layout, rows) in tables.items())),
        )),
        Register(Reg.TABLE_DATA.name, Reg.TABLE_DATA, write,
                 "writes the word; the pointer advances to the next word, then to the next row", guard=Guard.SHADOW),
    ]
    if p.supervision.interrupts:
        sources = tuple(Field(i.name.lower(), i, 1, INTERRUPT_DOCS[i]) for i in interrupt_sources(p))
        registers += [
            Register(Reg.IRQ_ENABLE.name, Reg.IRQ_ENABLE, both, "what raises the output irq while pending", sources),
            Register(Reg.IRQ_PENDING.name, Reg.IRQ_PENDING, Access.CLEAR,
                     "what has happened since it was last cleared, enabled or not", sources),
        ]
    if p.release.sporadic:
        registers.append(Register(Reg.TRIGGER.name, Reg.TRIGGER, write, "number of a sporadic task to release now",
                                  (Field("task", 0, bits_for(p.scheduler.tasks - 1), "task"),)))
    if watchdog:
        registers += [
            Register(Reg.WATCHDOG_WARN.name, Reg.WATCHDOG_WARN, both,
                     "cycles without feedback before a warning; 0: never", guard=Guard.STOPPED),
            Register(Reg.WATCHDOG_LIMIT.name, Reg.WATCHDOG_LIMIT, both,
                     "cycles without feedback before the safe state; 0: never", guard=Guard.STOPPED),
        ]
    if trace:
        registers.append(Register(Reg.TRACE_LENGTH.name, Reg.TRACE_LENGTH, both, "rows of the trace to replay",
                                  (Field("rows", 0, bits_for(trace), f"0 to {trace}"),), guard=Guard.STOPPED))
    if p.trace.counters:
        registers.append(Register(Reg.SNAPSHOT.name, Reg.SNAPSHOT, write,
                                  "any value copies the counters of cycles, all as they are in one cycle of the run"))
        registers += [
            Register(f"{name}_{half}", Reg[f"{name}_{half}"], read,
                     f"cycles of the run in which {meaning}, {doc}; in the last snapshot")
            for name, meaning in ACTIVITIES.items() for half, doc in _HALVES
        ]
    return tuple(sorted(registers, key=lambda r: r.offset))


#: The two registers of a counter.
_HALVES = (("LOW", "lower 32 bits"), ("HIGH", f"upper {COUNTER_BITS - 32} bits"))


def _task_registers(p: Platform) -> tuple[Register, ...]:
    time = p.scheduler.time_width

    def parameter(register: TaskReg, doc: str, width: int = time, fields: tuple[Field, ...] = ()) -> Register:
        return Register(register.name, register, Access.WRITE, doc, fields, width, guard=Guard.SHADOW)

    def count(register: TaskReg, doc: str) -> Register:
        return Register(register.name, register, Access.READ, doc)

    registers = [
        parameter(TaskReg.PERIOD, "cycles between releases; of a sporadic task the least"),
        parameter(TaskReg.DEADLINE, "relative deadline in cycles"),
        parameter(TaskReg.OFFSET, "cycles from the start to the first release"),
        parameter(TaskReg.MODE, "how the task releases jobs", fields=(
            *([Field("sporadic", 0, 1, "released by trigger only")] if p.release.sporadic else []),
            Field("enabled", 1, 1, "releases jobs"),
            Field("overrun", 2, 2, "what a release does while the task's previous job lives", tuple(
                Choice(name, OVERRUN[name], _OVERRUN_DOCS[name]) for name in p.release.overrun)),
        )),
    ]
    if p.trace.statistics:
        registers += [
            count(TaskReg.RELEASES, "jobs released"),
            count(TaskReg.FINISHES, "jobs finished"),
            count(TaskReg.MISSES, "jobs and kept releases that were not finished at their deadline"),
            count(TaskReg.OVERRUNS, "releases skipped because the previous job still lived; kept ones become jobs"),
            count(TaskReg.WORST_RESPONSE, "longest time from release to finish in cycles; of a kept release from when "
                                          "it came"),
            count(TaskReg.FAILURES, "jobs that failed: a request outside the windows, or an error of the memory"),
        ]
        if p.trace.enabled:
            registers.append(count(TaskReg.PREEMPTIONS, "times a job was preempted"))
    address = min(WORD_BITS, p.bus.address_width)
    checked = (("read", READ_WINDOWS), ("written", (WRITE_WINDOW,))) if p.supervision.windows else ()
    for what, windows in checked:
        for base, last in windows:
            registers += [
                parameter(base, f"first byte of a window that may be {what}", address),
                parameter(last, "last byte of that window; below the first: the window is empty", address),
            ]
    if p.trace.counters:
        registers += [
            count(TaskReg[f"{name}_{half}"], f"bytes {doc}" + (
                "; holds the upper ones" if half == "LOW" else ", as they were when lower ones were last read"))
            for name, what in (("READ", "requested from memory"), ("WRITTEN", "sent to memory"))
            for half, doc in ((half, f"{what}, {doc}") for half, doc in _HALVES)
        ]
    if "least_slack" in p.scheduler.policies:
        registers.append(parameter(TaskReg.SLACK, "relative deadline minus the work of a job, in cycles"))
    if p.supervision.budgets:
        registers.append(parameter(TaskReg.JOB_BUDGET, "cycles a job may run; 0: any", 32))
    if p.supervision.budgets or "least_slack" in p.scheduler.policies:
        registers.append(parameter(TaskReg.REGION_BUDGET, "cycles a region may run; 0: any", 32))
    return tuple(sorted(registers, key=lambda r: r.offset))
