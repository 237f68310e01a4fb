"""Constraint files name ports that the hardware has."""

import re
from pathlib import Path

import pytest

from derca_cli.rtl.build import verilog_for
from derca_sim.model.platform import Platform

FILES = sorted((Path(__file__).parents[1] / "constraints").iterdir())
#: How each format names a port.
PATTERNS = {".lpf": r'PORT\s+"([^"]+)"', ".xdc": r"get_ports\s+(\w+)"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_port_named_exists(path):
    text = "\n".join(line.split("#")[0] for line in path.read_text().splitlines())
    named = set(re.findall(PATTERNS[path.suffix], text))
    top = verilog_for(Platform()).split("module derca(")[1].split(");")[0]
    ports = set(re.findall(r"\w+", top))
    assert named and named <= ports
