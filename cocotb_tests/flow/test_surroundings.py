"""Compilers that fail, levels of optimisation, and places that an environment does not bear."""

import os
import subprocess

import pytest

from derca_cli.console import failures
from derca_flow.rtl.build import BuildError, call, make_flags
from derca_flow.tools import caching
from derca_sim.errors import InputError, MachineError
from kit.checkout import ROOT


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
