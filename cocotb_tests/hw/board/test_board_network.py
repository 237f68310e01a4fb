"""A trained network on a board: from the UART to SDRAM, through the accelerator, and back, with the bytes of LiteRT."""


import numpy as np
import pytest

from derca_flow.boards.known import BOARDS
from derca_flow.rtl.board import open_board
from derca_flow.sessions.session import judge, load, run
from derca_sim.compile import compile_taskset
from derca_sim.host.driver import Driver
from derca_sim.host.link import Link
from derca_sim.networks.lowering.deploy import load_model
from derca_sim.timing.mapping import alone, choose
from derca_sim.workload.taskset import Task, TaskSet, load_platform
from kit.checkout import SIM
from kit.pictures import graph_inputs
from oracles.litert import LiteRt


@pytest.mark.full
def test_keywords_are_spotted_on_the_board(tmp_path):
    """DS-CNN of MLPerf Tiny: convolutions, depthwise convolutions, a pool and a dense layer."""
    board, name, never = BOARDS["ulx3s-85f-tinyml"], "keyword_spotting", 1 << 30
    p, path = load_platform(board.platform), SIM / "networks" / f"{name}.tflite"
    model, rng = load_model(path), np.random.default_rng(11)
    samples = list(graph_inputs(model.graph, rng).values())
    np.savez(tmp_path / "x.npz", samples[0])
    network = choose(p, model.network(name, tmp_path / "x.npz", 0, 1))
    horizon = alone(p, network) + 100
    task = Task(name, 0, network, never, never, 0, False, ())
    compiled = compile_taskset(TaskSet(name, tmp_path / "t.toml", p, horizon, (task,)), "np")
    with open_board(board, p) as line:
        link = Link.open(line)
        driver = Driver.open(link, p)
        load(link, driver, compiled, lambda done, total: None)
        session = run(link, driver, compiled, horizon, lambda now: None)
    problems, compared = judge(compiled, session)
    assert problems == [] and compared["results"] == 1 and compared["events"] >= 3
    assert [statistics["FINISHES"] for statistics in session.statistics] == [1]
    made, = network.model.results(compiled.read_outputs(session.memory, 0)).values()
    wanted, = LiteRt(path.read_bytes()).outputs(samples)
    assert made.dtype == wanted.dtype and np.array_equal(made, wanted.reshape(made.shape))
