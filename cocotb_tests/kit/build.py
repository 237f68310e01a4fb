"""One Amaranth component as a cocotb simulation, compiled once per content."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from amaranth.lib import wiring

from derca_flow.rtl import vpi
from derca_flow.tools.toolchain import command
from derca_flow.tools.yosys import run_yosys
from derca_hw.bus.join import ports
from derca_hw.verilog.convert import convert
from kit.verilog import verilog_of

#: Name of the top module and of the simulation binary.
TOP = "top"


def build(factory: Callable[[], wiring.Component], *, waves: bool = False, models: str = "",
          synthesis: str = "", inside: tuple[str, ...] = ()) -> Path:
    """Compile a component for cocotb; return the folder with the binary `TOP`.

    Parameters
    ----------
    factory
        Makes a fresh component.
    waves
        Build waveform output (VCD) in.
    models
        Verilog of the primitives that the component instantiates, or is synthesised to.
    synthesis
        Yosys's command that synthesises it; by default the RTL is simulated.
    inside
        Parts of the component whose signals the test reaches, by their paths; `*` stands for any characters.

    Raises
    ------
    CheckFailed
        If Yosys fails.
    MissingToolError, BuildError
        As `derca_flow.rtl.vpi.build`.
    """
    component = factory()
    text = convert(component, TOP, ports=ports(component))

    def source() -> str:
        if synthesis:
            return models + _synthesised(text, synthesis)
        return verilog_of(text) + models

    return vpi.build((text + models + synthesis).encode(), source, TOP, waves=waves,
                     inside=tuple(f"{TOP}.{part}" for part in inside))


def _synthesised(text: str, synthesis: str) -> str:
    """RTLIL synthesised, in Verilog."""
    with tempfile.TemporaryDirectory(prefix="derca-synthesis-") as temporary:
        work = Path(temporary)
        (work / "design.il").write_text(text)
        (work / "script.ys").write_text("\n".join((
            "read_rtlil design.il", f"{synthesis} -top {TOP}", "write_verilog -noattr netlist.v",
            "tee -q -o stat.json stat -json", "")))
        run_yosys(command("yosys"), work, lambda _: None)
        return (work / "netlist.v").read_text()
