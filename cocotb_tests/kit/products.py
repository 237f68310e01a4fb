"""All generated Verilog: sample platforms, boards, packaged IPs; generated once per content."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from derca_flow.boards.known import BOARDS
from derca_flow.package.boards import BOARDS as IP_BOARDS
from derca_flow.rtl.build import generated, verilog_for
from derca_hw import IP_LINT_WAIVERS, LINT_WAIVERS
from derca_hw.board.system import BoardSystem
from derca_hw.families.family import Family
from derca_hw.generate import BOARD_TOP, TOP, board_verilog, cells, ip_verilog
from derca_hw.ip import TOP as IP_TOP
from derca_hw.verilog.cells import empty_cells
from derca_sim.model.platform import Platform
from derca_sim.workload.taskset import load_platform
from kit.checkout import PLATFORMS


@dataclass(frozen=True)
class Product:
    """Verilog with the top module `top`; `cells` are files beside it, by name; `waivers` those of its lint."""

    top: str
    verilog: str
    cells: dict[str, str] = field(default_factory=dict)
    waivers: tuple[Path, ...] = (LINT_WAIVERS,)

    def write(self, folder: Path) -> Path:
        """Write it with its cells; the path of the Verilog."""
        for name, text in {f"{self.top}.v": self.verilog, **{f"{n}.v": t for n, t in self.cells.items()}}.items():
            (folder / name).write_text(text)
        return folder / f"{self.top}.v"


def _sample(name: str) -> Platform:
    return load_platform(PLATFORMS / f"{name}.toml")


def platform(name: str) -> Product:
    """The files of `derca generate` for a sample platform."""
    return Product(TOP, verilog_for(_sample(name)))


def board(name: str) -> Product:
    """The top of a board in the form in which it is simulated."""
    target = BOARDS[name]
    p = load_platform(target.platform)
    text = generated(lambda: board_verilog(target, p), f"board {name}", f"{target} None {p.model_dump_json()}")
    return Product(BOARD_TOP, text, empty_cells(BoardSystem(p, target), Family.PORTABLE) if target.sdram else {})


def ip(name: str) -> Product:
    """The files of `derca ip` for a board."""
    target = IP_BOARDS[name]
    p = load_platform(PLATFORMS / target.platform)
    text = generated(lambda: ip_verilog(p, target.family, target.base), f"IP {name}",
                     f"ip {target} {p.model_dump_json()}")
    return Product(IP_TOP, text, cells(p, target.family), (LINT_WAIVERS, IP_LINT_WAIVERS))


#: Name -> the function that makes it.
PRODUCTS: dict[str, Callable[[], Product]] = {
    **{f"platform {path.stem}": lambda n=path.stem: platform(n) for path in sorted(PLATFORMS.glob("*.toml"))},
    **{f"board {name}": lambda n=name: board(n) for name in BOARDS},
    **{f"ip {name}": lambda n=name: ip(n) for name in IP_BOARDS},
}
#: Products that ./scripts/test reads; --full reads all. Each has a feature that the others lack.
QUICK = {"platform small", "platform hx8k", "platform icebreaker", "platform orangecrab-25f", "platform demo",
         "board icebreaker", "board ulx3s-85f-sdram", "ip arty-a7-100"}


def each():
    """A mark: the test runs for every product, but only with --full for products outside of `QUICK`."""
    return pytest.mark.parametrize("name", [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.full) for name in PRODUCTS])
