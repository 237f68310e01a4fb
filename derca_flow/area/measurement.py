"""The resources of a platform per module, measured by synthesis for a target."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from derca_sim.model.platform import Platform

from ..tools import toolchain
from ..tools.cells import EXTRA_KINDS, KINDS, blocks_of, flat_cells, summarise, weigh, weigh_in_detail
from ..tools.progress import step
from ..tools.targets import Target
from ..tools.yosys import synthesise_all
from .devices import Device, percent
from .table import Table


def measure(target: Target, platform_file: Path | None, device: Device | None = None) -> dict:
    """Synthesise the platform for the target; the object that `--json` prints.

    Keys: platform, config_hash, target, tool, command, caption, rows (module, LUT, REG, BRAM, DSP; the last is the
    total), flattened (the same keys, for the design without kept hierarchy), detail (rows with the target's columns);
    with a device also device, source, available and percent (kind -> figure, of the total).
    """
    platform = load_platform(platform_file)
    with step("generating the hardware"):
        design = generated(platform, target)
    blocks = blocks_of(design)
    with step("preparing Yosys"):
        version = toolchain.version("yosys")
    with step(f"synthesising for {target.name}") as running:
        per_module, flat = synthesise_all(
            [{"rtlil": design, "target": target, "keep": list(blocks)}, {"rtlil": design, "target": target}],
            progress=running.update)
    detail = summarise(per_module, blocks, target, weigh=weigh_in_detail)
    result = {
        "platform": platform.name,
        "config_hash": f"{platform.config_hash:08x}",
        "target": target.name,
        "tool": f"Yosys {version}, {target.synthesis}",
        "command": f"derca report --target {target.name}"
                   + (f" --platform {shlex.quote(str(platform_file))}" if platform_file else ""),
        "caption": f"{target.caption}. Before place and route. Rows and total with the modules kept apart, "
                   '"total, flattened" with all dissolved',
        "rows": summarise(per_module, blocks, target),
        "flattened": {"module": "total, flattened", **weigh(flat_cells(flat), target)},
        "detail": detail,
    }
    return result | (_use_of(device, result["rows"][-1], detail[-1]) if device else {})


def _use_of(device: Device, total: dict, detail: dict) -> dict:
    used = {kind: total.get(kind, detail.get(kind, 0)) for kind in (*KINDS, *EXTRA_KINDS) if kind in device.available}
    return {
        "device": device.title, "source": device.source, "used": used,
        "available": {kind: device.available[kind] for kind in used},
        "percent": {kind: percent(count, device.available[kind]) for kind, count in used.items()},
    }


def generated(platform: Platform, target: Target) -> str:
    """RTLIL of the whole system for a target."""
    from derca_hw.families.family import Family
    from derca_hw.generate import rtlil

    return rtlil(platform, Family(target.family))


def modules_of(designs: Sequence[tuple[Platform, Target]], progress: Callable[[str], None]) -> list[list[dict]]:
    """Rows per module, the last one the total, for every (platform, target); two are synthesised at a time.

    Raises
    ------
    CheckFailed, MissingToolError
        As `yosys.synthesise`.
    """
    texts = []
    for platform, target in designs:
        progress(f"generating hardware {len(texts) + 1} of {len(designs)}")
        texts.append(generated(platform, target))
    blocks = [blocks_of(text) for text in texts]
    stats = synthesise_all([{"rtlil": text, "target": target, "keep": list(found)}
                            for text, (_, target), found in zip(texts, designs, blocks, strict=True)], progress)
    return [summarise(stat, found, target) for stat, found, (_, target) in zip(stats, blocks, designs, strict=True)]


def tables(result: dict, detailed: bool) -> list[Table]:
    """The result of `measure` as tables: modules, and the use of the device."""
    title = f"Resources of {result['platform']} for {result['target']}"
    if detailed:
        rows = result["detail"]
        out = [Table(title, list(rows[0]), [list(row.values()) for row in rows], result["caption"], total=1)]
    else:
        rows = [*result["rows"], result["flattened"]]
        out = [Table(title, ["module", *KINDS], [list(row.values()) for row in rows], result["caption"], total=2)]
    if "device" in result:
        lines = [[kind, *(result[what][kind] for what in ("used", "available", "percent"))] for kind in result["used"]]
        out.append(Table(f"Use of {result['device']}", ["resource", "used", "available", "per cent"], lines,
                         f"Available: {result['source']}"))
    return out


def load_platform(path: Path | None) -> Platform:
    """The platform of a TOML file, or the default one.

    Raises
    ------
    InputError
        For a file that is absent or not valid.
    """
    if path is None:
        return Platform()
    from derca_sim.workload.taskset import load_platform

    return load_platform(path)
