"""The host program in C of the manual: compiles without a warning, loads, waits for interrupts, and refuses others."""

import subprocess

import pytest

from derca_sim.describe.header import header
from derca_sim.model.registers import Reg
from kit.checkout import ROOT
from kit.documents import blocks
from kit.linux_devices import BASE, PHYSICAL, Devices
from kit.platforms import platform

P = platform(memory={"size": 65536})
#: In place of the kernel: an interrupt comes only while it is enabled, and shows FINISH in IRQ_PENDING.
KERNEL = """
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
static int enabled, count;
ssize_t kernel_write(int file, const void *data, size_t size)
{
    (void)file;
    enabled = size == 4 && *(const uint32_t *)data == 1;
    return (ssize_t)size;
}
ssize_t kernel_read(int file, void *data, size_t size)
{
    const uint32_t finish = 4;
    if (!enabled || size != 4 || ++count > 10) exit(9);
    enabled = 0;
    *(int *)data = count;
    return pwrite(file, &finish, 4, 0x74);
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    code, = [block.text for block in blocks(ROOT / "docs" / "linux.md") if block.language == "c"]
    (folder / "host.c").write_text(code)
    (folder / "kernel.c").write_text(KERNEL)
    (folder / "derca.h").write_text(header(P))
    options = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    for name, more in (("host", ["-Dread=kernel_read", "-Dwrite=kernel_write"]), ("kernel", [])):
        subprocess.run(["gcc", *options, *more, "-c", f"{name}.c"], cwd=folder, check=True)
    subprocess.run(["gcc", "host.o", "kernel.o", "-o", "program"], cwd=folder, check=True)
    return folder / "program"


def run(program, devices, folder):
    return subprocess.run([program, devices.devices / "uio0", devices.devices / "udmabuf0", devices.buffer, hex(BASE)],
                          cwd=folder, capture_output=True, text=True, timeout=60)


def test_it_loads_runs_and_reads(program, tmp_path):
    devices, image = Devices(tmp_path, P), bytes(range(256)) * 3
    registers = devices.registers
    periods = [(registers.address("PERIOD", task), 1000 + task) for task in range(P.scheduler.tasks)]
    (tmp_path / "memory.bin").write_bytes(image)
    (tmp_path / "host_writes.txt").write_text("".join(f"{at:08x} {value:08x}\n" for at, value in periods))
    with (devices.devices / "uio0").open("r+b") as file:
        for at, value in (
                (Reg.STATUS, 0x82), (registers.address("FINISHES", 1), 7), (registers.address("MISSES", 1), 2)):
            file.seek(at)
            file.write(value.to_bytes(4, "little"))
    done = run(program, devices, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == ["task 0: 0 jobs, 0 deadlines missed", "task 1: 7 jobs, 2 deadlines missed"]
    words, first = (devices.devices / "uio0").read_bytes(), BASE - PHYSICAL
    for at, value in (*periods, (Reg.IRQ_ENABLE, 4), (Reg.IRQ_PENDING, 4), (Reg.CONTROL, 0)):
        assert int.from_bytes(words[at:at + 4], "little") == value
    assert (devices.devices / "udmabuf0").read_bytes()[first:] == image.ljust(P.memory.size, b"\0")
    handed = {name: int((devices.buffer / name).read_text())
              for name in ("sync_offset", "sync_size", "sync_for_device")}
    assert handed == {"sync_offset": first, "sync_size": P.memory.size, "sync_for_device": 1}


def test_it_refuses_hardware_of_another_platform(program, tmp_path):
    done = run(program, Devices(tmp_path, platform(memory={"size": 65536}, trace={"depth": 8})), tmp_path)
    assert done.returncode == 1 and "of another platform" in done.stderr
