"""What is made from the register description equals it: C header, SVD, Markdown; and the driver and its transports."""

import re
import subprocess
import xml.etree.ElementTree as ElementTree

import cocotb
import pytest
from cocotb.task import bridge

from derca_hw.host.interface import HostInterface
from derca_sim.describe.header import header
from derca_sim.describe.markdown import markdown
from derca_sim.describe.svd import svd
from derca_sim.host.driver import Driver, WrongHardware
from derca_sim.host.transport import AccessRefused
from derca_sim.model.description import Access, Array, Field, Register, RegisterMap
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Fault, identity, register_map
from kit import host as lite
from kit.host_bench import KINDS, PLATFORMS, SMALL, begin
from kit.run import generator, parameters, simulate
from kit.words import Words

every_platform = pytest.mark.parametrize("p", PLATFORMS, ids=lambda p: p.name)


# -- documents --------------------------------------------------------------------------------------------------------

def numbers_of_header(p, folder) -> dict[str, int]:
    """Every macro of the header, evaluated by a C program; task offsets for tasks 0 and N - 1."""
    text = header(p)
    (folder / "derca.h").write_text(text)
    names = re.findall(r"^#define (\w+(?:\(task\))?) ", text, re.MULTILINE)
    last = p.scheduler.tasks - 1
    wanted = [n for name in names for n in (
        [name.replace("task", "0"), name.replace("task", str(last))] if "(" in name else [name])]
    lines = [f'printf("%s %lu\\n", "{name}", (unsigned long)({name}));' for name in wanted]
    (folder / "main.c").write_text(
        '#include "derca.h"\n#include "derca.h"\n#include <stdio.h>\nint main(void) {\n' + "\n".join(lines)
        + "\nreturn 0; }\n")
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "main.c", "-o", "main"], cwd=folder,
                   check=True)
    printed = subprocess.run([folder / "main"], capture_output=True, text=True, check=True).stdout
    return {name: int(value) for name, value in (line.split() for line in printed.splitlines())}


@every_platform
def test_the_header_compiles_and_has_the_offsets_of_the_map(p, tmp_path):
    registers, numbers = register_map(p), numbers_of_header(p, tmp_path)
    last = p.scheduler.tasks - 1
    for r in registers.registers:
        assert numbers.pop(f"DERCA_{r.name}") == registers.address(r.name)
    for r in registers.tasks.registers:
        for task in {0, last}:
            assert numbers.pop(f"DERCA_TASK_{r.name}({task})") == registers.address(r.name, task)
    for prefix, block in (("DERCA_", registers.registers), ("DERCA_TASK_", registers.tasks.registers)):
        for r in block:
            if r.readable:
                assert numbers.pop(f"{prefix}{r.name}_RESET") == r.reset
            for f in r.fields:
                name = f"{prefix}{r.name}_{f.name.upper()}"
                assert (numbers.pop(f"{name}_MASK"), numbers.pop(f"{name}_SHIFT")) == (f.mask, f.low)
                assert {c.value: numbers.pop(f"{name}_{c.name.upper()}") for c in f.choices} == {
                    c.value: c.value for c in f.choices}
    assert all(name.startswith(("DERCA_TABLE_", "DERCA_TASK")) for name in numbers), numbers


def test_the_header_knows_its_hardware(tmp_path):
    p = SMALL
    (tmp_path / "derca.h").write_text(header(p))
    values = [r.reset for r in identity(p)]
    rows = [values, *([v ^ (1 << 31) if i == j else v for j, v in enumerate(values)] for i in range(3))]
    cases = ", ".join("{" + ", ".join(f"{v}u" for v in row) + "}" for row in rows)
    (tmp_path / "main.c").write_text(
        f'#include "derca.h"\n#include <stdio.h>\nstatic uint32_t blocks[4][3] = {{{cases}}};\nint main(void) {{\n'
        'for (int i = 0; i < 4; i++) printf("%d", derca_matches(blocks[i]));\nderca_write(blocks[0], 4, 9);\n'
        'printf(" %d %d", (int)blocks[0][1], (int)sizeof(derca_element)); return 0; }\n')
    subprocess.run(["gcc", "-Wall", "-Werror", "main.c", "-o", "main"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    assert printed == f"1000 9 {p.array.element_bytes}"


#: Children in the order in which version 1.3 of the schema demands them; a star allows several, a plus demands one.
SCHEMA = {
    "device": "name+ version+ description+ addressUnitBits+ width+ size access resetValue resetMask peripherals+",
    "peripherals": "peripheral*+",
    "peripheral": "name+ version description baseAddress+ addressBlock*+ registers",
    "addressBlock": "offset+ size+ usage+",
    "registers": "register* cluster*",
    "cluster": "dim dimIncrement name+ description addressOffset+ register*+",
    "register": "name+ description addressOffset+ size access resetValue modifiedWriteValues fields",
    "fields": "field*+",
    "field": "name+ description bitOffset+ bitWidth+ access enumeratedValues*",
    "enumeratedValues": "name enumeratedValue*+",
    "enumeratedValue": "name description value+",
}


def check_structure(element) -> None:
    """Elements in the schema's order, required ones there, single ones single, texts where they belong."""
    if element.tag not in SCHEMA:
        assert len(element) == 0 and element.text and element.text.strip(), element.tag
        return
    pattern, tags = "", " ".join(child.tag for child in element) + " "
    for part in SCHEMA[element.tag].split():
        tag = part.rstrip("*+")
        many, needed = "*" in part, "+" in part
        pattern += f"({tag} )" + ("+" if many and needed else "*" if many else "" if needed else "?")
    assert re.fullmatch(pattern, tags), f"{element.tag}: {tags}"
    for child in element:
        check_structure(child)


@every_platform
def test_the_svd_is_well_formed_and_equals_the_map(p):
    device = ElementTree.fromstring(svd(p))
    check_structure(device)
    registers = register_map(p)
    block = device.find("peripherals/peripheral/registers")
    cluster = block.find("cluster")

    def number(element, tag):
        return int(element.findtext(tag), 0)

    assert (number(cluster, "addressOffset"), number(cluster, "dimIncrement"), number(cluster, "dim")) == (
        registers.tasks.base, registers.tasks.stride, registers.tasks.count)
    assert number(device.find("peripherals/peripheral/addressBlock"), "size") == registers.size
    words = {Access.READ: "read-only", Access.WRITE: "write-only", Access.READ_WRITE: "read-write",
             Access.CLEAR: "read-write"}
    for parent, described in ((block, registers.registers), (cluster, registers.tasks.registers)):
        elements = parent.findall("register")
        assert [e.findtext("name") for e in elements] == [r.name for r in described]
        for e, r in zip(elements, described, strict=True):
            assert (number(e, "addressOffset"), number(e, "resetValue"), e.findtext("access")) == (
                r.offset, r.reset, words[r.access])
            assert (e.findtext("modifiedWriteValues") == "oneToClear") == (r.access == Access.CLEAR)
            fields = {(f.findtext("name"), number(f, "bitOffset"), number(f, "bitWidth")) for f in e.iter("field")}
            assert fields == ({(f.name, f.low, f.width) for f in r.fields} or {("value", 0, r.width)})
            names = [v.findtext("name") for v in e.iter("enumeratedValue")]
            assert names == [c.name for f in r.fields for c in f.choices]


@every_platform
def test_the_markdown_names_every_register_and_field_in_tables_of_equal_width(p):
    text, registers = markdown(p), register_map(p)
    for r in (*registers.registers, *registers.tasks.registers):
        assert f"| {r.offset:#05x} | {r.name} | {r.access} |" in text
        for f in r.fields:
            assert f" | {f.name} | {f.doc}" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


# -- the description itself -------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("register", "complaint"), [
    (Register("A", 2, Access.READ, ""), "offset 0x2"),
    (Register("A", 0, Access.READ, ""), "offset 0x0"),
    (Register("A", 0x20000, Access.READ, ""), "offset 0x20000"),
    (Register("A", 4, Access.READ, "", (Field("x", 0, 4, ""), Field("y", 3, 2, ""))), "A.y: bits 4..3"),
    (Register("A", 4, Access.READ, "", (Field("x", 30, 4, ""),)), "A.x: bits 33..30"),
    (Register("A", 4, Access.READ, "", (Field("x", 0, 4, ""),), reset=16), "reset 0x10"),
    (Register("ID", 4, Access.READ, ""), "same name"),
])
def test_a_description_that_contradicts_itself_is_refused(register, complaint):
    tasks = Array("TASK", 0x10000, 0x40, 5, "", ())
    with pytest.raises(ValueError, match=complaint):
        RegisterMap((Register("ID", 0, Access.READ, ""), register), tasks)


def test_the_largest_platform_has_18_address_bits_and_room_for_its_index():
    p = Platform(scheduler={"tasks": 1024, "kind": "scan"}, release={"kind": "swept"}, tables={"regions": 256})
    registers = register_map(p)
    assert registers.address_bits == 18
    assert registers.address("WRITTEN_HIGH", 1023) < 1 << 18
    assert registers["TABLE_POINTER"].pack(table=2, row=1024 * 256 - 1) == 2 << 28 | (1024 * 256 - 1) << 8


def test_addresses_and_fields_that_do_not_exist_are_named():
    registers = register_map(SMALL)
    with pytest.raises(ValueError, match=r"NOPE: not a register of this platform; there are ID, VERSION"):
        registers.address("NOPE")
    with pytest.raises(ValueError, match="task 4: allowed are 0 to 3"):
        registers.address("PERIOD", 4)
    with pytest.raises(ValueError, match="no field go; it has run, lock"):
        registers["CONTROL"].pack(go=1)
    with pytest.raises(ValueError, match=r"overrun = 4: allowed are 0 to 3"):
        registers["MODE"].pack(overrun=4)


# -- driver -----------------------------------------------------------------------------------------------------------

def test_the_driver_reads_identity_version_and_configuration_first():
    transport = Words(SMALL)
    Driver.open(transport, SMALL)
    assert transport.log == [0, 4, 8]


@pytest.mark.parametrize(("offset", "text"), [
    (0, "ID reads .* no accelerator"), (4, "VERSION reads .* another version"), (8, "CONFIG_HASH reads .* generate"),
])
def test_the_driver_refuses_what_does_not_match(offset, text):
    transport = Words(SMALL)
    transport.words[offset] ^= 1
    with pytest.raises(WrongHardware, match=text):
        Driver.open(transport, SMALL)
    assert transport.log[-1] == offset  # and touches nothing else


def test_refusals_and_wrong_directions_are_explained():
    driver = Driver.open(Words(SMALL, refuse={0x18}), SMALL)
    with pytest.raises(AccessRefused, match=r"POLICY = 0x0 was refused; it is writable while stopped"):
        driver.write("POLICY", 0)
    with pytest.raises(ValueError, match="NOW is read-only"):
        driver.write("NOW", 1)
    with pytest.raises(ValueError, match="PERIOD is write-only"):
        driver.read("PERIOD", 1)


def test_waiting_ends_with_status_and_faults():
    transport = Words(SMALL)
    driver = Driver.open(transport, SMALL)
    transport.words[0x1C] = 1 << Fault.WATCHDOG
    transport.words[0x20] = Fault.WATCHDOG << 24 | 3
    with pytest.raises(TimeoutError, match=r"not running after 0.01 s: .*'idle': 1.*WATCHDOG"):
        driver.start(timeout=0.01)
    assert driver.explain_faults() == ["WATCHDOG: feedback is missing for longer than WATCHDOG_LIMIT; stops (at 3)"]


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def simulated(dut):
    """The same driver on the RTL: opens, loads, starts, locks, is refused; and not with another platform."""
    random, p = generator(), parameters()["platform"]
    host, bench, strobes, _ = await begin(dut, p, random)
    transport = lite.Simulated(host)

    bench.set(free=1)

    def session():
        driver = Driver.open(transport, p)
        driver.load([(driver.registers.address("PERIOD", task), 100 + task) for task in range(p.scheduler.tasks)])
        driver.start()
        driver.trigger(1)
        driver.load([(driver.registers.address("OFFSET", 0), 7)])
        driver.commit()
        driver.lock()
        status = driver.fields("STATUS")
        assert status["running"] and status["locked"]
        with pytest.raises(AccessRefused, match=r"DEADLINE of task 1 = 0x5 was refused; it is writable until locked"):
            driver.write("DEADLINE", 5, task=1)
        assert driver.faults() == [Fault.LOCKED_WRITE]
        driver.clear_faults()
        assert driver.faults() == []
        usage = driver.usage()
        assert usage.activities["idle"] == usage.cycles > 0 and set(usage.read + usage.written) == {0}
        assert set(driver.statistics(0).values()) == {0}
        driver.stop()
        assert driver.fields("CONTROL")["run"] == 0 and driver.fields("CONTROL")["lock"] == 1
        other = p.model_copy(update={"name": "other"})
        with pytest.raises(WrongHardware, match="CONFIG_HASH"):
            Driver.open(transport, other)

    await bridge(session)()
    assert strobes.take() == [
        *(("task_write", t, 0, 100 + t) for t in range(p.scheduler.tasks)), ("committed",), ("trigger", 1),
        ("task_write", 0, 2, 7), ("committed",),
    ]


def test_the_driver_on_the_rtl():
    simulate(lambda: HostInterface(SMALL, KINDS), __name__, "simulated", platform=SMALL)
