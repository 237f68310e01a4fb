"""Verilator's lint speaks of defects despite the waivers; every waiver has a reason and a use."""

import re
import subprocess

import pytest

from derca_flow.tools.toolchain import verilator_command, verilator_environment
from derca_hw import LINT_WAIVERS
from derca_hw.families.family import Family
from derca_hw.generate import TOP, cells, verilog
from derca_sim.workload.taskset import load_platform
from kit import products


@pytest.fixture(scope="module")
def designs():
    found = {name: products.platform(name).verilog for name in ("small", "orangecrab-25f")}
    small = load_platform(products.PLATFORMS / "small.toml")
    blocks = Family.ULTRASCALE
    return found | {"with cells": "".join([verilog(small, blocks), *cells(small, blocks).values()])}


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
    broken, count = module.subn(lambda found: f"{found[1]}  {DEFECTS[rule]}\nendmodule", designs["small"])
    assert count == 1
    said = lint(broken, tmp_path, LINT_WAIVERS.read_text())
    assert any(line.startswith(f"%Warning-{rule}") for line in said), said


def test_every_waiver_has_a_reason_and_a_use(designs, tmp_path):
    lines = [line for line in LINT_WAIVERS.read_text().splitlines() if line]
    waivers = [i for i, line in enumerate(lines) if line.startswith("lint_off")]
    hints = [line for line in lines if line.startswith("split_var")]
    without = "\n".join(line for line in lines if line not in hints)
    spoken = lint(designs["orangecrab-25f"], tmp_path, without)
    assert sorted(re.findall(r"'derca\.\w+?__(\w+)'", " ".join(spoken))) == [
        re.fullmatch(r'split_var -module "\*" -var "(\w+)"', line)[1] for line in hints], spoken
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
