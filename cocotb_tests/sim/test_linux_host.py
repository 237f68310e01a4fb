"""An accelerator behind devices of Linux: where accesses land, what is handed over, interrupts, and every refusal."""

import os
import random
import re
import socket
import struct

import pytest

from derca_sim.errors import InputError
from derca_sim.host.devices import Attributes
from derca_sim.host.driver import Driver, WrongHardware
from derca_sim.host.uio import InterruptLine, MappedRegisters
from derca_sim.model.registers import Interrupt
from kit.linux_devices import BASE, PHYSICAL, Caches, Devices
from kit.platforms import SMALL, platform
from kit.words import Words

P = platform(memory={"size": 65536})


def test_registers_are_words_of_the_device_at_the_offset_of_its_map(tmp_path):
    devices = Devices(tmp_path, P, offset=0x40)
    with devices.open() as host:
        driver = Driver.open(host, P)
        driver.write("PERIOD", 0x12345678, task=3)
        assert host.bytes == 16 and host.events() == [] and host.clock() > 0
    at = 0x40 + devices.registers.address("PERIOD", 3)
    assert (devices.devices / "uio0").read_bytes()[at:at + 4] == bytes.fromhex("78563412")


def test_hardware_of_another_platform_is_refused(tmp_path):
    devices = Devices(tmp_path, P)
    with devices.open() as host, pytest.raises(WrongHardware, match="CONFIG_HASH reads"):
        Driver.open(host, SMALL)


def test_registers_may_be_mapped_from_physical_memory(tmp_path):
    file = tmp_path / "mem"
    file.write_bytes(bytes(0x30000))
    registers = MappedRegisters(file, 0x1000 + 0x40, 0x1000)  # not on a page boundary
    registers.write(8, 0x12345678)
    registers.wait(1e-6)
    assert registers.read(8) == 0x12345678
    registers.close()
    assert file.read_bytes()[0x1048:0x104C] == bytes.fromhex("78563412")


@pytest.mark.parametrize("given", ["derca", "uio0", "/dev/uio0"])
def test_a_device_is_found_by_its_name_and_by_its_file(given, tmp_path):
    devices = Devices(tmp_path, P)
    uio = given.replace("/dev", str(devices.devices))
    buffer = "udmabuf0" if "/" not in given else str(devices.devices / "udmabuf0")
    with devices.open(uio, buffer) as host:
        Driver.open(host, P)
    link = tmp_path / "accelerator"
    link.symlink_to(devices.devices / "uio0")
    devices.open(str(link)).close()


@pytest.mark.parametrize("coherent", [0, 1])
def test_the_accelerators_address_0_is_where_its_memory_begins(coherent, tmp_path):
    devices = Devices(tmp_path, P, extra=4096)
    devices.attributes(devices.buffer, {"dma_coherent": coherent})
    with devices.open() as host:
        host.write_memory(0x100, b"abcdefgh")
        assert host.read_memory(0x104, 3) == b"efg"
        with pytest.raises(ValueError, match="at 0x11000 of main memory"):
            host.read_memory(0x11000, 1)
    at = BASE - PHYSICAL + 0x100
    assert (devices.devices / "udmabuf0").read_bytes()[at:at + 8] == b"abcdefgh"
    assert Attributes(devices.buffer).number("sync_for_device") == 1 - coherent


def test_stale_caches_show_nowhere(tmp_path, monkeypatch):
    """Processor and accelerator take turns, also within a cache line; both see what a single memory would hold."""
    seed = 20261130
    print(f"seed {seed}")
    devices, rng = Devices(tmp_path, P, extra=100), random.Random(seed)
    caches, flat = Caches(devices, monkeypatch), bytearray(devices.length)
    first = BASE - PHYSICAL
    with devices.open() as host:
        for _ in range(300):
            at, size = 4 * rng.randrange(200), 4 * rng.randrange(1, 60)
            data = rng.randbytes(size)
            match rng.randrange(3):
                case 0:
                    host.write_memory(at, data)
                    flat[first + at:first + at + size] = data
                    assert caches.memory[first + at:first + at + size] == data
                case 1:
                    caches.memory[first + at:first + at + size] = data
                    flat[first + at:first + at + size] = data
                case 2:
                    assert host.read_memory(at, size) == flat[first + at:first + at + size]
        host.write_memory(P.memory.size + 96, b"last")
    assert caches.memory[:-100] == flat[:-100] and caches.memory[-4:] == b"last" and caches.handed > 10_000


def test_an_interrupt_is_enabled_waited_for_and_taken():
    """Linux at the other end: it is written 1, and writes its count when the interrupt comes."""
    ours, linux = socket.socketpair()
    with ours, linux:
        interrupt = InterruptLine(ours.fileno())
        assert not interrupt.wait(0.001)
        assert linux.recv(64) == struct.pack("=I", 1)
        linux.send(struct.pack("=I", 7))
        assert interrupt.wait(60) and linux.recv(64) == struct.pack("=I", 1)
        assert not interrupt.wait(0)  # the count was taken


def test_without_an_interrupt_line_waiting_is_a_nap(tmp_path):
    (tmp_path / "f").touch()
    file = os.open(tmp_path / "f", os.O_RDONLY)  # refuses to be written, as a device without interrupt does
    interrupt = InterruptLine(file)
    os.close(file)
    assert [interrupt.wait(60) for _ in range(3)] == [False] * 3


def test_the_driver_looks_again_when_the_hardware_interrupts():
    class Interrupting(Words):
        pauses = 0

        def pause(self, seconds):
            self.pauses += 1
            self.words[0x74] = (self.pauses == 3) << Interrupt.FINISH | 1 << Interrupt.MISS

    transport = Interrupting(SMALL)
    assert Driver.open(transport, SMALL).wait_interrupt(Interrupt.FINISH, timeout=60) == {Interrupt.FINISH}
    assert transport.pauses == 3 and transport.words[0x74] == 1 << Interrupt.FINISH


def refusal(devices, *args, **options) -> str:
    with pytest.raises(InputError) as caught:
        devices.open(*args, **options)
    return str(caught.value)


def test_devices_that_do_not_exist_are_told_with_those_that_do(tmp_path):
    devices = Devices(tmp_path, P)
    assert refusal(devices, "other") == "--uio = other: there is no such device; allowed are uio0 (derca)"
    assert refusal(devices, memory="/dev/udmabuf9").endswith("there is no such device; allowed are udmabuf0")
    devices.attributes(devices.uio.parent / "uio1", {"name": "derca"})
    assert "2 devices go by this name; allowed is one of uio0, uio1" in refusal(devices)
    (devices.devices / "uio0").unlink()
    assert re.search(r"uio0: there is no such file; .*driver is loaded", refusal(devices, "uio0"))


def test_without_any_device_the_driver_to_load_is_named(tmp_path):
    devices = Devices(tmp_path, P)
    devices.uio.rename(tmp_path / "away")
    assert "modprobe uio_pdrv_genirq of_id=generic-uio" in refusal(devices)
    (tmp_path / "away").rename(devices.uio)
    devices.buffer.rename(tmp_path / "away")
    assert "modprobe u-dma-buf" in refusal(devices)


def test_a_base_is_needed_and_the_buffer_must_lie_there(tmp_path):
    devices = Devices(tmp_path, P, base=False)
    assert re.search(r"--base: needed, .* derca,memory-base = /bits/ 64 <ADDRESS>", refusal(devices))
    devices.open(base=PHYSICAL).close()
    assert ("the buffer has 0x20000 bytes at 0x40000000; needed are 0x10000 bytes at 0x40020000"
            in refusal(devices, base=PHYSICAL + 0x20000))
    assert "needed are 0x10000 bytes at 0x3fff0000" in refusal(devices, base=PHYSICAL - 0x10000)
    (devices.buffer / "size").unlink()
    assert "shows no physical address and size" in refusal(devices, base=PHYSICAL)


def test_a_map_that_is_too_small_is_refused(tmp_path):
    devices = Devices(tmp_path, P)
    devices.attributes(devices.uio, {"maps/map0/size": "0x1000"})
    assert re.search(r"maps 0x1000 bytes; needed are 0x2\w+ bytes .* `reg`", refusal(devices))
    devices.attributes(devices.uio, {"maps/map0/size": "?"})
    assert "the device has no map" in refusal(devices)


def test_a_missing_right_is_told_with_the_rule_that_gives_it(tmp_path, monkeypatch):
    devices = Devices(tmp_path, P)
    monkeypatch.setattr(os, "open", lambda path, flags: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert re.search(r"--uio = .*uio0: you may not use it: .*udev rule .*GROUP=\"derca\"", refusal(devices))


def test_without_the_right_to_hand_ranges_over_the_buffer_is_mapped_without_caches(tmp_path, monkeypatch):
    """Only where the driver then maps ordinary memory: a copy into memory mapped as registers may be refused."""
    devices, flags, opened = Devices(tmp_path, P), [], os.open
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert re.search(r"you may not write .*sync_for_device: .* sync-mode = <2>", refusal(devices))
    devices.attributes(devices.buffer, {"sync_mode": 2})
    monkeypatch.setattr(os, "open", lambda path, f, *a, **k: flags.append(f) or opened(path, f, *a, **k))
    with devices.open() as host:
        host.write_memory(0, b"abcd")
    assert flags[-1] & os.O_SYNC == os.O_SYNC and Attributes(devices.buffer).number("sync_for_device") == 0


def test_a_device_that_cannot_be_mapped_is_told(tmp_path):
    devices = Devices(tmp_path, P)
    (devices.devices / "uio0").write_bytes(b"")
    assert "cannot be opened and mapped (" in refusal(devices)
