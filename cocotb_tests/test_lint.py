"""The generated Verilog passes Verilator's lint; every waiver has a reason and a use."""

import re
import subprocess

import pytest

from derca_cli.toolchain import verilator_command, verilator_environment
from derca_hw import LINT_WAIVERS
from derca_hw.generate import TOP, verilog
from derca_sim.model.platform import Platform

#: As different as platforms get: bus narrower and wider than a step, ragged lanes, few and many tasks, both pipelines.
PLATFORMS = {
    "default": {},
    "narrow": {
        "pipeline": "lockstep",
        "array": {"rows": 4, "cols": 4}, "tile": {"m": 8, "k": 16, "n": 8}, "buffers": {"slots": 3, "banks": 3},
        "bus": {"data_width": 32, "address_width": 24}, "scheduler": {"tasks": 3, "time_width": 20},
        "store": {"requant_lanes": 4},
    },
    "ragged": {
        "array": {"rows": 6, "cols": 3}, "tile": {"m": 12, "k": 64, "n": 24}, "buffers": {"slots": 4, "banks": 2},
        "bus": {"data_width": 128, "address_width": 40}, "scheduler": {"tasks": 40}, "store": {"requant_lanes": 1},
        "trace": {"enabled": False},
    },
}


@pytest.fixture(scope="module")
def designs():
    return {name: verilog(Platform.model_validate(keys)) for name, keys in PLATFORMS.items()}


def lint(design: str, folder, waivers: str) -> list[str]:
    """Warnings and errors of `verilator --lint-only -Wall`, one line each."""
    (folder / "derca.v").write_text(design)
    (folder / "derca.vlt").write_text(waivers)
    done = subprocess.run(
        [*verilator_command(), "--lint-only", "-Wall", "-Wno-fatal", "--top-module", TOP, "derca.vlt", "derca.v"],
        cwd=folder, env=verilator_environment(), capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if re.match(r"%(Warning|Error)", line)]
    assert done.returncode == 0 or lines, done.stderr
    return lines


@pytest.mark.parametrize("name", PLATFORMS)
def test_lint_says_nothing_that_is_not_waived(designs, name, tmp_path):
    assert lint(designs[name], tmp_path, LINT_WAIVERS.read_text()) == []


#: Planted defects, placed in the top module, and the rule that must speak.
DEFECTS = {
    "UNUSEDSIGNAL": "wire [7:0] forgotten = s_axi_wdata[7:0];",
    "UNDRIVEN": "wire floating; always @(posedge aclk) if (floating) $stop;",
    "WIDTHTRUNC": "wire [3:0] cut = s_axi_wdata; always @(posedge aclk) if (cut[0]) $stop;",
    "LATCH": "reg kept; always @* if (s_axi_bvalid) kept = s_axi_wdata[0]; always @(posedge aclk) if (kept) $stop;",
    "UNOPTFLAT": "wire [1:0] ring = {ring[0], ring[1]}; always @(posedge aclk) if (ring[0]) $stop;",
}


@pytest.mark.parametrize("rule", DEFECTS)
def test_lint_speaks_of_a_defect_despite_the_waivers(designs, rule, tmp_path):
    module = re.compile(rf"^(module {TOP}\(.*?)^endmodule", re.DOTALL | re.MULTILINE)
    broken, count = module.subn(lambda found: f"{found[1]}  {DEFECTS[rule]}\nendmodule", designs["narrow"])
    assert count == 1
    said = lint(broken, tmp_path, LINT_WAIVERS.read_text())
    assert any(line.startswith(f"%Warning-{rule}") for line in said), said


def test_every_waiver_has_a_reason_and_a_use(designs, tmp_path):
    lines = [line for line in LINT_WAIVERS.read_text().splitlines() if line]
    waivers = [i for i, line in enumerate(lines) if line.startswith("lint_off")]
    said = {line for design in designs.values() for line in lint(design, tmp_path, "`verilator_config\n")}
    assert waivers and said
    for i in waivers:
        above = next(line for line in reversed(lines[:i]) if not line.startswith("lint_off"))
        assert re.match(r"// [^-]", above), f"no reason above: {lines[i]}"
        parts = re.fullmatch(r'lint_off -rule (\w+) -file "\*"(?: -match "(.*)")?', lines[i])
        assert parts, lines[i]
        pattern = ".*".join(re.escape(part).replace(r"\?", ".") for part in (parts[2] or "*").split("*"))
        message = re.compile(rf"%Warning-{parts[1]}: \S+ {pattern}")
        assert any(message.fullmatch(line) for line in said), f"waives nothing on these platforms: {lines[i]}"
