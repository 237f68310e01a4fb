"""The host program in C of the manual: compiles without a warning, loads, has a job done, and refuses others.

`derca_infer`, which it calls, also runs against the simulated RTL.
"""

import ctypes
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from derca_flow.rtl.mapped import open_mapped
from derca_flow.sessions.session import load
from derca_sim.compile import Compiled, compile_taskset
from derca_sim.compile.image import areas_of
from derca_sim.describe.header import header
from derca_sim.describe.tasks_header import tasks_header
from derca_sim.host.driver import Driver
from derca_sim.model.network import random_network
from derca_sim.model.numerics import run_network
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Interrupt, Reg, register_map
from derca_sim.workload.taskset import Task, TaskSet
from kit.checkout import ROOT
from kit.documents import blocks
from kit.linux_devices import BASE, PHYSICAL, Devices
from kit.platforms import PADDED, SMALL, WORDS, platform

P = platform(memory={"size": 65536})
OPTIONS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
#: Number of the task whose jobs the tests have done.
TASK = 1
#: In place of kernel and accelerator: an interrupt comes only while it is enabled. At the third one the task that was
#: triggered has finished: its outputs are in memory, IRQ_PENDING and the task's count show it.
KERNEL = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "derca_tasks.h"
static int enabled, count;
ssize_t kernel_write(int file, const void *data, size_t size)
{
    (void)file;
    enabled = size == 4 && *(const uint32_t *)data == 1;
    return (ssize_t)size;
}
ssize_t kernel_read(int file, void *data, size_t size)
{
    const uint32_t finish = DERCA_IRQ_PENDING_FINISH_MASK;
    const derca_task *task = &derca_tasks[1];
    uint32_t triggered, finished;
    unsigned char made[4096];
    if (!enabled || size != 4 || ++count > 10) exit(9);
    enabled = 0;
    *(int *)data = count;
    if (count < 3) /* of another task */
        return pwrite(file, &finish, 4, DERCA_IRQ_PENDING);
    if (pread(file, &triggered, 4, DERCA_TRIGGER) != 4 || triggered != task->number) exit(8);
    FILE *outputs = fopen("made.bin", "rb"), *buffer = fopen("dev/udmabuf0", "r+b");
    const size_t length = outputs ? fread(made, 1, sizeof made, outputs) : 0;
    if (!buffer || length < task->output->bytes) exit(7);
    fseek(buffer, FIRST + task->output->address, SEEK_SET);
    fwrite(made, 1, length, buffer);
    fclose(buffer);
    if (pread(file, &finished, 4, DERCA_TASK_FINISHES(1)) != 4) exit(6);
    finished++;
    if (pwrite(file, &finished, 4, DERCA_TASK_FINISHES(1)) != 4) exit(6);
    return pwrite(file, &finish, 4, DERCA_IRQ_PENDING);
}
"""
#: `derca_infer` as a library, whose accesses the test makes.
LIBRARY = """
#include <stdlib.h>
#define derca_read plain_read
#define derca_write plain_write
#include "derca.h"
#undef derca_read
#undef derca_write
uint32_t (*on_read)(uint32_t);
void (*on_write)(uint32_t, uint32_t), (*on_move)(int, uint32_t, uint32_t);
int (*on_wait)(void);
static uint32_t derca_read(const volatile void *base, uint32_t offset) { (void)base; return on_read(offset); }
static void derca_write(volatile void *base, uint32_t offset, uint32_t value) { (void)base; on_write(offset, value); }
#include "derca_tasks.h"
static void to_device(void *c, uint32_t address, uint32_t bytes) { (void)c; on_move(1, address, bytes); }
static void to_host(void *c, uint32_t address, uint32_t bytes) { (void)c; on_move(0, address, bytes); }
static int sleeping(void *c) { (void)c; return on_wait(); }
int infer(unsigned char *memory, uint32_t task, const derca_element *in, derca_element *out)
{
    const derca_host host = {NULL, memory, to_device, to_host, sleeping, NULL};
    return derca_infer(&host, &derca_tasks[task], &in, &out);
}
void put(unsigned char *memory, uint32_t task, const derca_element *in)
{
    const derca_host host = {NULL, memory, NULL, NULL, NULL, NULL};
    derca_put(&host, derca_tasks[task].input, in);
}
void get(unsigned char *memory, uint32_t task, derca_element *out)
{
    const derca_host host = {NULL, memory, NULL, NULL, NULL, NULL};
    derca_get(&host, derca_tasks[task].output, out);
}
"""


def compiled(p: Platform, rows: int = 6) -> Compiled:
    """A periodic task and a sporadic one."""
    tasks = [Task(name, i, random_network(name, [(rows, 10, 9, True), (rows, 9, 7, False)], i, p.array.dtype), period,
                  period, 0, sporadic, ())
             for i, (name, period, sporadic) in enumerate((("often", 20_000, False), ("on-call", 60_000, True)))]
    return compile_taskset(TaskSet("two", Path("two.toml"), p, 1000, tuple(tasks)), "lw")


def build(folder: Path, given: Compiled, **sources: str) -> list[str]:
    """Write sources and headers, compile each source, and return the object files."""
    (folder / "derca.h").write_text(header(given.platform))
    (folder / "derca_tasks.h").write_text(tasks_header(given))
    for name, text in sources.items():
        (folder / f"{name}.c").write_text(text)
        more = ["-Dread=kernel_read", "-Dwrite=kernel_write"] if name == "host" else ["-fPIC"]
        options = [*OPTIONS, *more, f"-DFIRST={BASE - PHYSICAL}"]
        subprocess.run(["gcc", *options, "-c", f"{name}.c"], cwd=folder, check=True)
    return [f"{name}.o" for name in sources]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    code, = [block.text for block in blocks(ROOT / "docs" / "linux.md") if "int main(" in block.text]
    objects = build(folder, compiled(P), host=code, kernel=KERNEL)
    subprocess.run(["gcc", *objects, "-o", "program"], cwd=folder, check=True)
    return folder / "program"


def run(program, devices, folder, task=TASK):
    return subprocess.run(
        [program, devices.devices / "uio0", devices.devices / "udmabuf0", devices.buffer, hex(BASE), str(task)],
        cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_manual_declares_the_function_as_it_is():
    declared, = [block.text for block in blocks(ROOT / "docs" / "linux.md")
                 if block.language == "c" and block.text.startswith("enum derca_result")]
    assert " ".join(declared.split()).removesuffix(";") in " ".join(tasks_header(compiled(P)).split())


def test_it_loads_has_a_job_done_and_reads(program, tmp_path):
    devices, given = Devices(tmp_path, P), compiled(P)
    registers, task, rng = devices.registers, given.tasks[TASK], np.random.default_rng(3)
    image, writes = given.image.tobytes(), [(at, value) for at, value in given.host_writes() if at < 0x40 or at > 0x44]
    (tmp_path / "memory.bin").write_bytes(image)
    (tmp_path / "host_writes.txt").write_text(given.tables_text)
    inputs = rng.integers(-128, 128, task.network.inputs[0].shape).astype(np.int8)
    outputs = rng.integers(-128, 128, (6, 7)).astype(np.int8)
    (tmp_path / "input.bin").write_bytes(inputs.tobytes())
    (tmp_path / "made.bin").write_bytes(task.layers[-1].c.area.pack(outputs).tobytes())
    with (devices.devices / "uio0").open("r+b") as file:
        for at, value in ((Reg.STATUS, 0x83), (registers.address("FINISHES", 1), 7),
                          (registers.address("MISSES", 1), 2)):
            file.seek(at)
            file.write(value.to_bytes(4, "little"))
    done = run(program, devices, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == ["task 0: 0 jobs, 0 deadlines missed", "task 1: 8 jobs, 2 deadlines missed"]
    assert (tmp_path / "output.bin").read_bytes() == outputs.tobytes()
    words, first = (devices.devices / "uio0").read_bytes(), BASE - PHYSICAL
    for at, value in (*dict(writes).items(), (Reg.IRQ_ENABLE, 6), (Reg.IRQ_PENDING, 6), (Reg.CONTROL, 0),
                      (Reg.TRIGGER, TASK)):
        assert int.from_bytes(words[at:at + 4], "little") == value, hex(at)
    memory, expected = (devices.devices / "udmabuf0").read_bytes()[first:], np.zeros(P.memory.size, np.uint8)
    expected[:len(image)] = given.image
    for area, values in ((areas_of(task.layers)[0], inputs), (task.layers[-1].c.area, outputs)):
        expected[area.address:area.address + area.size] = area.pack(values)
    assert memory == expected.tobytes()
    out = task.layers[-1].c.area
    assert {name: int((devices.buffer / name).read_text()) for name in ("sync_offset", "sync_for_cpu")} == {
        "sync_offset": first + out.address, "sync_for_cpu": 1}
    assert int((devices.buffer / "sync_size").read_text()) % 64 == 0


def test_it_refuses_hardware_of_another_platform(program, tmp_path):
    done = run(program, Devices(tmp_path, platform(memory={"size": 65536}, trace={"depth": 8})), tmp_path)
    assert done.returncode == 1 and "of another platform" in done.stderr
    assert run(program, Devices(tmp_path / "again", P), tmp_path, task=2).returncode == 2


def library(folder: Path, given: Compiled) -> ctypes.CDLL:
    objects = build(folder, given, infer=LIBRARY)
    subprocess.run(["gcc", "-shared", *objects, "-o", "infer.so"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "infer.so"))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


#: Matrices of one row have no padding.
VECTORS = platform(name="vectors", operators={"vectors": True}, tile={"m": 8, "k": 16, "n": 8})


@pytest.mark.parametrize(("p", "rows"), [(PADDED, 7), (WORDS, 7), (VECTORS, 1)], ids=["padded", "words", "vectors"])
def test_elements_are_moved_to_where_the_compiler_has_them(p, rows, tmp_path):
    """Also int16, with padding lanes, and matrices of one row that have none."""
    given, rng = compiled(p, rows), np.random.default_rng(rows)
    code = library(tmp_path, given)
    for task in given.tasks:
        memory = given.image.copy()
        area, matrix = areas_of(task.layers)[0], task.network.inputs[0]
        inputs = rng.integers(-100, 100, matrix.shape).astype(p.array.dtype)
        code.put(pointer(memory), task.index, pointer(inputs))
        assert np.array_equal(memory[area.address:area.address + area.size], area.pack(inputs))
        memory[:] = rng.integers(0, 256, len(memory))
        outputs = np.zeros((rows, 7), p.array.dtype)
        code.get(pointer(memory), task.index, pointer(outputs))
        assert np.array_equal(outputs, given.read_outputs(memory, task.index)[-1])


def test_the_headers_are_cpp_as_well(tmp_path):
    (tmp_path / "main.cpp").write_text('''#include "derca_tasks.h"
int main() { derca_host host = {}; return derca_infer(&host, &derca_tasks[1], nullptr, nullptr); }
''')
    build(tmp_path, compiled(P))
    subprocess.run(["g++", "-std=c++11", *OPTIONS[1:], "-c", "main.cpp"], cwd=tmp_path, check=True)


def test_without_triggers_the_header_says_what_is_missing():
    text = tasks_header(compile_taskset(compiled(P).taskset, "lw"))
    assert "derca_infer(" in text
    bare = platform(release={"sporadic": False}, trace={"statistics": False})
    never = Task("a-b", 0, random_network("n", [(4, 4, 4, False)], 1), 9999, 9999, 0, False, ())
    text = tasks_header(compile_taskset(TaskSet("bare", Path("bare.toml"), bare, 1000, (
        never, Task("A_b", 1, never.network, 9999, 9999, 0, False, ()))), "np"))
    assert "needs release.sporadic = true and trace.statistics = true in platform blocks" in text
    assert "derca_infer(" not in text and "#define DERCA_NUMBER_A_B_0 0u\n#define DERCA_NUMBER_A_B_1 1u\n" in text


def test_constants_of_tasks_are_different():
    network = random_network("n", [(4, 4, 4, False)], 1)
    tasks = tuple(Task(name, i, network, 9999, 9999, 0, False, ()) for i, name in enumerate(("a", "A", "A_0")))
    text = tasks_header(compile_taskset(TaskSet("alike", Path("alike.toml"), platform(), 1000, tasks), "np"))
    numbers = dict(re.findall(r"#define (DERCA_NUMBER_\w+) (\d)u", text))
    assert sorted(numbers.values()) == ["0", "1", "2"]


def hooked(code: ctypes.CDLL, read, write, move, wait) -> list:
    """Let Python make the accesses of the library; the hooks live as long as what is returned."""
    word = ctypes.c_uint32
    hooks = {"on_read": ctypes.CFUNCTYPE(word, word)(read), "on_write": ctypes.CFUNCTYPE(None, word, word)(write),
             "on_move": ctypes.CFUNCTYPE(None, ctypes.c_int, word, word)(move),
             "on_wait": ctypes.CFUNCTYPE(ctypes.c_int)(wait)}
    for name, hook in hooks.items():
        ctypes.c_void_p.in_dll(code, name).value = ctypes.cast(hook, ctypes.c_void_p).value
    return [*hooks.values()]


@pytest.mark.parametrize(("changed", "value", "result"), [
    ("FAILURES", 1, 1), ("STATUS", 0b1001, 2), ("STATUS", 0, 2), (None, 0, 3),
], ids=["failed", "safe", "stopped", "late"])
def test_an_inference_that_does_not_end_is_told(changed, value, result, tmp_path):
    """The register changes when the job is released; there are no outputs then."""
    given = compiled(P)
    code, registers, described = library(tmp_path, given), {Reg.STATUS: 1}, register_map(P)
    memory, out = np.zeros(P.memory.size, np.uint8), np.full((6, 7), 99, np.int8)

    def write(offset, number):
        assert (offset, number) == (Reg.TRIGGER, TASK)
        if changed is not None:
            registers[Reg.STATUS if changed == "STATUS" else described.address(changed, TASK)] = value

    kept = hooked(code, lambda offset: registers.get(offset, 0), write, lambda *range_: None, lambda: changed is None)
    assert code.infer(pointer(memory), TASK, pointer(given.tasks[TASK].network.inputs[0]), pointer(out)) == result
    assert (out == 99).all() and len(kept) == 4


def test_one_inference_on_the_rtl(tmp_path):
    """The same function against the simulated accelerator, through caches of which only handed-over ranges agree."""
    given = compiled(SMALL)
    code, own, p = library(tmp_path, given), np.zeros(SMALL.memory.size, np.uint8), SMALL
    task, rng = given.tasks[TASK], np.random.default_rng(8)
    patience = [50]
    with open_mapped(p) as host:
        driver = Driver.open(host, p)

        def move(to_device, address, size):
            if to_device:
                host.memory.write(address, own[address:address + size].tobytes())
            else:
                own[address:address + size] = np.frombuffer(host.memory.read(address, size), np.uint8)

        def wait():
            patience[0] -= 1
            if patience[0] < 0:
                return 1
            driver.write("IRQ_PENDING", driver.read("IRQ_PENDING"))
            host.pause(1e-3)
            return 0

        kept = hooked(code, host.read, host.write, move, wait)

        def infer(values):
            out = np.full((6, 7), 99, np.int8)
            return code.infer(pointer(own), TASK, pointer(values), pointer(out)), out

        load(host, driver, given, lambda done, total: None)
        values = rng.integers(-128, 128, task.network.inputs[0].shape).astype(np.int8)
        assert infer(values)[0] == 2  # DERCA_NOT_RUNNING
        driver.enable_interrupts(Interrupt.FINISH, Interrupt.FAULT)
        driver.start()
        for _ in range(2):
            values = rng.integers(-128, 128, values.shape).astype(np.int8)
            result, out = infer(values)
            network = replace(task.network, inputs=(values, *task.network.inputs[1:]))
            assert result == 0 and np.array_equal(out, run_network(network)[-1])
        assert driver.read("FINISHES", TASK) >= 2 and driver.read("FINISHES", 0) >= 1
        assert len(kept) == 4
