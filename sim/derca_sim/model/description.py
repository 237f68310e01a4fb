"""The description of registers from which RTL, documentation, C header, SVD file and driver are made."""

from dataclasses import dataclass, replace
from enum import StrEnum

#: Bits and bytes of a register.
WORD_BITS, WORD_BYTES = 32, 4


class Access(StrEnum):
    """What a host may do with a register. Any other access is answered with SLVERR."""

    READ = "read-only"
    WRITE = "write-only"
    READ_WRITE = "read-write"
    CLEAR = "write 1 to clear"  #: reads; a write clears the bits that are 1 in the value written


class Guard(StrEnum):
    """When a write is refused with SLVERR and reported as `Fault.LOCKED_WRITE`."""

    NONE = "always writable"
    STOPPED = "writable while stopped, until locked"  #: takes effect at once
    #: The set that runs is not touched: with shadow tables, writes go to the page that is not in use.
    SHADOW = "writable until locked, except while a commit is pending; without shadow tables only while stopped"


@dataclass(frozen=True)
class Choice:
    """A named value of a field."""

    name: str
    value: int
    doc: str


@dataclass(frozen=True)
class Field:
    """Bits of a register, `low` upwards."""

    name: str
    low: int
    width: int
    doc: str
    choices: tuple[Choice, ...] = ()

    @property
    def high(self) -> int:
        """The highest bit."""
        return self.low + self.width - 1

    @property
    def mask(self) -> int:
        """The field's bits within the register."""
        return ((1 << self.width) - 1) << self.low

    def get(self, value: int) -> int:
        """The field's value in a register's value."""
        return (value & self.mask) >> self.low

    def put(self, value: int) -> int:
        """The register's value with this field set and all else 0.

        Raises
        ------
        ValueError
            If the value does not fit.
        """
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"{self.name} = {value}: allowed are 0 to {(1 << self.width) - 1} ({self.width} bits)")
        return value << self.low


@dataclass(frozen=True)
class Register:
    """A 32-bit register.

    A register without `fields` holds a number of `width` bits; the bits above read 0. `offset` counts bytes from the
    start of the block, or from the start of the element in an array.
    """

    name: str
    offset: int
    access: Access
    doc: str
    fields: tuple[Field, ...] = ()
    width: int = WORD_BITS
    reset: int = 0
    guard: Guard = Guard.NONE

    @property
    def readable(self) -> bool:
        """Whether reads are answered with OKAY."""
        return self.access != Access.WRITE

    @property
    def writable(self) -> bool:
        """Whether writes can be answered with OKAY."""
        return self.access != Access.READ

    def __getitem__(self, name: str) -> Field:
        """A field by name."""
        return next(f for f in self.fields if f.name == name)

    def pack(self, **values: int) -> int:
        """The register's value with the named fields set; fields not named are 0.

        Raises
        ------
        ValueError
            If a field is unknown or a value does not fit.
        """
        unknown = sorted(set(values) - {f.name for f in self.fields})
        if unknown:
            names = ", ".join(f.name for f in self.fields)
            raise ValueError(f"{self.name}: no field {', '.join(unknown)}; it has {names}")
        return sum(self[name].put(int(value)) for name, value in values.items())

    def unpack(self, value: int) -> dict[str, int]:
        """All fields of a register's value."""
        return {f.name: f.get(value) for f in self.fields}


@dataclass(frozen=True)
class Array:
    """`count` equal groups of registers, `stride` bytes from one to the next; the stride is a power of two."""

    name: str
    base: int
    stride: int
    count: int
    doc: str
    registers: tuple[Register, ...]


@dataclass(frozen=True)
class RegisterMap:
    """Everything behind the AXI4-Lite port of one platform."""

    registers: tuple[Register, ...]
    tasks: Array

    def __post_init__(self):
        _check([*self.registers], self.tasks.base)
        _check([*self.tasks.registers], self.tasks.stride)
        room = self.tasks.stride << (self.tasks.count - 1).bit_length()
        if self.tasks.stride & (self.tasks.stride - 1) or self.tasks.base % room:
            raise ValueError(f"{self.tasks.name}: stride {self.tasks.stride:#x} must be a power of two, and base "
                             f"{self.tasks.base:#x} a multiple of {room:#x}, the room of the array")

    @property
    def address_bits(self) -> int:
        """Byte address bits that reach every register."""
        return (self.tasks.base + self.tasks.stride * self.tasks.count - 1).bit_length()

    @property
    def size(self) -> int:
        """Bytes from the first register to the end of the last."""
        return self.tasks.base + self.tasks.stride * self.tasks.count

    def __getitem__(self, name: str) -> Register:
        """A register by name; a register of the array has the address of the first element."""
        for register in self.registers:
            if register.name == name:
                return register
        for register in self.tasks.registers:
            if register.name == name:
                return replace(register, offset=self.tasks.base + register.offset)
        raise KeyError(name)

    def address(self, name: str, task: int | None = None) -> int:
        """Byte address of a register; `task` names the element for those of the array.

        Raises
        ------
        ValueError
            If there is no such register or task.
        """
        names = {r.name: r.offset for r in (self.registers if task is None else self.tasks.registers)}
        if name not in names:
            kind = "register" if task is None else "register of a task"
            raise ValueError(f"{name}: not a {kind} of this platform; there are {', '.join(names)}")
        if task is None:
            return names[name]
        if not 0 <= task < self.tasks.count:
            raise ValueError(f"task {task}: allowed are 0 to {self.tasks.count - 1}")
        return self.tasks.base + task * self.tasks.stride + names[name]


def _check(registers: list[Register], end: int) -> None:
    """Refuse a description that contradicts itself."""
    taken: dict[int, str] = {}
    for register in registers:
        if register.offset % WORD_BYTES or not 0 <= register.offset < end or register.offset in taken:
            raise ValueError(f"{register.name}: offset {register.offset:#x} is not a free word below {end:#x}")
        taken[register.offset] = register.name
        bits = 0
        for field in register.fields:
            if field.width < 1 or field.high >= WORD_BITS or bits & field.mask:
                raise ValueError(f"{register.name}.{field.name}: bits {field.high}..{field.low} overlap or do not fit")
            bits |= field.mask
        if register.reset >> WORD_BITS or (register.fields and register.reset & ~bits):
            raise ValueError(f"{register.name}: reset {register.reset:#x} sets bits that no field has")
    if len({r.name for r in registers}) != len(registers):
        raise ValueError("two registers have the same name")
