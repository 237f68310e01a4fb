"""The AXI4-Lite register map: addresses and bits, shared by the RTL, the host drivers and the documentation.

All registers are 32 bits. Byte addresses; unmapped reads answer 0, unmapped writes are ignored.
"""

from enum import IntEnum

#: `ID` reads as "DRCA".
ID_VALUE = 0x44524341
#: Interface version: major in the upper half, minor in the lower.
VERSION_VALUE = 0x0001_0000

#: Address bits the block decodes.
ADDRESS_BITS = 13


class Reg(IntEnum):
    """Global registers."""

    ID = 0x000  #: read: `ID_VALUE`
    VERSION = 0x004  #: read: `VERSION_VALUE`
    CONFIG_HASH = 0x008  #: read: `Platform.config_hash`
    CONTROL = 0x00C  #: write/read bit 0: run. Rising starts time at 0 and arms every enabled task
    STATUS = 0x010  #: read bit 0: running, bit 1: every engine idle, bit 2: a bus error was seen
    NOW = 0x014  #: read: cycles since start
    ENABLE_LOW = 0x018  #: write/read: tasks 0..31 that release jobs
    ENABLE_HIGH = 0x01C  #: write/read: tasks 32..63
    TRIGGER_LOW = 0x020  #: write: bit i releases a job of sporadic task i now
    TRIGGER_HIGH = 0x024  #: write: tasks 32..63
    EVENTS_DROPPED = 0x028  #: read: events lost because a buffer was full
    TABLE_POINTER = 0x02C  #: write: bits 31..28 table (`Table`), 23..8 row, 7..0 word
    TABLE_DATA = 0x030  #: write: one word of the row; the pointer advances to the next word, then the next row


class Table(IntEnum):
    """Tables behind `TABLE_POINTER`; row layouts are in `tables`."""

    LAYER = 0
    ENTRY = 1
    INDEX = 2  #: row = task * tables.regions rounded up to a power of two + region
    TASK = 3


#: First byte of the per-task block, and its stride.
TASK_BASE, TASK_STRIDE = 0x1000, 0x20


class TaskReg(IntEnum):
    """Per-task registers, at `TASK_BASE + task * TASK_STRIDE`."""

    PERIOD = 0x00  #: write: cycles between releases
    DEADLINE = 0x04  #: write: relative deadline in cycles
    OFFSET = 0x08  #: write: cycle of the first release
    MODE = 0x0C  #: write bit 0: sporadic, bit 1: enabled, bits 3..2: overrun policy (0 skip, 1 queue, 2 abort)
    SLACK = 0x10  #: write: relative deadline minus the work of a job
    RELEASES = 0x10  #: read: jobs released
    FINISHES = 0x14  #: read: jobs finished
    MISSES = 0x18  #: read: jobs that finished after their deadline
    OVERRUNS = 0x1C  #: read: releases skipped because the previous job still lived
