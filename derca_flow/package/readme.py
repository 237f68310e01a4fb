"""The README of a packaged IP."""

from derca_hw.ip import EVENT_BITS, EVENT_OFFSETS, window_bits
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map, start_value
from derca_sim.proof import Proof, varying_memory

from .area import Area
from .boards import VendorBoard
from .component import Identity
from .interfaces import Interface

#: In place of what is proved.
_NO_TASK_SET = """\
## Deadlines

This folder was made without a task set, so nothing is proved: `derca ip TASKSET` does that.
"""
#: What a program in C has of a task set.
_TENSORS = " `derca_tasks.h` has the tasks' tensors, and `derca_infer`, a function for one inference."
#: How a host reaches registers and memory.
_JTAG = """\
There is no processor: the host is a computer at the JTAG cable. `vivado -mode batch -source run.tcl` configures the
board, loads the task set that this folder was made with, runs it for a second and prints what became of its jobs."""
_PROCESSOR = """\
The host is the processor. `derca.dtso` keeps the kernel of Linux out of the memory window, and shows registers,
interrupt and memory as the devices `derca` and `udmabuf0`. Linux must get it when it starts, in a device tree that was
compiled with `dtc -@` as well; the manual's chapter on Linux has the steps of the boot.

    dtc -@ -I dts -O dtb -o derca.dtbo derca.dtso
    fdtoverlay -i system.dtb -o with-derca.dtb derca.dtbo

In the started system

    derca host TASKSET --platform PLATFORM --uio derca --memory udmabuf0

runs a task set, PLATFORM being the TOML file that this folder was made of. The manual's chapter on Linux has a program
in C, which calls `derca_infer` for one inference. Bare metal, keep the linker out of the window. The
port to the DDR is not coherent: flush and invalidate caches around what the accelerator reads and writes. `interrupt`
arrives at `pl_ps_irq0`."""


def readme(p: Platform, board: VendorBoard, base: int, interfaces: dict[str, Interface],
           proof: Proof | None = None) -> str:
    """Commands, addresses, what is proved of the task set, interfaces."""
    identity, registers = Identity.of(p), register_map(p)
    rows = "\n".join(f"| `{i.name}` | {i.type} | {i.mode} | {len(i.ports)} |" for i in interfaces.values())
    triggers = "`trigger_valid` with `trigger_task` releases" if p.release.kind == "swept" else "`trigger` releases"
    interrupt = (
        "`interrupt` is high while a source is pending in IRQ_PENDING that is enabled in IRQ_ENABLE; writing its bit\n"
        "  to IRQ_PENDING clears it." if p.supervision.interrupts else
        "`interrupt` is high while a fault stands in FAULTS; writing its bit there clears it.")
    event = ", ".join(f"{offset} ({field})" for field, offset in EVENT_OFFSETS.items())
    return f"""# {identity.vlnv} for {board.title}

Platform {p.name}, configuration `{p.config_hash:08x}` (`platform.json`), part `{board.part}`, {p.clock_mhz:g} MHz.

## Build

    vivado -mode batch -source build.tcl
    vivado -mode batch -source build.tcl -tclargs bitstream

The first makes `project/derca.xpr` with its block design and validates it. The second goes on to the file that
configures the device, `utilization.rpt` and `timing.rpt`{", and `derca.xsa` for software" if board.processor else ""}.

In a design of your own: add `ip/` to the IP repositories (`set_property ip_repo_paths`), then

    create_bd_cell -type ip -vlnv {identity.vlnv} derca

`vivado -mode batch -source package_ip.tcl` packages `ip/hdl` again with the packager of your Vivado, which adds its
version and checksums; the interfaces come out the same, from the attributes in the Verilog. Without packaging, a block
design takes `ip/hdl/derca_ip.v` as a module reference.

These files follow the formats and commands of Vivado 2022.2 and later. They are checked with open tools: the Verilog
with Verilator and Yosys, component.xml against it and against IEEE 1685-2009, the scripts in a Tcl interpreter that
knows the pins of the cells they connect. The last word is Vivado's.

The timing report of Vivado is the judge of the clock: {p.clock_mhz:g} MHz is what the platform asks for, and what the
analysis of task sets counts in. Any other clock works; `clock_mhz` of platform {p.name} sets it.

## Addresses

| what | address | bytes |
|---|---|---|
| registers, seen by the host | `{board.registers:#x}` | {1 << registers.address_bits:#x} |
| memory, seen by host and accelerator | `{base:#x}` | {1 << window_bits(p):#x} |

Address 0 of tables and of `memory.bin` is the beginning of the memory window; the accelerator's port cannot leave it.

{_PROCESSOR if board.processor else _JTAG}

A host program copies `memory.bin` to the memory, makes the writes of `host_writes.txt` (address from the beginning of
the registers, value), then writes {start_value(p)} to CONTROL. `derca.h` has the registers for C, `registers.md`
explains them.{_TENSORS if proof else ""} Memory here is
{varying_memory(p, board.memory)}: cycles of the golden model are those of the platform's latencies.

{proof.markdown() if proof else _NO_TASK_SET}
{Area.of(p).markdown(p, board)}
## Power-up and reset

Hold `aresetn` low for at least four rising edges of `aclk`. No memory needs a content at power-up, and no register a
value before the reset. A few small memories are zero at power-up in the Verilog all the same: any other content would
do as well, but simulators of four states do not see that a mark equals itself. In implementation these `initial`
statements may be ignored.

## Interfaces

| name | type | mode | ports |
|---|---|---|---|
{rows}

- {interrupt}
- `m_axis_event` carries one event a transfer, {EVENT_BITS} bits with the fields of an event at bits
  {event}; all others are 0. Left unconnected it is always ready, and events are
  dropped without harm.
- {triggers} jobs of sporadic tasks; unconnected it is 0, and the register TRIGGER still does.
- `m_axi` has one ID, which answers must return. Reset the memory together with the accelerator, or wait until STATUS
  says `quiet`: a burst of data that a reset cuts short goes on with what is written next.
- `running` is high while time passes, `now` counts its cycles; `missed` is high from a missed deadline until the next
  start, `faulty` while a fault stands in FAULTS.
"""
