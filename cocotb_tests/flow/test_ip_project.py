"""Projects of packaged IPs: the scripts connect, implement and load them, and pins fit the boards."""

import json
import re

import pytest
from amaranth_boards.arty_a7 import ArtyA7_100Platform

from derca_flow.package.boards import BOARDS
from derca_sim.model.registers import register_map, start_value
from kit.checkout import ROOT
from kit.ip_package import Package
from oracles.ip.description import Component
from oracles.ip.rules import TYPES
from oracles.ip.vivado import Vivado


def vivado(package: Package, **options) -> Vivado:
    parts = options.get("parts", [f"{b.board_part.removesuffix('*')}{v}" for b in BOARDS.values() if b.board_part
                                  for v in ("1.4", "1.10")])
    return Vivado(package.out, Component(package.text), parts)


def test_the_project_is_connected(package):
    tool = vivado(package)
    tool.run("build.tcl")
    assert tool.unconnected() == []
    clock = next(net for net in tool.nets if "derca/aclk" in net)
    assert any(pin.endswith(("clk_out1", "pl_clk0", "pl0_ref_clk")) for pin in clock)
    assert tool.calls[0] == ("create_project", "derca", str(package.out / "project"), "-part", package.board.part,
                             "-force")
    if package.board.board_part:
        assert any(call[:2] == ("set_property", "board_part") and call[2].endswith(":1.10") for call in tool.calls)
    registers = [a for a in tool.assigned if a[1] == "derca/s_axi/reg0"]
    (_, _, offset, size), = registers
    assert (int(offset, 0), int(size)) == (package.board.registers,
                                          1 << register_map(package.platform).address_bits)
    assert package.board.registers % int(size) == 0
    assert ("validate_bd_design",) in tool.calls and not any(call[0] == "launch_runs" for call in tool.calls)
    if package.board.processor:
        assert {"derca/interrupt"} < next(net for net in tool.nets if "derca/interrupt" in net)


def test_the_project_is_implemented_when_asked(package):
    tool = vivado(package)
    tool.run("build.tcl", "bitstream")
    step = "write_device_image" if package.board.name == "vck190" else "write_bitstream"
    assert ("launch_runs", "impl_1", "-to_step", step, "-jobs", "4") in tool.calls
    assert any(call[0] == "write_hw_platform" for call in tool.calls) == package.board.processor


def test_absent_board_files_are_an_error(packages):
    with pytest.raises(Exception, match="no board files for xilinx.com:zcu104"):
        vivado(packages("zcu104"), parts=[]).run("build.tcl")


def test_the_packager_checks_every_interface(package):
    tool = vivado(package)
    tool.run("package_ip.tcl")
    asked = [call[1] for call in tool.calls if call[0] == "ipx::get_bus_interfaces"]
    assert sorted(asked) == sorted(TYPES)
    assert ("ipx::save_core", "ipx::current_core") in tool.calls
    tool.component.interfaces.pop("m_axi")
    with pytest.raises(Exception, match="m_axi was not recognised"):
        tool.run("package_ip.tcl")


def test_a_task_set_is_loaded_through_jtag(one):
    words, writes = [0x1234_5678, 0xFFFF_FFFF, 0x0000_00AB], [(0x20000, 7), (0x34, 0x8000_0001)]
    (one.out / "memory.bin").write_bytes(b"".join(w.to_bytes(4, "little") for w in words)[:-3])
    (one.out / "host_writes.txt").write_text("".join(f"{a:08x} {v:08x}\n" for a, v in writes))
    tool = vivado(one)
    tool.run("run.tcl", "0")
    options = [dict(zip(call[4::2], call[5::2], strict=True)) for call in tool.calls
               if call[0] == "create_hw_axi_txn"]
    sent = [(int(o["-address"], 16), int(o["-data"], 16)) for o in options if o["-type"] == "write"]
    base, registers = one.board.base, one.board.registers
    control = register_map(one.platform).address("CONTROL")
    assert sent == [*((base + 4 * i, word) for i, word in enumerate(words)),
                    *((registers + address, value) for address, value in writes),
                    (registers + control, start_value(one.platform))]
    asked = [int(o["-address"], 16) - registers for o in options if o["-type"] == "read"]
    layout = json.loads((one.out / "registers.json").read_text())
    task = layout["task_registers"]
    assert asked == [layout["registers"]["NOW"], layout["registers"]["FAULTS"], *(
        task["base"] + i * task["stride"] + task[name] for i in range(task["tasks"])
        for name in ("RELEASES", "FINISHES", "MISSES", "OVERRUNS"))]
    assert tool.printed[-1].startswith("task 4: 42 jobs released, 42 finished")


def test_a_pin_that_does_not_exist_is_noticed(one):
    design = one.out / "design.tcl"
    text = design.read_text()
    try:
        design.write_text(text.replace("derca/m_axi]", "derca/m_axi_mem]", 1))
        with pytest.raises(Exception, match="derca/m_axi_mem does not exist"):
            vivado(one).run("build.tcl")
        design.write_text(text.replace("[get_bd_pins derca/aresetn]", "", 1))
        tool = vivado(one)
        tool.run("build.tcl")
        assert tool.unconnected() == ["derca/aresetn"]
    finally:
        design.write_text(text)


# -- pins

def pins(board) -> dict[str, str]:
    """Package pin by port of a board's constraints; every pin has a standard."""
    text = re.sub(r"#.*", "", (ROOT / "constraints" / board.constraints).read_text())
    found = re.findall(r"PACKAGE_PIN (\w+) IOSTANDARD (\w+)\} \[get_ports (\w+)\]", text)
    out = {port: pin for pin, _, port in found}
    assert len(out) == len(set(out.values())) == len(found) == text.count("PACKAGE_PIN")
    assert set(re.findall(r"get_ports (\w+)", text)) == set(out)
    return out


def test_every_port_of_the_project_has_a_pin(package):
    tool = vivado(package)
    tool.run("build.tcl")
    assert set(tool.ports) == set(pins(package.board))
    assert (package.out / "board.xdc").read_text() == (ROOT / "constraints" / package.board.constraints).read_text()


def test_the_arty_has_those_pins():
    board = ArtyA7_100Platform()
    lookup = {(r.name, r.number): r.ios[0].names[0] for r in board.resources.values() if hasattr(r.ios[0], "names")}
    assert pins(BOARDS["arty-a7-100"]) == {
        "clk": lookup["clk100", 0], "resetn": lookup["rst", 0],
        **{f"led_{name}": lookup["led", i] for i, name in enumerate(("running", "miss", "fault"))},
    }
