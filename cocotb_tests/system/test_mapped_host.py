"""`derca host` beside a processor: the simulated accelerator, also behind models of the devices of Linux."""

import functools
import json

import numpy as np
import pytest

import derca
from derca import accelerator
from derca_flow.rtl.mapped import open_mapped
from derca_flow.sessions.serving import compile_networks
from derca_flow.sessions.session import load
from derca_sim.compile import compile_taskset
from derca_sim.errors import InputError
from derca_sim.events import read_log
from derca_sim.host import linux
from derca_sim.host.devices import Attributes
from derca_sim.host.dma_buffer import DmaBuffer
from derca_sim.host.driver import Driver
from derca_sim.host.transport import AccessRefused
from derca_sim.model.network import random_network
from derca_sim.model.network_files import load_network
from derca_sim.model.numerics import run_network
from derca_sim.workload.taskset import load_taskset
from kit import cli
from kit.checkout import PLATFORMS, SIM, TASKSETS
from kit.linux_devices import Behind, Caches, Devices

TOY = TASKSETS / "hx8k.toml"


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """Models of the devices, with the simulated accelerator behind them."""
    p = load_taskset(TOY).platform
    devices = Devices(tmp_path, p)
    caches, simulation = Caches(devices, monkeypatch), open_mapped(p)
    monkeypatch.setattr(linux, "open_uio", lambda *args: (
        Behind(simulation, caches, p.memory.size), Attributes(devices.uio)))
    opened = functools.partial(linux.open_linux, sysfs=devices.sysfs, devices=devices.devices)
    for module in (linux, accelerator):
        monkeypatch.setattr(module, "open_linux", opened)
    yield devices
    simulation.close()


def host(place, *args, cycles=9_000):
    return cli.derca("host", TOY, "--cycles", cycles, "-o", place / "out", *args)


def test_a_run_through_linux_is_judged_and_leaves_its_files(devices, tmp_path):
    result = host(tmp_path, "--uio", "derca", "--json", "--strategy", "joint")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["bit_exact"] is True and summary["differences"] == [] and summary["deadline_misses"] == 0
    assert (summary["uio"], summary["board"], summary["simulated"]) == ("derca", None, None)
    assert [t["finishes"] >= 1 for t in summary["tasks"]] == [True, True]
    assert summary["cycles"] >= 9_000 and summary["events"] == 0
    assert read_log(tmp_path / "out" / "events.jsonl") == []
    assert "the memory of the processor: its latency varies" in json.dumps(summary["proof"])


def test_tensors_go_in_and_out_through_linux(devices):
    images, network = np.load(SIM / "networks" / "digits_test.npz")["images"][:6], SIM / "networks" / "digits_small.npz"
    with derca.open_uio(PLATFORMS / "hx8k.toml") as host:
        host.load({"digits": network}, batch=3)
        assert np.array_equal(host.infer("digits", images), run_network(load_network(network, "digits", 6))[-1])
    with pytest.raises(InputError, match="needed are 0x10000 bytes"):
        derca.open_uio(PLATFORMS / "icebreaker.toml")


def test_without_a_board_the_accelerator_is_simulated_as_a_processor_sees_it(tmp_path):
    result = host(tmp_path, "--sim")
    assert result.exit_code == 0, result.stderr
    assert "hx8k on the bus of a processor (simulated RTL)" in result.stdout
    assert "bit-exact" in result.stdout and "none reach the host" in result.stdout


def test_a_range_that_is_not_handed_over_shows_in_the_results(devices, tmp_path, monkeypatch):
    hand_over = DmaBuffer._hand_over
    monkeypatch.setattr(DmaBuffer, "_hand_over", lambda self, to, at, size: hand_over(self, to, at, size)
                        if to == "sync_for_device" else None)
    result = host(tmp_path, "--uio", "derca")
    assert result.exit_code == 1 and "results of task fast differ" in result.stderr


def test_a_wrong_period_shows_in_the_number_of_releases(tmp_path, monkeypatch):
    load_all = Driver.load

    def wrong(self, writes):
        period = self.registers.address("PERIOD", 0)
        load_all(self, [(address, value // 3 if address == period else value) for address, value in writes])

    monkeypatch.setattr(Driver, "load", wrong)
    result = host(tmp_path, "--sim")
    assert result.exit_code == 1 and "RELEASES and OVERRUNS of task fast are" in result.stderr


def test_a_missed_deadline_is_exit_code_1(tmp_path):
    result = host(tmp_path, "--sim", "--strategy", "np", cycles=60_000)
    assert result.exit_code == 1 and "deadlines missed" in result.stderr and "bit-exact" in result.stdout


def test_status_is_idle_only_after_the_last_store():
    """Small last tiles: the store engine waits between two of them, while nothing else has anything to do."""
    p, polls = load_taskset(TOY).platform, 0
    with open_mapped(p) as link:
        driver = Driver.open(link, p)
        for shapes in ([(4, 16, 16), (4, 16, 8)], [(4, 8, 8), (4, 8, 8)], [(8, 16, 12)], [(4, 12, 16)], [(12, 8, 8)]):
            layers = [(m, k, n, False) for m, k, n in shapes]
            compiled = compile_networks(p, {"n": random_network("n", layers, 73)})
            load(link, driver, compiled, lambda done, total: None)
            driver.start()
            while driver.fields("STATUS")["idle"]:
                pass
            while not driver.fields("STATUS")["idle"]:
                polls += 1
            c = compiled.tasks[0].layers[-1].c.area
            stored = link.read_memory(c.address, c.size)
            while not driver.read("FINISHES", 0):
                pass
            assert stored == link.read_memory(c.address, c.size), shapes
            driver.stop()
    assert polls > 200


def test_a_locked_accelerator_is_not_written_to():
    """Not every processor survives a write that is refused."""
    compiled = compile_taskset(load_taskset(TOY), "lw")
    with open_mapped(compiled.platform) as link:
        driver = Driver.open(link, compiled.platform)
        driver.lock()
        with pytest.raises(AccessRefused, match="locked until reset: reset the accelerator"):
            load(link, driver, compiled, lambda done, total: None)
        with pytest.raises(AccessRefused, match=r"PERIOD of task 0 = 0x1 was refused"):
            driver.write("PERIOD", 1, task=0)
        with pytest.raises(AccessRefused, match="read of register 0x7c was refused"):
            link.read(0x7C)
        with pytest.raises(ValueError, match="of main memory: it has 0x1000"):
            link.read_memory(0xFFF, 2)


def test_hardware_of_another_platform_is_exit_code_1(devices, tmp_path):
    toy, other = (PLATFORMS / "hx8k.toml").read_text(), tmp_path / "other.toml"
    other.write_text(toy.replace("entries = 64", "entries = 65"))
    result = host(tmp_path, "--uio", "derca", "--platform", other)
    assert result.exit_code == 1 and "CONFIG_HASH" in result.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize(("args", "text"), [
    ([], "exactly one of them"),
    (["--uio", "derca", "--sim"], "exactly one of them"),
    (["--uio", "derca", "--board", "hx8k"], "--board = hx8k: not allowed with --uio"),
    (["--uio", "derca", "--netlist"], "--netlist: allowed with --sim only"),
    (["--sim", "--memory", "udmabuf0"], "--memory = udmabuf0: allowed with --uio only"),
    (["--sim", "--base", "0"], "--base = 0: allowed with --uio only"),
    (["--sim", "--netlist"], "--board: needed with --netlist"),
    (["--port", "/dev/ttyUSB0"], "--board: needed with --port"),
    (["--uio", "derca", "--base", "x"], "--base = x: allowed are addresses"),
    (["--uio", "nowhere"], "--uio = nowhere: there is no such device"),
    (["--sim", "--platform", PLATFORMS / "icebreaker.toml"], "trace.statistics = false: allowed is true"),
])
def test_bad_input_is_exit_code_2(args, text, tmp_path):
    result = host(tmp_path, *args)
    assert result.exit_code == 2 and text in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
