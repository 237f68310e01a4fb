"""The register map as Markdown."""

from ..model.description import WORD_BITS, Field, Guard, Register
from ..model.platform import Platform
from ..model.registers import register_map, table_layouts


def markdown(p: Platform) -> str:
    """Registers, fields and table rows of a platform."""
    registers = register_map(p)
    array = registers.tasks
    lines = [
        f"# Registers of platform {p.name}",
        "",
        f"Configuration {p.config_hash:08x}. AXI4-Lite, 32-bit registers, {registers.address_bits} address bits; "
        + "offsets in bytes. Reads and writes of anything else, writes of fewer than 4 bytes, and refused writes are "
        + "answered with SLVERR and change nothing. Guards, which refuse a write and set FAULTS.locked_write:",
        "",
        "",
        *(f"- {g.name.lower()}: {g}" for g in Guard if g != Guard.NONE),
        "",
        "| offset | register | access | guard | reset | meaning |",
        "|---|---|---|---|---|---|",
        *(_row(r) for r in registers.registers),
        "",
        f"## Tasks 0 to {array.count - 1}",
        "",
        f"At `{array.base:#x} + task * {array.stride:#x}`. {array.doc}",
        "",
        "| offset | register | access | guard | reset | meaning |",
        "|---|---|---|---|---|---|",
        *(_row(r) for r in array.registers),
        "",
        "## Fields",
        "",
    ]
    for register in (*registers.registers, *array.registers):
        if register.fields:
            lines += [f"### {register.name}", "", "| bits | field | meaning |", "|---|---|---|",
                      *(_field_row(f) for f in register.fields), ""]
    lines += ["## Tables", "",
              "Rows are written through TABLE_POINTER and TABLE_DATA, least significant word first.", ""]
    for table, (layout, rows) in table_layouts(p).items():
        lines += [f"### {table.name} (table {int(table)}): {rows} rows of {layout.words} words", "",
                  "| bits | field | meaning |", "|---|---|---|"]
        low = 0
        for field in layout.fields:
            lines.append(_field_row(Field(field.name, low, field.width, field.doc)))
            low += field.width
        lines.append("")
    return "\n".join(lines)


def _row(r: Register) -> str:
    width = f" ({r.width} bits)" if not r.fields and r.width < WORD_BITS else ""
    guard = r.guard.name.lower() if r.guard != Guard.NONE else ""
    reset = f"{r.reset:#010x}" if r.readable else ""
    return f"| {r.offset:#05x} | {r.name} | {r.access} | {guard} | {reset} | {r.doc}{width} |"


def _field_row(f: Field) -> str:
    bits = f"{f.low}" if f.width == 1 else f"{f.high}..{f.low}"
    choices = "; ".join(f"{c.value} {c.name}: {c.doc}" for c in f.choices)
    return f"| {bits} | {f.name} | {f.doc}{' (' if choices else ''}{choices}{')' if choices else ''} |"
