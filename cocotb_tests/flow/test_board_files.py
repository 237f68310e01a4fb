"""Board files: what they make of themselves, and what they answer to mistakes."""

from pathlib import Path

import pytest
from amaranth.hdl import Fragment
from amaranth_boards.icepi_zero import IcepiZero1_3Platform

from derca_flow.boards.file import load_board, with_platform
from derca_flow.boards.known import BOARDS, find
from derca_flow.tools import packages
from derca_hw.board.system import BoardSystem
from derca_hw.bus.join import ports
from derca_hw.families.family import Family
from derca_sim.errors import InputError
from derca_sim.workload.taskset import load_platform, load_taskset
from kit.checkout import PLATFORMS, ROOT, TASKSETS
from kit.documents import blocks
from kit.pins import read, resolve

#: The files of the manual's example, by name.
EXAMPLE = {block.text.partition("\n")[0].removeprefix("# "): block.text for block in blocks(ROOT / "docs" / "boards.md")
           if block.language == "toml"}
#: The same board with its pins in a file of constraints.
LPF = """\
LOCATE COMP "clk" SITE "M1";
FREQUENCY PORT "clk" 50.0 MHZ;
LOCATE COMP "rx" SITE "K16";
LOCATE COMP "tx" SITE "K15";
LOCATE COMP "led_running" SITE "E13";
LOCATE COMP "led_fault" SITE "D14";
"""


@pytest.fixture
def folder(tmp_path):
    for name, text in EXAMPLE.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    """The example's board file with changes."""
    text, file = EXAMPLE["my.toml"], folder / "my.toml"
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)
    return file


def outside(text: str) -> tuple[tuple[str, str], ...]:
    """The changes by which the pins move from the board file into a file of constraints."""
    return (("[device]", 'constraints = "my.lpf"\n\n[device]'), ('pin = "M1"\n', ""),
            ('rx = { site = "K16", pull = "up" }\n', ""), ('tx = "K15"\n', text), ('"E13"', "{}"),
            ('{ site = "D14", drive = 4 }', "{}"))


def test_the_example_of_the_manual_is_wired_as_its_board(folder):
    """Oracle: amaranth-boards, which has this board."""
    board = load_board(folder / "my.toml")
    described, placed = IcepiZero1_3Platform(), read(board.pins, ".lpf")
    wired = {"clk": ("clk50", 0), "rx": ("uart", 0, "rx"), "tx": ("uart", 0, "tx"), "led_running": ("led", 0),
             "led_fault": ("led", 1)}
    assert set(placed) == set(wired)
    for port, resource in wired.items():
        (site,), attributes, clock, inverted = resolve(described, resource)
        assert (placed[port]["site"], placed[port]["standard"]) == (site, attributes["IO_TYPE"]) and not inverted
        assert clock is None or float(placed[port]["mhz"]) == board.pin_mhz == clock.frequency / 1e6
    assert 'IOBUF PORT "rx" IO_TYPE=LVCMOS33 PULLMODE=UP;' in board.pins
    assert 'IOBUF PORT "led_fault" IO_TYPE=LVCMOS33 DRIVE=4;' in board.pins
    assert board.part == ("--25k", "--package", "CABGA256", "--speed", described.speed)
    assert (board.core_mhz, board.leds, board.low_leds) == (25, ("running", "fault"), ())
    assert board.platform == folder / "platform.toml" and board.taskset.samefile(TASKSETS / "digits_small.toml")


def test_the_top_has_the_leds_of_the_board(folder):
    board = load_board(write(folder, ('"E13"', '{ site = "E13", low = true }')))
    top = BoardSystem(load_platform(board.platform), board)
    design = Fragment.get(top, Family(board.target)).prepare(ports=ports(top))
    assert {port for port, *_ in design.ports} == {"clk", "rx", "tx", "led_running", "led_fault"}
    assert board.low_leds == ("running",)


def test_pins_may_stand_in_a_file_of_constraints(folder):
    (folder / "my.lpf").write_text(LPF)
    board, inside = load_board(write(folder, *outside(""))), load_board(folder / "my.toml")
    assert board.pins == LPF and board.constraints == "my.lpf"
    assert board.files == (folder / "my.toml", folder / "my.lpf")
    assert repr(board) == repr(inside)


def test_pins_of_an_sdram_in_the_board_file_are_those_of_the_constraints(tmp_path):
    """The ULX3S with all its pins in one file."""
    text = BOARDS["ulx3s-85f-sdram"].files[0].read_text()
    expected = read((ROOT / "constraints" / "ulx3s-sdram.lpf").read_text(), ".lpf")

    def sites(port: str) -> str:
        found = {name: facts["site"] for name, facts in expected.items() if name.partition("[")[0] == f"sdram_{port}"}
        several = [found[f"sdram_{port}[{i}]"] for i in range(len(found))] if len(found) > 1 else None
        return str(several or found[f"sdram_{port}"])

    for old, new in (('constraints = "ulx3s-sdram"\n', ""), ("mhz = 25\n", 'mhz = 25\npin = "G2"\n')):
        text = text.replace(old, new)
    for name in ("running", "miss", "fault"):
        text = text.replace(f"{name} = {{}}", f'{name} = "{expected[f"led_{name}"]["site"]}"')
    pins = "\n".join(f"{port} = {sites(port)}" for port in (
        "clk", "cke", "cs_n", "ras_n", "cas_n", "we_n", "ba", "a", "dqm", "dq")).replace("'", '"')
    for port in ("clk", "cke", "cs_n", "ras_n", "cas_n", "we_n"):
        pins = pins.replace(f"{port} = {sites(port)}", f'{port} = "{sites(port)}"')
    file = tmp_path / "all.toml"
    file.write_text(f'{text}\n[uart]\nrx = "M1"\ntx = "L4"\n\n[memory.sdram]\ncas = 3\n\n[memory.sdram.pins]\n{pins}\n'
                    'drive = 4\nslew = "fast"\npull = "none"\n')
    board = load_board(file)
    assert read(board.pins, ".lpf") == expected
    assert (board.sdram.cas, board.sdram.mhz, board.steps) == (3, 100, 25)
    assert board.pins.count("PULLMODE=NONE DRIVE=4 SLEWRATE=FAST") == 6 + 2 + 13 + 2 + 16
    file.write_text(file.read_text().replace('ba = ["P19", ', 'ba = ["P19", "P19", '))
    with pytest.raises(InputError, match="pins.ba: 3 sites: allowed are 2, one for each bit\n.*P19.*already"):
        load_board(file)


def test_a_device_that_derca_does_not_know(folder):
    other = ('family = "ice40"\noptions = "--hx4k --package tq144"\n'
             "available = { LUT = 3520, REG = 3520, BRAM = 20, DSP = 0 }\n")
    changes = (('name = "lfe5u-25f"\npackage = "CABGA256"\nspeed = 6\n', other),
               ("core_mhz = 25\n", ""), (", drive = 4", ""), ("M1", "21"), ("K16", "8"), ("K15", "9"), ("E13", "1"),
               ("D14", "2"))
    board = load_board(write(folder, *changes))
    assert (board.target, board.part) == ("ice40hx", ("--hx4k", "--package", "tq144"))
    assert board.available == {"LUT": 3520, "REG": 3520, "BRAM": 20, "DSP": 0}
    assert board.constraints == "my-board.pcf"
    assert read(board.pins, ".pcf") == {
        "clk": {"site": "21", "mhz": "50"}, "rx": {"site": "8"}, "tx": {"site": "9"},
        "led_running": {"site": "1"}, "led_fault": {"site": "2"}}
    assert "set_io -pullup yes rx 8" in board.pins
    with pytest.raises(InputError, match=r"clock.pin = \"35\": tq144 has no such pin .*: allowed are 107"):
        load_board(write(folder, *changes[:-5], *changes[-4:], ("M1", "35")))
    with pytest.raises(InputError, match='device.options = "tq145": allowed for --hx4k are .*; did you mean tq144'):
        load_board(write(folder, (changes[0][0], other.replace("144", "145")), *changes[1:]))


def test_the_fastest_series_has_one_speed_grade(folder):
    """nextpnr refuses every other."""
    series = ("lfe5u-25f", "lfe5um5g-25f")
    assert load_board(write(folder, series, ("speed = 6\n", ""))).part[-2:] == ("--speed", "8")
    with pytest.raises(InputError, match=r"device.speed: speed grade 6: lfe5um5g-25f has 8$"):
        load_board(write(folder, series))


@pytest.mark.parametrize("name", BOARDS)
def test_the_pins_of_every_board_are_known(name):
    """All pins of its constraints are among those of its package."""
    board = BOARDS[name]
    known = packages.known(board.family, board.part)
    pins = known.packages[board.part[board.part.index("--package") + 1]]
    placed = read(board.pins, Path(board.constraints).suffix)
    assert {facts["site"] for facts in placed.values() if "site" in facts} <= pins and 30 < len(pins) < 400


def test_without_nextpnr_nothing_is_known_of_pins(folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert load_board(write(folder, ('"K15"', '"Z99"'))).part[0] == "--25k"


def test_resources_may_differ_from_the_data_sheet(folder):
    board = load_board(write(folder, ("speed = 6\n", "speed = 6\navailable = { BRAM = 50 }\n")))
    assert board.available == {**BOARDS["orangecrab-25f"].available, "BRAM": 50}


#: What is changed in the example, and what the answer says of it.
WRONG = {
    "an unknown key": (("speed = 6", "speeed = 6"), "device.speeed = 6: unknown key: allowed are .*did you mean speed"),
    "an unknown device": (("lfe5u-25f", "LFE5U-25"), "device.name = \"LFE5U-25\": unknown device: .*mean lfe5u-25f"),
    "no package": (('package = "CABGA256"\n', ""), "device.package is missing"),
    "a device without resources": (('name = "lfe5u-25f"\npackage = "CABGA256"\nspeed = 6\n',
                                    'family = "ecp5"\noptions = "--25k"\n'), "device.available.LUT is missing"),
    "a clock no PLL makes": (("core_mhz = 25", "core_mhz = 24"),
                             "clock: 24 MHz must be an integer fraction or multiple of pin_mhz = 50"),
    "a clock too slow for the PLL": (("core_mhz = 25", "core_mhz = 2"), "2 MHz must be within 3.125 .. 400"),
    "a baud rate": (("[uart]\n", "[uart]\nbaud = 9000000\n"), "uart.baud = 9000000: allowed are rates .*such as 6250"),
    "SPRAM of an ECP5": (("[uart]", '[memory]\nkind = "spram"\n\n[uart]'),
                         'memory.kind = "spram": the device has none'),
    "an SDRAM without pins": (("[uart]", '[memory]\nkind = "sdram"\n\n[uart]'), "memory.sdram.pins is missing"),
    "an SDRAM out of step": (("[uart]", '[memory]\nkind = "sdram"\nsdram.mhz = 110\n\n[uart]'),
                             "clock.core_mhz = 25: allowed are integer fractions of memory.sdram.mhz = 110"),
    "times of no SDRAM": (("[uart]", "[memory]\nsdram = {}\n\n[uart]"),
                          'memory.sdram: allowed with memory.kind = "sdram"'),
    "a pin twice": (('"E13"', '"K15"'), 'leds.running = "K15": that pin is uart.tx already'),
    "a site with a quote": (('tx = "K15"', "tx = 'K\"15'"), r"uart.tx = .*: allowed are names of letters, digits"),
    "a standard with a space": (("[device]", 'standard = "LV CMOS"\n[device]'),
                                'standard = "LV CMOS": allowed are names'),
    "no site": (('tx = "K15"\n', ""), "uart.tx has no site: allowed are .*such as \"G2\""),
    "a package in other words": (("CABGA256", "BG256"),
                                 'device.package = "BG256": allowed for lfe5u-25f are .*; did you mean CABGA256'),
    "a pin of another package": (('"K15"', '"Y18"'), 'uart.tx = "Y18": CABGA256 has no such pin .* are 197'),
    "a pin that is a number": (('"K15"', "15"), "uart.tx = 15: allowed are tables with the keys"),
    "constraints and sites": (("[device]", 'constraints = "my.lpf"\n[device]'),
                              'clock.pin.site = "M1": not with constraints, which say it'),
    "an absent platform": (('"platform.toml"', '"plat.toml"'),
                           'platform = "plat.toml": no file .*plat.toml; allowed are'),
    "a sample that is none": (('"digits_small"', '"digits_smal"'),
                              'taskset = "digits_smal": no sample; allowed are anomaly'),
    "a program without the file": ((" {}", ""), r"program = .*one of which has \{\} for the bitstream"),
    "a program with an open quote": (("Loader -b", "Loader '-b"), "program = .*No closing quotation"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_answered(folder, case):
    change, told = WRONG[case]
    (folder / "my.lpf").write_text(LPF)
    file = write(folder, change)
    with pytest.raises(InputError, match=told) as caught:
        load_board(file)
    assert all(line.startswith(f"{file}: ") and "\n" not in line for line in caught.value.problems)


def test_several_mistakes_are_answered_together(folder):
    with pytest.raises(InputError) as caught:
        load_board(write(folder, ("core_mhz = 25", "core_mhz = 24"), ('tx = "K15"\n', ""),
                         ('"platform.toml"', '"no.toml"')))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(("old", "new", "told"), [
    ('LOCATE COMP "tx" SITE "K15";\n', "", "no pin for the port tx; add it"),
    ("E13", "F16x", "led_running at F16x: CABGA256 has no such pin for signals: .*; did you mean F16"),
    ("50.0", "25", "25 MHz for clk, but clock.mhz = 50 in the board file"),
    ('FREQUENCY PORT "clk" 50.0 MHZ;\n', "", "no rate for clk; add it: 50 MHz"),
    ("led_fault", "led_miss", "a pin for the port led_miss, which the board's top has not"),
    (LPF, None, "cannot be read"),
])
def test_constraints_must_suit_the_board_file(folder, old, new, told):
    (folder / "my.lpf").write_bytes(b"\xff" if new is None else LPF.replace(old, new).encode())
    with pytest.raises(InputError, match=told):
        load_board(write(folder, *outside("")))


def test_pcf_constraints_are_understood(folder):
    (folder / "my.pcf").write_text("set_io -nowarn -pullup yes rx B10 # in\nset_io tx B12\nset_io clk J3\n"
                                   "set_frequency clk 50\nset_io --warn-no-port led_running C3\nset_io led_fault C4\n")
    board = load_board(write(folder, *outside("")[1:], ('name = "lfe5u-25f"', 'name = "hx8k"'), ("CABGA256", "ct256"),
                             ("speed = 6\n", ""),
                             ("[device]", 'constraints = "my.pcf"\n\n[device]'), ("core_mhz = 25\n", "")))
    assert board.target == "ice40hx" and board.constraints == "my.pcf"


@pytest.mark.parametrize(("file", "told"), [
    (TASKSETS / "demo.toml", "is a task set of networks: allowed is a board"),
    (PLATFORMS / "demo.toml", "is a platform: allowed is a board"),
    (ROOT / "pyproject.toml", r"it has no \[device\] and no \[clock\]"), (Path("nowhere.toml"), "cannot be read")])
def test_files_of_another_kind(file, told):
    with pytest.raises(InputError, match=told):
        find(str(file), {})


def test_names_and_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert find("icebreaker", {}) == BOARDS["icebreaker"] and find("my.toml", {}).name == "my-board"
    for text, told in (("my", r"did you mean my\.toml\?"), ("ulx3s_25f", "did you mean ulx3s-25f"),
                       ("zcu104", "zcu104 is a board of derca ip"), ("basys", "and board files such as my.toml$")):
        with pytest.raises(InputError, match=told):
            find(text, {"zcu104": "derca ip"})


def test_a_platform_in_place_of_the_boards_own(folder):
    board = load_board(folder / "my.toml")
    other = folder / "other.toml"
    other.write_text(EXAMPLE["platform.toml"].replace("my-platform", "other"))
    assert with_platform(board, other).platform == other and with_platform(board, None) == board
    other.write_text(EXAMPLE["platform.toml"].replace("25.0", "50.0"))
    with pytest.raises(InputError, match=r"other.toml: clock_mhz = 50.0: allowed are 25 on the board my-board"):
        with_platform(board, other)
    for file in (folder / "my.toml", TASKSETS / "demo.toml"):
        with pytest.raises(InputError, match=str(file)):
            with_platform(board, file)


def test_a_board_file_where_another_belongs(folder):
    for load in (load_platform, load_taskset):
        with pytest.raises(InputError, match=r"my.toml: is a board: allowed is"):
            load(folder / "my.toml")
