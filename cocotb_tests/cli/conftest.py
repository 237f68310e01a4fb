"""Fixtures of the tests of commands."""

import sys
import types

import pytest

from kit.toy_hierarchy import toy_rtlil


@pytest.fixture
def toy_hardware(tmp_path, monkeypatch):
    """Hardware that is quick to generate and to synthesise, and a build folder of its own."""
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path / "build"))
    fake = types.ModuleType("derca_hw.generate")
    fake.rtlil = lambda platform, family: toy_rtlil()
    fake.verilog = lambda platform, family=None: "module derca;\nendmodule\n"
    fake.cells = lambda platform, family=None: {}
    monkeypatch.setitem(sys.modules, "derca_hw.generate", fake)
    import derca_hw

    monkeypatch.setattr(derca_hw, "generate", fake, raising=False)
