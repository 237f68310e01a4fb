"""The generated Verilog in a simulator of four states: nothing unknown leaves it, whatever was in it at power-up."""

import re

import pytest

from derca_flow.rtl.build import verilog_for
from derca_flow.sessions.system import compare_with_model
from derca_sim.events import Kind
from derca_sim.model.platform import Platform
from kit import icarus, workload

HORIZON = 4000
#: Different job releases, schedulers and tables; each with memories that the others lack.
PLATFORMS = {
    "parallel": {"buffers": {"banks": 3, "spare": 1}},
    "swept": {
        "release": {"kind": "swept", "overrun": ["skip", "queue", "abort"]},
        "scheduler": {"kind": "scan", "tasks": 4, "policies": ["edf", "least_slack"]},
        "supervision": {"budgets": True},
    },
    "word": {
        "release": {"kind": "swept", "trace": 8}, "scheduler": {"kind": "tournament", "tasks": 3},
        "tables": {"read": "word", "layers": 16, "entries": 512, "regions": 16},
    },
}
#: A memory, and a register with its value at power-up, in the text.
_MEMORY = re.compile(r"^  reg (?:\[\d+:0\] )?(\\\S+ |\w+) *\[(\d+):0\];$", re.MULTILINE)
_REGISTER = re.compile(r"^(  (?:output )?reg +(?:\[\d+:0\] )?(?:\\\S+ |\w+)) = \d+'\w+([;,]?)$", re.MULTILINE)
_INITIAL = re.compile(r"^  initial begin\n(?:    .*;\n)*  end\n", re.MULTILINE)


def system(name: str) -> Platform:
    """2 x 2 elements and little memory, so that a run takes seconds."""
    base = {
        "array": {"rows": 2, "cols": 2}, "tile": {"m": 4, "k": 16, "n": 8}, "bus": {"data_width": 32},
        "scheduler": {"tasks": 4}, "store": {"requant_lanes": 1}, "memory": {"size": 16384},
        "tables": {"layers": 16, "entries": 512, "regions": 16}, "trace": {"depth": 4},
    }
    return Platform.model_validate({**base, **PLATFORMS[name]})


def filled(verilog: str, seed: int) -> str:
    """The same with random bits in every memory at power-up, those included whose content is given."""
    number = 0

    def memory(found: re.Match) -> str:
        nonlocal number
        number += 1
        row, state = f"fill_{number}", f"seed_{number}"
        return (f"{found[0]}\n  integer {row}, {state} = {seed + number};\n"
                f"  initial for ({row} = 0; {row} <= {found[2]}; {row} = {row} + 1)\n"
                f"    {found[1]}[{row}] = {{40{{$random({state})}}}};")

    text = _MEMORY.sub(memory, _INITIAL.sub("", verilog))
    assert number > 40
    return text


def check(name: str, folder, change=lambda verilog: verilog) -> None:
    """Three tasks, two of which are preempted: events as the golden model has them, results exact, nothing unknown."""
    p = system(name)
    t = p.tile
    tasks = [
        workload.task(0, [(t.m, t.k, t.n, True)], 1, period=1500, deadline=1200, offset=400),
        workload.task(1, [(2 * t.m + 1, t.k, t.n, True), (2 * t.m + 1, t.n, 3, False)], 2, offset=100),
        workload.task(2, [(2 * t.m, 2 * t.k, 2 * t.n, False)], 3),
    ]
    compiled = workload.compiled(p, tasks, "flexible")
    done = icarus.run(folder, change(verilog_for(p)), compiled, HORIZON)
    assert done.complaints == []
    assert compare_with_model(compiled, done.events, HORIZON) == (0, [])
    finished = {e.task for e in done.events if e.kind == Kind.FINISH}
    assert finished == {0, 1, 2} and sum(e.kind == Kind.PREEMPT for e in done.events) >= 2
    assert all(compiled.bit_exact(done.memory, task) for task in finished)


@pytest.mark.parametrize("name", [
    "parallel", pytest.param("swept", marks=pytest.mark.full), pytest.param("word", marks=pytest.mark.full)])
def test_nothing_unknown_comes_out(name, tmp_path):
    """Memories are unknown at power-up, but for the few that the Verilog gives a content."""
    check(name, tmp_path)


@pytest.mark.parametrize("name", ["swept", pytest.param("parallel", marks=pytest.mark.full),
                                  pytest.param("word", marks=pytest.mark.full)])
def test_any_content_of_the_memories_at_power_up_will_do(name, tmp_path):
    check(name, tmp_path, lambda verilog: filled(verilog, seed=1))


@pytest.mark.full
@pytest.mark.parametrize("name", PLATFORMS)
def test_registers_need_no_value_before_the_reset(name, tmp_path):
    check(name, tmp_path, lambda verilog: _REGISTER.sub(r"\1\2", verilog))
