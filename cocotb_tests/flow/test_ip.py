"""Packaged IPs: the description fits the Verilog and the registers, the scripts fit both, pins fit the boards."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from derca_flow.area.estimate import estimate
from derca_flow.package.boards import BOARDS
from derca_flow.package.device_tree import overlay
from derca_flow.tools import toolchain
from derca_flow.tools.cells import KINDS
from derca_hw.ip import TOP, check_base
from derca_sim.model.registers import register_map
from derca_sim.workload.taskset import load_platform
from kit.checkout import ROOT
from kit.documents import blocks
from kit.ip_package import PLATFORM, derca_ip
from oracles.device_tree import addresses, parsed
from oracles.ip.description import Component, differences, netlist, yosys
from oracles.ip.rules import OPTIONAL, REQUIRED, SPIRIT, TYPES, WIDTHS, structure_errors


def settings(file) -> dict[str, str]:
    """What `settings.tcl` says."""
    return dict(re.findall(r"^    (\w+) +\{(.*)\}$", file.read_text(), re.MULTILINE))


# -- the description against the Verilog

def test_the_description_says_what_yosys_reads(package):
    assert differences(package.component, netlist(package.hdl, TOP)) == []


@pytest.mark.parametrize(("found", "replacement", "told"), [
    (r"(<spirit:port>\s*<spirit:name>m_axi_wdata</spirit:name>.*?<spirit:left[^>]*>)63<", r"\g<1>31<",
     "m_axi_wdata: ('out', 32)"),
    (r"(m_axi_wvalid</spirit:name>\s*<spirit:wire>\s*<spirit:direction>)out", r"\1in", "m_axi_wvalid: ('in', 1)"),
    (r"<spirit:name>s_axi_wready</spirit:name>(?!\s*</spirit:physicalPort>)", "<spirit:name>other</spirit:name>",
     "s_axi_wready: None"),
    (r"<spirit:name>ARLOCK<", "<spirit:name>AWLOCK<", "m_axi_arlock: mapped to"),
    (r"(NUM_READ_OUTSTANDING\W.*?>)16<", r"\g<1>8<", "m_axi: parameters"),
], ids=["width", "direction", "missing", "swapped", "parameter"])
def test_a_wrong_description_is_noticed(one, module, found, replacement, told):
    broken, count = re.subn(found, replacement, one.text, count=1, flags=re.DOTALL)
    assert count == 1
    assert any(line.startswith(told) for line in differences(Component(broken), module))


def test_a_port_of_another_width_is_noticed(one, tmp_path):
    verilog = one.hdl.read_text()
    port = "output wire [63:0] m_axi_wdata,"
    assert port in verilog
    (tmp_path / "broken.v").write_text(verilog.replace(port, port.replace("63", "62"), 1))
    assert any("m_axi_wdata" in line for line in differences(one.component, netlist(tmp_path / "broken.v", TOP)))


# -- bus definitions

def test_every_interface_is_complete(one):
    assert set(one.component.interfaces) == set(TYPES)
    ports = one.component.ports()
    for name, expected in TYPES.items():
        kind, mode = one.component.type_and_mode(name)
        assert (kind, mode) == expected
        maps = one.component.maps(name)
        required, optional = REQUIRED[name], OPTIONAL.get(name, {})
        assert set(required) <= set(maps) <= set(required) | set(optional), name
        for logical, physical in maps.items():
            direction, width = ports[physical]
            begins = {**required, **optional}[logical] == direction
            assert begins == (mode == "master"), f"{name}: direction of {logical}"
            fixed = next((w for end, w in WIDTHS.items() if logical.endswith(end)), None)
            assert fixed in (None, width), f"{name}: width of {logical}"
    mapped = [port for name in TYPES for port in one.component.maps(name).values()]
    assert len(set(mapped)) == len(mapped)
    assert set(ports) - set(mapped) == {"trigger", "now", "running", "missed", "faulty"}


def test_parameters_fit_the_ports_and_the_platform(one):
    component, p = one.component, one.platform
    ports = component.ports()
    clock = component.parameters("aclk")
    assert int(clock["FREQ_HZ"]) == 62_500_000
    assert set(clock["ASSOCIATED_BUSIF"].split(":")) == {n for n in TYPES if "_" in n} <= set(component.interfaces)
    assert clock["ASSOCIATED_RESET"] in ports
    assert component.parameters("aresetn")["POLARITY"] == "ACTIVE_LOW"
    for name in ("m_axi", "s_axi"):
        parameters, maps = component.parameters(name), component.maps(name)
        for channel in ("AW", "AR"):
            assert int(parameters["ADDR_WIDTH"]) == ports[maps[f"{channel}ADDR"]][1]
        for channel in ("W", "R"):
            assert int(parameters["DATA_WIDTH"]) == ports[maps[f"{channel}DATA"]][1]
        assert ports[maps["WSTRB"]][1] * 8 == int(parameters["DATA_WIDTH"])
        for signal in ("LOCK", "CACHE", "PROT", "QOS", "REGION", "BURST"):
            assert int(parameters[f"HAS_{signal}"]) == (f"AW{signal}" in maps), f"{name} {signal}"
        assert int(parameters["ID_WIDTH"]) == (ports[maps["AWID"]][1] if "AWID" in maps else 0)
    master = component.parameters("m_axi")
    assert (master["PROTOCOL"], component.parameters("s_axi")["PROTOCOL"]) == ("AXI4", "AXI4LITE")
    assert int(master["NUM_READ_OUTSTANDING"]) == p.bus.outstanding
    assert int(master["MAX_BURST_LENGTH"]) == p.bus.burst_beats
    assert int(component.parameters("m_axis_event")["TDATA_NUM_BYTES"]) * 8 == ports["m_axis_event_tdata"][1]


def test_an_event_stream_without_a_reader_flows(one):
    for port in one.component.root.iter(f"{SPIRIT}port"):
        if port.findtext(f"{SPIRIT}name") == "m_axis_event_tready":
            assert port.findtext(f"{SPIRIT}wire/{SPIRIT}driver/{SPIRIT}defaultValue") == "1"
            return
    pytest.fail("no such port")


# -- the document

def test_elements_stand_in_the_order_of_the_standard(package):
    assert structure_errors(package.component.root) == []


@pytest.mark.parametrize(("found", "replacement"), [
    (r"(<spirit:library>.*?</spirit:library>)\s*(<spirit:name>derca</spirit:name>)", r"\2\1"),
    (r"<spirit:envIdentifier>:vivado.xilinx.com:synthesis</spirit:envIdentifier>", ""),
    (r"<spirit:access>read-only<", "<spirit:access>readonly<"),
    (r"<spirit:usage>register</spirit:usage>", "<spirit:usage/>"),
    (r"<spirit:usage>register</spirit:usage>", "<spirit:used>register</spirit:used>"),
], ids=["order", "missing", "value", "empty", "unknown"])
def test_a_broken_document_is_noticed(one, found, replacement):
    broken, count = re.subn(found, replacement, one.text, count=1, flags=re.DOTALL)
    assert count == 1
    assert structure_errors(ElementTree.fromstring(broken))


def test_references_and_files_exist(package):
    component = package.component
    views = component.texts("model/views/view/name")
    sets = component.texts("fileSets/fileSet/name")
    assert set(component.texts("model/views/view/fileSetRef/localName")) == set(sets)
    assert set(component.texts("model/ports/port/wire/wireTypeDefs/wireTypeDef/viewNameRef")) <= set(views)
    assert set(component.texts("model/views/view/modelName")) == {TOP}
    for reference, names in (("addressSpaceRef", "addressSpaces/addressSpace/name"),
                             ("memoryMapRef", "memoryMaps/memoryMap/name")):
        used = [e.get(SPIRIT + reference) for e in component.root.iter(SPIRIT + reference)]
        assert used == component.texts(names) != []
    files = set(component.texts("fileSets/fileSet/file/name"))
    there = {str(f.relative_to(package.out / "ip")) for f in (package.out / "ip").rglob("*") if f.is_file()}
    assert files == there - {"component.xml"}


def test_the_memory_map_is_the_register_map(one):
    registers, root = register_map(one.platform), one.component.root
    block = next(root.iter(f"{SPIRIT}addressBlock"))
    size = int(block.findtext(f"{SPIRIT}range"))
    assert size == 1 << one.component.ports()["s_axi_awaddr"][1] >= registers.size > size // 2
    described = json.loads((one.out / "registers.json").read_text())
    task = described["task_registers"]
    base, stride, tasks = (task.pop(key) for key in ("base", "stride", "tasks"))
    expected = {**described["registers"], **{f"TASK{i}_{name}": base + i * stride + offset
                                             for i in range(tasks) for name, offset in task.items()}}
    found = {r.findtext(f"{SPIRIT}name"): int(r.findtext(f"{SPIRIT}addressOffset"), 0)
             for r in block.iter(f"{SPIRIT}register")}
    assert found == expected
    fields = {(r.findtext(f"{SPIRIT}name"), f.findtext(f"{SPIRIT}name")):
              {"low": int(f.findtext(f"{SPIRIT}bitOffset")), "width": int(f.findtext(f"{SPIRIT}bitWidth"))}
              for r in block.iter(f"{SPIRIT}register") for f in r.iter(f"{SPIRIT}field")}
    for register, parts in described["fields"].items():
        names = [register] if register in found else [f"TASK{i}_{register}" for i in range(tasks)]
        for name in names:
            assert {field: at for (r, field), at in fields.items() if r == name} == parts


# -- the Verilog

def test_the_verilog_passes_lint(one):
    def lint(*waivers: str) -> list[str]:
        done = subprocess.run(
            [*toolchain.verilator_command(), "--lint-only", "-Wall", "-Wno-fatal", "--top-module", TOP, *waivers,
             f"ip/hdl/{TOP}.v"], cwd=one.out, env=toolchain.verilator_environment(), capture_output=True, text=True)
        warnings = [line for line in done.stderr.splitlines() if re.match(r"%(Warning|Error)", line)]
        assert done.returncode == 0 or warnings, done.stderr
        return warnings

    assert lint("lint.vlt", "ip_lint.vlt") == []
    said = lint("lint.vlt")
    assert len(said) == 3  # AxPROT twice, the name `interrupt`: every waiver has a use
    assert sum("'interrupt'" in line for line in said) == 1
    assert sum("prot'" in line for line in said) == 2


@pytest.mark.full
@pytest.mark.parametrize("family", sorted({board.synthesis for board in BOARDS.values()}))
def test_the_verilog_synthesises(one, family):
    yosys(one.hdl, f"read_verilog {one.hdl.name}; synth_xilinx -family {family} -flatten -top {TOP}; check -assert")


# -- boards and command line

@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda b: b.name)
def test_the_platform_of_a_board_fits_it(board):
    p = load_platform(ROOT / "sim" / "platforms" / board.platform)
    assert p.name == board.name
    check_base(p, board.base)
    multipliers = p.array.rows * p.array.cols + 4 * p.store.requant_lanes
    assert multipliers <= board.available["DSP"]
    if not board.processor:
        assert p.memory.size / 4096 <= board.available["BRAM"] / 2


def test_the_task_set_runs_on_the_platform_of_the_board(tmp_path):
    (tmp_path / "tiny.toml").write_text(PLATFORM)
    done = derca_ip(ROOT / "sim/tasksets/demo.toml", "--board", "arty-a7-100", "-o", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["platform"] == "arty-a7-100"
    assert {"host_writes.txt", "memory.bin", "ip/component.xml", "README.md"} <= set(told["files"])
    assert (tmp_path / "out" / "memory.bin").stat().st_size <= 262_144


def test_the_area_is_estimated_and_named_so(package):
    """In the answer and in the README: that of `derca report --estimate`, and parts that add up to the block RAM."""
    told, text = json.loads(package.result.stdout), (package.out / "README.md").read_text()
    expected = estimate(package.platform, "ultrascale")[-1]
    assert told["estimate"] == {kind: expected[kind] for kind in KINDS} and min(told["estimate"].values()) > 0
    assert sum(told["block_ram"].values()) == told["estimate"]["BRAM"]
    section = text.partition("## Area, estimated")[2].partition("\n## ")[0]
    assert "Nothing was synthesised" in section
    for kind, count in told["estimate"].items():
        assert f"| {kind} | {count:,g} | {package.board.available[kind]:,} |" in section


def test_the_readme_names_addresses_and_interfaces(package):
    text = (package.out / "README.md").read_text()
    assert f"`{package.board.registers:#x}`" in text
    assert f"`{package.board.base:#x}`" in text
    for name in TYPES:
        assert f"| `{name}` |" in text
    for file in re.findall(r"`([\w/]+\.(?:tcl|v|json|md|h))`", text):
        assert (package.out / file).is_file(), file


def test_the_device_tree_shows_what_the_project_connects(package):
    """Registers, interrupt and memory, against the description of the IP and the settings of the project."""
    file = package.out / "derca.dtso"
    assert file.exists() == package.board.processor
    if not package.board.processor:
        return
    nodes, facts = parsed(file.read_text()), settings(package.out / "settings.tcl")
    uio, = [node for node in nodes.values() if '"generic-uio"' in node.get("compatible", "")]
    buffer, = [node for node in nodes.values() if node.get("compatible") == '"ikwzm,u-dma-buf"']
    region = nodes[buffer["memory-region"].strip("<&>")]
    base, window = int(facts["base"], 0), int(facts["window"], 0)
    assert addresses(uio["reg"]) == (int(facts["registers"], 0), int(facts["register_range"], 0))
    assert uio["interrupts"] == f"<0 {({'zynqmp.tcl': 89, 'versal.tcl': 84})[package.board.design]} 4>"
    assert uio["derca,memory-base"] == f"/bits/ 64 <{base:#x}>"
    first, size = addresses(region["reg"])
    assert first == base and size >= window and size % (4 << 20) == 0 and size - window < 4 << 20
    assert addresses(f"<0 0 {buffer['size'].strip('<>')}>") == (0, size)
    assert "reusable" in region and "no-map" not in region
    if shutil.which("dtc"):
        done = subprocess.run(["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", "/dev/null", file], capture_output=True,
                              text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_device_tree_may_name_memory_beyond_4_gib(one):
    nodes = parsed(overlay(one.platform, BOARDS["zcu104"], 0x8_0010_0000))
    assert addresses(nodes["derca_memory"]["reg"]) == (0x8_0010_0000, 4 << 20)
    assert nodes["udmabuf0"]["dma-mask"] == "<64>" and nodes["derca"]["derca,memory-base"] == "/bits/ 64 <0x800100000>"
    text = overlay(one.platform, BOARDS["zcu104"], 0x8_0010_0000)
    assert "0x800100000 is no multiple of 0x400000" in text
    text = overlay(one.platform, BOARDS["zcu104"], 0x4000_0000)
    assert "no multiple" not in text and "dma-mask" not in text


def test_a_broken_device_tree_is_noticed(packages):
    text = (packages("zcu104").out / "derca.dtso").read_text()
    for found, replacement in (
            ("};\n};", "};"), ("reusable;", "reusable"), ("&gic", "gic"), ("<&derca_memory>", "<&x>")):
        assert found in text
        with pytest.raises(ValueError, match="device tree"):
            parsed(text.replace(found, replacement))


@pytest.mark.parametrize(("options", "told"), [
    (["--board", "arty"], "--board = arty: unknown board; allowed are vck190"),
    (["--board", "vck190", "--base", "0x1000"], "--base = 0x1000: allowed are multiples of 0x1000000"),
    (["--board", "vck190", "--base", "0x100000000"], "within bus.address_width = 32 bits"),
    (["--board", "vck190", "--base", "-0x1000000"], "allowed are multiples"),
    (["--board", "vck190", "--base", "here"], "--base = here: allowed are addresses"),
    (["--board", "zcu104", "--base", "0xa0000000"], "do not meet the registers, 0xa0000000 .. 0xa003ffff"),
])
def test_bad_input(tmp_path, options, told):
    done = derca_ip(*options, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert told in done.stderr
    assert not (tmp_path / "out").exists()


# -- boards of users

#: The files of the manual's example, by name.
EXAMPLE = {block.text.partition("\n")[0].removeprefix("# "): block.text for block in blocks(ROOT / "docs" / "boards.md")
           if block.text.startswith("# zcu102.")}


def own_board(folder: Path, *changes: tuple[str, str], file: str = "zcu102.toml") -> Path:
    """The manual's example with changes in one of its files."""
    for name, text in EXAMPLE.items():
        (folder / name).write_text(text)
    text = EXAMPLE[file]
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / file).write_text(text)
    (folder / "tiny.toml").write_text(PLATFORM)
    return folder / "zcu102.toml"


def test_a_board_of_a_user_is_packaged(tmp_path):
    """That of the manual: its part, description and pins, the addresses of its design, and its own platform."""
    board = own_board(tmp_path, ('platform = "zcu104"', 'platform = "tiny.toml"'))
    done = derca_ip("--board", board, "-o", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.stderr
    told, facts = json.loads(done.stdout), settings(tmp_path / "out" / "settings.tcl")
    assert told["board"] == "my-zcu102" and told["platform"] == "tiny" and told["available"]["BRAM"] == 912
    assert (facts["part"], facts["board_part"]) == ("xczu9eg-ffvb1156-2-e", "xilinx.com:zcu102:part0:*")
    assert (facts["registers"], facts["base"]) == ("0xa0000000", "0x40000000")
    assert (tmp_path / "out" / "board.xdc").read_text() == EXAMPLE["zcu102.xdc"]
    assert "for AMD ZCU102 with Zynq UltraScale+ XCZU9EG" in (tmp_path / "out" / "derca.dtso").read_text()
    (tmp_path / "zcu102.toml").write_text(EXAMPLE["zcu102.toml"].replace(
        '"zynqmp"', '"artix7"\nregisters = 0x44a00000').replace("available =", "# available =").replace(
        "xczu9eg-ffvb1156-2-e", "xc7a200tsbg484-1"))
    with open(tmp_path / "zcu102.xdc", "a", encoding="utf-8") as pins:
        pins.write("set_property -dict {PACKAGE_PIN A1} \\\n    [get_ports { clk }]\n"
                   'set_property PACKAGE_PIN A2 [get_ports "resetn"]\n')
    done = derca_ip("--board", board, "--platform", tmp_path / "tiny.toml", "-o", tmp_path / "other")
    assert done.exit_code == 0 and "| 912 |" not in done.stdout, done.stderr
    assert settings(tmp_path / "other" / "settings.tcl")["registers"] == "0x44a00000"
    told = (tmp_path / "other" / "README.md").read_text()
    assert "| LUT |" in told and "block RAM behind an interconnect" in told
    size = int(settings(tmp_path / "other" / "settings.tcl")["window"], 0)
    assert f"The project's main memory takes about {size / 4096:g} blocks more." in told


@pytest.mark.parametrize(("change", "told"), [
    (('"zynqmp"', '"zynq"'), 'vivado.design = "zynq": allowed are one of "zynqmp", "versal", "artix7"'),
    (('"zynqmp"', '"artix7"'), "zcu102.xdc has no PACKAGE_PIN for the port clk; add it"),
    (("board_part =", "# board_part ="), 'vivado.board_part is missing: design = "zynqmp" takes the settings'),
    (('"zcu102.xdc"', '"other.xdc"'), 'constraints = "other.xdc": no file'),
    (('"zcu104"', '"zcu105"'), 'platform = "zcu105": no sample; allowed are'),
    (("xczu9eg-ffvb1156-2-e", "xczu9eg}; exec ls"), "allowed are names of letters, digits, - and _"),
    (("xczu9eg-ffvb1156-2-e", "xcku5p-ffvb676-2-e"), '"xcku5p-ffvb676-2-e": allowed with design = "zynqmp"'),
    (('"zynqmp"', '"zynqmp"\nregisters = 3'), "zcu102.toml: vivado.registers = 0x3: allowed are multiples of 0x40000"),
    (('"zynqmp"', '"zynqmp"\nregisters = 0x40000000'), "zcu102.toml: vivado.base = 0x40000000: allowed are"),
    (('"zynqmp"', '"zynqmp"\nbase = 5'), "zcu102.toml: vivado.base = 0x5: allowed are multiples of 0x1000000"),
    (("[vivado]", "[device]"), "zcu102.toml: is no board file of derca ip: it has no [vivado]"),
    (("AMD ZCU102", "AMD */ ZCU102"), "allowed are 1 to 80 characters"),
])
def test_what_is_wrong_with_a_board_file_is_told(tmp_path, change, told):
    done = derca_ip("--board", own_board(tmp_path, change), "-o", tmp_path / "out")
    assert done.exit_code == 2 and told in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()
