"""The files of a packaged IP and of its project, all but those for hosts."""

import shutil
from pathlib import Path

from derca_hw import IP_LINT_WAIVERS, LINT_WAIVERS
from derca_hw.generate import cells, ip_verilog
from derca_hw.ip import TOP, window_bits
from derca_sim.model.platform import Platform
from derca_sim.model.registers import TaskReg, register_map, start_value
from derca_sim.proof import Proof

from . import device_tree
from .boards import VendorBoard
from .component import HDL, OUT_OF_CONTEXT, Identity, component
from .interfaces import Interface, interfaces_of, ports_of
from .memory_map import BLOCK
from .readme import readme

#: The folder with the Tcl scripts.
SCRIPTS = Path(__file__).parent / "tcl"


def write_package(folder: Path, p: Platform, board: VendorBoard, base: int, proof: Proof | None = None) -> None:
    """Write the IP repository, the scripts, the pins and the README, which states the proof of a task set."""
    identity = Identity.of(p)
    verilog = ip_verilog(p, board.family, base)
    ports = ports_of(verilog, TOP)
    interfaces = interfaces_of(ports)
    files = {
        f"ip/{HDL}": verilog,
        "ip/component.xml": component(p, ports, board.family),
        f"ip/{OUT_OF_CONTEXT}": _out_of_context(p),
        f"ip/{identity.page}": _PAGE,
        "settings.tcl": settings(p, board, base, interfaces),
        "README.md": readme(p, board, base, interfaces, proof),
        **{f"{cell}.v": text for cell, text in cells(p, board.family).items()},
        **({device_tree.FILE: device_tree.overlay(p, board, base)} if board.processor else {}),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in ("build.tcl", "package_ip.tcl", *([] if board.processor else ["run.tcl"])):
        shutil.copyfile(SCRIPTS / name, folder / name)
    shutil.copyfile(SCRIPTS / board.design, folder / "design.tcl")
    for waivers in (LINT_WAIVERS, IP_LINT_WAIVERS):
        shutil.copyfile(waivers, folder / waivers.name)
    shutil.copyfile(board.constraints, folder / "board.xdc")


def settings(p: Platform, board: VendorBoard, base: int, interfaces: dict[str, Interface]) -> str:
    """`settings.tcl`: what the scripts need to know of hardware and board."""
    identity, registers = Identity.of(p), register_map(p)
    facts = {
        "top": TOP,
        "vlnv": identity.vlnv,
        "display_name": f"DERCA accelerator ({p.name})",
        "interfaces": " ".join(f"{i.name} {i.mode}" for i in interfaces.values()),
        "part": board.part,
        "board_part": board.board_part,
        "connections": board.connections,
        "last_step": board.last_step,
        "processor": int(board.processor),
        "clock_mhz": f"{p.clock_mhz:g}",
        "data_width": p.bus.data_width,
        "burst_beats": p.bus.burst_beats,
        "base": f"{base:#x}",
        "window": 1 << window_bits(p),
        "registers": f"{board.registers:#x}",
        "register_range": 1 << registers.address_bits,
        "register_segment": f"derca/s_axi/{BLOCK}",
        "control": registers.address("CONTROL"),
        "start": start_value(p),
        "now": registers.address("NOW"),
        "faults": registers.address("FAULTS"),
        "tasks": registers.tasks.count,
        "task_base": registers.tasks.base,
        "task_stride": registers.tasks.stride,
        "counts": " ".join(str(int(TaskReg[name])) for name in ("RELEASES", "FINISHES", "MISSES", "OVERRUNS")),
    }
    lines = "".join(f"    {name:<18}{{{value}}}\n" for name, value in facts.items())
    return f"# What the scripts need to know of this hardware and its board.\narray set facts {{\n{lines}}}\n"


def _out_of_context(p: Platform) -> str:
    return ("# For synthesis of the IP on its own; in a design the clock comes with its net. Period in nanoseconds.\n"
            f"create_clock -name aclk -period {1000 / p.clock_mhz:.3f} [get_ports aclk]\n")


#: The customisation page: a name is all there is to choose, the rest is in the platform.
_PAGE = """proc init_gui { IPINST } {
    ipgui::add_param $IPINST -name "Component_Name"
    ipgui::add_page $IPINST -name "Page 0"
}
"""
