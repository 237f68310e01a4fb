"""The description of generated hardware as files: registers for hosts, tables, memory image and proof."""

import json
from pathlib import Path

from derca_sim.describe import tasks_header
from derca_sim.describe.header import header
from derca_sim.describe.markdown import markdown
from derca_sim.describe.svd import svd
from derca_sim.describe.tensors import tensors
from derca_sim.model.platform import Platform
from derca_sim.model.registers import ID_VALUE, VERSION_VALUE, register_map, table_layouts
from derca_sim.proof import Proof

#: Name of the top module, and of the files for hosts.
TOP = "derca"


def write_register_files(folder: Path, system: Platform) -> None:
    """The platform, and its registers for hosts in every form."""
    _write_json(folder / "platform.json", {**system.model_dump(mode="json"), "config_hash": system.config_hash})
    _write_json(folder / "registers.json", register_json(system))
    (folder / "registers.md").write_text(markdown(system))
    (folder / f"{TOP}.h").write_text(header(system, TOP))
    (folder / f"{TOP}.svd").write_text(svd(system, TOP))


def write_tables(folder: Path, compiled, proof: Proof) -> None:
    """What a host needs to run a compiled task set: register writes, memory image, tensors, also in C; and the proof.
    """
    (folder / "host_writes.txt").write_text(compiled.tables_text)
    (folder / "memory.bin").write_bytes(compiled.image.tobytes())
    _write_json(folder / "tensors.json", tensors(compiled))
    (folder / tasks_header.FILE).write_text(tasks_header.tasks_header(compiled))
    _write_json(folder / "proof.json", {
        "taskset": compiled.taskset.name, "platform": compiled.platform.name,
        "config_hash": f"{compiled.platform.config_hash:08x}", **proof.as_dict()})
    registers = folder / "registers.md"
    if registers.exists():
        registers.write_text(f"{registers.read_text()}\n{proof.markdown()}")


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def register_json(platform) -> dict:
    """The register map and the layouts of the table rows, for hosts in any language.

    Fields of a row stand from the least significant bit up, as `tables.RowLayout` packs them.
    """
    described = register_map(platform)
    array = described.tasks
    return {
        "id": ID_VALUE,
        "version": VERSION_VALUE,
        "registers": {r.name: r.offset for r in described.registers},
        "task_registers": {
            "base": array.base, "stride": array.stride, "tasks": array.count,
            **{r.name: r.offset for r in array.registers},
        },
        "fields": {
            r.name: {f.name: {"low": f.low, "width": f.width} for f in r.fields}
            for r in (*described.registers, *array.registers) if r.fields
        },
        "tables": {
            table.name: {
                "number": table.value,
                "rows": rows,
                "words": layout.words,
                "fields": [{"name": f.name, "width": f.width, "doc": f.doc} for f in layout.fields],
            }
            for table, (layout, rows) in table_layouts(platform).items()
        },
    }
