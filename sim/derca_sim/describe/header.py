"""The register map as a C header."""

from ..model.description import Register
from ..model.platform import Platform
from ..model.registers import register_map, table_layouts

_ACCESS = """\
/* One register of the block at `base`. */
static inline uint32_t {name}_read(const volatile void *base, uint32_t offset)
{{
    return *(const volatile uint32_t *)((const volatile unsigned char *)base + offset);
}}

static inline void {name}_write(volatile void *base, uint32_t offset, uint32_t value)
{{
    *(volatile uint32_t *)((volatile unsigned char *)base + offset) = value;
}}

/* 1 if the hardware at `base` is what this header was made for. Call it before anything else. */
static inline int {name}_matches(const volatile void *base)
{{
    return {name}_read(base, {NAME}_ID) == {NAME}_ID_RESET &&
           {name}_read(base, {NAME}_VERSION) == {NAME}_VERSION_RESET &&
           {name}_read(base, {NAME}_CONFIG_HASH) == {NAME}_CONFIG_HASH_RESET;
}}
"""


def header(p: Platform, name: str = "derca") -> str:
    """A header with offsets, field masks and positions, named values, and the check that the hardware matches.

    Parameters
    ----------
    p
        The platform; the header fits only hardware made from it.
    name
        Prefix of every name in the header.
    """
    registers, prefix = register_map(p), name.upper()
    array = registers.tasks
    lines = [
        f"/* Registers of platform {p.name}, configuration {p.config_hash:08x}. Generated: do not edit. */",
        f"#ifndef {prefix}_H", f"#define {prefix}_H", "", "#include <stdint.h>", "",
        "/* An input, a weight, an output. */", f"typedef {p.array.dtype}_t {name}_element;", "",
        "/* Offsets in bytes from the base address. */",
    ]
    for r in registers.registers:
        lines += _define(prefix, r, f"{prefix}_{r.name}")
    lines += [
        "", f"/* {array.doc} */",
        f"#define {prefix}_TASKS {array.count}u",
        f"#define {prefix}_TASK_BASE {array.base:#x}u",
        f"#define {prefix}_TASK_STRIDE {array.stride:#x}u",
    ]
    for r in array.registers:
        lines += _define(prefix, r, f"{prefix}_TASK_{r.name}(task)")
    lines += ["", "/* Tables behind TABLE_POINTER: number, rows, 32-bit words in a row. */"]
    for table, (layout, rows) in table_layouts(p).items():
        name_ = f"{prefix}_TABLE_{table.name}"
        lines += [f"#define {name_} {int(table)}u", f"#define {name_}_ROWS {rows}u",
                  f"#define {name_}_WORDS {layout.words}u"]
    lines += ["", _ACCESS.format(name=name, NAME=prefix), f"#endif /* {prefix}_H */", ""]
    return "\n".join(lines)


def _define(prefix: str, r: Register, macro: str) -> list[str]:
    """Offset, reset, masks, positions and named values of a register."""
    plain = macro.removesuffix("(task)")
    offset = f"{r.offset:#x}u"
    if macro != plain:
        offset = f"({prefix}_TASK_BASE + (task) * {prefix}_TASK_STRIDE + {offset})"
    lines = [f"#define {macro} {offset} /* {r.access}: {r.doc} */"]
    if r.readable:
        lines.append(f"#define {plain}_RESET {r.reset:#x}u")
    for f in r.fields:
        field = f"{plain}_{f.name.upper()}"
        lines += [f"#define {field}_MASK {f.mask:#x}u /* {f.doc} */", f"#define {field}_SHIFT {f.low}u"]
        lines += [f"#define {field}_{c.name.upper()} {c.value}u /* {c.doc} */" for c in f.choices]
    return lines
