"""The tasks of a compiled task set as a C header: where their tensors lie, and a function for one inference."""

import re

from ..compile import Compiled
from ..model.platform import Platform
from .tensors import tensors

#: Name of the file, which stands beside `host_writes.txt`.
FILE = "derca_tasks.h"
_INCLUDES = """\
#include <stdint.h>
#include <string.h>

#include "derca.h"

#ifdef __cplusplus
#include <atomic>
#define DERCA_FENCE() std::atomic_thread_fence(std::memory_order_seq_cst)
#else
#include <stdatomic.h>
#define DERCA_FENCE() atomic_thread_fence(memory_order_seq_cst)
#endif
"""
_TYPES = """\
/* A matrix in main memory, of which address 0 is the accelerator's. Element [row, column] lies at
 * address + row / panel_rows * panel_stride + column * column_stride + row % panel_rows * sizeof(derca_element).
 * `bytes` is the length from `address` to the end of the last element. */
typedef struct derca_matrix {
    uint32_t address, bytes, rows, columns, panel_rows, panel_stride, column_stride;
} derca_matrix;

/* A task: its number in the hardware, the matrices that the host fills, and those that it reads. */
typedef struct derca_task {
    uint32_t number, inputs, outputs;
    const derca_matrix *input, *output;
} derca_task;
"""
_MOVES = """\
/* How a program reaches the accelerator. */
typedef struct derca_host {
    volatile void *registers; /* the registers, mapped */
    unsigned char *memory;    /* main memory from the accelerator's address 0 on, mapped */
    /* Hand bytes of main memory over to the accelerator, or take them from it. NULL where caches need no care. */
    void (*to_device)(void *context, uint32_t address, uint32_t bytes);
    void (*to_host)(void *context, uint32_t address, uint32_t bytes);
    /* Sleep until the interrupt, or for a while. 0 goes on waiting, anything else gives up. NULL polls for ever. */
    int (*wait)(void *context);
    void *context; /* what the three functions are given */
} derca_host;

static inline uint32_t derca_offset(const derca_matrix *m, uint32_t row, uint32_t column)
{
    return row / m->panel_rows * m->panel_stride + column * m->column_stride +
           row % m->panel_rows * (uint32_t)sizeof(derca_element);
}

/* Write a matrix from an array [rows][columns]. No job of the task may be alive. */
static inline void derca_put(const derca_host *host, const derca_matrix *m, const derca_element *from)
{
    for (uint32_t row = 0; row < m->rows; row++)
        for (uint32_t column = 0; column < m->columns; column++)
            memcpy(host->memory + m->address + derca_offset(m, row, column), from++, sizeof *from);
    if (host->to_device)
        host->to_device(host->context, m->address, m->bytes);
}

/* Read a matrix into an array [rows][columns]. */
static inline void derca_get(const derca_host *host, const derca_matrix *m, derca_element *to)
{
    if (host->to_host)
        host->to_host(host->context, m->address, m->bytes);
    for (uint32_t row = 0; row < m->rows; row++)
        for (uint32_t column = 0; column < m->columns; column++)
            memcpy(to++, host->memory + m->address + derca_offset(m, row, column), sizeof *to);
}
"""
_INFER = """\
/* What derca_infer returns. */
enum derca_result {
    DERCA_INFERRED = 0, /* the outputs are there */
    DERCA_JOB_FAILED,   /* the memory answered with an error, or a request left the task's windows */
    DERCA_NOT_RUNNING,  /* no run is started, or a fault has stopped it: see FAULTS */
    DERCA_GAVE_UP       /* `wait` said so; the job may still end */
};

static inline int derca_is_running(const derca_host *host)
{
    const uint32_t status = derca_read(host->registers, DERCA_STATUS);
    return (status & DERCA_STATUS_RUNNING_MASK) && !(status & DERCA_STATUS_SAFE_MASK);
}

/* One inference: write the inputs, release a job of the task, wait for its end, read the outputs.
 *
 * The task set is loaded and started, the task is sporadic, and no other job of it is alive. A release that comes less
 * than a period after the last one is kept until then. Other tasks may run; the scheduler orders all jobs.
 *
 * inputs, outputs: an array [rows][columns] for each of task->input and task->output, in this order. */
static inline enum derca_result derca_infer(const derca_host *host, const derca_task *task,
                                            const derca_element *const inputs[], derca_element *const outputs[])
{
    volatile void *registers = host->registers;
    const uint32_t finished = derca_read(registers, DERCA_TASK_FINISHES(task->number));
    const uint32_t failed = derca_read(registers, DERCA_TASK_FAILURES(task->number));
    if (!derca_is_running(host))
        return DERCA_NOT_RUNNING;
    for (uint32_t i = 0; i < task->inputs; i++)
        derca_put(host, &task->input[i], inputs[i]);
    DERCA_FENCE();
    derca_write(registers, DERCA_TRIGGER, task->number);
    while (derca_read(registers, DERCA_TASK_FINISHES(task->number)) == finished) {
        if (derca_read(registers, DERCA_TASK_FAILURES(task->number)) != failed)
            return DERCA_JOB_FAILED;
        if (!derca_is_running(host))
            return DERCA_NOT_RUNNING;
        if (host->wait && host->wait(host->context))
            return DERCA_GAVE_UP;
    }
    DERCA_FENCE();
    for (uint32_t i = 0; i < task->outputs; i++)
        derca_get(host, &task->output[i], outputs[i]);
    return DERCA_INFERRED;
}
"""


def tasks_header(compiled: Compiled) -> str:
    """A header with the matrices of every task and functions that move them; it needs `derca.h` of the hardware.

    `derca_infer` is in it if the platform has what it needs: triggers and counts of jobs.
    """
    p, tasks = compiled.platform, tensors(compiled)["tasks"]
    lines = [
        f"/* Tasks of task set {compiled.taskset.name} on platform {p.name}, tables {compiled.tables_hash[:12]}.",
        " * Generated: do not edit. */",
        "#ifndef DERCA_TASKS_H", "#define DERCA_TASKS_H", "", _INCLUDES, _TYPES,
    ]
    rows = []
    for i, task in enumerate(tasks):
        for side in ("input", "output"):
            matrices = "".join(f"    {_matrix(each)},\n" for each in task[f"{side}s"])
            lines.append(f"static const derca_matrix derca_{side}_{i}[] = {{\n{matrices}}};")
        rows.append(f"    {{{i}u, {len(task['inputs'])}u, {len(task['outputs'])}u, derca_input_{i}, "
                    f"derca_output_{i}}}, /* {task['task']}: network {task['network']} */\n")
    lines += ["", "/* The tasks, by number. */", f"static const derca_task derca_tasks[] = {{\n{''.join(rows)}}};",
              *(f"#define {name} {i}u" for i, name in enumerate(_names([task["task"] for task in tasks]))), "", _MOVES,
              _infer(p), "#endif /* DERCA_TASKS_H */", ""]
    return "\n".join(lines)


def _infer(p: Platform) -> str:
    lacking = [f"{key} = true" for key, has in (
        ("release.sporadic", p.release.sporadic), ("trace.statistics", p.trace.statistics)) if not has]
    if lacking:
        return f"/* There is no derca_infer: it needs {' and '.join(lacking)} in platform {p.name}. */\n"
    return _INFER


def _matrix(at: dict) -> str:
    """The matrix as an initialiser."""
    panels, last = divmod(at["rows"] - 1, at["panel_rows"])
    size = (panels * at["panel_stride"] + (at["columns"] - 1) * at["column_stride"]
            + (last + 1) * at["element_bytes"])
    return (f"{{{at['address']:#x}u, {size}u, {at['rows']}u, {at['columns']}u, {at['panel_rows']}u, "
            f"{at['panel_stride']}u, {at['column_stride']}u}}")


def _names(tasks: list[str]) -> list[str]:
    """Names of constants for the numbers of tasks, which stay different where tasks differ in case or in - and _."""
    plain = [re.sub(r"\W", "_", task).upper() for task in tasks]
    names = [f"{name}_{i}" if plain.count(name) > 1 else name for i, name in enumerate(plain)]
    if len(set(names)) < len(names):  # a task is called as another one with its number
        names = [f"{name}_{i}" for i, name in enumerate(plain)]
    return [f"DERCA_NUMBER_{name}" for name in names]
