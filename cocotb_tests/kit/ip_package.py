"""Packages that `derca ip` writes for a tiny platform."""

from pathlib import Path

from typer.testing import CliRunner

from derca_cli import main
from derca_flow.package.boards import BOARDS
from derca_hw.ip import TOP
from derca_sim.workload.taskset import load_platform
from oracles.ip.description import Component

PLATFORM = """
name = "tiny"
clock_mhz = 62.5
tile = { m = 4, k = 16, n = 8 }
array = { rows = 2, cols = 2 }
bus = { data_width = 64, address_width = 36 }
memory = { size = 65536 }
scheduler = { tasks = 5 }
store = { requant_lanes = 1 }
tables = { layers = 16, entries = 512, regions = 16 }
trace = { depth = 4 }
"""

def derca_ip(*args):
    """Run `derca ip` in this process."""
    return CliRunner().invoke(main.app, ["ip", *map(str, args)])

class Package:
    """A folder that `derca ip` has written."""

    def __init__(self, folder: Path, board: str):
        self.folder, self.board = folder, BOARDS[board]
        (folder / "tiny.toml").write_text(PLATFORM)
        self.platform = load_platform(folder / "tiny.toml")
        self.result = derca_ip("--board", board, "--platform", folder / "tiny.toml", "-o", folder / "out", "--json")
        assert self.result.exit_code == 0, self.result.stderr
        self.out = folder / "out"
        self.text = (self.out / "ip" / "component.xml").read_text()
        self.component = Component(self.text)
        self.hdl = self.out / "ip" / "hdl" / f"{TOP}.v"
